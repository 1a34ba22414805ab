//! The log: what every backend promises and no more. Memory, embedded and Kafka pass one
//! conformance suite ([`crate::testkit`]).
//!
//! Invariants: what [`Log::append`] acknowledged is never lost; records of a key keep their order;
//! [`Member::commit`] takes effect whole or not at all, and not at all once another member has the
//! partition. Publishing is not fenced: readers drop repeats by origin.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use schemas::topics::{Topic, TopicSpec};
use smol_str::SmolStr;

use crate::record::{Offset, Record, Stored};
use crate::watermarks::Watermarks;

pub mod embedded;
mod follow;
mod insist;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod memory;
mod no_state;
mod ring;

pub use follow::follow;
pub use insist::insist;
use no_state::NoState;

/// Why the log could not do it, and what that means for the caller.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// Another member has the partition now: drop the work, it is done elsewhere.
    #[error("fenced: another member of {group} has taken over; this one must rejoin")]
    Fenced {
        /// The group.
        group: String,
    },
    /// The step did not take effect and may be tried again from the last commit.
    #[error("the log did not take it ({0}); it will be tried again from the last commit")]
    Redeliver(String),
    /// Nothing will help but an operator.
    #[error("the log cannot go on: {0}")]
    Fatal(String),
}

/// Why an append was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Too much is waiting, or nobody takes anything at present; nothing was written.
    #[error("the log is busy; try again in {} ms", retry_after.as_millis())]
    Busy {
        /// When it may be worth trying again.
        retry_after: Duration,
    },
    /// Written or not, nobody knows: an idempotent caller tries again.
    #[error("the log failed before it acknowledged: {0}")]
    Failed(String),
    /// A record is larger than any the log takes; trying again does not help. It was not written.
    #[error("a record is larger than {bytes_max} bytes, and the log takes none that is")]
    TooLarge {
        /// The largest it takes.
        bytes_max: usize,
    },
}

/// What was acknowledged: in the order of the records appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable(pub Vec<(u32, Offset)>);

/// Who reads what, and where its state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Name of the group: one for each stage or effect.
    pub name: SmolStr,
    /// What it reads.
    pub input: Topic,
    /// Its changelog, if it has state.
    pub state: Option<Topic>,
    /// Sees only what survives a power cut: set for what touches the world. Stages may read ahead
    /// of the disk, because a crash that loses a hop loses every later hop too.
    pub durable_only: bool,
    /// How long records may be gathered before a member sees them: fewer and larger reads for what
    /// nobody waits for. Where a read costs next to nothing they are seen at once all the same.
    pub gather: Duration,
}

impl Group {
    /// The same, with records that may be gathered for so long.
    #[must_use]
    pub fn gathering(self, gather: Duration) -> Self {
        Self { gather, ..self }
    }
}

/// A partition held by a member, from one assignment until it is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// Which partition.
    pub partition: u32,
    /// Which assignment of it: work of an older one is void.
    pub epoch: u64,
}

/// What a member is told.
#[derive(Debug)]
pub enum Event {
    /// These partitions are the member's now; it restores them before anything else.
    Assigned(Vec<Lease>),
    /// Records of held partitions, in order within each.
    Records(Vec<Stored>),
    /// These partitions go elsewhere: finish, commit, and ask for the next event before `deadline`.
    Revoked {
        /// What is taken away.
        leases: Vec<Lease>,
        /// How long the member may take.
        deadline: Duration,
    },
    /// Nothing came while the member waited.
    Idle,
}

/// How much a member takes at once and how long it waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// At most so many records.
    pub records_max: usize,
    /// About so many bytes.
    pub bytes_max: usize,
    /// At most so long without any.
    pub wait: Duration,
}

/// A key's state with the deadline it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRow {
    /// Encoded state.
    pub value: Bytes,
    /// When the stage wants a tick (Unix, ms).
    pub wake_at_ms: Option<i64>,
}

/// Committed state of one partition.
pub trait StateReader: Send + Sync {
    /// The state of `key`, if it has one.
    ///
    /// # Errors
    /// [`LogError::Fatal`] when the store cannot be read.
    fn get(&self, key: &[u8]) -> Result<Option<StateRow>, LogError>;

    /// Every key that waits for a deadline.
    ///
    /// # Errors
    /// [`LogError::Fatal`] when the store cannot be read.
    fn deadlines(&self) -> Result<Vec<(Bytes, i64)>, LogError>;

    /// States in order of keys, behind the key `after`, at most `rows_max`: to go through all of them.
    ///
    /// # Errors
    /// [`LogError::Fatal`] when the store cannot be read.
    fn rows(&self, after: &[u8], rows_max: usize) -> Result<Vec<(Bytes, StateRow)>, LogError>;
}

/// Where a partition was left at its last commit.
#[derive(Clone)]
pub struct Restored {
    /// First record not yet taken account of.
    pub position: Offset,
    /// End of the input when the partition was assigned: up to here a predecessor may have published.
    pub end: Offset,
    /// Origins seen before `position`.
    pub watermarks: Watermarks,
    /// Versions of side inputs the records from `position` on are to be read with.
    pub pins: Bytes,
    /// State as of `position`.
    pub state: Arc<dyn StateReader>,
}

/// All that changes with one commit.
#[derive(Debug, Clone, Default)]
pub struct Unit {
    /// When it is committed (Unix, ms): the time of the changelog's records.
    pub time_ms: i64,
    /// One entry for each partition touched.
    pub partitions: Vec<PartitionUnit>,
}

/// What changes in one partition with one commit.
#[derive(Debug, Clone)]
pub struct PartitionUnit {
    /// By which right.
    pub lease: Lease,
    /// First record not yet taken account of.
    pub position: Offset,
    /// Origins seen before `position`.
    pub watermarks: Watermarks,
    /// Versions of side inputs that what follows is to be read with.
    pub pins: Bytes,
    /// States to keep, `None` to remove.
    pub changes: Vec<(Bytes, Option<StateRow>)>,
}

/// What is still to come of outputs handed over, or of a commit that has begun: whether they are
/// confirmed, whether it has taken effect. It goes on whether or not anybody waits for it.
pub type Confirmation = BoxFuture<'static, Result<(), LogError>>;

/// How many publications of a member may be on their way before the next batch is taken: the next is
/// made while the last is being confirmed; more of them would be smaller, and each asks the log anew.
pub const PUBLICATIONS_MAX: usize = 2;

/// Where a tail begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// With what is appended after now.
    Now,
    /// With the oldest record kept.
    Start,
    /// Behind these positions; partitions not named begin at their oldest record.
    Positions(HashMap<(Topic, u32), Offset>),
}

/// An append-only log of partitioned topics.
#[async_trait]
pub trait Log: Send + Sync {
    /// Creates what is missing of `topics`.
    ///
    /// # Errors
    /// [`LogError::Fatal`] when a topic exists with another shape.
    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError>;

    /// Into how many partitions topics are divided.
    fn partitions(&self) -> u32;

    /// The largest record it takes ([`Record::size`]).
    fn record_bytes_max(&self) -> usize {
        usize::MAX
    }

    /// Appends and waits until the records survive a power cut.
    ///
    /// # Errors
    /// [`AppendError`]; after `Busy` nothing was written.
    async fn append(&self, records: Vec<Record>) -> Result<Durable, AppendError>;

    /// Joins `group` as a further member.
    ///
    /// # Errors
    /// [`LogError`].
    async fn join(&self, group: &Group) -> Result<Box<dyn Member>, LogError>;

    /// Follows `topics` without a group: all partitions, only what is durable, one bounded batch at
    /// a time.
    ///
    /// # Errors
    /// [`LogError`].
    async fn tail(&self, topics: &[Topic], from: From) -> Result<Box<dyn Tail>, LogError>;

    /// How many records of its input `group` has not taken account of.
    ///
    /// # Errors
    /// [`LogError`].
    async fn lag(&self, group: &Group) -> Result<u64, LogError>;
}

/// One member of a group.
#[async_trait]
pub trait Member: Send {
    /// Waits for the next event. May be dropped while it waits without losing one.
    ///
    /// # Errors
    /// [`LogError`].
    async fn next(&mut self, limit: Limit) -> Result<Event, LogError>;

    /// Where `lease`'s partition was left. Reads the changelog to its end first.
    ///
    /// # Errors
    /// [`LogError`].
    async fn restore(&mut self, lease: Lease) -> Result<Restored, LogError>;

    /// Reads `lease`'s partition from `position` on, instead of from where it was left.
    ///
    /// # Errors
    /// [`LogError`].
    async fn seek(&mut self, lease: Lease, position: Offset) -> Result<(), LogError>;

    /// Hands outputs over, behind all that was handed over before, and goes on: they are confirmed
    /// when they cannot be lost without what follows them being lost too (prefix durability). What
    /// follows one that fails fails too, and is not written. Not fenced.
    ///
    /// # Errors
    /// [`LogError`]; so far as they were handed over, they may be written.
    async fn hand_over(&mut self, outputs: Vec<Record>) -> Result<Confirmation, LogError>;

    /// Hands outputs over and waits until they are confirmed.
    ///
    /// # Errors
    /// [`LogError`].
    async fn publish(&mut self, outputs: Vec<Record>) -> Result<(), LogError> {
        self.hand_over(outputs).await?.await
    }

    /// How many publications may be on their way before the next batch is taken.
    fn publications_max(&self) -> usize {
        PUBLICATIONS_MAX
    }

    /// Commits states, watermarks and positions: all or none. Begins at once; the member goes on
    /// reading and publishing meanwhile. One commit at a time.
    ///
    /// # Errors
    /// [`LogError::Fenced`] when any lease is void; then nothing took effect.
    fn commit(&mut self, unit: Unit) -> Confirmation;

    /// Leaves the group; held partitions go to the others at once.
    async fn leave(self: Box<Self>);
}

/// A reader outside any group.
#[async_trait]
pub trait Tail: Send {
    /// Waits for records. May be dropped while it waits without losing any.
    ///
    /// # Errors
    /// [`LogError`].
    async fn next(&mut self) -> Result<Vec<Stored>, LogError>;
}
