//! What the store holds, as plain values, and how records become them. No I/O.

use pipeline::Envelope;
use schemas::Avro;
use schemas::conversation::{
    Conversation, ConversationEvent, ConversationState, Priority, Route, RouteReason,
};
use schemas::ids::{ConversationId, LineKey, MessageId};
use schemas::line::{Inbound, InboundBody};
use schemas::message::{Channel, Direction, MessageKind};
use schemas::sealed::SealedText;
use schemas::state::MinuteMetrics;

use crate::customers::{AliasRow, LinkRow};

/// A change to the store. Applying one twice, or after a later one, changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// A message was accepted at a door.
    Accepted(AcceptedRow),
    /// A line of a conversation's history.
    Event(Box<EventRow>),
    /// What people are to look at of a conversation has changed.
    Check(CheckRow),
    /// What was counted in a minute.
    Minute(MinuteMetrics),
    /// A link between contacts was made or undone.
    Link(Box<LinkRow>),
    /// A contact goes by a name.
    Alias(AliasRow),
    /// A message was taken back.
    Deleted(DeletedRow),
}

/// A message whose author has taken it back: nothing of what it said is kept. Applied after the lines that told
/// of it, which is the log's order; applying those again brings nothing back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletedRow {
    /// Which message.
    pub message_id: MessageId,
    /// When it was taken back (Unix, ms).
    pub at_ms: i64,
}

/// Turns of a conversation, answered automatically, that a person is to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRow {
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// Whose customer.
    pub tenant: String,
    /// Line of the history after which it is so.
    pub seq: i64,
    /// When that line was written (Unix, ms).
    pub at_ms: i64,
    /// Which turns; none when all have been looked at, or it is too late.
    pub turns: Vec<i64>,
}

/// A message as a door accepted it: shown before anybody has looked at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedRow {
    /// Identity.
    pub message_id: MessageId,
    /// Whose customer wrote, and who.
    pub key: LineKey,
    /// How.
    pub channel: Channel,
    /// What it is made of.
    pub kind: MessageKind,
    /// When (Unix, ms).
    pub accepted_at_ms: i64,
    /// What, sealed; dropped once the history holds it.
    pub text_sealed: Option<SealedText>,
}

/// A line of a conversation's history with where the conversation stands after it.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// Who.
    pub key: LineKey,
    /// When (Unix, ms).
    pub at_ms: i64,
    /// Where it stands.
    pub conversation: ConversationRow,
    /// What the customer sees counts separately.
    pub chat_seq: Option<i64>,
    /// The whole record, without readable text.
    pub record: Vec<u8>,
    /// The message it tells of.
    pub message: Option<(MessageId, MessageKind)>,
}

/// A conversation as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationRow {
    /// Identity.
    pub conversation_id: ConversationId,
    /// Whose customer.
    pub tenant: String,
    /// What the customer quotes.
    pub protocol: String,
    /// How the customer reached us.
    pub channel: Channel,
    /// Where it stands.
    pub state: ConversationState,
    /// Who has it.
    pub owner: Option<String>,
    /// Where it waits, or waited last.
    pub queue: Option<String>,
    /// How soon.
    pub priority: Priority,
    /// When a person should have answered (Unix, ms).
    pub sla_due_ms: Option<i64>,
    /// When it began (Unix, ms).
    pub opened_at_ms: i64,
    /// When something happened last (Unix, ms).
    pub updated_at_ms: i64,
    /// Of the last line of the history.
    pub seq: i64,
    /// Who the customer is, sealed; only the opening line tells.
    pub contact_sealed: Option<SealedText>,
    /// What the customer wrote last, sealed; only lines that hold a message tell.
    pub last_text_sealed: Option<SealedText>,
    /// What the last decided turn was about.
    pub turn: Option<TurnSummary>,
}

/// What a decided turn was about, as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnSummary {
    /// Best intent.
    pub intent: Option<String>,
    /// Its calibrated probability.
    pub confidence: Option<f64>,
    /// Tone.
    pub sentiment: Option<String>,
    /// Who answers.
    pub route: Route,
    /// Why.
    pub reason: RouteReason,
}

/// Rows of a record of `inbound`: only messages of customers are kept.
#[must_use]
pub fn of_inbound(input: &Envelope<Inbound>) -> Vec<Row> {
    let (InboundBody::Message(message), Some(key)) = (&input.body.body, LineKey::parse(&input.key))
    else {
        return Vec::new();
    };
    let head = &message.head;
    if head.direction == Direction::Outbound {
        return Vec::new();
    }
    vec![Row::Accepted(AcceptedRow {
        message_id: head.message_id,
        key,
        channel: head.channel,
        kind: head.kind,
        accepted_at_ms: input.time_ms,
        text_sealed: head.text_sealed.clone(),
    })]
}

/// Rows of a record of `conversations`.
///
/// # Errors
/// In words, when the record cannot be kept.
pub fn of_conversation(input: &Envelope<Conversation>) -> Result<Vec<Row>, String> {
    let record = &input.body;
    let deleted = deleted(record, input.time_ms);
    if record.seq == 0 {
        // A refusal without a conversation is told to whoever asked, and not kept.
        return Ok(deleted.into_iter().collect());
    }
    let key = LineKey::parse(&input.key).ok_or("the key is not tenant:contact")?;
    let (mut contact_sealed, mut last_text_sealed, mut message, mut turn) =
        (None, None, None, None);
    match &record.event {
        ConversationEvent::Opened(opened) => contact_sealed = Some(opened.contact_sealed.clone()),
        ConversationEvent::MessageReceived(received) => {
            last_text_sealed.clone_from(&received.head.text_sealed);
            message = Some((received.head.message_id, received.head.kind));
        }
        ConversationEvent::TurnDecided(decided) => {
            let c = decided.classification.as_ref();
            turn = Some(TurnSummary {
                intent: c.and_then(|c| c.intent().map(str::to_owned)),
                confidence: c.map(|c| c.confidence),
                sentiment: c.map(|c| c.sentiment.as_str().to_owned()),
                route: decided.route,
                reason: decided.reason,
            });
        }
        _ => {}
    }
    let mut rows = vec![Row::Event(Box::new(EventRow {
        key,
        at_ms: input.time_ms,
        conversation: ConversationRow {
            conversation_id: record.conversation_id,
            tenant: record.tenant.clone(),
            protocol: record.protocol.clone(),
            channel: record.channel,
            state: record.state,
            owner: record.owner.clone(),
            queue: record.queue.clone(),
            priority: record.priority,
            sla_due_ms: record.sla_due_ms,
            opened_at_ms: record.opened_at_ms,
            updated_at_ms: input.time_ms,
            seq: record.seq,
            contact_sealed,
            last_text_sealed,
            turn,
        },
        chat_seq: record.chat_seq,
        record: unreadable(record).to_bytes().map_err(|error| error.to_string())?,
        message,
    }))];
    rows.extend(record.to_check.as_ref().map(|turns| {
        Row::Check(CheckRow {
            conversation_id: record.conversation_id,
            tenant: record.tenant.clone(),
            seq: record.seq,
            at_ms: input.time_ms,
            turns: turns.clone(),
        })
    }));
    rows.extend(deleted);
    Ok(rows)
}

/// The message a deletion takes back.
fn deleted(record: &Conversation, at_ms: i64) -> Option<Row> {
    let ConversationEvent::MessageReceived(received) = &record.event else { return None };
    let head = &received.head;
    let message_id = head.changes.filter(|_| head.kind == MessageKind::Delete)?;
    Some(Row::Deleted(DeletedRow { message_id, at_ms }))
}

/// Takes what the message said out of a line that tells of it: of the message, of its edits, of its files, and of
/// the decision about it. `false`: the line has nothing of it, or not any more.
pub(crate) fn take_back(record: &mut Conversation, id: MessageId) -> bool {
    let before = record.event.clone();
    match &mut record.event {
        ConversationEvent::MessageReceived(received) => {
            let head = &mut received.head;
            let is_edit = head.kind == MessageKind::Edit && head.changes == Some(id);
            if head.message_id == id || is_edit {
                head.take_back();
            }
        }
        ConversationEvent::MediaFetched(fetched) if fetched.message_id == id => fetched.take_back(),
        ConversationEvent::Transcribed(words) if words.message_id == id => words.take_back(),
        ConversationEvent::TurnDecided(decided) if decided.messages.contains(&id) => {
            // The n-grams that decided are words of it.
            decided.classification.iter_mut().for_each(|c| c.explanation.clear());
        }
        _ => {}
    }
    record.event != before
}

/// Whether the line shows a text of the customer's: the last one is shown in lists.
pub(crate) fn has_text(record: &Conversation) -> bool {
    matches!(&record.event, ConversationEvent::MessageReceived(received)
        if received.head.text_sealed.is_some())
}

/// The record without the readable copies of texts: the store keeps those a destroyed key takes with
/// it. The n-grams that decided, and titles of buttons, stay.
fn unreadable(record: &Conversation) -> Conversation {
    let mut record = record.clone();
    match &mut record.event {
        ConversationEvent::MessageReceived(received) => received.head.text_masked = None,
        ConversationEvent::ReplySent(sent) => sent.text_masked = None,
        ConversationEvent::AgentReplied(replied) => replied.text_masked.clear(),
        ConversationEvent::Noted(noted) => noted.text_masked.clear(),
        ConversationEvent::Transferred(transferred) => transferred.note_masked = None,
        ConversationEvent::Transcribed(transcribed) => transcribed.text_masked = None,
        _ => {}
    }
    // That a text is still to come is of use to a reader of the history; where it goes is not.
    if let Some(due) = &mut record.answer_due {
        due.address.provider.clear();
        due.address.account.clear();
        due.address.contact_sealed.bytes.clear();
    }
    record
}
