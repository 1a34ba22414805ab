//! What the router tells: the history, and what it asks of the CRM and of people.

use pipeline::Output;
use schemas::conversation::Conversation;
use schemas::topics::{ACTIONS, CONVERSATIONS, HANDOFFS, Topic};
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
}

impl Output for RouterOut {
    fn topic(&self) -> Topic {
        match self {
            Self::Conversation(_) => CONVERSATIONS,
            Self::Action(_) => ACTIONS,
            Self::Handoff(_) => HANDOFFS,
        }
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
        match self {
            Self::Conversation(record) => record.write(to),
            Self::Action(record) => record.write(to),
            Self::Handoff(record) => record.write(to),
        }
    }
}
