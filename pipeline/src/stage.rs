//! What a stage author sees: a deterministic state machine per key. No broker, clock, I/O, async or
//! randomness; tested from a `Vec` with [`crate::testkit::drive`].

use std::any::Any;

use bytes::Bytes;
use schemas::topics::Topic;
use schemas::{Avro, CodecError, Input};

use crate::record::{Headers, Offset, Stored};

/// A record with its content read.
#[derive(Debug, Clone)]
pub struct Envelope<T> {
    /// What keeps order.
    pub key: Bytes,
    /// Where it stands.
    pub topic: Topic,
    /// Where it stands.
    pub partition: u32,
    /// Where it stands.
    pub offset: Offset,
    /// When it happened (Unix, ms): the only clock a stage has.
    pub time_ms: i64,
    /// Origin, trace, replay mark.
    pub headers: Headers,
    /// The content.
    pub body: T,
}

impl<T> Envelope<T> {
    /// `record`, whose content is `body`.
    pub(crate) fn of(record: &Stored, body: T) -> Self {
        Self {
            key: record.key.clone(),
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            time_ms: record.time_ms,
            headers: record.headers.clone(),
            body,
        }
    }
}

/// What a stage emits: knows its topic and its bytes.
pub trait Output: Send + 'static {
    /// Where to.
    fn topic(&self) -> Topic;

    /// Appends the value's bytes.
    ///
    /// # Errors
    /// [`CodecError`] when the value does not fit its schema: a mistake in the stage.
    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError>;

    /// The value as the reader of its topic takes it ([`Stage::In`]), for a stage that follows in the
    /// same chain: it need not be read from its bytes then, and must be what they read back to. `None`
    /// when there is no such reader.
    fn into_input(self) -> Option<Box<dyn Any + Send>>
    where
        Self: Sized,
    {
        None
    }
}

/// What a stage remembers of a key.
pub trait Keyed: Clone + Send + 'static {
    /// Whether there is anything to keep.
    const KEPT: bool = true;

    /// Bytes for the changelog.
    ///
    /// # Errors
    /// [`CodecError`] when the value does not fit its schema.
    fn encode(&self) -> Result<Vec<u8>, CodecError>;

    /// Reads the changelog's bytes.
    ///
    /// # Errors
    /// [`CodecError`] when they are something else.
    fn decode(bytes: &[u8]) -> Result<Self, CodecError>;
}

impl<T: Avro + Clone + Send> Keyed for T {
    fn encode(&self) -> Result<Vec<u8>, CodecError> {
        self.to_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        Self::from_bytes(bytes)
    }
}

/// The state of a stage that remembers nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stateless;

impl Keyed for Stateless {
    const KEPT: bool = false;

    fn encode(&self) -> Result<Vec<u8>, CodecError> {
        Ok(Vec::new())
    }

    fn decode(_: &[u8]) -> Result<Self, CodecError> {
        Ok(Self)
    }
}

/// Why a stage let a record go without a trace in its outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// Seen before.
    Duplicate,
    /// A deadline nobody waits for any more.
    Stale,
    /// Nothing to do.
    Irrelevant,
}

impl DropReason {
    /// Metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Stale => "stale",
            Self::Irrelevant => "irrelevant",
        }
    }
}

/// What became of a record. There is no "try again": pure code has no transient error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Taken account of.
    Done,
    /// Let go.
    Drop(DropReason),
    /// Set aside as a dead letter; what the stage did for this record is undone. The text must hold
    /// no customer data.
    Reject(String),
}

/// A deterministic state machine per key.
pub trait Stage: Send + 'static {
    /// Metric label, span name, suffix of the group and of the changelog.
    const NAME: &'static str;
    /// What it reads.
    type In: Input;
    /// What it remembers of a key; [`Stateless`] for nothing.
    type State: Keyed;
    /// What it emits.
    type Out: Output;
    /// The side inputs it reads, at the version pinned for the record.
    type Broadcast: Send + Sync + 'static;

    /// Whether there is nothing to do while these side inputs are pinned: records then pass unread.
    fn is_idle(&self, _: &Self::Broadcast) -> bool {
        false
    }

    /// Which state the record belongs to: the record's key unless said otherwise.
    fn state_key(&self, input: &Envelope<Self::In>) -> Bytes {
        input.key.clone()
    }

    /// Takes account of one record.
    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Self::In>) -> Verdict;
}

/// What a stage may touch while it takes account of a record.
pub struct Context<'a, S: Stage + ?Sized> {
    /// State of the record's key; set to `None` to forget the key.
    pub state: Option<S::State>,
    pub(crate) wake_at_ms: Option<i64>,
    pub(crate) emitted: &'a mut Vec<Emitted<S::Out>>,
    pub(crate) broadcast: &'a S::Broadcast,
}

/// An output on its way.
#[derive(Debug, Clone)]
pub struct Emitted<O> {
    /// `None`: the key of the record it was made from.
    pub key: Option<Bytes>,
    /// The content.
    pub out: O,
}

impl<'a, S: Stage + ?Sized> Context<'a, S> {
    /// Emits under the key of the record in hand.
    pub fn emit(&mut self, out: S::Out) {
        self.emitted.push(Emitted { key: None, out });
    }

    /// Emits under another key.
    pub fn emit_for(&mut self, key: Bytes, out: S::Out) {
        self.emitted.push(Emitted { key: Some(key), out });
    }

    /// Asks for a tick for this key once `time_ms` (Unix) has passed; replaces what was asked before,
    /// `None` asks for none. A deadline that has been ticked is no longer asked for.
    pub fn wake_at(&mut self, time_ms: Option<i64>) {
        self.wake_at_ms = time_ms;
    }

    /// The side inputs pinned for this record.
    #[must_use]
    pub fn broadcast(&self) -> &'a S::Broadcast {
        self.broadcast
    }
}
