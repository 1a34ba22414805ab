//! From what an adapter heard to the record in `inbound`: identities, sealing, masking.

use std::collections::BTreeMap;

use pipeline::Record;
use schemas::Avro;
use schemas::ids::{ConversationId, LineKey, MessageId};
use schemas::line::{Inbound, InboundBody};
use schemas::masking::mask;
use schemas::message::{
    AnswerVia, Attachment, Channel, Choice, Contact, Direction, Message, MessageHead, MessageKind,
    ProviderStatus, ProviderStatusKind,
};
use schemas::sealed::{SealError, TenantKeys};
use schemas::thread::Thread;
use schemas::topics::INBOUND;

/// How far a provider's clock may be ahead of ours, in milliseconds.
const EVENT_AHEAD_MS_MAX: i64 = 60_000;

/// What tells a message from a repeat of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The provider's own id of the message.
    Provider(String),
    /// The caller's Idempotency-Key.
    Key(String),
    /// Nothing: every request is a message.
    None,
}

/// Which e-mail thread a message belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardThread {
    /// What all of the thread go by.
    pub name: ThreadName,
    /// What an answer refers to.
    pub refers: Thread,
}

/// What the mails of a thread go by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThreadName {
    /// The protocol number of the conversation they belong to.
    Protocol(String),
    /// Their subject: they refer to nothing of ours.
    Subject(String),
}

impl ThreadName {
    /// The name in the log, where no subject is plain.
    fn key(&self, keys: &TenantKeys) -> String {
        match self {
            Self::Protocol(protocol) => protocol.clone(),
            Self::Subject(subject) => keys.thread(subject),
        }
    }
}

/// A message as an adapter heard it: normalized, not yet sealed.
#[derive(Debug, Clone, PartialEq)]
pub struct HeardMessage {
    /// How it came.
    pub channel: Channel,
    /// Which adapter heard it.
    pub provider: &'static str,
    /// Our number, inbox or site at the provider.
    pub account: String,
    /// Who wrote; the first id is the one the contact goes by.
    pub contact: Contact,
    /// What tells it from a repeat.
    pub identity: Identity,
    /// Who wrote.
    pub direction: Direction,
    /// What it is made of.
    pub kind: MessageKind,
    /// What the customer wrote.
    pub text: Option<String>,
    /// What was tapped.
    pub choice: Option<Choice>,
    /// What came with it.
    pub attachments: Vec<Attachment>,
    /// Provider id of the message it answers.
    pub reply_to: Option<String>,
    /// The e-mail thread it belongs to.
    pub thread: Option<HeardThread>,
    /// Written by a machine.
    pub auto_generated: bool,
    /// The channel or the caller vouches for who the contact is.
    pub verified: bool,
    /// By the provider's clock (Unix, ms); absent: now.
    pub event_time_ms: Option<i64>,
    /// How long after it free texts may be sent, in milliseconds.
    pub reply_window_ms: Option<i64>,
    /// Where an answer goes.
    pub answer_via: AnswerVia,
    /// Somebody waits for the answer.
    pub flush: bool,
    /// Anything else the provider told.
    pub attributes: BTreeMap<String, String>,
}

impl HeardMessage {
    /// A message of a customer of which no more is told than this: who wrote, on what, and of what kind it is.
    #[must_use]
    pub fn of(
        provider: &'static str,
        account: &str,
        (channel, contact): (Channel, Contact),
        identity: Identity,
        kind: MessageKind,
    ) -> Self {
        Self {
            channel,
            provider,
            account: account.to_owned(),
            contact,
            identity,
            direction: Direction::Inbound,
            kind,
            text: None,
            choice: None,
            attachments: Vec::new(),
            reply_to: None,
            thread: None,
            auto_generated: false,
            verified: false,
            event_time_ms: None,
            reply_window_ms: None,
            answer_via: AnswerVia::Channel,
            flush: false,
            attributes: BTreeMap::new(),
        }
    }
}

/// A provider's word on a message of ours, as an adapter heard it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardStatus {
    /// How the message went.
    pub channel: Channel,
    /// To whom; the first id is the one the contact goes by.
    pub contact: Contact,
    /// Which message.
    pub provider_message_id: String,
    /// What became of it.
    pub status: ProviderStatusKind,
    /// The provider's code when it failed.
    pub error_code: Option<String>,
    /// By the provider's clock (Unix, ms).
    pub event_time_ms: i64,
    /// Our own id, echoed.
    pub callback: Option<String>,
}

/// What the contact is called in the log.
pub(crate) fn key_of(
    keys: &TenantKeys,
    tenant: &str,
    channel: Channel,
    contact: &Contact,
) -> LineKey {
    let name = contact.ids.first().map_or_else(String::new, |id| {
        format!("{}:{}:{}", id.kind.as_str(), id.scope.as_deref().unwrap_or_default(), id.value)
    });
    LineKey::new(tenant, keys.contact(channel.as_str(), &name))
}

/// What a message of `contact` is called that its provider calls `id`. Ids of some providers are only
/// unique for a contact, and those of browsers certainly.
pub(crate) fn provider_message(
    keys: &TenantKeys,
    provider: &str,
    account: &str,
    key: &LineKey,
    id: &str,
) -> MessageId {
    keys.message(&format!("{provider}/{account}"), &format!("{}/{id}", key.contact))
}

/// The record of a message, with its identity and its contact.
pub(super) fn message(
    keys: &TenantKeys,
    tenant: &str,
    heard: HeardMessage,
    now_ms: i64,
) -> Result<(MessageId, LineKey, Record), SealError> {
    let key = key_of(keys, tenant, heard.channel, &heard.contact);
    let place = format!("{}/{}", heard.provider, heard.account);
    let (message_id, provider_message_id) = match heard.identity {
        Identity::Provider(id) => {
            (provider_message(keys, heard.provider, &heard.account, &key, &id), Some(id))
        }
        // A key used again for another customer must not make two messages one.
        Identity::Key(id) => (keys.message(&place, &format!("{}/key/{id}", key.contact)), None),
        Identity::None => (MessageId(random_bytes()), None),
    };
    let text = heard.text.filter(|text| !text.is_empty());
    let sealed = text.as_deref().map(|text| keys.seal(message_id.as_bytes(), text.as_bytes()));
    let thread = heard.thread.as_ref();
    let thread_sealed =
        thread.map(|thread| keys.seal_thread(message_id.as_bytes(), &thread.refers)).transpose()?;
    let event_time_ms = heard.event_time_ms.unwrap_or(now_ms).min(now_ms + EVENT_AHEAD_MS_MAX);
    let head = MessageHead {
        message_id,
        channel: heard.channel,
        provider: heard.provider.to_owned(),
        account: heard.account,
        direction: heard.direction,
        kind: heard.kind,
        provider_message_id,
        reply_to: heard.reply_to,
        thread_key: thread.map(|thread| thread.name.key(keys)),
        contact_sealed: keys.seal_contact(&heard.contact)?,
        text_sealed: sealed.transpose()?,
        text_masked: text.as_deref().map(mask),
        choice: heard.choice,
        attachments: heard.attachments,
        site: None,
        auto_generated: heard.auto_generated,
        verified: heard.verified,
        event_time_ms,
        reply_window_until_ms: heard.reply_window_ms.map(|window_ms| event_time_ms + window_ms),
        answer_via: heard.answer_via,
        attributes: heard.attributes,
        thread_sealed,
        // `turns` says so, which knows the contact's messages.
        changes: None,
        deleted: false,
    };
    let message = Message { head, text, flush: heard.flush };
    let body = InboundBody::Message(Box::new(message));
    let record = Record::new(INBOUND, key.to_bytes(), Inbound { body }.to_bytes()?, now_ms);
    Ok((message_id, key, record))
}

/// Whose conversation our own id, echoed, names. A provider may tell of a customer by another name than the
/// one they wrote under.
fn echoed(tenant: &str, callback: &str) -> Option<LineKey> {
    let (conversation, _) = callback.split_once('/')?;
    let id: ConversationId = conversation.parse().ok()?;
    Some(LineKey::new(tenant, id.contact()))
}

/// The record of a provider's status.
pub(super) fn status(
    keys: &TenantKeys,
    tenant: &str,
    heard: HeardStatus,
    now_ms: i64,
) -> Result<Record, SealError> {
    let echoed = heard.callback.as_deref().and_then(|id| echoed(tenant, id));
    let key = echoed.unwrap_or_else(|| key_of(keys, tenant, heard.channel, &heard.contact));
    let body = InboundBody::ProviderStatus(ProviderStatus {
        provider_message_id: heard.provider_message_id,
        status: heard.status,
        error_code: heard.error_code,
        event_time_ms: heard.event_time_ms.min(now_ms + EVENT_AHEAD_MS_MAX),
        callback: heard.callback,
    });
    Ok(Record::new(INBOUND, key.to_bytes(), Inbound { body }.to_bytes()?, now_ms))
}

/// Bytes nobody can guess. Without a source of them no id may be given out.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[allow(clippy::panic)] // a machine without randomness must not hand out ids
    if let Err(error) = getrandom::fill(&mut bytes) {
        panic!("the operating system gives no random bytes: {error}");
    }
    bytes
}

/// A telephone number as `+` and digits. Brazilian mobile numbers get their ninth digit, so that a
/// number written with and without it is one (Anatel Resolution 553/2010).
#[must_use]
pub fn phone_number(written: &str) -> String {
    let digits: String = written.chars().filter(char::is_ascii_digit).collect();
    match (digits.len(), digits.strip_prefix("55"), digits.get(4..5)) {
        (12, Some(_), Some("6" | "7" | "8" | "9")) => {
            let (head, tail) = digits.split_at_checked(4).unwrap_or((&digits, ""));
            format!("+{head}9{tail}")
        }
        _ => format!("+{digits}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brazilian_mobile_number_is_one_with_and_without_its_ninth_digit() {
        assert_eq!(phone_number("551187654321"), "+5511987654321");
        assert_eq!(phone_number("+55 (11) 98765-4321"), "+5511987654321");
        assert_eq!(phone_number("551134567890"), "+551134567890", "a fixed line has eight");
        assert_eq!(phone_number("972987654321"), "+972987654321");
        assert_eq!(phone_number(""), "+");
    }
}
