//! E-mail: where an answer fits into what was written before, and how far a mailbox has been read.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};

use crate::codec::avro;

/// What an answer by e-mail refers to, so that it is shown in its thread. Only ever travels sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Thread {
    /// Message-ID of the customer's last mail, without the angle brackets.
    pub message_id: Option<String>,
    /// Message-IDs before it, oldest first.
    #[serde(default)]
    pub references: Vec<String>,
    /// What the customer wrote above it.
    pub subject: Option<String>,
}

/// How far a mailbox has been read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct MailCursor {
    /// Under which numbering (UIDVALIDITY).
    pub uid_validity: i64,
    /// The first number (UID) not yet read.
    pub uid_next: i64,
    /// When the latest mail read came into the mailbox (Unix, ms).
    pub read_to_ms: i64,
    /// Digests of the mails read last, oldest first: told apart by them when the numbering changes.
    #[serde(default)]
    pub recent: Vec<ByteBuf>,
}

avro!(Thread, MailCursor);

/// The Message-ID of a mail of ours, without the angle brackets: the same for the same reply, and what
/// answers it tells which conversation it is of.
#[must_use]
pub fn message_id(protocol: &str, reply: &str, domain: &str) -> String {
    let digest = HEXLOWER.encode(&Sha256::digest(reply.as_bytes()));
    format!("{protocol}.{}@{domain}", digest.get(..32).unwrap_or_default())
}

/// The protocol number in a Message-ID of ours.
#[must_use]
pub fn protocol_in_message_id(id: &str) -> Option<&str> {
    let (protocol, digest) = id.split('@').next()?.split_once('.')?;
    let ours = is_protocol(protocol)
        && digest.len() == 32
        && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    ours.then_some(protocol)
}

/// What a subject of ours carries, so that answers are told even by programs that keep no references.
#[must_use]
pub fn subject_tag(protocol: &str) -> String {
    format!("[#{protocol}]")
}

/// The protocol number in a subject, as it was tagged.
#[must_use]
pub fn protocol_in_subject(subject: &str) -> Option<String> {
    let mut rest = subject;
    while let Some((_, tagged)) = rest.split_once("[#") {
        let (tag, after) = tagged.split_once(']')?;
        let digits: String = tag.chars().filter(|c| *c != '-').collect();
        if is_protocol(&digits) {
            return Some(digits);
        }
        rest = after;
    }
    None
}

/// Eight digits of a day and some more.
fn is_protocol(text: &str) -> bool {
    (12..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answers_a_mail_of_ours_tells_its_protocol() {
        let id = message_id("202611201234567890", "c/1/answer/0", "isp.example");
        assert_eq!(id, message_id("202611201234567890", "c/1/answer/0", "isp.example"));
        assert_ne!(id, message_id("202611201234567890", "c/2/answer/0", "isp.example"));
        assert_eq!(protocol_in_message_id(&id), Some("202611201234567890"));
        for strange in ["", "a@b", "2026.1@b", "202611201234567890.zz@b", "@", "202611201234567890"]
        {
            assert_eq!(protocol_in_message_id(strange), None, "{strange}");
        }
        let subject = format!("Re: {} Boleto", subject_tag("202611201234567890"));
        assert_eq!(protocol_in_subject(&subject).as_deref(), Some("202611201234567890"));
        let dashed = protocol_in_subject("Re: [#1] [#20261120-000123] Sem sinal");
        assert_eq!(dashed.as_deref(), Some("20261120000123"));
        for strange in ["", "[#", "[#]", "[#12]", "[#x123456789012]"] {
            assert_eq!(protocol_in_subject(strange), None, "{strange}");
        }
    }
}
