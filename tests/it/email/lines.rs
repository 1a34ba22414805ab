//! Acceptance case 17: lines that are cut, mailboxes that are numbered anew, processes that start again.

use tests::server::Server;

use super::front::{Front, Speaks};
use super::*;

/// A mail of its own sender, as it stands in a mailbox.
fn nth(name: &str, n: u32) -> (String, String) {
    let head = format!("Subject: Re: x\r\nMessage-ID: <{name}{n}@c>");
    (format!("{name}{n}@cliente.example"), head)
}

fn port(address: &str) -> u16 {
    address.rsplit(':').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn case_17_a_line_cut_while_it_waits_is_taken_up_again() {
    let Some(mail) = Mail::at_hand() else { return };
    let dir = tempfile::tempdir().unwrap();
    let ours = "tres@isp.example";
    let send = |n: u32| {
        let (from, head) = nth("tres", n);
        mail.send(&from, ours, &head, &format!("mail {n}"));
    };
    let front = Front::of(&mail.imap, Speaks::Plain, None).await;
    let by = options_by((front.port, port(&mail.smtp)), "none", &dir, ours);
    let server = Server::start(by.clone()).await.unwrap();
    front.heard("IDLE", 1).await;
    send(1);
    until_heard(&server.api(), 1).await;
    front.heard("IDLE", 2).await;
    front.cuts();
    send(2); // while nobody listens
    until_heard(&server.api(), 2).await;
    front.heard("IDLE", 3).await;
    front.cuts();
    front.heard("IDLE", 4).await;
    send(3); // while it waits again
    until_heard(&server.api(), 3).await;
    let by = server.kill().unwrap();
    send(4);
    let server = Server::start(by).await.unwrap();
    send(5);
    let heard = until_heard(&server.api(), 5).await;
    assert_eq!(heard, ["mail 1", "mail 2", "mail 3", "mail 4", "mail 5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_17_a_mailbox_numbered_anew_is_gone_through_and_nothing_heard_twice() {
    let Some(mail) = Mail::at_hand() else { return };
    let dir = tempfile::tempdir().unwrap();
    let ours = "quatro@isp.example";
    let mut box_of_theirs = mail.mailbox(ours);
    let appends = |mailbox: &mut Lines, n: u32| {
        let (from, head) = nth("quatro", n);
        let whole = format!("From: {from}\r\nTo: {ours}\r\n{head}\r\n\r\nmail {n}");
        mailbox.say(&format!("t APPEND Entrada {{{}}}", whole.len()));
        mailbox.until(|line| line.starts_with('+'));
        mailbox.say(&whole);
        mailbox.until(|line| line.starts_with("t OK"));
    };
    let validity = |mailbox: &mut Lines| mailbox.asks("STATUS Entrada (UIDVALIDITY)");
    box_of_theirs.asks("CREATE Entrada");
    appends(&mut box_of_theirs, 1);
    appends(&mut box_of_theirs, 2);
    let before = validity(&mut box_of_theirs);
    let front = Front::of(&mail.imap, Speaks::Plain, None).await;
    let by = options_by((front.port, port(&mail.smtp)), "none", &dir, ours)
        .with(&format!("{ACCOUNT}__IMAP__FOLDER"), "Entrada");
    let server = Server::start(by).await.unwrap();
    until_heard(&server.api(), 2).await;
    front.heard("IDLE", 1).await;
    box_of_theirs.asks("DELETE Entrada");
    box_of_theirs.asks("CREATE Entrada");
    // The same mails under other numbers, and between them one that nobody has read.
    for n in [2, 3, 1] {
        appends(&mut box_of_theirs, n);
    }
    assert_ne!(validity(&mut box_of_theirs), before, "it is not numbered anew");
    front.cuts();
    until_heard(&server.api(), 3).await;
    // Its process starts again, between the new numbering and the next mail.
    let by = server.kill().unwrap();
    let server = Server::start(by).await.unwrap();
    appends(&mut box_of_theirs, 4);
    let heard = until_heard(&server.api(), 4).await;
    assert_eq!(heard, ["mail 1", "mail 2", "mail 3", "mail 4"]);
}
