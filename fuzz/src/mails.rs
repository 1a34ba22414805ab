//! Mails: as they stand in a mailbox, and as three providers post them.

use std::collections::BTreeMap;

use ingest::channels::email::{Inbox, Mailgun, Postmark, SendGrid, adapt, parse};

use crate::Target;
use crate::webhooks::read;

const SECRET: &str = "a secret that no bytes tell: 5d41402abc4b2a76b9719d911017c592";
/// Parts of a form are told apart by this; it stands in the seeds.
const FORM: &str = "multipart/form-data; boundary=xYzZY";

fn inbox() -> Inbox {
    Inbox {
        name: "suporte".to_owned(),
        tenant: "demo".to_owned(),
        own: vec!["suporte@isp.example".to_owned()],
    }
}

fn mime(bytes: &[u8]) {
    if let Some(mail) = parse(bytes) {
        let inbox = inbox();
        let _ = adapt::adapt(&inbox.name, &inbox.own, &mail);
    }
}

fn kept(content_type: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("content-type".to_owned(), content_type.to_owned())])
}

fn sendgrid(body: &[u8]) {
    let account = SendGrid { inbox: inbox(), secret: SECRET.to_owned() };
    read(&account, &kept(FORM), body);
}

fn mailgun(body: &[u8]) {
    let account = Mailgun::new(inbox(), SECRET);
    read(&account, &kept(FORM), body);
    read(&account, &kept("application/x-www-form-urlencoded"), body);
}

fn postmark(body: &[u8]) {
    let account = Postmark { inbox: inbox(), secret: SECRET.to_owned() };
    read(&account, &kept("application/json"), body);
}

pub(crate) fn targets() -> Vec<Target> {
    vec![
        Target { name: "mime", seeds: MIME, read: mime },
        Target { name: "sendgrid", seeds: SENDGRID, read: sendgrid },
        Target { name: "mailgun", seeds: MAILGUN, read: mailgun },
        Target { name: "postmark", seeds: POSTMARK, read: postmark },
    ]
}

const MIME: &[&[u8]] = &[
    b"From: Ana <ana@x.example>\r\nTo: suporte@isp.example\r\nSubject: =?iso-8859-1?Q?m=EAs?=\r\nMessage-ID: <1@x>\r\nDate: Fri, 20 Nov 2026 10:32:00 -0300\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=windows-1252\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>a =E7 <blockquote>b</blockquote>\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nz\r\n--b--\r\n",
    b"From: MAILER-DAEMON@x\r\nReturn-Path: <>\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; ana@x\r\nAction: failed\r\nStatus: 5.1.1\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <c_1/1@isp.example>\r\n\r\n--b--\r\n",
    b"From: ana@x.example\r\nSubject: Re: [#202611201234567890] fatura\r\nReferences: <a@b> <c@d>\r\nIn-Reply-To: <c@d>\r\nAuto-Submitted: auto-replied\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nT2kKCkVtIDIwLzExLzIwMjYgMTA6MzIsIHggZXNjcmV2ZXU6Cj4geQotLSAKeg==\r\n",
];
const SENDGRID: &[&[u8]] = &[
    b"--xYzZY\r\nContent-Disposition: form-data; name=\"from\"\r\n\r\nAna <ana@x.example>\r\n--xYzZY\r\nContent-Disposition: form-data; name=\"charsets\"\r\n\r\n{\"text\":\"windows-1252\",\"from\":\"UTF-8\"}\r\n--xYzZY\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\noi\r\n--xYzZY\r\nContent-Disposition: form-data; name=\"headers\"\r\n\r\nMessage-ID: <1@x>\r\nSubject: y\r\n\r\n--xYzZY\r\nContent-Disposition: form-data; name=\"attachment1\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n--xYzZY--\r\n",
    b"--xYzZY\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\nFrom: ana@x\r\nSubject: y\r\n\r\noi\r\n--xYzZY--\r\n",
];
const MAILGUN: &[&[u8]] = &[
    b"timestamp=1763740800&token=t&signature=s&from=Ana+%3Cana%40x%3E&subject=y&body-plain=oi&stripped-text=oi&message-headers=%5B%5B%22Message-Id%22%2C%22%3C1%40x%3E%22%5D%5D&attachment-count=0",
    b"--xYzZY\r\nContent-Disposition: form-data; name=\"body-mime\"\r\n\r\nFrom: ana@x\r\n\r\noi\r\n--xYzZY--\r\n",
];
const POSTMARK: &[&[u8]] = &[
    br#"{"From":"ana@x.example","FromFull":{"Email":"ana@x.example","Name":"Ana"},"ToFull":[{"Email":"suporte@isp.example"}],"Subject":"y","MessageID":"1","Date":"Fri, 20 Nov 2026 10:32:00 -0300","TextBody":"oi","HtmlBody":"<p>oi","StrippedTextReply":"","Headers":[{"Name":"Message-ID","Value":"<1@x>"}],"Attachments":[{"Name":"a.pdf","ContentType":"application/pdf","ContentLength":1,"Content":"JQ=="}]}"#,
    br#"{"From":"ana@x","RawEmail":"From: ana@x\r\n\r\noi"}"#,
];
