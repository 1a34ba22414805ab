//! What comes with mails: kept outside the log, for people to have, whichever way a mail comes. And mails read
//! again from what was kept of them.

use data_encoding::BASE64;
use serde_json::json;
use tests::histories::details;
use tests::server::Server;

use super::*;

const PDF: &[u8] = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3 a conta de maio da Maria";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01 o roteador da Maria";
const EXE: &[u8] = b"MZ\x90\0\x03\0\0\0\x04 um programa de nome inocente";
const LOGO: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR o logo de uma empresa";

/// A mail with a text, two files that are kept, one that is not, and the picture of a signature.
fn with_files() -> (String, String) {
    let part = |head: &str, bytes: &[u8]| {
        format!(
            "--b\r\n{head}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
            BASE64.encode(bytes)
        )
    };
    let named = |mime: &str, name: &str, bytes: &[u8]| {
        let head =
            format!("Content-Type: {mime}\r\nContent-Disposition: attachment; filename=\"{name}\"");
        part(&head, bytes)
    };
    let logo = "Content-Type: image/png\r\nContent-ID: <logo@x>\r\nContent-Disposition: inline";
    let parts = [
        "--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>segue o boleto pago</p><img src=\"cid:logo@x\">"
            .to_owned(),
        part(logo, LOGO),
        named("application/pdf", "conta maio.pdf", PDF),
        named("image/jpeg", "roteador.jpg", JPEG),
        named("application/pdf", "boleto.pdf", EXE),
    ];
    let head = "Subject: Re: boleto\r\nMessage-ID: <files@c>\r\nMIME-Version: 1.0\r\n\
                Content-Type: multipart/mixed; boundary=b";
    (head.to_owned(), parts.join("\r\n") + "\r\n--b--")
}

/// Waits until so many files are told of; the history they are told in, and its conversation.
async fn fetched(api: &Api, count: usize) -> (String, Vec<Value>) {
    let lines =
        api.until_lines(PATIENCE, |lines| of(lines, "media_fetched").len() >= count).await.unwrap();
    let list = api.get("/v1/conversations?limit=1").await.unwrap();
    (list.str("/conversations/0/conversation_id").to_owned(), lines)
}

/// A file as people get it, by its name in the history.
async fn given(server: &Server, (id, lines): &(String, Vec<Value>), name: &str) -> Vec<u8> {
    let told = details(lines, "media_fetched");
    let told = told.iter().find(|told| told["filename"] == name).unwrap();
    let digest = told["sha256"].as_str().unwrap();
    let url = format!("{}/v1/conversations/{id}/files/{digest}", server.url());
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.status(), 200, "{told}");
    answer.bytes().await.unwrap().to_vec()
}

fn results(lines: &[Value]) -> Vec<&str> {
    let told = details(lines, "media_fetched").into_iter();
    let mut results: Vec<&str> = told.filter_map(|told| told["result"].as_str()).collect();
    results.sort_unstable();
    results
}

/// Nothing of a file stands readable on the disk.
fn nothing_in_clear(folder: &std::path::Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            nothing_in_clear(&path);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for secret in ["a conta de maio", "roteador da Maria", "um programa de nome"] {
            let shown = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!shown, "{secret} in {}", path.display());
        }
    }
}

#[tokio::test]
async fn files_of_a_mailbox_are_kept_for_people_and_a_program_is_refused() {
    let Some(mail) = Mail::at_hand() else { return };
    let dir = tempfile::tempdir().unwrap();
    let ours = "dez@isp.example";
    let server = Server::start(options(&mail, &dir, ours)).await.unwrap();
    let (head, body) = with_files();
    mail.send("dez@cliente.example", ours, &head, &body);
    let told = fetched(&server.api(), 3).await;
    assert_eq!(results(&told.1), ["stored", "stored", "wrong_type"]);
    assert_eq!(given(&server, &told, "conta maio.pdf").await, PDF);
    assert_eq!(given(&server, &told, "roteador.jpg").await, JPEG);
    assert_eq!(until_heard(&server.api(), 1).await, ["segue o boleto pago"]);
    server.stop().await.unwrap();
    nothing_in_clear(dir.path());
    let kept = std::fs::read_dir(dir.path().join("media/demo")).unwrap().count();
    assert_eq!(kept, 2, "the program and the sign are not even written");
}

#[tokio::test]
async fn files_of_a_webhook_are_kept_for_people_and_a_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let secret = "0123456789abcdef";
    let by = [("TENANT", "demo"), ("ADDRESS", "onze@isp.example"), ("POSTMARK__SECRET", secret)]
        .iter()
        .fold(Options::at(dir.path()), |options, (key, value)| {
            options.with(&format!("{ACCOUNT}__{key}"), value)
        });
    let server = Server::start(by).await.unwrap();
    let file = |name: &str, mime: &str, bytes: &[u8]| {
        json!({ "Name": name, "ContentType": mime, "ContentLength": bytes.len(),
                "Content": BASE64.encode(bytes) })
    };
    let mut logo = file("logo.png", "image/png", LOGO);
    logo["ContentID"] = json!("logo@x");
    let body = json!({
        "From": "onze@cliente.example", "Subject": "Re: boleto", "TextBody": "segue o boleto pago",
        "Headers": [{ "Name": "Message-ID", "Value": "<onze@c>" }],
        "Attachments": [logo, file("conta maio.pdf", "application/pdf", PDF),
                        file("roteador.jpg", "image/jpeg", JPEG), file("x.exe", "application/octet-stream", EXE)],
    });
    let shown = format!("Basic {}", BASE64.encode(format!("u:{secret}").as_bytes()));
    let headers = [("authorization", shown.as_str())];
    // Sent twice, as a provider does whose answer was lost.
    for _ in 0..2 {
        let body = body.to_string().into_bytes();
        let taken =
            server.api().post_raw("/v1/channels/postmark/suporte", &headers, body).await.unwrap();
        assert_eq!(taken.status, 200, "{}", taken.text);
    }
    let told = fetched(&server.api(), 3).await;
    assert_eq!(results(&told.1), ["stored", "stored", "wrong_type"]);
    assert_eq!(given(&server, &told, "conta maio.pdf").await, PDF);
    assert_eq!(given(&server, &told, "roteador.jpg").await, JPEG);
    assert_eq!(until_heard(&server.api(), 1).await, ["segue o boleto pago"]);
}

/// What stood in a mailbox is read again from `raw`: the same messages, none of them twice, their files with them.
#[tokio::test]
async fn mails_are_read_again_and_are_the_same_messages() {
    let Some(mail) = Mail::at_hand() else { return };
    let dir = tempfile::tempdir().unwrap();
    let ours = "doze@isp.example";
    let server = Server::start(options(&mail, &dir, ours)).await.unwrap();
    let (head, body) = with_files();
    mail.send("doze@cliente.example", ours, &head, &body);
    mail.send("treze@cliente.example", ours, "Subject: Re: x\r\nMessage-ID: <doze2@c>", "mail 2");
    let enough = |lines: &[Value]| {
        of(lines, "media_fetched").len() == 3 && of(lines, "turn_decided").len() == 2
    };
    let before = server.api().until_lines(PATIENCE, enough).await.unwrap();
    let (_, by) = server.stop().await.unwrap();
    let said = by.run(&["raw", "replay", "--channel", "email", "--account", "suporte"]).unwrap();
    assert!(
        said.starts_with("2 requests told 2 messages and statuses again, 0 were unreadable"),
        "{said}"
    );
    let server = Server::start(by).await.unwrap();
    // A mail behind them: when it has been heard, so have they.
    mail.send("treze@cliente.example", ours, "Subject: Re: x\r\nMessage-ID: <doze3@c>", "mail 3");
    assert_eq!(until_heard(&server.api(), 3).await, ["mail 2", "mail 3", "segue o boleto pago"]);
    let after = server.api().lines().await.unwrap();
    for event in ["media_fetched", "message_received"] {
        let more = usize::from(event == "message_received");
        assert_eq!(of(&after, event).len(), of(&before, event).len() + more, "{event}");
    }
}
