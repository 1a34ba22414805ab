//! A stage as a link: what it holds of each partition, and what it makes of a record.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use schemas::ops::DeadLetterReason;
use schemas::topics::Topic;
use schemas::{Avro, CodecError, Input};

use super::RunError;
use super::dead_letter::{self, Rejected};
use super::link::Link;
use super::outputs::{Outputs, Value};
use super::state::{Entry, KeyedState};
use super::timers::Timers;
use crate::broadcast::{Broadcasts, Versioned};
use crate::log::{LogError, StateReader, StateRow};
use crate::record::Stored;
use crate::stage::{Context, DropReason, Emitted, Envelope, Keyed, Output, Stage, Verdict};
use crate::telemetry::metrics::Metrics;

/// A stage as a link.
pub(super) struct StageLink<S: Stage> {
    stage: S,
    input: Topic,
    broadcasts: Arc<dyn Broadcasts<S::Broadcast>>,
    latest: Arc<Versioned<S::Broadcast>>,
    kept: BTreeMap<u32, Kept<S>>,
    emitted: Vec<Emitted<S::Out>>,
    /// Where outputs are written, so that each is allocated once and in its size.
    value: Vec<u8>,
}

/// What a stage holds of one partition.
struct Kept<S: Stage> {
    state: KeyedState<S::State>,
    timers: Timers,
    /// Side inputs the records from the last commit on are read with.
    pinned: Arc<Versioned<S::Broadcast>>,
}

impl<S: Stage> StageLink<S> {
    pub(super) fn new(
        input: Topic,
        stage: S,
        broadcasts: Arc<dyn Broadcasts<S::Broadcast>>,
    ) -> Self {
        let latest = broadcasts.latest();
        let (kept, emitted, value) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { stage, input, broadcasts, latest, kept, emitted, value }
    }

    /// The content of a record whose bytes are `value`: as the link before had it, where it is handed on.
    fn body(value: &[u8], handed_on: Option<Value>) -> Result<S::In, CodecError> {
        match handed_on.and_then(|handed_on| handed_on.downcast::<S::In>().ok()) {
            Some(body) => {
                let read = || S::In::from_bytes(value).is_ok_and(|read| read == *body);
                debug_assert!(read(), "what {} is handed is not what its bytes say", S::NAME);
                Ok(*body)
            }
            None => S::In::from_bytes(value),
        }
    }

    /// Writes what was emitted for `record`; nothing of it when any is larger than the log takes.
    fn write_outputs(
        &mut self,
        record: &Stored,
        outputs: &mut Outputs,
    ) -> Result<Option<Rejected>, RunError> {
        let before = outputs.records.len();
        for emitted in self.emitted.drain(..) {
            self.value.clear();
            emitted.out.write(&mut self.value).map_err(|error| RunError::Unwritable {
                stage: S::NAME,
                detail: error.to_string(),
            })?;
            let (topic, value) = (emitted.out.topic(), Bytes::copy_from_slice(&self.value));
            outputs.emit(record, topic, emitted.key, value);
            if outputs.is_inner(topic)
                && let Some(value) = emitted.out.into_input()
            {
                outputs.value_is(value);
            }
        }
        let made = outputs.records.iter().skip(before);
        let Some(large) = made.max_by_key(|output| output.size()) else { return Ok(None) };
        let (topic, bytes) = (large.topic, large.size());
        if bytes <= outputs.record_bytes_max {
            return Ok(None);
        }
        outputs.take_back(before);
        let detail = format!(
            "what is made of it for {topic} is {bytes} bytes, and the log takes {}",
            outputs.record_bytes_max
        );
        Ok(Some(Rejected { reason: DeadLetterReason::TooLarge, detail }))
    }
}

impl<S: Stage> Link for StageLink<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn input(&self) -> Topic {
        self.input
    }

    fn restore(
        &mut self,
        partition: u32,
        state: Arc<dyn StateReader>,
        pin: Option<&str>,
        hot_keys_max: usize,
    ) -> Result<(), RunError> {
        let deadlines = if S::State::KEPT { state.deadlines()? } else { Vec::new() };
        let pinned = match pin {
            Some(version) => self.broadcasts.at(version)?,
            None => self.broadcasts.latest(),
        };
        let state = KeyedState::new(state, hot_keys_max);
        self.kept.insert(partition, Kept { state, timers: Timers::new(deadlines), pinned });
        Ok(())
    }

    fn release(&mut self, partition: u32) {
        self.kept.remove(&partition);
    }

    fn process(
        &mut self,
        record: &Stored,
        handed_on: Option<Value>,
        now_ms: i64,
        outputs: &mut Outputs,
        metrics: &Metrics,
    ) -> Result<Option<Rejected>, RunError> {
        let Some(value) = &record.value else { return Ok(None) }; // a key that is gone
        let kept = self.kept.get(&record.partition);
        if kept.is_some_and(|kept| self.stage.is_idle(&kept.pinned.content)) {
            return Ok(None);
        }
        let body = match Self::body(value, handed_on) {
            Ok(body) => body,
            Err(error) => return Ok(Some(error.into())),
        };
        let envelope = Envelope::of(record, body);
        let Some(kept) = self.kept.get_mut(&record.partition) else { return Ok(None) };
        let tick = envelope.body.tick().filter(|tick| tick.stage == S::NAME);
        let deadline_ms = tick.map(|tick| tick.deadline_ms);
        let key = match tick {
            Some(tick) => Bytes::copy_from_slice(&tick.state_key),
            None if S::State::KEPT => self.stage.state_key(&envelope),
            None => Bytes::new(),
        };
        let entry = kept.state.get(&key)?;
        let waits_for = entry.as_ref().and_then(|entry| entry.wake_at_ms);
        if deadline_ms.is_some() && deadline_ms != waits_for {
            metrics.dropped(S::NAME, DropReason::Stale.as_str());
            return Ok(None);
        }
        self.emitted.clear();
        let mut cx = Context::<S> {
            state: entry.map(|entry| entry.state),
            wake_at_ms: if deadline_ms.is_some() { None } else { waits_for },
            emitted: &mut self.emitted,
            broadcast: &kept.pinned.content,
        };
        let stage = &self.stage;
        let verdict = catch_unwind(AssertUnwindSafe(|| stage.process(&mut cx, envelope)));
        let (state, wake_at_ms) = (cx.state, cx.wake_at_ms);
        match verdict {
            Ok(Verdict::Done) => {}
            Ok(Verdict::Drop(reason)) => {
                metrics.dropped(S::NAME, reason.as_str());
                if deadline_ms.is_none() {
                    return Ok(None);
                }
            }
            Ok(Verdict::Reject(detail)) => {
                let reason = DeadLetterReason::Rejected;
                return Ok(Some(Rejected { reason, detail }));
            }
            Err(panic) => {
                let detail = dead_letter::words_of(panic.as_ref());
                let reason = DeadLetterReason::Panicked;
                return Ok(Some(Rejected { reason, detail }));
            }
        }
        let rejected = self.write_outputs(record, outputs)?;
        if rejected.is_none()
            && let Some(kept) = self.kept.get_mut(&record.partition)
        {
            let ahead_ms = record.time_ms - now_ms;
            kept.put(key, state.map(|state| Entry { state, wake_at_ms }), ahead_ms);
        }
        Ok(rejected)
    }

    fn next_deadline(&self) -> Option<i64> {
        self.kept.values().filter_map(|kept| kept.timers.next()).min()
    }

    fn due(&mut self, now_ms: i64, most: usize) -> Vec<(Bytes, i64)> {
        self.kept.values_mut().flat_map(|kept| kept.timers.due(now_ms, most)).collect()
    }

    fn look(&mut self) {
        self.latest = self.broadcasts.latest();
    }

    fn is_behind(&self, partition: u32) -> bool {
        self.kept.get(&partition).is_some_and(|kept| kept.pinned.version != self.latest.version)
    }

    fn take_up(&mut self, partition: u32) {
        if let Some(kept) = self.kept.get_mut(&partition) {
            kept.pinned = Arc::clone(&self.latest);
        }
    }

    fn pinned(&self, partition: u32) -> &str {
        self.kept.get(&partition).map_or("", |kept| kept.pinned.version.as_str())
    }

    fn take_changes(&mut self, partition: u32) -> Result<Vec<(Bytes, Option<StateRow>)>, LogError> {
        self.kept
            .get_mut(&partition)
            .map_or_else(|| Ok(Vec::new()), |kept| kept.state.take_changes())
    }
}

impl<S: Stage> Kept<S> {
    /// Stages what a record left of its key that is `ahead_ms` ahead of our clock.
    fn put(&mut self, key: Bytes, entry: Option<Entry<S::State>>, ahead_ms: i64) {
        let wake_at_ms = entry.as_ref().and_then(|entry| entry.wake_at_ms);
        self.timers.set(&key, wake_at_ms, ahead_ms);
        self.state.put(key, entry);
    }
}
