//! From a mail to a normalized message, or to what became of a mail of ours. Pure.
//!
//! A mail is known by its Message-ID, or by a digest of what it says where it has none, so that it is one
//! whichever way it comes. It is answered to who it is from, never to its Reply-To: who forges the one
//! would be sent what concerns the other.

use data_encoding::HEXLOWER;
use schemas::message::{
    Channel, Contact, ContactId, ContactIdKind, MessageKind, ProviderStatusKind,
};
use schemas::thread::{Thread, protocol_in_message_id, protocol_in_subject};
use sha2::{Digest, Sha256};

use super::mail::{Mail, Report};
use super::{html, media, reply, robots};
use crate::door::{Event, HeardMessage, HeardStatus, HeardThread, Identity, ThreadName};

/// References kept of a thread: its beginning and its end are what programs look at.
const REFERENCES_MAX: usize = 20;
/// Longest Message-ID that is one, in bytes (RFC 5322 §2.1.1).
const ID_BYTES_MAX: usize = 998;
/// Longest text that is looked at, in bytes.
const TEXT_BYTES_MAX: usize = 256 << 10;
/// Longest HTML that is looked at, in bytes.
const HTML_BYTES_MAX: usize = 1 << 20;
/// Longest subject that is kept, in characters.
const SUBJECT_CHARS_MAX: usize = 500;
/// How a subject says that it answers or hands on another.
const PREFIXES: [&str; 12] = [
    "re:",
    "res:",
    "enc:",
    "fwd:",
    "fw:",
    "rv:",
    "resposta automática:",
    "resposta automatica:",
    "automatic reply:",
    "auto-reply:",
    "autoreply:",
    "out of office:",
];

/// What `mail` tells `account`; nothing when it is from nobody, or a mail server's news of no use.
/// `own`: the addresses of this installation.
#[must_use]
pub fn adapt(account: &str, own: &[String], mail: &Mail) -> Option<Event> {
    if let Some(report) = &mail.report {
        return status(report, mail.date_ms).map(|status| Event::Status(Box::new(status)));
    }
    let from = mail.from.as_ref()?;
    let returned = mail.header("return-path").is_some_and(|path| path.replace(' ', "") == "<>");
    if returned && robots::is_nobody(&from.address) {
        return None;
    }
    let body = body(mail);
    let thread = thread(mail);
    let text = message_text(mail, &thread, body);
    let files = media::files(mail, text.is_some());
    let kind = files.kind.unwrap_or(MessageKind::Text);
    let ids =
        vec![ContactId { kind: ContactIdKind::Email, value: from.address.clone(), scope: None }];
    // Anybody can write any address into a mail: it is never `verified`.
    let from = (Channel::Email, Contact { ids, name: from.name.clone() });
    let message = Box::new(HeardMessage {
        text,
        attachments: files.named,
        reply_to: answered(mail).map(str::to_owned),
        thread: Some(thread),
        auto_generated: robots::wrote(mail, own),
        event_time_ms: mail.date_ms.filter(|at_ms| *at_ms > 0),
        ..HeardMessage::of(super::PROVIDER, account, from, Identity::Provider(identity(mail)), kind)
    });
    Some(if files.enclosed.is_empty() {
        Event::Message(message)
    } else {
        Event::Enclosing(message, files.enclosed)
    })
}

/// What the sender wrote anew.
fn body(mail: &Mail) -> String {
    let plain = mail.text.as_deref().map(|text| reply::new_text(cut(text, TEXT_BYTES_MAX)));
    if let Some(plain) = plain.filter(|text| !text.is_empty()) {
        return plain;
    }
    let html = mail.html.as_deref().map(|html| html::text_of(cut(html, HTML_BYTES_MAX)));
    html.map(|text| reply::new_text(&text)).unwrap_or_default()
}

/// The beginning of a text that is longer than anybody writes.
fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// The wish: a mail that begins a thread often has it in its subject.
fn message_text(mail: &Mail, thread: &HeardThread, body: String) -> Option<String> {
    let subject = thread.refers.subject.as_deref().unwrap_or_default();
    let begins = mail.in_reply_to.is_empty() && mail.references.is_empty();
    let begins = begins && without_prefixes(subject) == subject;
    let said =
        begins && !subject.is_empty() && !body.to_lowercase().starts_with(&subject.to_lowercase());
    let text = match (body.is_empty(), said) {
        (true, _) => subject.to_owned(),
        (false, true) => format!("{subject}\n{body}"),
        (false, false) => body,
    };
    (!text.trim().is_empty()).then_some(text)
}

/// Which mail it answers: one of ours first.
fn answered(mail: &Mail) -> Option<&str> {
    let mut ids = mail.in_reply_to.iter().chain(mail.references.iter().rev());
    let ours = ids.clone().find(|id| protocol_in_message_id(id).is_some());
    ours.or_else(|| ids.next()).map(String::as_str)
}

fn thread(mail: &Mail) -> HeardThread {
    let subject: Option<String> =
        mail.subject.as_deref().map(|subject| subject.chars().take(SUBJECT_CHARS_MAX).collect());
    let by_id = answered(mail).and_then(protocol_in_message_id).map(str::to_owned);
    let protocol = by_id.or_else(|| protocol_in_subject(subject.as_deref().unwrap_or_default()));
    let name = protocol.map_or_else(
        || {
            let plain = without_prefixes(subject.as_deref().unwrap_or_default());
            ThreadName::Subject(
                plain.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase(),
            )
        },
        ThreadName::Protocol,
    );
    let sound = |id: &&String| id.len() <= ID_BYTES_MAX && !id.contains(|c: char| c.is_control());
    let all: Vec<String> =
        mail.references.iter().chain(&mail.in_reply_to).filter(sound).cloned().collect();
    let message_id = mail.message_id.clone().filter(|id| sound(&id));
    HeardThread { name, refers: Thread { message_id, references: kept(all), subject } }
}

/// The ids once each; of too many the first and the latest.
fn kept(all: Vec<String>) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for id in all {
        if !ids.contains(&id) {
            if ids.len() >= REFERENCES_MAX {
                ids.remove(1);
            }
            ids.push(id);
        }
    }
    ids
}

/// A subject without what says that it answers or hands on another.
pub(super) fn without_prefixes(subject: &str) -> &str {
    let mut rest = subject.trim();
    loop {
        let known = PREFIXES.iter().find_map(|prefix| {
            let head = rest.get(..prefix.len())?;
            (head.to_lowercase() == *prefix).then(|| rest.get(prefix.len()..))?
        });
        match known {
            Some(behind) => rest = behind.trim_start(),
            None => return rest,
        }
    }
}

/// What tells it from any other mail, and is the same whichever way it came.
pub(crate) fn identity(mail: &Mail) -> String {
    if let Some(id) = mail.message_id.as_ref().filter(|id| id.len() <= ID_BYTES_MAX) {
        return id.clone();
    }
    // Ways differ in spaces and line ends.
    let text = mail
        .text
        .clone()
        .or_else(|| mail.html.as_deref().map(|html| html::text_of(cut(html, HTML_BYTES_MAX))));
    let words: String = text.unwrap_or_default().chars().filter(|c| c.is_alphanumeric()).collect();
    let from = mail.from.as_ref().map(|from| from.address.as_str()).unwrap_or_default();
    let date = mail.date_ms.unwrap_or_default().to_string();
    let mut digest = Sha256::new();
    for part in [from, &date, mail.subject.as_deref().unwrap_or_default(), &words] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    }
    format!("digest:{}", HEXLOWER.encode(&digest.finalize()))
}

/// What became of a mail of ours, if it has come to an end.
fn status(report: &Report, date_ms: Option<i64>) -> Option<HeardStatus> {
    let status = match report.action.as_str() {
        "failed" => ProviderStatusKind::Failed,
        "delivered" | "relayed" | "expanded" => ProviderStatusKind::Delivered,
        _ => return None, // delayed: nothing is known yet
    };
    let address = report.recipient.clone()?;
    let ids = vec![ContactId { kind: ContactIdKind::Email, value: address, scope: None }];
    Some(HeardStatus {
        channel: Channel::Email,
        contact: Contact { ids, name: None },
        provider_message_id: report.of.clone()?,
        status,
        error_code: report.code.clone().filter(|_| status == ProviderStatusKind::Failed),
        event_time_ms: date_ms.unwrap_or_default(),
        callback: None,
    })
}

#[cfg(test)]
mod tests;
