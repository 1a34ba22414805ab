//! A reply as a mail (RFC 5322). Pure: the same reply is always the same mail, but for its date.

use std::time::SystemTime;

use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::{Address, message};
use schemas::message::ContactIdKind;
use schemas::thread::{self, Thread};

use crate::deliver::Outgoing;

/// Longest subject, in characters.
const SUBJECT_CHARS_MAX: usize = 200;
/// How a subject says that it answers or hands on another.
const PREFIXES: [&str; 6] = ["re:", "res:", "enc:", "fwd:", "fw:", "rv:"];
/// Of a conversation that began without one.
const SUBJECT: &str = "Seu atendimento";

/// A mail ready to be sent.
#[derive(Debug)]
pub(super) struct Mail {
    /// Without the angle brackets.
    pub(super) message_id: String,
    /// From whom, to whom.
    pub(super) envelope: Envelope,
    /// As it is sent.
    pub(super) bytes: Vec<u8>,
}

/// Why a reply cannot be a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsendable {
    /// The contact has no address.
    #[error("no_address")]
    NoAddress,
    /// The contact is ourselves.
    #[error("own_address")]
    OwnAddress,
    /// Something in it cannot be written.
    #[error("unwritable")]
    Unwritable,
}

/// The mail of a reply, from one of our addresses.
pub(super) fn mail(
    from: &Mailbox,
    outgoing: &Outgoing,
    at: SystemTime,
) -> Result<Mail, Unsendable> {
    let address = outgoing.contact.id(ContactIdKind::Email).ok_or(Unsendable::NoAddress)?;
    if address.eq_ignore_ascii_case(from.email.as_ref()) {
        return Err(Unsendable::OwnAddress);
    }
    let address: Address = address.parse().map_err(|_| Unsendable::NoAddress)?;
    let domain = from.email.domain();
    let message_id = thread::message_id(&outgoing.protocol, &outgoing.id, domain);
    let to = Mailbox::new(outgoing.contact.name.as_deref().map(plain), address);
    let thread = outgoing.thread.clone().unwrap_or_default();
    let mut builder = Message::builder()
        .from(from.clone())
        .to(to)
        .date(at)
        .message_id(Some(format!("<{message_id}>")))
        .subject(subject(&thread, &outgoing.protocol));
    builder = referring(builder, &thread);
    if outgoing.automatic {
        // RFC 3834 §5, and what Exchange goes by.
        builder = builder
            .raw_header(header("Auto-Submitted", "auto-replied"))
            .raw_header(header("X-Auto-Response-Suppress", "All"));
    }
    let message = builder
        .header(ContentType::TEXT_PLAIN)
        .body(text(outgoing))
        .map_err(|_| Unsendable::Unwritable)?;
    Ok(Mail { message_id, envelope: message.envelope().clone(), bytes: message.formatted() })
}

/// Shown in the customer's thread (RFC 5322 §3.6.4).
fn referring(builder: message::MessageBuilder, thread: &Thread) -> message::MessageBuilder {
    let Some(answered) = &thread.message_id else { return builder };
    let mut all: Vec<String> =
        thread.references.iter().filter(|id| *id != answered).cloned().collect();
    all.push(answered.clone());
    // An id with something strange in it would end the header, or be no id.
    let sound = |id: &String| {
        id.is_ascii() && !id.contains(|c: char| c.is_ascii_control() || " <>".contains(c))
    };
    let all: Vec<String> = all.into_iter().filter(sound).map(|id| format!("<{id}>")).collect();
    if !sound(answered) {
        return builder;
    }
    builder.in_reply_to(format!("<{answered}>")).references(all.join(" "))
}

/// `Re: [#protocol] subject`, each once however often it has gone to and fro.
fn subject(thread: &Thread, protocol: &str) -> String {
    let mut rest = thread.subject.as_deref().map(plain).unwrap_or_default();
    loop {
        let shorter = without_prefix(&without_tags(&rest)).to_owned();
        if shorter == rest {
            break;
        }
        rest = shorter;
    }
    let re = if thread.message_id.is_some() { "Re: " } else { "" };
    let base = if rest.is_empty() { SUBJECT.to_owned() } else { rest };
    let all = format!("{re}{} {base}", thread::subject_tag(protocol));
    all.chars().take(SUBJECT_CHARS_MAX).collect()
}

fn without_prefix(subject: &str) -> &str {
    let subject = subject.trim();
    let known = PREFIXES.iter().find(|prefix| {
        subject.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    });
    known.and_then(|prefix| subject.get(prefix.len()..)).map_or(subject, str::trim_start)
}

/// A subject without the tags of conversations.
fn without_tags(subject: &str) -> String {
    let Some((before, tagged)) = subject.split_once("[#") else { return subject.to_owned() };
    match tagged.split_once(']') {
        Some((tag, behind)) if tag.chars().all(|c| c.is_ascii_digit() || c == '-') => {
            without_tags(&format!("{}{}", before, behind.trim_start()))
        }
        _ => subject.to_owned(),
    }
}

/// One line, without what would end a header.
fn plain(text: &str) -> String {
    text.split(char::is_control).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The text; what could be tapped elsewhere is listed.
fn text(outgoing: &Outgoing) -> String {
    let mut text = outgoing.text.clone();
    for (at, button) in outgoing.buttons.iter().enumerate() {
        text.push_str(if at == 0 { "\n\n- " } else { "\n- " });
        text.push_str(&button.title);
    }
    text
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

#[cfg(test)]
mod tests;
