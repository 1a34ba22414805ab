use schemas::message::{Button, Channel, Contact, ContactId};

use super::*;
use crate::deliver::sender::sample;

const PROTOCOL: &str = "202611201234567890";

fn outgoing(thread: Option<Thread>) -> Outgoing {
    Outgoing {
        id: "c/1/answer/0".to_owned(),
        account: "suporte".to_owned(),
        channel: Channel::Email,
        protocol: PROTOCOL.to_owned(),
        contact: contact("maria@cliente.example"),
        text: "Olá, Maria.".to_owned(),
        thread,
        ..sample(0)
    }
}

fn contact(address: &str) -> Contact {
    let id = ContactId { kind: ContactIdKind::Email, value: address.to_owned(), scope: None };
    Contact { ids: vec![id], name: Some("Maria \"M\"\r\nBcc: x".to_owned()) }
}

fn sent(outgoing: &Outgoing) -> Result<String, Unsendable> {
    let from: Mailbox = "Suporte ISP <suporte@isp.example>".parse().unwrap();
    let mail = mail(&from, outgoing, SystemTime::UNIX_EPOCH)?;
    Ok(String::from_utf8(mail.bytes).unwrap())
}

fn thread(subject: &str) -> Option<Thread> {
    Some(Thread {
        message_id: Some("m@c".to_owned()),
        references: vec!["a@b".to_owned()],
        subject: Some(subject.to_owned()),
    })
}

#[test]
fn it_is_shown_in_its_thread_and_says_that_a_machine_wrote_it() {
    let text = sent(&outgoing(thread("Segunda via"))).unwrap();
    let id = thread::message_id(PROTOCOL, "c/1/answer/0", "isp.example");
    for line in [
        format!("Message-ID: <{id}>"),
        "In-Reply-To: <m@c>".to_owned(),
        "References: <a@b> <m@c>".to_owned(),
        format!("Subject: Re: [#{PROTOCOL}] Segunda via"),
        "Auto-Submitted: auto-replied".to_owned(),
        "X-Auto-Response-Suppress: All".to_owned(),
        "Date: Thu, 01 Jan 1970 00:00:00 +0000".to_owned(),
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{line} in\n{text}");
    }
    assert!(!text.contains("\nBcc:"), "{text}");
    assert_eq!(text, sent(&outgoing(thread("Segunda via"))).unwrap(), "sent again it is the same");
    let by_hand = Outgoing { automatic: false, ..outgoing(thread("x")) };
    assert!(!sent(&by_hand).unwrap().contains("Auto-"));
}

#[test]
fn a_subject_is_tagged_once() {
    let subject = |text: &str| subject(&thread(text).unwrap(), PROTOCOL);
    let right = format!("Re: [#{PROTOCOL}] Sem sinal");
    for text in [
        "Sem sinal",
        "Re: Sem sinal",
        "RES: Re: [#202611201234567890] Sem sinal",
        "[#20261120-000123] RE: [#202611201234567890] Sem sinal",
        "Sem\r\nsinal",
    ] {
        assert_eq!(subject(text), right, "{text}");
    }
    assert_eq!(subject("Plano [#1 do bairro"), format!("Re: [#{PROTOCOL}] Plano [#1 do bairro"));
    assert_eq!(
        super::subject(&Thread::default(), PROTOCOL),
        format!("[#{PROTOCOL}] Seu atendimento")
    );
    assert!(subject(&"á".repeat(900)).chars().count() <= SUBJECT_CHARS_MAX);
}

#[test]
fn what_could_be_tapped_is_listed() {
    let button = |title: &str| Button { id: title.to_owned(), title: title.to_owned() };
    let with = Outgoing { buttons: vec![button("Sim"), button("Não")], ..outgoing(None) };
    assert_eq!(text(&with), "Olá, Maria.\n\n- Sim\n- Não");
}

#[test]
fn nothing_is_sent_to_ourselves_or_nowhere() {
    let to = |address: &str| {
        sent(&Outgoing { contact: contact(address), ..outgoing(None) }).unwrap_err()
    };
    assert_eq!(to("Suporte@ISP.example"), Unsendable::OwnAddress);
    assert_eq!(to("nowhere"), Unsendable::NoAddress);
    let nobody = Outgoing { contact: Contact::default(), ..outgoing(None) };
    assert_eq!(sent(&nobody).unwrap_err(), Unsendable::NoAddress);
}

#[test]
fn strange_ids_are_left_out() {
    let strange = Thread {
        message_id: Some("a b\r\nBcc: x@y".to_owned()),
        references: vec!["c>d".to_owned()],
        subject: None,
    };
    let text = sent(&outgoing(Some(strange))).unwrap();
    assert!(!text.contains("Bcc:") && !text.contains("In-Reply-To"), "{text}");
}
