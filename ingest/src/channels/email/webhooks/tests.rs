use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use axum::http::HeaderMap;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::*;
use crate::channels::email::parse;
use crate::channels::webhook::Webhook;
use crate::door::HeardMessage;

const NOW_MS: i64 = 1_795_000_000_000;
const SECRET: &str = "0123456789abcdef";

fn inbox() -> Inbox {
    let own = vec!["suporte@isp.example".to_owned()];
    Inbox { name: "suporte".to_owned(), tenant: "demo".to_owned(), own }
}

fn sendgrid() -> SendGrid {
    SendGrid { inbox: inbox(), secret: SECRET.to_owned() }
}

fn mailgun() -> Mailgun {
    Mailgun::new(inbox(), SECRET)
}

fn postmark() -> Postmark {
    Postmark { inbox: inbox(), secret: SECRET.to_owned() }
}

fn headers(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A form as `multipart/form-data`; a field whose value is bytes keeps them.
fn form(fields: &[(&str, &[u8])]) -> (BTreeMap<String, String>, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(
            format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").bytes(),
        );
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--B--\r\n");
    (headers(&[("content-type", "multipart/form-data; boundary=B")]), body)
}

fn message(
    webhook: &dyn Webhook,
    (headers, body): &(BTreeMap<String, String>, Vec<u8>),
) -> HeardMessage {
    match webhook.adapt(headers, body).unwrap().pop() {
        Some(Event::Message(message) | Event::Enclosing(message, _)) => *message,
        other => panic!("no message: {other:?}"),
    }
}

/// Acceptance case 16: a mail is one message, by IMAP and by every provider, whole and taken apart.
#[test]
fn case_16_the_same_mail_is_one_whichever_way_it_comes() {
    for with_id in [true, false] {
        let id = if with_id { "Message-ID: <a1@cliente.example>\r\n" } else { "" };
        let head = format!(
            "From: Maria Souza <Maria@cliente.example>\r\nTo: suporte@isp.example\r\nSubject: Sem sinal\r\n\
             Date: Fri, 20 Nov 2026 10:32:11 -0300\r\n{id}"
        );
        let body = "Estou sem internet.\r\n";
        let raw = format!("{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{body}");
        let by_imap = adapt::adapt("suporte", &inbox().own, &parse(raw.as_bytes()).unwrap());
        let Some(Event::Message(by_imap)) = by_imap else { panic!() };
        let fields: Vec<(String, String)> = head
            .lines()
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let listed = serde_json::to_string(&fields).unwrap();
        let named: Vec<Value> =
            fields.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
        let told = json!({
            "FromFull": {"Email": "Maria@cliente.example", "Name": "Maria Souza"}, "Subject": "Sem sinal",
            "MessageID": "22c74902-a0c1-4511-804f2-341342852c90", "TextBody": body, "Headers": named,
        });
        let ways: [(&str, HeardMessage); 5] = [
            ("SendGrid, whole", message(&sendgrid(), &form(&[("email", raw.as_bytes())]))),
            (
                "SendGrid",
                message(
                    &sendgrid(),
                    &form(&[("headers", head.as_bytes()), ("text", body.as_bytes())]),
                ),
            ),
            ("Mailgun, whole", message(&mailgun(), &form(&[("body-mime", raw.as_bytes())]))),
            (
                "Mailgun",
                message(
                    &mailgun(),
                    &form(&[
                        ("message-headers", listed.as_bytes()),
                        ("body-plain", body.as_bytes()),
                    ]),
                ),
            ),
            ("Postmark", message(&postmark(), &(headers(&[]), told.to_string().into_bytes()))),
        ];
        for (way, heard) in ways {
            assert_eq!(heard.identity, by_imap.identity, "{way}");
            assert_eq!(heard.contact, by_imap.contact, "{way}");
            assert_eq!(heard.text, by_imap.text, "{way}");
            assert_eq!(
                (heard.provider, &heard.account),
                (by_imap.provider, &by_imap.account),
                "{way}"
            );
        }
    }
}

#[test]
fn every_field_of_sendgrid_has_a_charset_of_its_own() {
    let charsets = br#"{"subject":"iso-8859-1","text":"x-strange","from":"UTF-8"}"#;
    let heard = message(
        &sendgrid(),
        &form(&[
            ("from", "José <jose@cliente.example>".as_bytes()),
            ("subject", b"Instala\xe7\xe3o"),
            ("text", b"amanh\xe3"),
            ("charsets", charsets),
            ("dkim", b"{@example.org : pass}"),
        ]),
    );
    assert_eq!(heard.text.as_deref(), Some("Instalação\namanhã"));
    assert_eq!(heard.contact.name.as_deref(), Some("José"));
    let bounced =
        form(&[("from", b"a@b.example"), ("text", b"x"), ("envelope", br#"{"from":"","to":[]}"#)]);
    assert!(message(&sendgrid(), &bounced).auto_generated, "an envelope from nobody");
}

/// What came with a mail: name, media type, size, whether its bytes are here.
fn files(webhook: &dyn Webhook, (headers, body): &(BTreeMap<String, String>, Vec<u8>)) -> String {
    let (message, enclosed) = match webhook.adapt(headers, body).unwrap().pop() {
        Some(Event::Enclosing(message, enclosed)) => (message, enclosed),
        Some(Event::Message(message)) => (message, Vec::new()),
        other => panic!("no message: {other:?}"),
    };
    let told = message.attachments.iter().enumerate().map(|(part, file)| {
        let bytes = enclosed.iter().find(|enclosed| enclosed.part == part);
        let held = bytes.map_or(file.reference.clone(), |it| format!("{} bytes", it.bytes.len()));
        format!("{} {} {held}", file.filename.as_deref().unwrap_or("-"), file.mime)
    });
    told.collect::<Vec<_>>().join("; ")
}

/// A form with a text and files: field, name, media type, bytes.
fn form_with(
    fields: &[(&str, &[u8])],
    files: &[(&str, &str, &str, &[u8])],
) -> (BTreeMap<String, String>, Vec<u8>) {
    let (headers, mut body) = form(fields);
    body.truncate(body.len() - b"--B--\r\n".len());
    for (field, name, mime, bytes) in files {
        let head = format!(
            "--B\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
             Content-Type: {mime}\r\n\r\n"
        );
        body.extend(head.bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--B--\r\n");
    (headers, body)
}

#[test]
fn what_comes_in_a_webhook_is_not_lost_and_signs_are_no_files() {
    let mail = [("from", b"maria@cliente.example".as_slice()), ("text", b"segue")];
    let sent: [(&str, &str, &str, &[u8]); 2] = [
        ("attachment1", "conta.pdf", "application/pdf", b"%PDF-1.7"),
        ("attachment2", "logo.png", "image/png", b"\x89PNG"),
    ];
    let info = br#"{"attachment1":{"filename":"conta.pdf"},"attachment2":{"content-id":"ii_1"}}"#;
    let fields =
        [&mail[..], &[("attachment-info", info.as_slice()), ("attachments", b"2")]].concat();
    assert_eq!(files(&sendgrid(), &form_with(&fields, &sent)), "conta.pdf application/pdf 8 bytes");
    let mail = [("from", b"maria@cliente.example".as_slice()), ("body-plain", b"segue")];
    let fields =
        [&mail[..], &[("content-id-map", br#"{"<ii_1>":"attachment2"}"#.as_slice())]].concat();
    assert_eq!(files(&mailgun(), &form_with(&fields, &sent)), "conta.pdf application/pdf 8 bytes");
    let stored = br#"[{"url":"https://se.api.mailgun.net/v3/0","content-type":"application/pdf","name":"conta.pdf","size":8}]"#;
    let fields = [&mail[..], &[("attachments", stored.as_slice())]].concat();
    assert_eq!(
        files(&mailgun(), &form(&fields)),
        "conta.pdf application/pdf https://se.api.mailgun.net/v3/0"
    );
    let posted = |content: &str| {
        let pdf = json!({ "Name": "conta.pdf", "ContentType": "application/pdf", "Content": content,
                          "ContentLength": 8 });
        let logo = json!({ "Name": "logo.png", "ContentType": "image/png", "Content": "iVBORw==",
                           "ContentID": "ii_1", "ContentLength": 4 });
        let told = json!({ "From": "maria@cliente.example", "TextBody": "segue", "Attachments": [pdf, logo] });
        files(&postmark(), &(headers(&[]), told.to_string().into_bytes()))
    };
    assert_eq!(posted("JVBERi0xLjc="), "conta.pdf application/pdf 8 bytes");
    assert_eq!(posted("not base64"), "conta.pdf application/pdf door:too_large");
}

fn received(headers: &BTreeMap<String, String>) -> HeaderMap {
    let headers: HashMap<String, String> = headers.clone().into_iter().collect();
    HeaderMap::try_from(&headers).unwrap()
}

#[test]
fn only_who_shows_the_secret_is_believed() {
    let (kept, body) = form(&[("text", b"x")]);
    let shown = |authorization: Option<&str>, query: &str| {
        let mut headers = kept.clone();
        headers.extend(authorization.map(|value| ("authorization".to_owned(), value.to_owned())));
        let headers = &received(&headers);
        let request = Request { query, headers, body: &body, received_at_ms: NOW_MS };
        (sendgrid().verify(&request).is_ok(), postmark().verify(&request).is_ok())
    };
    let basic =
        |password: &str| format!("Basic {}", BASE64.encode(format!("u:{password}").as_bytes()));
    assert_eq!(shown(Some(&basic(SECRET)), ""), (true, true));
    assert_eq!(shown(None, &format!("a=b&secret={SECRET}")), (true, true));
    for wrong in ["", "x", "0123456789abcdeg"] {
        assert_eq!(shown(Some(&basic(wrong)), ""), (false, false), "{wrong}");
        assert_eq!(shown(None, &format!("secret={wrong}")), (false, false), "{wrong}");
    }
    assert_eq!(shown(Some("Bearer x"), ""), (false, false));
    assert_eq!(shown(None, ""), (false, false));
}

#[test]
fn a_signature_of_mailgun_is_fresh_and_taken_once() {
    let signed = |token: &str, at_ms: i64, text: &str| {
        let time = (at_ms / 1000).to_string();
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(format!("{time}{token}").as_bytes());
        let signature = HEXLOWER.encode(&mac.finalize().into_bytes());
        form(&[
            ("timestamp", time.as_bytes()),
            ("token", token.as_bytes()),
            ("signature", signature.as_bytes()),
            ("from", b"maria@cliente.example"),
            ("body-plain", text.as_bytes()),
        ])
    };
    let account = mailgun();
    let verified = |(headers, body): &(BTreeMap<String, String>, Vec<u8>)| {
        let headers = &received(headers);
        account.verify(&Request { query: "", headers, body, received_at_ms: NOW_MS }).is_ok()
    };
    assert!(verified(&signed("a", NOW_MS, "x")));
    assert!(verified(&signed("a", NOW_MS, "x")), "sent again, because our answer was lost");
    assert!(!verified(&signed("a", NOW_MS, "forged")), "the token was taken");
    assert!(verified(&signed("b", NOW_MS - 8 * 3_600_000, "x")));
    assert!(!verified(&signed("c", NOW_MS - 13 * 3_600_000, "x")), "too old");
    assert!(!verified(&signed("d", NOW_MS + 3_600_000, "x")), "from the future");
    assert!(!verified(&form(&[("from", b"maria@cliente.example")])), "not signed");
}

/// The providers' own samples, where this machine has them.
#[test]
fn samples_of_providers_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/payloads/email");
    if !folder.is_dir() {
        println!("SKIPPED: no samples in shared/payloads/email");
        return;
    }
    let sample = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
    };
    let as_form = |sample: &Value| {
        let fields: Vec<(&str, &[u8])> = sample
            .as_object()
            .unwrap()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?.as_bytes())))
            .collect();
        form(&fields)
    };
    for (heard, id) in [
        (message(&sendgrid(), &as_form(&sample("sendgrid_inbound_parse.json"))), true),
        (message(&mailgun(), &as_form(&sample("mailgun_inbound.json"))), true),
        (
            message(
                &postmark(),
                &(headers(&[]), sample("postmark_inbound.json").to_string().into_bytes()),
            ),
            false,
        ),
    ] {
        let text = heard.text.unwrap();
        assert!(text.starts_with("Test subject\n"), "{text}");
        if id {
            let crate::door::Identity::Provider(found) = heard.identity else { panic!() };
            assert_eq!(found, "CAEPk3R+4Zr@mail.example.org");
            assert_eq!(heard.contact.ids[0].value, "from+test@example.org");
        }
    }
}

#[test]
fn what_is_no_form_is_malformed() {
    let (kind, body) = form(&[("text", b"x")]);
    let read =
        |headers: &BTreeMap<String, String>, body: &[u8]| sendgrid().adapt(headers, body).is_err();
    assert!(read(&headers(&[("content-type", "application/json")]), b"{}"));
    assert!(read(&headers(&[]), &body));
    assert!(read(&kind, &body[..body.len() / 2]), "cut off");
    assert!(postmark().adapt(&headers(&[]), b"{").is_err());
    assert_eq!(postmark().adapt(&headers(&[]), b"{}"), Ok(Vec::new()), "from nobody");
}
