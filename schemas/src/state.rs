//! States of the stages as they stand in the changelogs. No plain text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codec::avro;
use crate::conversation::{Address, ConversationState, Priority};
use crate::customers::{Elsewhere, LinkedContact};
use crate::ids::{CommandId, ContactKey, ConversationId, MessageId};
use crate::line::Sentiment;
use crate::message::{AnswerVia, Channel, MessageKind, ProviderStatusKind, ReplyPurpose};
use crate::sealed::SealedText;

/// A message id and when it was first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are the documentation
pub struct SeenMessage {
    pub message_id: MessageId,
    pub at_ms: i64,
}

/// A message waiting for its turn to close.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // as in `MessageHead`
pub struct OpenMessage {
    pub message_id: MessageId,
    pub kind: MessageKind,
    pub text_sealed: Option<SealedText>,
}

/// A turn that still grows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTurn {
    /// Time of its first message (Unix, ms).
    pub opened_at_ms: i64,
    /// When it closes if nothing comes (Unix, ms).
    pub closes_at_ms: i64,
    /// Oldest first.
    pub messages: Vec<OpenMessage>,
}

/// Something known of a customer, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are the documentation
pub struct KnownFact {
    pub name: String,
    pub is_true: bool,
    pub at_ms: i64,
}

/// What a contact was told something about last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are the documentation
pub struct KnownIntent {
    pub intent: String,
    pub at_ms: i64,
}

/// A recording whose turn waits for what was said in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingAudio {
    /// The message it came with.
    pub message_id: MessageId,
    /// What was written beside it.
    pub text_sealed: Option<SealedText>,
    /// When it goes to a person if nobody knows what was said (Unix, ms).
    pub until_ms: i64,
    /// Where its answer goes.
    pub answer_via: AnswerVia,
}

/// Something told of a file, so that it is not told twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // as in `MediaFetched`
pub struct ToldMedia {
    pub message_id: MessageId,
    pub part: i32,
    pub transcribed: bool,
    pub at_ms: i64,
}

/// State of the turns stage, per contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct TurnsState {
    /// Number of the last closed turn.
    pub last_turn: i64,
    /// A person has the conversation: do not group.
    pub owned: bool,
    /// The turn that still grows.
    pub open: Option<OpenTurn>,
    /// Oldest first; kept as long as providers retry.
    pub seen: Vec<SeenMessage>,
    /// What the CRM told of the customer last; one a name.
    #[serde(default)]
    pub facts: Vec<KnownFact>,
    /// What the contact was told something about last.
    pub previous: Option<KnownIntent>,
    /// Contacts of the same customer.
    #[serde(default)]
    pub linked: Vec<LinkedContact>,
    /// Links that were undone, latest last: a machine does not make them again.
    #[serde(default)]
    pub undone_links: Vec<CommandId>,
    /// Of the sealed contact whose names were told last.
    #[serde(default, with = "serde_bytes")]
    pub contact_nonce: Vec<u8>,
    /// What happens on the other contacts.
    #[serde(default)]
    pub elsewhere: Vec<Elsewhere>,
    /// Recordings whose turns wait for what was said, oldest first.
    #[serde(default)]
    pub waiting: Vec<WaitingAudio>,
    /// What was told of files, oldest first.
    #[serde(default)]
    pub media_told: Vec<ToldMedia>,
    /// Messages that were taken back, oldest first.
    #[serde(default)]
    pub deleted: Vec<SeenMessage>,
}

/// A turn decided as automatic and not yet settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingTurn {
    /// Which turn.
    pub turn: i64,
    /// When it closed (Unix, ms): what the time to an answer counts from.
    pub since_ms: i64,
    /// How many messages it holds.
    pub messages: i32,
    /// Where its answer goes.
    pub via: AnswerVia,
    /// What the customer wants.
    pub intent: String,
    /// In which tone.
    pub sentiment: Sentiment,
    /// What the CRM was asked.
    pub action: Option<String>,
    /// Until when an answer, or the action before it, is waited for (Unix, ms).
    pub action_deadline_ms: Option<i64>,
    /// The answer is planned; only its delivery is open.
    pub answered: bool,
}

/// State of the router, per contact: the open conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterState {
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// What the customer is told to quote.
    pub protocol: String,
    /// Of the last record.
    pub seq: i64,
    /// Of the last record the customer sees.
    pub chat_seq: i64,
    /// Where it stands.
    pub state: ConversationState,
    /// How the customer reached us.
    pub channel: Channel,
    /// Where replies go.
    pub address: Address,
    /// Who has it.
    pub owner: Option<String>,
    /// Where it waits, or waited last.
    pub queue: Option<String>,
    /// How soon.
    pub priority: Priority,
    /// When a person should have answered (Unix, ms).
    pub sla_due_ms: Option<i64>,
    /// The breach has been told.
    pub sla_breached: bool,
    /// When it began (Unix, ms).
    pub opened_at_ms: i64,
    /// Last sign of life of either side (Unix, ms).
    pub changed_at_ms: i64,
    /// When it was considered done (Unix, ms).
    pub resolved_at_ms: Option<i64>,
    /// The customer knows the protocol number.
    pub protocol_told: bool,
    /// Automatic answers planned so far.
    pub bot_answers: i32,
    /// What the last automatic answer was about.
    pub last_intent: Option<String>,
    /// How often in a row.
    pub last_intent_answers: i32,
    /// Replies of agents so far.
    pub agent_replies: i32,
    /// When a silent agent loses the conversation (Unix, ms).
    pub agent_deadline_ms: Option<i64>,
    /// The channel or caller vouches for who the contact is.
    pub verified: bool,
    /// Turns decided as automatic and not yet settled.
    pub pending: Vec<PendingTurn>,
    /// Latest last; a repeat is not obeyed twice.
    pub commands: Vec<CommandId>,
    /// `turn/purpose/part` already accounted for, latest last.
    pub replies_seen: Vec<String>,
    /// Turns answered automatically that a person is to look at, oldest first.
    #[serde(default)]
    pub to_check: Vec<i64>,
    /// E-mail threads the machine has written in, oldest first.
    #[serde(default)]
    pub answered_threads: Vec<AnsweredThread>,
    /// What providers told of our latest messages, latest last.
    #[serde(default)]
    pub statuses: Vec<ToldStatus>,
    /// When people should be done (Unix, ms); absent while the customer is waited for.
    pub resolution_due_ms: Option<i64>,
    /// What is left of that time while the customer is waited for.
    pub resolution_left_ms: Option<i64>,
    /// That breach has been told.
    #[serde(default)]
    pub resolution_breached: bool,
    /// Its owner has put it aside until then (Unix, ms).
    pub snoozed_until_ms: Option<i64>,
    /// Contacts of the same customer that are told what happens.
    #[serde(default)]
    pub linked: Vec<ContactKey>,
    /// The customer was asked who they are.
    #[serde(default)]
    pub identity_asked: bool,
    /// Who they have said they are: record [`crate::message::Contact`], sealed.
    pub claims_sealed: Option<SealedText>,
    /// What waits until they have.
    pub asked: Option<AskedIdentity>,
    /// Replies that providers may still tell of, latest last.
    #[serde(default)]
    pub sent: Vec<SentReply>,
    /// When the customer was asked how it was (Unix, ms); once a conversation.
    pub csat_asked_ms: Option<i64>,
    /// What they said, 1 to 5.
    pub csat_score: Option<i32>,
    /// The message they said it with: no turn of it is answered.
    pub csat_message: Option<MessageId>,
}

/// What waits until the customer has told who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // as in `PendingTurn`
pub struct AskedIdentity {
    pub intent: String,
    pub action: String,
}

/// The machine has written in an e-mail thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnsweredThread {
    /// Which thread, as in [`Address`].
    pub thread_key: String,
    /// In which turn.
    pub turn: i64,
    /// When (Unix, ms).
    pub at_ms: i64,
}

/// A reply that a provider has taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // as in `DeliveryOutcome`
pub struct SentReply {
    /// What the provider calls it.
    pub provider_message_id: String,
    pub turn: i64,
    pub purpose: ReplyPurpose,
    pub part: i32,
}

/// What a provider told last of a message of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldStatus {
    /// Which message.
    pub provider_message_id: String,
    /// What became of it.
    pub status: ProviderStatusKind,
}

/// What happened in one minute, as counted on one partition of `conversations`. Absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinuteMetrics {
    /// Whose customers.
    pub tenant: String,
    /// Minutes since 1970 UTC.
    pub minute: i64,
    /// Partition of `conversations` it was counted on.
    pub source_partition: i32,
    /// By metric name, e.g. `settled/auto`.
    pub values: BTreeMap<String, i64>,
}

avro!(TurnsState, RouterState, MinuteMetrics);
