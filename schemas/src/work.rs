//! What the line asks of others: the CRM, the channels, people.

use serde::{Deserialize, Serialize};

use crate::codec::avro;
use crate::conversation::{AnswerDue, Priority, RouteReason};
use crate::ids::ConversationId;
use crate::line::Sentiment;
use crate::message::{Button, Channel};
use crate::sealed::SealedText;

/// Asked of the CRM or the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionRequest {
    /// For which conversation.
    pub conversation_id: ConversationId,
    /// For which turn.
    pub turn: i64,
    /// What is asked.
    pub action: String,
    /// What the customer wants.
    pub intent: String,
    /// Record [`crate::message::Contact`], sealed.
    pub contact_sealed: SealedText,
    /// The channel or caller vouches for who the contact is.
    pub verified: bool,
    /// Later than this nobody waits for it any more (Unix, ms).
    pub expires_at_ms: i64,
    /// Who the customer says they are: record [`crate::message::Contact`], sealed. The CRM decides what it
    /// proves.
    pub claims_sealed: Option<SealedText>,
    /// What the customer has chosen of what was offered.
    #[serde(default)]
    pub choice: Option<String>,
}

/// A text to be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// For which conversation.
    pub conversation_id: ConversationId,
    /// What the customer quotes.
    pub protocol: String,
    /// Why and where to.
    pub due: AnswerDue,
    /// Which answer of the catalogue.
    pub answer_id: Option<String>,
    /// Which catalogue.
    pub catalogue_version: String,
    /// Who wrote it; absent for the machine.
    pub agent: Option<String>,
    /// The text, sealed.
    pub text_sealed: SealedText,
    /// The text, masked.
    pub text_masked: String,
    /// Quick replies offered.
    #[serde(default)]
    pub buttons: Vec<Button>,
    /// What opens the quick replies where a channel folds them away.
    #[serde(default)]
    pub options_title: String,
    /// What the provider has approved for after the reply window, with its gaps filled: JSON, sealed.
    #[serde(default)]
    pub template_sealed: Option<SealedText>,
    /// In so many texts it is sent, one after the other; this is number `due.part`.
    #[serde(default = "one")]
    pub parts: i32,
}

/// Of texts that are sent whole.
fn one() -> i32 {
    1
}

/// A conversation waits for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // as in `Conversation` and `Classification`
pub struct Handoff {
    pub tenant: String,
    pub conversation_id: ConversationId,
    pub protocol: String,
    pub turn: Option<i64>,
    pub channel: Channel,
    pub queue: String,
    pub priority: Priority,
    pub reason: RouteReason,
    pub intent: Option<String>,
    pub confidence: Option<f64>,
    pub sentiment: Option<Sentiment>,
    pub frustrated: bool,
    pub urgent: bool,
    pub sla_due_ms: i64,
    pub text_masked: Option<String>,
}

avro!(ActionRequest, Reply, Handoff);
