//! E-mail against a real IMAP and SMTP server (`tests/services/mail/start.sh`).

mod files;
mod front;
mod lines;
mod robots;
mod tls;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::api::Api;
use tests::histories::of;
use tests::server::{Options, Server};

const PATIENCE: Duration = Duration::from_secs(60);

/// The server's SMTP and IMAP, where one runs.
struct Mail {
    smtp: String,
    imap: String,
}

impl Mail {
    fn at_hand() -> Option<Self> {
        let Ok(named) = std::env::var("MAIL_SERVER") else {
            println!("SKIPPED: e-mail: MAIL_SERVER is not set (tests/services/mail/start.sh)");
            return None;
        };
        let (smtp, imap) = named.trim().split_once(' ').unwrap();
        Some(Self { smtp: smtp.to_owned(), imap: imap.to_owned() })
    }

    /// Sends a mail of `from` to `to`.
    fn send(&self, from: &str, to: &str, head: &str, text: &str) {
        let mut server = Lines::to(&self.smtp);
        server.until(|line| line.starts_with("220"));
        let data = format!("From: {from}\r\nTo: {to}\r\n{head}\r\n\r\n{text}\r\n.");
        let (mail, rcpt) = (format!("MAIL FROM:<{from}>"), format!("RCPT TO:<{to}>"));
        for (command, code) in
            [("HELO test", "250"), (&mail, "250"), (&rcpt, "250"), ("DATA", "354"), (&data, "250")]
        {
            server.say(command);
            server.until(|line| line.starts_with(code));
        }
    }

    /// Every mail in the mailbox of `user`, its flags before it.
    fn of(&self, user: &str) -> String {
        let mut server = self.mailbox(user);
        server.asks("EXAMINE INBOX");
        server.asks("FETCH 1:* (FLAGS BODY.PEEK[])")
    }

    /// A way into the mailbox of `user`.
    fn mailbox(&self, user: &str) -> Lines {
        let mut server = Lines::to(&self.imap);
        server.until(|line| line.starts_with("* OK"));
        server.asks(&format!("LOGIN {user} x"));
        server
    }

    /// Waits for a mail with `sign` in the mailbox of `user`.
    async fn with(&self, user: &str, sign: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let mails = self.of(user);
            if mails.contains(sign) {
                return mails;
            }
            assert!(Instant::now() < until, "no mail with {sign}: {mails}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// A protocol of lines.
struct Lines(BufReader<TcpStream>);

impl Lines {
    fn to(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn say(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
    }

    /// Asks an IMAP server something; what it says to that.
    fn asks(&mut self, command: &str) -> String {
        self.say(&format!("t {command}"));
        self.until(|line| line.starts_with("t "))
    }

    /// Reads on until a line is `last`.
    fn until(&mut self, last: impl Fn(&str) -> bool) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            assert!(self.0.by_ref().read_line(&mut line).unwrap() > 0, "it ended after: {all}");
            let is_last = last(&line);
            all.push_str(&line);
            if is_last {
                return all;
            }
        }
    }
}

const ACCOUNT: &str = "CHANNELS__EMAIL__SUPORTE";

fn options(mail: &Mail, dir: &tempfile::TempDir, address: &str) -> Options {
    let port = |address: &str| address.rsplit(':').next().unwrap().parse().unwrap();
    options_by((port(&mail.imap), port(&mail.smtp)), "none", dir, address)
}

/// An address whose mails come and go by these ports, IMAP and SMTP.
fn options_by(
    (imap, smtp): (u16, u16),
    security: &str,
    dir: &tempfile::TempDir,
    address: &str,
) -> Options {
    [
        ("TENANT", "demo"),
        ("ADDRESS", address),
        ("IMAP__HOST", "127.0.0.1"),
        ("IMAP__PORT", &imap.to_string()),
        ("IMAP__SECURITY", security),
        ("IMAP__USER", address),
        ("IMAP__PASSWORD", "x"),
        ("SMTP__HOST", "127.0.0.1"),
        ("SMTP__PORT", &smtp.to_string()),
        ("SMTP__SECURITY", security),
    ]
    .iter()
    .fold(Options::at(dir.path()), |options, (key, value)| {
        options.with(&format!("{ACCOUNT}__{key}"), value)
    })
}

/// Texts of all messages, once so many were heard.
async fn until_heard(api: &Api, count: usize) -> Vec<String> {
    let enough = |lines: &[Value]| of(lines, "message_received").len() >= count;
    let lines = api.until_lines(PATIENCE, enough).await.unwrap();
    let text = |line: &Value| line["detail"]["text"].as_str().map(str::to_owned);
    let mut found: Vec<String> =
        of(&lines, "message_received").into_iter().filter_map(text).collect();
    found.sort();
    found
}

#[tokio::test]
async fn a_mail_is_answered_in_its_thread_and_left_unread() {
    let Some(mail) = Mail::at_hand() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = ("um@isp.example", "um@cliente.example");
    let server = Server::start(options(&mail, &dir, ours)).await.unwrap();
    mail.send(theirs, ours, "Subject: Planos\r\nMessage-ID: <um@c>", "quais planos vocês têm?");
    let answer = mail.with(theirs, "In-Reply-To: <um@c>").await;
    for line in
        ["References: <um@c>", "Auto-Submitted: auto-replied", "Subject: Re: [#", "] Planos"]
    {
        assert!(answer.contains(line), "{line} in {answer}");
    }
    assert_eq!(until_heard(&server.api(), 1).await, ["Planos\nquais planos vocês têm?"]);
    assert!(!mail.of(ours).contains("\\Seen"), "nobody has read it");
}

/// Acceptance case 17, the process killed: what has come is read once, before and after.
#[tokio::test]
async fn case_17_what_comes_while_nobody_reads_is_read_once() {
    let Some(mail) = Mail::at_hand() else { return };
    let dir = tempfile::tempdir().unwrap();
    let ours = "dois@isp.example";
    let send = |n: u32| {
        let (from, id) = (format!("dois{n}@cliente.example"), format!("Message-ID: <dois{n}@c>"));
        mail.send(&from, ours, &format!("Subject: Re: x\r\n{id}"), &format!("mail {n}"));
    };
    send(1); // unread before the first start
    let server = Server::start(options(&mail, &dir, ours)).await.unwrap();
    until_heard(&server.api(), 1).await;
    send(2); // while it waits
    until_heard(&server.api(), 2).await;
    drop(server); // killed
    send(3);
    let server = Server::start(options(&mail, &dir, ours)).await.unwrap();
    until_heard(&server.api(), 3).await;
    send(4);
    assert_eq!(until_heard(&server.api(), 4).await, ["mail 1", "mail 2", "mail 3", "mail 4"]);
}
