//! What agents do with a conversation, as the history tells it.

use serde::{Deserialize, Serialize};

use crate::message::CommandAction;
use crate::sealed::SealedText;

/// An agent took the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    /// Who.
    pub agent: String,
}

/// An agent wrote; delivery follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // as in `ReplySent`
pub struct AgentReplied {
    pub agent: String,
    pub part: i32,
    pub text_sealed: SealedText,
    pub text_masked: String,
    /// Taken from this answer of the catalogue, which providers have approved.
    #[serde(default)]
    pub answer_id: Option<String>,
}

/// A command was not granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Who asked.
    pub agent: String,
    /// What was asked.
    pub action: CommandAction,
    /// Why not, a short code.
    pub reason: String,
}

/// An agent passed the conversation on; a line that queues or assigns it follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transferred {
    /// Who.
    pub agent: String,
    /// To which queue.
    pub queue: Option<String>,
    /// Or to whom.
    pub to_agent: Option<String>,
    /// What colleagues are to know, sealed.
    pub note_sealed: Option<SealedText>,
    /// The same, masked.
    pub note_masked: Option<String>,
}

/// An agent wrote a note: colleagues read it, the customer never does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are the documentation
pub struct Noted {
    pub agent: String,
    pub text_sealed: SealedText,
    pub text_masked: String,
}

/// The owner put the conversation aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snoozed {
    /// Who.
    pub agent: String,
    /// Until when (Unix, ms).
    pub until_ms: i64,
}

/// The time it was put aside for is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Woken {}
