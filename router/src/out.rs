//! What the router tells: the history, what it asks of the CRM and of people, what people said turns were
//! about, and what concerns other contacts of the customer.

use std::any::Any;

use bytes::Bytes;
use pipeline::Output;
use schemas::conversation::Conversation;
use schemas::customers::CustomerRecord;
use schemas::ids::LineKey;
use schemas::labels::Label;
use schemas::line::Inbound;
use schemas::topics::{ACTIONS, CONVERSATIONS, CUSTOMERS, HANDOFFS, INBOUND, LABELS, Topic};
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
    /// To `customers`.
    Customer(Box<CustomerRecord>),
    /// To `inbound`, in the order of another contact of the customer.
    Told(LineKey, Box<Inbound>),
}

impl RouterOut {
    /// The key it goes under, where that is not the contact's: labels are for readers who are not to
    /// tell one contact's from another's, and other contacts have keys of their own.
    pub(crate) fn key(&self) -> Option<Bytes> {
        match self {
            Self::Label(label) => {
                let first = label.messages.first().map(ToString::to_string);
                Some(first.unwrap_or_else(|| label.label_id.to_string()).into())
            }
            Self::Customer(record) => Some(record.key().into()),
            Self::Told(key, _) => Some(key.to_bytes().into()),
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
            Self::Customer(_) => CUSTOMERS,
            Self::Told(..) => INBOUND,
        }
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
        match self {
            Self::Conversation(record) => record.write(to),
            Self::Action(record) => record.write(to),
            Self::Handoff(record) => record.write(to),
            Self::Label(record) => record.write(to),
            Self::Customer(record) => record.write(to),
            Self::Told(_, record) => record.write(to),
        }
    }

    fn into_input(self) -> Option<Box<dyn Any + Send>> {
        match self {
            Self::Conversation(record) => Some(record),
            // No stage reads the others behind the router.
            _ => None,
        }
    }
}
