//! Conversations as a provider's line tells them, made up by number: the same number, the same bytes.
//!
//! Contacts write a few conversations each over half a year; nearly all are closed. A conversation has
//! 6 to 20 lines unless it still goes on. Keys are in the order of their numbers, so that a store can
//! be filled from its beginning to its end; what texts say is sealed and stands for itself.

use std::collections::BTreeMap;

use benches::conversation;
use benches::draw::Draw;
use schemas::conversation::{Conversation, ConversationState};
use schemas::ids::{ContactKey, ConversationId, LineKey, MessageId};
use schemas::line::{Inbound, InboundBody};
use schemas::message::{AnswerVia, Channel, Direction, Message, MessageHead, MessageKind};
use schemas::sealed::SealedText;
use schemas::{Avro, CodecError};

/// Tenants; most of the contacts are the first one's.
pub const TENANTS: [&str; 3] = ["norte", "sul", "ilha"];
/// Queues of people.
pub const QUEUES: [&str; 4] = ["suporte", "financeiro", "vendas", "retencao"];
/// Conversations of a contact.
pub const EACH: u64 = 3;
/// When the last of what is stored happened (Unix, ms).
pub const NOW_MS: i64 = 1_795_262_400_000;
/// How far back it goes.
const DAYS: i64 = 180;
/// For how long conversations go on, at most, before they are closed.
const OPEN_DAYS: i64 = 2;
const DAY_MS: i64 = 86_400_000;

/// The agent of that number, of forty.
pub fn agent(n: u64) -> String {
    format!("agente.{:02}", n % 40)
}

/// How keys are given out: contacts and messages by number, far enough apart that others fit between.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    messages: u64,
    apart: u64,
    /// Tells those of one run from those of another.
    salt: u64,
}

impl Keys {
    /// For so many messages.
    pub fn of(messages: u64, salt: u64) -> Self {
        Self { messages, apart: u64::MAX / messages.max(1), salt }
    }

    /// The `n`th key, at `place` in their order.
    fn bytes(self, place: u64, n: u64) -> [u8; 16] {
        let high = u128::from(place.wrapping_mul(self.apart)) << 64;
        let low = Draw::of(n ^ self.salt.rotate_left(17)).below(u64::MAX);
        (high | u128::from(low)).to_be_bytes()
    }

    /// The `n`th contact.
    pub fn contact(self, n: u64) -> LineKey {
        let tenant = match Draw::of(n).below(10) {
            0..=5 => TENANTS[0],
            6..=8 => TENANTS[1],
            _ => TENANTS[2],
        };
        LineKey::new(tenant, ContactKey(self.bytes(n, n)))
    }

    /// The `n`th message.
    pub fn message(self, n: u64) -> MessageId {
        MessageId(self.bytes(n, n))
    }

    /// The `n`th of those that come later: anywhere among them, as hashes are.
    pub fn later_message(self, n: u64) -> MessageId {
        MessageId(self.bytes(Draw::of(n).below(self.messages), n))
    }
}

/// Which conversation of whom, when it opened, and how it stands.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its number.
    pub n: u64,
    /// Whose it is.
    pub key: LineKey,
    /// When it opened (Unix, ms).
    pub opened_at_ms: i64,
    /// How it stands.
    pub stands: ConversationState,
}

impl Plan {
    /// The `n`th conversation of what is stored: `n / EACH` is its contact.
    pub fn stored(keys: Keys, n: u64) -> Self {
        let mut draw = Draw::of(n ^ 0xc0);
        let part_ms = DAYS * DAY_MS / EACH.cast_signed();
        let within = draw.below(part_ms.cast_unsigned()).cast_signed();
        let opened_at_ms = NOW_MS - DAYS * DAY_MS + (n % EACH).cast_signed() * part_ms + within;
        let stands = stands(&mut draw, NOW_MS - opened_at_ms);
        Self { n, key: keys.contact(n / EACH), opened_at_ms, stands }
    }

    /// The `n`th of those that go on at `now_ms` (Unix): it ends closed.
    pub fn going_on(keys: Keys, n: u64, now_ms: i64) -> Self {
        let (key, stands) = (keys.contact(n), ConversationState::Closed);
        Self { n, key, opened_at_ms: now_ms, stands }
    }

    /// Its id.
    pub fn id(&self) -> ConversationId {
        ConversationId::new(self.key.contact, self.opened_at_ms)
    }
}

fn stands(draw: &mut Draw, age_ms: i64) -> ConversationState {
    use ConversationState::*;
    let of_hundred = draw.below(100);
    if age_ms > OPEN_DAYS * DAY_MS {
        return if of_hundred < 2 { Abandoned } else { Closed };
    }
    match of_hundred {
        0..=1 => Queued,
        2..=4 => Assigned,
        5..=9 => WaitingCustomer,
        10 => Triage,
        11..=25 => BotAnswered,
        26..=29 => Csat,
        _ => Resolved,
    }
}

/// A text of so many bytes, sealed.
pub fn sealed(draw: &mut Draw, length: u64) -> SealedText {
    let length = usize::try_from(length).unwrap_or_default();
    SealedText { key_id: "k1".to_owned(), nonce: draw.bytes(12), bytes: draw.bytes(length + 16) }
}

/// A message without its plain text.
pub fn head(draw: &mut Draw, message_id: MessageId, time_ms: i64, length: u64) -> MessageHead {
    MessageHead {
        message_id,
        channel: Channel::Whatsapp,
        provider: "whatsapp_cloud".to_owned(),
        account: "5511987654321".to_owned(),
        direction: Direction::Inbound,
        kind: MessageKind::Text,
        provider_message_id: Some(format!("wamid.HBgNNTUxMTk4NzY1NDMyMRUCABI{message_id}")),
        reply_to: None,
        thread_key: None,
        contact_sealed: sealed(draw, 44),
        text_sealed: Some(sealed(draw, length)),
        text_masked: Some("x".repeat(usize::try_from(length).unwrap_or_default())),
        choice: None,
        attachments: Vec::new(),
        site: None,
        auto_generated: false,
        verified: true,
        event_time_ms: time_ms,
        reply_window_until_ms: Some(time_ms + DAY_MS),
        answer_via: AnswerVia::Channel,
        attributes: BTreeMap::new(),
        thread_sealed: None,
        changes: None,
        deleted: false,
    }
}

/// A message as a door writes it down.
pub fn inbound(head: MessageHead) -> Inbound {
    let message = Message { text: head.text_masked.clone(), head, flush: false };
    Inbound { body: InboundBody::Message(Box::new(message)) }
}

/// The bytes of such a message.
///
/// # Errors
/// [`CodecError`]: a mistake here.
pub fn inbound_bytes() -> Result<Vec<u8>, CodecError> {
    inbound(head(&mut Draw::of(1), MessageId([1; 16]), NOW_MS, 70)).to_bytes()
}

/// A conversation of which nothing has been told yet.
pub fn blank(plan: &Plan) -> Conversation {
    let blank = conversation::blank(plan.key.tenant.clone(), plan.id(), plan.opened_at_ms);
    Conversation { protocol: format!("20261120{:010}", plan.n), ..blank }
}
