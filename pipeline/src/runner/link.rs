//! What the runner asks of each stage of a chain.

use std::sync::Arc;

use bytes::Bytes;
use schemas::topics::Topic;

use super::RunError;
use super::dead_letter::Rejected;
use super::outputs::{Outputs, Value};
use crate::log::{LogError, StateReader, StateRow};
use crate::record::Stored;
use crate::telemetry::metrics::Metrics;

/// A stage whose types are out of the way: the links of a chain differ in all of them. Records go in
/// and out as bytes; beside them the content may go as it is.
pub(super) trait Link: Send {
    /// Of the stage.
    fn name(&self) -> &'static str;

    /// What it reads when it runs alone.
    fn input(&self) -> Topic;

    /// Takes up `partition` where its last holder left it; `pin`: the version of the side inputs that
    /// what is replayed was first read with.
    fn restore(
        &mut self,
        partition: u32,
        state: Arc<dyn StateReader>,
        pin: Option<&str>,
        hot_keys_max: usize,
    ) -> Result<(), RunError>;

    /// Forgets `partition`: somebody else has it.
    fn release(&mut self, partition: u32);

    /// Lets the stage see the record at `now_ms` of our clock and writes what it emits; `Some` when it
    /// could not use it, and has done nothing. `handed_on`: the record's content, where the link before
    /// had it.
    fn process(
        &mut self,
        record: &Stored,
        handed_on: Option<Value>,
        now_ms: i64,
        outputs: &mut Outputs,
        metrics: &Metrics,
    ) -> Result<Option<Rejected>, RunError>;

    /// The next deadline of any key.
    fn next_deadline(&self) -> Option<i64>;

    /// Deadlines that have passed, each once; at most so many a partition.
    fn due(&mut self, now_ms: i64, most: usize) -> Vec<(Bytes, i64)>;

    /// Looks whether there are newer side inputs.
    fn look(&mut self);

    /// Whether `partition` is read with older side inputs than [`Self::look`] has found.
    fn is_behind(&self, partition: u32) -> bool;

    /// What follows in `partition` is read with the side inputs last found.
    fn take_up(&mut self, partition: u32);

    /// Version of the side inputs `partition` is read with.
    fn pinned(&self, partition: u32) -> &str;

    /// States changed since the last commit, which has taken effect.
    fn take_changes(&mut self, partition: u32) -> Result<Vec<(Bytes, Option<StateRow>)>, LogError>;
}
