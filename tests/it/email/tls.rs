//! TLS to mailboxes and mail servers, by an authority of our own making: none without the right certificate, and
//! nothing in clear.

use tests::server::Server;

use super::front::{Authority, Front, Speaks};
use super::*;

const IMAP_CA: &str = "CHANNELS__EMAIL__SUPORTE__IMAP__CA_FILE";
const SMTP_CA: &str = "CHANNELS__EMAIL__SUPORTE__SMTP__CA_FILE";

/// Waits until the server has logged `word`.
async fn until_said(server: &Server, word: &str) {
    let until = Instant::now() + PATIENCE;
    while !server.said().contains(word) {
        assert!(Instant::now() < until, "never said {word}: {}", server.said());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// With `authority` trusted on both ways.
fn trusting(options: Options, dir: &tempfile::TempDir, authority: &Authority) -> Options {
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let file = file.to_str().unwrap();
    options.with(IMAP_CA, file).with(SMTP_CA, file)
}

async fn answered_in_tls(name: &str, security: &str, (imap, smtp): (Speaks, Speaks)) {
    let Some(mail) = Mail::at_hand() else { return };
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new("provedor");
    let inwards = Front::of(&mail.imap, imap, Some(authority.server())).await;
    let outwards = Front::of(&mail.smtp, smtp, Some(authority.server())).await;
    let (ours, theirs) = (format!("{name}@isp.example"), format!("{name}@cliente.example"));
    let by = options_by((inwards.port, outwards.port), security, &dir, &ours);
    let server = Server::start(trusting(by, &dir, &authority)).await.unwrap();
    let head = format!("Subject: Planos\r\nMessage-ID: <{name}@c>");
    mail.send(&theirs, &ours, &head, "quais planos vocês têm?");
    mail.with(&theirs, &format!("In-Reply-To: <{name}@c>")).await;
    assert_eq!(until_heard(&server.api(), 1).await.len(), 1);
    assert!(inwards.said().contains("LOGIN") && outwards.said().contains("MAIL FROM"));
    let in_clear = inwards.in_clear() + &outwards.in_clear();
    for word in ["LOGIN", "AUTH", "MAIL FROM", "EXAMINE", "planos"] {
        assert!(!in_clear.contains(word), "{word} in clear: {in_clear}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_comes_and_is_answered_in_tls() {
    answered_in_tls("cinco", "tls", (Speaks::Tls, Speaks::Tls)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_comes_and_is_answered_after_starttls() {
    answered_in_tls("seis", "starttls", (Speaks::ImapStarttls, Speaks::SmtpStarttls)).await;
}

/// A mail of a customer waits behind a server nobody vouches for, and is heard once somebody does.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_certificate_is_told_and_loses_nothing() {
    let Some(mail) = Mail::at_hand() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new("provedor"), Authority::new("estranho"));
    let inwards = Front::of(&mail.imap, Speaks::Tls, Some(stranger.server())).await;
    let outwards = Front::of(&mail.smtp, Speaks::Tls, Some(stranger.server())).await;
    let (ours, theirs) = ("sete@isp.example", "sete@cliente.example");
    mail.send(theirs, ours, "Subject: Planos\r\nMessage-ID: <sete@c>", "quais planos vocês têm?");
    let by = options_by((inwards.port, outwards.port), "tls", &dir, ours);
    let server = Server::start(trusting(by, &dir, &authority)).await.unwrap();
    until_said(&server, "TLS failed").await;
    assert!(inwards.said().is_empty(), "{}", inwards.said());
    assert_eq!(of(&server.api().lines().await.unwrap(), "message_received").len(), 0);
    inwards.shows(authority.server());
    // Heard, and answered: but not by a way out that nobody vouches for.
    until_heard(&server.api(), 1).await;
    server
        .api()
        .until_lines(PATIENCE, |lines| !of(lines, "turn_decided").is_empty())
        .await
        .unwrap();
    assert!(outwards.said().is_empty(), "{}", outwards.said());
    outwards.shows(authority.server());
    let answers = mail.with(theirs, "In-Reply-To: <sete@c>").await;
    assert_eq!(answers.matches("In-Reply-To: <sete@c>").count(), 1);
    assert_eq!(until_heard(&server.api(), 1).await.len(), 1);
}

/// GreenMail has no STARTTLS: whoever wants it gets nothing in clear instead.
#[tokio::test(flavor = "multi_thread")]
async fn where_starttls_is_wanted_and_not_offered_nothing_is_said() {
    let Some(mail) = Mail::at_hand() else { return };
    let dir = tempfile::tempdir().unwrap();
    let inwards = Front::of(&mail.imap, Speaks::Plain, None).await;
    let ours = "oito@isp.example";
    let by = options_by((inwards.port, inwards.port), "starttls", &dir, ours);
    let server = Server::start(by).await.unwrap();
    until_said(&server, "the server does not offer STARTTLS").await;
    inwards.heard("STARTTLS", 2).await; // tried again
    assert!(!inwards.said().contains("LOGIN"), "{}", inwards.said());
}
