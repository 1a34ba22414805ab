//! The loop of a stage: take, process, publish, and now and then commit.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use schemas::Avro;
use schemas::Input;
use schemas::ops::DeadLetterReason;
use tokio_util::sync::CancellationToken;

use super::RunError;
use super::brake::Brake;
use super::dead_letter::{self, Rejected};
use super::held::Held;
use super::setup::{Setup, Step};
use super::state::Entry;
use crate::broadcast::Broadcasts;
use crate::log::{Event, Group, Lease, Member, Unit};
use crate::record::{Headers, Origin, Record, Stored};
use crate::stage::{Context, DropReason, Emitted, Envelope, Keyed, Output, Stage, Verdict};
use crate::telemetry::metrics::Batch;

/// What one round of the loop did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// Took records, was assigned or revoked partitions, ticked or committed.
    Worked,
    /// Found nothing to do.
    Idle,
}

/// Runs one stage as one member of its group.
pub struct StageRunner<S: Stage> {
    stage: S,
    group: Group,
    setup: Setup,
    broadcasts: Arc<dyn Broadcasts<S::Broadcast>>,
    member: Box<dyn Member>,
    held: BTreeMap<u32, Held<S>>,
    brake: Brake,
    emitted: Vec<Emitted<S::Out>>,
    /// Ends the wait for records, and nothing else: a round is never broken off in the middle.
    stop: CancellationToken,
    /// Records taken since the last commit, and when the first was.
    uncommitted: usize,
    uncommitted_since: Option<Instant>,
}

impl<S: Stage> StageRunner<S> {
    /// Joins `group`.
    ///
    /// # Errors
    /// [`RunError::Log`].
    pub async fn join(
        stage: S,
        group: &Group,
        setup: Setup,
        broadcasts: Arc<dyn Broadcasts<S::Broadcast>>,
        stop: CancellationToken,
    ) -> Result<Self, RunError> {
        let member = setup.log.join(group).await?;
        Ok(Self {
            stage,
            group: group.clone(),
            setup,
            broadcasts,
            member,
            held: BTreeMap::new(),
            brake: Brake::default(),
            emitted: Vec::new(),
            stop,
            uncommitted: 0,
            uncommitted_since: None,
        })
    }

    /// The group it is a member of.
    #[must_use]
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// How many partitions it holds at present.
    #[must_use]
    pub fn holds(&self) -> usize {
        self.held.len()
    }

    /// Begins again from the last commit, as a new member.
    ///
    /// # Errors
    /// [`RunError::Log`].
    pub async fn rejoin(&mut self) -> Result<(), RunError> {
        self.held.clear();
        self.uncommitted = 0;
        self.uncommitted_since = None;
        self.member = self.setup.log.join(&self.group).await?;
        Ok(())
    }

    /// One round: waits at most `wait` for an event, acts on it, ticks what is due, commits when it
    /// is time.
    ///
    /// # Errors
    /// [`RunError`]; the runner is of no use afterwards, what it had not committed is done again.
    pub async fn step(&mut self, wait: Duration) -> Result<Stepped, RunError> {
        let limit = self.setup.policy.limit(self.wait_at_most(wait));
        let event = tokio::select! {
            event = self.member.next(limit) => event?,
            () = self.stop.cancelled() => Event::Idle,
        };
        let mut worked = !matches!(event, Event::Idle);
        match event {
            Event::Idle => {}
            Event::Assigned(leases) => self.assigned(leases).await?,
            Event::Revoked { leases, .. } => {
                self.commit().await?;
                leases.iter().for_each(|lease| {
                    self.held.remove(&lease.partition);
                });
                self.setup.metrics.held(S::NAME, self.held.len());
            }
            Event::Records(records) => self.take(records).await?,
        }
        worked |= self.tick().await?;
        if self.commit_is_due() {
            self.commit().await?;
            worked = true;
        }
        Ok(if worked { Stepped::Worked } else { Stepped::Idle })
    }

    /// Commits what was taken, so that a planned stop replays nothing, and leaves the group.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn drain(mut self) -> Result<(), RunError> {
        self.commit().await?;
        self.member.leave().await;
        Ok(())
    }

    /// No longer than until the next deadline or commit.
    fn wait_at_most(&self, wait: Duration) -> Duration {
        let mut wait = wait;
        if let Some(deadline_ms) = self.held.values().filter_map(|held| held.timers.next()).min() {
            let left = deadline_ms.saturating_sub(self.setup.clock.now_ms()).max(0);
            wait = wait.min(Duration::from_millis(left.unsigned_abs()));
        }
        if let Some(since) = self.uncommitted_since {
            wait = wait.min(self.setup.policy.commit_every.saturating_sub(since.elapsed()));
        }
        wait
    }

    async fn assigned(&mut self, leases: Vec<Lease>) -> Result<(), RunError> {
        for lease in leases {
            let restored = self.member.restore(lease).await?;
            let held = Held::restore(
                lease,
                restored,
                self.broadcasts.as_ref(),
                self.setup.policy.hot_keys_max,
            )?;
            self.held.insert(lease.partition, held);
        }
        self.setup.metrics.held(S::NAME, self.held.len());
        // Records may only be read with versions the log knows of.
        if self.held.values().any(Held::must_commit_pin) {
            self.commit().await?;
        }
        Ok(())
    }

    async fn take(&mut self, records: Vec<Stored>) -> Result<(), RunError> {
        let started = Instant::now();
        self.setup.at(Step::Taken)?;
        let mut batch = Batch { received: records.len() as u64, ..Batch::default() };
        let mut outputs = Vec::with_capacity(records.len());
        let last_ms = records.last().map_or(0, |record| record.time_ms);
        for record in records {
            self.take_one(&record, &mut outputs, &mut batch)?;
        }
        self.setup.at(Step::Processed)?;
        batch.emitted = outputs.len() as u64;
        if !outputs.is_empty() {
            self.member.publish(outputs).await?;
        }
        self.setup.at(Step::Published)?;
        batch.took = started.elapsed();
        self.setup.metrics.batch(S::NAME, batch, self.setup.clock.now_ms() - last_ms);
        Ok(())
    }

    /// Takes account of one record, or sets it aside.
    fn take_one(
        &mut self,
        record: &Stored,
        outputs: &mut Vec<Record>,
        batch: &mut Batch,
    ) -> Result<(), RunError> {
        let Some(held) = self.held.get_mut(&record.partition) else {
            return Ok(()); // of a partition just taken away: its next holder reads it
        };
        if record.offset < held.position {
            return Ok(());
        }
        if record.headers.origin.as_ref().is_some_and(|origin| !held.watermarks.advance(origin)) {
            batch.repeats += 1;
        } else {
            let rejected = self.process(record, outputs)?;
            let reason = rejected.as_ref().map(|rejected| rejected.reason);
            if !self.brake.allows(&self.setup.policy.brake, reason) {
                // Nothing of this batch is published or committed: it is read again after the
                // cause is mended.
                self.setup.metrics.braked(S::NAME, true);
                return Err(RunError::Braked { reason: reason.unwrap_or_default() });
            }
            if let Some(rejected) = rejected {
                self.set_aside(record, rejected, outputs)?;
            }
        }
        if let Some(held) = self.held.get_mut(&record.partition) {
            held.advance(record.offset + 1);
        }
        self.uncommitted += 1;
        self.uncommitted_since.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Lets the stage see the record; `Some` when it could not use it.
    fn process(
        &mut self,
        record: &Stored,
        outputs: &mut Vec<Record>,
    ) -> Result<Option<Rejected>, RunError> {
        let Some(value) = &record.value else { return Ok(None) }; // a key that is gone
        let body = match S::In::from_bytes(value) {
            Ok(body) => body,
            Err(error) => return Ok(Some(error.into())),
        };
        let envelope = Envelope {
            key: record.key.clone(),
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            time_ms: record.time_ms,
            headers: record.headers.clone(),
            body,
        };
        let Some(held) = self.held.get_mut(&record.partition) else { return Ok(None) };
        let tick = envelope.body.tick().filter(|tick| tick.stage == S::NAME);
        let deadline_ms = tick.map(|tick| tick.deadline_ms);
        let key = match tick {
            Some(tick) => Bytes::copy_from_slice(&tick.state_key),
            None if S::State::KEPT => self.stage.state_key(&envelope),
            None => Bytes::new(),
        };
        let entry = held.state.get(&key)?;
        let waits_for = entry.as_ref().and_then(|entry| entry.wake_at_ms);
        if deadline_ms.is_some() && deadline_ms != waits_for {
            self.setup.metrics.dropped(S::NAME, DropReason::Stale.as_str());
            return Ok(None);
        }
        self.emitted.clear();
        let mut cx = Context::<S> {
            state: entry.map(|entry| entry.state),
            wake_at_ms: if deadline_ms.is_some() { None } else { waits_for },
            emitted: &mut self.emitted,
            broadcast: &held.pinned.content,
        };
        let stage = &self.stage;
        let verdict = catch_unwind(AssertUnwindSafe(|| stage.process(&mut cx, envelope)));
        let (state, wake_at_ms) = (cx.state, cx.wake_at_ms);
        match verdict {
            Ok(Verdict::Done) => {}
            Ok(Verdict::Drop(reason)) => {
                self.setup.metrics.dropped(S::NAME, reason.as_str());
                if deadline_ms.is_none() {
                    return Ok(None);
                }
            }
            Ok(Verdict::Reject(detail)) => {
                return Ok(Some(Rejected { reason: DeadLetterReason::Rejected, detail }));
            }
            Err(panic) => {
                let detail = dead_letter::words_of(panic.as_ref());
                return Ok(Some(Rejected { reason: DeadLetterReason::Panicked, detail }));
            }
        }
        held.put(key, state.map(|state| Entry { state, wake_at_ms }));
        self.write_outputs(record, outputs)?;
        Ok(None)
    }

    fn write_outputs(
        &mut self,
        record: &Stored,
        outputs: &mut Vec<Record>,
    ) -> Result<(), RunError> {
        for (index, emitted) in self.emitted.drain(..).enumerate() {
            let mut value = Vec::with_capacity(512);
            emitted.out.write(&mut value).map_err(|error| RunError::Unwritable {
                stage: S::NAME,
                detail: error.to_string(),
            })?;
            let key = emitted.key.unwrap_or_else(|| record.key.clone());
            let mut output = Record::new(emitted.out.topic(), key, value, record.time_ms);
            output.headers = Headers {
                origin: Some(origin::<S>(record, index)),
                trace: record.headers.trace,
                replay_of: record.headers.replay_of.clone(),
            };
            outputs.push(output);
        }
        Ok(())
    }

    fn set_aside(
        &mut self,
        record: &Stored,
        rejected: Rejected,
        outputs: &mut Vec<Record>,
    ) -> Result<(), RunError> {
        tracing::warn!(
            stage = S::NAME,
            topic = %record.topic,
            partition = record.partition,
            offset = record.offset,
            reason = rejected.reason.as_str(),
            detail = %rejected.detail,
            "record set aside as a dead letter"
        );
        self.setup.metrics.rejected(S::NAME, rejected.reason.as_str());
        let origin = Some(origin::<S>(record, 0));
        outputs.push(dead_letter::write(S::NAME, record, rejected, origin)?);
        Ok(())
    }

    /// Writes down the deadlines that have passed.
    async fn tick(&mut self) -> Result<bool, RunError> {
        let Some(write) = self.setup.ticks else { return Ok(false) };
        let now_ms = self.setup.clock.now_ms();
        let mut ticks = Vec::new();
        for held in self.held.values_mut() {
            let due = held.timers.due(now_ms, self.setup.policy.ticks_max);
            ticks.extend(
                due.iter().filter_map(|(key, deadline)| write(S::NAME, key, *deadline, now_ms)),
            );
        }
        if ticks.is_empty() {
            return Ok(false);
        }
        self.member.publish(ticks).await?;
        self.setup.at(Step::Ticked)?;
        Ok(true)
    }

    fn commit_is_due(&self) -> bool {
        let due = self
            .uncommitted_since
            .is_some_and(|since| since.elapsed() >= self.setup.policy.commit_every);
        let latest = self.broadcasts.latest();
        due || self.uncommitted >= self.setup.policy.commit_records
            || self.held.values().any(|held| held.may_take_up(&latest))
    }

    /// Commits what was taken since the last commit; what is configured changes here.
    async fn commit(&mut self) -> Result<(), RunError> {
        self.uncommitted = 0;
        self.uncommitted_since = None;
        let latest = self.broadcasts.latest();
        let mut unit = Unit { time_ms: self.setup.clock.now_ms(), partitions: Vec::new() };
        for held in self.held.values_mut() {
            held.take_up(&latest);
            unit.partitions.extend(held.unit()?);
        }
        if unit.partitions.is_empty() {
            return Ok(());
        }
        self.setup.at(Step::Committing)?;
        let started = Instant::now();
        self.member.commit(unit).await?;
        self.setup.metrics.committed(S::NAME, started.elapsed());
        self.setup.at(Step::Committed)
    }
}

fn origin<S: Stage>(record: &Stored, index: usize) -> Origin {
    Origin {
        stage: smol_str::SmolStr::new_static(S::NAME),
        partition: record.partition,
        offset: record.offset,
        index: u32::try_from(index).unwrap_or(u32::MAX),
    }
}
