//! What the router tells: the history, what it asks of the CRM and of people, and what people said
//! turns were about.

use bytes::Bytes;
use pipeline::Output;
use schemas::conversation::Conversation;
use schemas::labels::Label;
use schemas::topics::{ACTIONS, CONVERSATIONS, HANDOFFS, LABELS, Topic};
use schemas::work::{ActionRequest, Handoff};
use schemas::{Avro, CodecError};

/// An output of the router.
#[derive(Debug, Clone, PartialEq)]
pub enum RouterOut {
    /// To `conversations`.
    Conversation(Box<Conversation>),
    /// To `actions`.
    Action(Box<ActionRequest>),
    /// To `handoffs`.
    Handoff(Box<Handoff>),
    /// To `labels`.
    Label(Box<Label>),
}

impl RouterOut {
    /// The key it goes under, where that is not the contact's: labels are for readers who are not to
    /// tell one contact's from another's.
    pub(crate) fn key(&self) -> Option<Bytes> {
        match self {
            Self::Label(label) => {
                let first = label.messages.first().map(ToString::to_string);
                Some(first.unwrap_or_else(|| label.label_id.to_string()).into())
            }
            _ => None,
        }
    }
}

impl Output for RouterOut {
    fn topic(&self) -> Topic {
        match self {
            Self::Conversation(_) => CONVERSATIONS,
            Self::Action(_) => ACTIONS,
            Self::Handoff(_) => HANDOFFS,
            Self::Label(_) => LABELS,
        }
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
        match self {
            Self::Conversation(record) => record.write(to),
            Self::Action(record) => record.write(to),
            Self::Handoff(record) => record.write(to),
            Self::Label(record) => record.write(to),
        }
    }
}
