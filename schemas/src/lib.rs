//! What crosses a topic: record schemas, their Rust types, the codec, ids and the topic table.
//!
//! Reads and writes no topic itself. Invariants: no I/O; `avro/*.avsc` is the source of truth and
//! every type round-trips through its schema; a record of any release is readable; plain text of
//! customers appears in [`message::Message`] and [`line::Turn`] only, which live on transport
//! topics.

pub mod address;
pub mod codec;
pub mod contact;
pub mod conversation;
mod csat;
pub mod customers;
pub mod ids;
pub mod known;
pub mod labels;
pub mod line;
pub mod masking;
pub mod media;
pub mod message;
pub mod models;
mod names;
pub mod ops;
pub mod provider_status;
mod released;
pub mod sealed;
mod sources;
pub mod state;
pub mod team;
pub mod thread;
pub mod topics;
pub mod work;

pub use codec::{Avro, CodecError};
pub use sources::{NAMESPACE, expanded};

use message::Tick;

/// What a stage can read: a record, one kind of which may be a tick.
pub trait Input: Avro + PartialEq + Send {
    /// The tick, if this is one.
    fn tick(&self) -> Option<&Tick> {
        None
    }
}

impl Input for line::Inbound {
    fn tick(&self) -> Option<&Tick> {
        match &self.body {
            line::InboundBody::Tick(tick) => Some(tick),
            _ => None,
        }
    }
}

impl Input for line::Turns {
    fn tick(&self) -> Option<&Tick> {
        match &self.body {
            line::TurnsBody::Tick(tick) => Some(tick),
            _ => None,
        }
    }
}

impl Input for line::Classified {
    fn tick(&self) -> Option<&Tick> {
        match &self.body {
            line::ClassifiedBody::Tick(tick) => Some(tick),
            _ => None,
        }
    }
}

impl Input for conversation::Conversation {}
impl Input for customers::CustomerRecord {}
impl Input for work::Reply {}
impl Input for work::ActionRequest {}
impl Input for state::MinuteMetrics {}

/// The self-contained schemas of everything that crosses a topic, by type name: what a release
/// publishes and later releases must be able to read.
#[must_use]
pub fn export() -> serde_json::Map<String, serde_json::Value> {
    let mut names: Vec<&str> = topics::TOPICS.iter().map(|spec| spec.record).collect();
    names.extend(["SealedText", "Contact", "ModelFiles", "Thread"]);
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter_map(|name| Some((name.to_owned(), expanded(name)?))).collect()
}
