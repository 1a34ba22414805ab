//! Rows as the database writes and reads them.
//!
//! "None" is '' for texts, 0 for a deadline and -1 for a confidence: a null would be written as a
//! tombstone. What a line does not tell is left unset, so the last line that told it keeps its word.

use schemas::conversation::{ConversationState, Route, RouteReason};
use schemas::ids::{ContactKey, ConversationId, LineKey, MessageId};
use schemas::message::{Channel, MessageKind};
use schemas::sealed::SealedText;
use scylla::value::MaybeUnset;
use scylla::{DeserializeRow, SerializeRow};

use super::connect::unreadable;
use crate::rows::{AcceptedRow, ConversationRow, EventRow, TurnSummary};
use crate::store::StoreError;
use crate::store::columns::{priority, rank, sealed_from_bytes, sealed_to_bytes};
use crate::store::view::Stand;

/// Lines of the history in one partition.
pub(super) const BLOCK_LINES: i64 = 4_096;

/// The partition of a line of the history.
pub(super) fn block_of(seq: i64) -> i32 {
    i32::try_from(seq.max(0) / BLOCK_LINES).unwrap_or(i32::MAX)
}

/// A line, and where the conversation stands after it.
#[derive(SerializeRow)]
#[scylla(flavor = "enforce_order", skip_name_checks)]
pub(super) struct LineCells<'a> {
    conversation: &'a [u8],
    pub(super) block: i32,
    seq: i64,
    at_ms: MaybeUnset<i64>,
    record: MaybeUnset<&'a [u8]>,
    tenant: &'a str,
    protocol: &'a str,
    channel: &'a str,
    state: &'a str,
    owner: &'a str,
    queue: &'a str,
    priority: i8,
    sla_due_ms: i64,
    opened_at_ms: i64,
    updated_at_ms: i64,
    last_seq: i64,
    contact_sealed: MaybeUnset<Vec<u8>>,
    last_text_sealed: MaybeUnset<Vec<u8>>,
    intent: MaybeUnset<&'a str>,
    confidence: MaybeUnset<f64>,
    sentiment: MaybeUnset<&'a str>,
    route: MaybeUnset<&'a str>,
    reason: MaybeUnset<&'a str>,
    stamp: i64,
    ttl_s: i32,
}

fn told<T>(told: Option<T>) -> MaybeUnset<T> {
    told.map_or(MaybeUnset::Unset, MaybeUnset::Set)
}

impl<'a> LineCells<'a> {
    pub(super) fn of(row: &'a EventRow, stamp: i64, ttl_s: i32) -> Self {
        let stand = &row.conversation;
        let turn = stand.turn.as_ref();
        Self {
            conversation: stand.conversation_id.as_bytes(),
            block: block_of(stand.seq),
            seq: stand.seq,
            at_ms: MaybeUnset::Set(row.at_ms),
            record: MaybeUnset::Set(&row.record),
            tenant: &stand.tenant,
            protocol: &stand.protocol,
            channel: stand.channel.as_str(),
            state: stand.state.as_str(),
            owner: stand.owner.as_deref().unwrap_or_default(),
            queue: stand.queue.as_deref().unwrap_or_default(),
            priority: rank(stand.priority),
            sla_due_ms: stand.sla_due_ms.unwrap_or_default(),
            opened_at_ms: stand.opened_at_ms,
            updated_at_ms: stand.updated_at_ms,
            last_seq: stand.seq,
            contact_sealed: told(stand.contact_sealed.as_ref().map(sealed_to_bytes)),
            last_text_sealed: told(stand.last_text_sealed.as_ref().map(sealed_to_bytes)),
            intent: told(turn.map(|turn| turn.intent.as_deref().unwrap_or_default())),
            confidence: told(turn.map(|turn| turn.confidence.unwrap_or(-1.0))),
            sentiment: told(turn.map(|turn| turn.sentiment.as_deref().unwrap_or_default())),
            route: told(turn.map(|turn| turn.route.as_str())),
            reason: told(turn.map(|turn| turn.reason.as_str())),
            stamp,
            ttl_s,
        }
    }

    /// Without the line, which is of a later block: where it stands is looked up in the first. Lines
    /// are numbered from 1, so no history shows this one.
    pub(super) fn in_first_block(self) -> Self {
        Self { block: 0, seq: 0, at_ms: MaybeUnset::Unset, record: MaybeUnset::Unset, ..self }
    }

    /// What it takes on the wire, roughly.
    pub(super) fn bytes(&self) -> usize {
        match self.record {
            MaybeUnset::Set(record) => 512 + record.len(),
            MaybeUnset::Unset => 512,
        }
    }
}

/// Where a conversation stood after its last change in a slot.
#[derive(SerializeRow)]
#[scylla(flavor = "enforce_order", skip_name_checks)]
pub(super) struct ChangeCells<'a> {
    tenant: &'a str,
    slot: i64,
    shard: i32,
    conversation: &'a [u8],
    state: &'a str,
    owner: &'a str,
    queue: &'a str,
    priority: i8,
    sla_due_ms: i64,
    opened_at_ms: i64,
    updated_at_ms: i64,
    pub(super) seq: i64,
    stamp: i64,
    ttl_s: i32,
}

impl<'a> ChangeCells<'a> {
    pub(super) fn of(
        row: &'a ConversationRow,
        (slot, shard): (i64, i32),
        stamp: i64,
        ttl_s: i32,
    ) -> Self {
        Self {
            tenant: &row.tenant,
            slot,
            shard,
            conversation: row.conversation_id.as_bytes(),
            state: row.state.as_str(),
            owner: row.owner.as_deref().unwrap_or_default(),
            queue: row.queue.as_deref().unwrap_or_default(),
            priority: rank(row.priority),
            sla_due_ms: row.sla_due_ms.unwrap_or_default(),
            opened_at_ms: row.opened_at_ms,
            updated_at_ms: row.updated_at_ms,
            seq: row.seq,
            stamp,
            ttl_s,
        }
    }
}

fn text(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn sealed(bytes: Option<Vec<u8>>) -> Result<Option<SealedText>, StoreError> {
    let read = |bytes: Vec<u8>| {
        sealed_from_bytes(&bytes).ok_or_else(|| unreadable(&"a sealed text is cut off"))
    };
    // Empty is "none": a message without text, or one whose text was taken back.
    bytes.filter(|bytes| !bytes.is_empty()).map(read).transpose()
}

fn conversation_id(bytes: &[u8]) -> Result<ConversationId, StoreError> {
    ConversationId::from_slice(bytes).ok_or_else(|| unreadable(&"a conversation's id"))
}

/// Where a conversation stands.
#[derive(DeserializeRow)]
pub(super) struct StandCells {
    tenant: Option<String>,
    protocol: Option<String>,
    channel: Option<String>,
    state: Option<String>,
    owner: Option<String>,
    queue: Option<String>,
    priority: Option<i8>,
    sla_due_ms: Option<i64>,
    opened_at_ms: Option<i64>,
    updated_at_ms: Option<i64>,
    last_seq: Option<i64>,
    contact_sealed: Option<Vec<u8>>,
    last_text_sealed: Option<Vec<u8>>,
    intent: Option<String>,
    confidence: Option<f64>,
    sentiment: Option<String>,
    route: Option<String>,
    reason: Option<String>,
}

impl StandCells {
    /// `None` when it is about to expire: its newest cells go together, an instant before the line.
    pub(super) fn row(
        self,
        conversation_id: ConversationId,
    ) -> Result<Option<ConversationRow>, StoreError> {
        let (Some(tenant), Some(seq)) = (self.tenant, self.last_seq) else { return Ok(None) };
        let turn = self.route.as_deref().and_then(Route::named).map(|route| TurnSummary {
            intent: self.intent.and_then(text),
            confidence: self.confidence.filter(|confidence| *confidence >= 0.0),
            sentiment: self.sentiment.and_then(text),
            route,
            reason: self.reason.as_deref().and_then(RouteReason::named).unwrap_or_default(),
        });
        Ok(Some(ConversationRow {
            conversation_id,
            tenant,
            protocol: self.protocol.unwrap_or_default(),
            channel: self.channel.as_deref().and_then(Channel::named).unwrap_or_default(),
            state: self.state.as_deref().and_then(ConversationState::named).unwrap_or_default(),
            owner: self.owner.and_then(text),
            queue: self.queue.and_then(text),
            priority: priority(self.priority.unwrap_or_default()),
            sla_due_ms: self.sla_due_ms.filter(|due_ms| *due_ms != 0),
            opened_at_ms: self.opened_at_ms.unwrap_or_default(),
            updated_at_ms: self.updated_at_ms.unwrap_or_default(),
            seq,
            contact_sealed: sealed(self.contact_sealed)?,
            last_text_sealed: sealed(self.last_text_sealed)?,
            turn,
        }))
    }
}

/// A row of `changes`.
#[derive(DeserializeRow)]
pub(super) struct ChangedCells {
    conversation: Vec<u8>,
    state: Option<String>,
    owner: Option<String>,
    queue: Option<String>,
    priority: Option<i8>,
    sla_due_ms: Option<i64>,
    opened_at_ms: Option<i64>,
    updated_at_ms: Option<i64>,
    seq: Option<i64>,
}

impl ChangedCells {
    pub(super) fn stand(self) -> Result<Stand, StoreError> {
        Ok(Stand {
            conversation_id: conversation_id(&self.conversation)?,
            state: self.state.as_deref().and_then(ConversationState::named).unwrap_or_default(),
            owner: self.owner.and_then(text),
            queue: self.queue.and_then(text),
            priority: priority(self.priority.unwrap_or_default()),
            sla_due_ms: self.sla_due_ms.filter(|due_ms| *due_ms != 0),
            opened_at_ms: self.opened_at_ms.unwrap_or_default(),
            updated_at_ms: self.updated_at_ms.unwrap_or_default(),
            seq: self.seq.unwrap_or_default(),
        })
    }
}

/// A row of `messages`.
#[derive(DeserializeRow)]
pub(super) struct MessageCells {
    tenant: Option<String>,
    contact: Option<Vec<u8>>,
    channel: Option<String>,
    kind: Option<String>,
    accepted_at_ms: Option<i64>,
    text_sealed: Option<Vec<u8>>,
    conversation: Option<Vec<u8>>,
    seq: Option<i64>,
}

impl MessageCells {
    /// The line that holds it.
    pub(super) fn line(&self) -> Result<Option<(ConversationId, i64)>, StoreError> {
        let conversation = self.conversation.as_deref().map(conversation_id).transpose()?;
        Ok(conversation.zip(self.seq))
    }

    /// As a door accepted it; `None` when only a line tells of it.
    pub(super) fn accepted(self, message_id: MessageId) -> Result<Option<AcceptedRow>, StoreError> {
        let (Some(tenant), Some(contact)) = (self.tenant, self.contact) else { return Ok(None) };
        let contact =
            ContactKey::from_slice(&contact).ok_or_else(|| unreadable(&"a contact's key"))?;
        Ok(Some(AcceptedRow {
            message_id,
            key: LineKey { tenant, contact },
            channel: self.channel.as_deref().and_then(Channel::named).unwrap_or_default(),
            kind: self.kind.as_deref().and_then(MessageKind::named).unwrap_or_default(),
            accepted_at_ms: self.accepted_at_ms.unwrap_or_default(),
            text_sealed: sealed(self.text_sealed)?,
        }))
    }
}
