//! The loop of an effect: take, hand to the lanes, write down what came of it, and commit the
//! contiguous part now and then.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use schemas::Avro;
use schemas::ops::DeadLetterReason;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::RunError;
use super::brake::Brake;
use super::dead_letter::{self, Rejected};
use super::frontier::Frontier;
use super::lanes::{End, Finished, Lanes, Ticket, Work};
use super::on_its_way::{Ended, OnItsWay};
use super::setup::{Setup, Step};
use super::stages::Stepped;
use crate::effect::{Effect, EffectPolicy};
use crate::log::{Event, Group, Lease, Member, PartitionUnit, Unit};
use crate::record::{Offset, Record, Stored};
use crate::stage::Envelope;
use crate::telemetry::metrics::Batch;
use crate::watermarks::Watermarks;

/// Runs one effect as one member of its group.
pub struct EffectRunner<E: Effect> {
    effect: Arc<E>,
    group: Group,
    setup: Setup,
    policy: EffectPolicy,
    member: Box<dyn Member>,
    held: BTreeMap<u32, HeldEffect>,
    lanes: Lanes<E::In>,
    finished_sender: mpsc::UnboundedSender<Finished>,
    finished: mpsc::UnboundedReceiver<Finished>,
    /// Records in hand, for the budget and for dead letters.
    in_hand: HashMap<(Lease, Offset), Stored>,
    bytes_in_hand: usize,
    brake: Brake,
    /// Ends the waiting, and nothing else.
    stop: CancellationToken,
    /// When the last commit began.
    committed_at: Instant,
    committing: OnItsWay,
}

struct HeldEffect {
    lease: Lease,
    frontier: Frontier,
    revoked: CancellationToken,
}

impl<E: Effect> EffectRunner<E> {
    /// Joins `group`.
    ///
    /// # Errors
    /// [`RunError::Log`].
    pub async fn join(
        effect: Arc<E>,
        group: &Group,
        setup: Setup,
        policy: EffectPolicy,
        stop: CancellationToken,
    ) -> Result<Self, RunError> {
        let member = setup.log.join(group).await?;
        let (finished_sender, finished) = mpsc::unbounded_channel();
        let lanes = Lanes::start(&effect, &setup, policy, &finished_sender);
        Ok(Self {
            effect,
            group: group.clone(),
            setup,
            policy,
            member,
            held: BTreeMap::new(),
            lanes,
            finished_sender,
            finished,
            in_hand: HashMap::new(),
            bytes_in_hand: 0,
            brake: Brake::default(),
            stop,
            committed_at: Instant::now(),
            committing: OnItsWay::default(),
        })
    }

    /// Begins again from the last commit, as a new member.
    ///
    /// # Errors
    /// [`RunError::Log`].
    pub async fn rejoin(&mut self) -> Result<(), RunError> {
        self.held.values().for_each(|held| held.revoked.cancel());
        self.held.clear();
        self.in_hand.clear();
        self.bytes_in_hand = 0;
        self.committing = OnItsWay::default();
        let lanes = Lanes::start(&self.effect, &self.setup, self.policy, &self.finished_sender);
        std::mem::replace(&mut self.lanes, lanes).close().await;
        self.member = self.setup.log.join(&self.group).await?;
        Ok(())
    }

    /// One round: writes down what has finished, takes what there is room for, commits when it is
    /// time. Waits at most `wait`.
    ///
    /// # Errors
    /// [`RunError`]; what was not committed is done again, guarded by the once-ledger.
    pub async fn step(&mut self, wait: Duration) -> Result<Stepped, RunError> {
        let due_in = self.policy.commit_every.saturating_sub(self.committed_at.elapsed());
        // While a commit is on its way the next one waits for its end.
        let wait = match self.in_hand.is_empty() || self.committing.is_some() {
            true => wait,
            false => wait.min(due_in),
        };
        let has_room = self.in_hand.len() < self.policy.in_flight_records_max
            && self.bytes_in_hand < self.policy.in_flight_bytes_max;
        let limit = self.setup.policy.limit(wait);
        let mut worked = true;
        tokio::select! {
            biased;
            Some(first) = self.finished.recv() => self.write_down(first).await?,
            committed = self.committing.end() => self.committed(committed)?,
            event = self.member.next(limit), if has_room => match event? {
                Event::Idle => worked = false,
                Event::Assigned(leases) => self.assigned(leases).await?,
                Event::Revoked { leases, deadline } => self.revoked(leases, deadline).await?,
                Event::Records(records) => self.take(records).await?,
            },
            () = tokio::time::sleep(wait), if !has_room => worked = false,
            () = self.stop.cancelled() => worked = false,
        }
        let due = self.committed_at.elapsed() >= self.policy.commit_every;
        if due && !self.committing.is_some() {
            worked |= self.begin_commit()?;
        }
        Ok(if worked { Stepped::Worked } else { Stepped::Idle })
    }

    /// Finishes what is in hand, commits, and leaves the group.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn drain(mut self, deadline: Duration) -> Result<(), RunError> {
        self.finish_in_hand(deadline).await?;
        self.commit().await?;
        self.held.values().for_each(|held| held.revoked.cancel());
        self.member.leave().await;
        Ok(())
    }

    async fn assigned(&mut self, leases: Vec<Lease>) -> Result<(), RunError> {
        let remembered: Option<BTreeMap<u32, Offset>> =
            self.effect.positions().await.map(|positions| positions.into_iter().collect());
        for lease in leases {
            let restored = self.member.restore(lease).await?;
            // A target that keeps its own position is idempotent and knows best; what the group
            // saw beyond that position must not count as seen.
            let frontier = match &remembered {
                None => Frontier::new(restored.position, restored.watermarks),
                Some(positions) => {
                    let position = positions.get(&lease.partition).copied().unwrap_or(0);
                    self.member.seek(lease, position).await?;
                    Frontier::new(position, Watermarks::default())
                }
            };
            let held = HeldEffect { lease, frontier, revoked: CancellationToken::new() };
            self.held.insert(lease.partition, held);
        }
        self.setup.metrics.held(E::NAME, self.held.len());
        Ok(())
    }

    async fn revoked(&mut self, leases: Vec<Lease>, deadline: Duration) -> Result<(), RunError> {
        self.finish_in_hand(deadline).await?;
        self.commit().await?;
        for lease in leases {
            if let Some(held) = self.held.remove(&lease.partition) {
                held.revoked.cancel();
            }
        }
        self.in_hand.retain(|(lease, _), _| self.held.contains_key(&lease.partition));
        self.bytes_in_hand = self.in_hand.values().map(Stored::size).sum();
        self.setup.metrics.held(E::NAME, self.held.len());
        Ok(())
    }

    async fn finish_in_hand(&mut self, deadline: Duration) -> Result<(), RunError> {
        let until = tokio::time::Instant::now() + deadline;
        while self.held.values().any(|held| !held.frontier.is_clear()) {
            match tokio::time::timeout_at(until, self.finished.recv()).await {
                Ok(Some(first)) => self.write_down(first).await?,
                _ => break,
            }
        }
        Ok(())
    }

    async fn take(&mut self, records: Vec<Stored>) -> Result<(), RunError> {
        self.setup.at(E::NAME, Step::Taken)?;
        let mut batch = Batch { received: records.len() as u64, ..Batch::default() };
        let started = Instant::now();
        let last_ms = records.last().map_or(0, |record| record.time_ms);
        for record in records {
            let Some(held) = self.held.get_mut(&record.partition) else { continue };
            if !held.frontier.take(record.offset, record.headers.origin.as_ref()) {
                batch.repeats += 1;
                continue;
            }
            let (lease, revoked) = (held.lease, held.revoked.clone());
            let body = match &record.value {
                // The second try of a record of some stage's.
                _ if record.headers.enters_at().is_some_and(|stage| stage != E::NAME) => {
                    held.frontier.finish(record.offset);
                    continue;
                }
                None => {
                    held.frontier.finish(record.offset);
                    continue;
                }
                Some(value) => E::In::from_bytes(value),
            };
            self.bytes_in_hand += record.size();
            self.in_hand.insert((lease, record.offset), record.clone());
            match body {
                Ok(body) => {
                    let envelope = Envelope::of(&record, body);
                    let ticket = Ticket { lease, revoked, tries: 0 };
                    let party = self.effect.party(&envelope);
                    self.lanes.send(Work { envelope, ticket, party });
                }
                Err(error) => {
                    let letter = self.set_aside(lease, record.offset, error.into())?;
                    self.member.publish(letter.into_iter().collect()).await?;
                    self.finish(lease, record.offset);
                }
            }
        }
        batch.took = started.elapsed();
        self.setup.metrics.batch(E::NAME, batch, self.setup.clock.now_ms() - last_ms);
        self.setup.metrics.in_flight(E::NAME, self.in_hand.len());
        Ok(())
    }

    /// Makes what has finished durable, then lets the position pass it.
    async fn write_down(&mut self, first: Finished) -> Result<(), RunError> {
        let mut records: Vec<Record> = Vec::new();
        let mut places = Vec::new();
        let mut next = Some(first);
        while let Some(Finished { lease, offset, end }) = next {
            let current = self.held.get(&lease.partition).map(|held| held.lease);
            if current == Some(lease) {
                match end {
                    End::Done(outcomes) => {
                        self.note(None)?;
                        records.extend(outcomes);
                    }
                    End::Rejected(detail) => {
                        let reason = DeadLetterReason::Rejected;
                        records.extend(self.set_aside(
                            lease,
                            offset,
                            Rejected { reason, detail },
                        )?);
                    }
                    End::Crashed => return Err(RunError::Crashed(Step::Applied)),
                }
                places.push((lease, offset));
            }
            next = self.finished.try_recv().ok();
        }
        if !records.is_empty() {
            self.member.publish(records).await?;
        }
        self.setup.at(E::NAME, Step::Told)?;
        for (lease, offset) in places {
            self.finish(lease, offset);
        }
        self.setup.metrics.in_flight(E::NAME, self.in_hand.len());
        Ok(())
    }

    fn finish(&mut self, lease: Lease, offset: Offset) {
        if let Some(held) = self.held.get_mut(&lease.partition) {
            held.frontier.finish(offset);
        }
        if let Some(record) = self.in_hand.remove(&(lease, offset)) {
            self.bytes_in_hand = self.bytes_in_hand.saturating_sub(record.size());
        }
    }

    fn note(&mut self, reason: Option<DeadLetterReason>) -> Result<(), RunError> {
        if self.brake.allows(&self.setup.policy.brake, reason) {
            return Ok(());
        }
        self.setup.metrics.braked(E::NAME, true);
        Err(RunError::Braked { stage: E::NAME, reason: reason.unwrap_or_default() })
    }

    fn set_aside(
        &mut self,
        lease: Lease,
        offset: Offset,
        rejected: Rejected,
    ) -> Result<Option<Record>, RunError> {
        self.note(Some(rejected.reason))?;
        let Some(record) = self.in_hand.get(&(lease, offset)) else { return Ok(None) };
        tracing::warn!(
            stage = E::NAME,
            topic = %record.topic,
            partition = record.partition,
            offset,
            reason = rejected.reason.as_str(),
            detail = %rejected.detail,
            "record set aside as a dead letter"
        );
        self.setup.metrics.rejected(E::NAME, rejected.reason.as_str());
        dead_letter::write(E::NAME, record, rejected, None).map(Some)
    }

    /// Commits what is finished, and waits until that has taken effect.
    async fn commit(&mut self) -> Result<(), RunError> {
        self.end_commit().await?;
        self.begin_commit()?;
        self.end_commit().await
    }

    async fn end_commit(&mut self) -> Result<(), RunError> {
        self.committing.finish().await.map_or(Ok(()), |ended| self.committed(ended))
    }

    fn committed(&self, (done, took): Ended) -> Result<(), RunError> {
        done?;
        self.setup.metrics.committed(E::NAME, took);
        self.setup.at(E::NAME, Step::Committed)
    }

    /// Begins to commit what is finished; `false` when nothing is new.
    fn begin_commit(&mut self) -> Result<bool, RunError> {
        self.committed_at = Instant::now();
        let parts = self.held.values_mut().filter_map(|held| {
            let (position, watermarks) = held.frontier.take_commit()?;
            let (pins, changes) = (bytes::Bytes::new(), Vec::new());
            Some(PartitionUnit { lease: held.lease, position, watermarks, pins, changes })
        });
        let partitions: Vec<PartitionUnit> = parts.collect();
        if partitions.is_empty() {
            return Ok(false);
        }
        self.setup.at(E::NAME, Step::Committing)?;
        let passed: Vec<(u32, Offset)> =
            partitions.iter().map(|part| (part.lease.partition, part.position)).collect();
        let time_ms = self.setup.clock.now_ms();
        let commit = self.member.commit(Unit { time_ms, partitions });
        let effect = Arc::clone(&self.effect);
        self.committing = OnItsWay::begun(Box::pin(async move {
            let ((), committed) = tokio::join!(effect.passed(&passed), commit);
            committed
        }));
        Ok(true)
    }
}
