//! Lanes: more keys in work than there are partitions, each key in order. A key whose record is slow
//! or must be tried again holds up nobody else; nor does a party that many keys wait for.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::parties::Parties;
use super::setup::{Setup, Step};
use crate::effect::{Effect, EffectPolicy, Outcome};
use crate::log::Lease;
use crate::record::{Offset, Record};
use crate::stage::Envelope;

/// A record on its way through a lane.
pub(super) struct Work<T> {
    pub(super) envelope: Envelope<T>,
    pub(super) ticket: Ticket,
    /// Whom it has to wait for.
    pub(super) party: Option<String>,
}

/// What a record's outcome is accounted under.
pub(super) struct Ticket {
    pub(super) lease: Lease,
    /// Cancelled when the partition is taken away: nobody waits for the outcome.
    pub(super) revoked: CancellationToken,
    /// How often it has been tried.
    pub(super) tries: u32,
}

/// What came of a record in the end.
pub(super) struct Finished {
    pub(super) lease: Lease,
    pub(super) offset: Offset,
    pub(super) end: End,
}

pub(super) enum End {
    Done(Vec<Record>),
    Rejected(String),
    /// A test ended the process here.
    Crashed,
}

/// The lanes of one effect.
pub(super) struct Lanes<T> {
    queues: Arc<Queues<T>>,
    tasks: JoinSet<()>,
}

/// The records in hand by key.
struct Queues<T> {
    inner: Mutex<Inner<T>>,
    wake: Notify,
}

struct Inner<T> {
    /// Records waiting, by key. A key is here as long as it is ready, in work or pausing.
    waiting: HashMap<Bytes, VecDeque<Work<T>>>,
    ready: VecDeque<Bytes>,
    parties: Parties,
    closing: bool,
}

impl<T: Send + Sync + 'static> Lanes<T> {
    /// Starts them; what they finish arrives at `finished`.
    pub(super) fn start<E: Effect<In = T>>(
        effect: &Arc<E>,
        setup: &Setup,
        policy: EffectPolicy,
        finished: &mpsc::UnboundedSender<Finished>,
    ) -> Self {
        let inner = Inner {
            waiting: HashMap::new(),
            ready: VecDeque::new(),
            parties: Parties::new(policy.party_lanes_max),
            closing: false,
        };
        let queues = Arc::new(Queues { inner: Mutex::new(inner), wake: Notify::new() });
        let mut tasks = JoinSet::new();
        for _ in 0..policy.lanes.max(1) {
            let lane = Lane {
                effect: Arc::clone(effect),
                queues: Arc::clone(&queues),
                setup: setup.clone(),
                policy,
                finished: finished.clone(),
            };
            tasks.spawn(lane.run());
        }
        Self { queues, tasks }
    }

    /// Hands over a record. The runner's budget bounds how many are in hand.
    pub(super) fn send(&self, work: Work<T>) {
        let key = work.envelope.key.clone();
        let mut inner = self.queues.inner.lock();
        if let Some(queue) = inner.waiting.get_mut(&key) {
            queue.push_back(work);
            return;
        }
        inner.waiting.insert(key.clone(), VecDeque::from([work]));
        inner.ready.push_back(key);
        self.queues.wake.notify_one();
    }

    /// Ends the lanes after what they are doing.
    pub(super) async fn close(mut self) {
        self.queues.inner.lock().closing = true;
        self.queues.wake.notify_one();
        while self.tasks.join_next().await.is_some() {
            self.queues.wake.notify_one();
        }
    }
}

impl<T: Send + Sync + 'static> Queues<T> {
    /// Records to apply together: of one key in order, and of further keys while there is room. A
    /// record that is tried again, or that waits for a party, is applied alone. `None`: closing.
    fn take(&self, records_max: usize) -> Option<Vec<Work<T>>> {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        if inner.closing {
            return None;
        }
        let records_max = records_max.max(1);
        let mut taken: Vec<Work<T>> = Vec::new();
        while taken.len() < records_max {
            let Some(key) = inner.ready.pop_front() else { break };
            let Some(queue) = inner.waiting.get_mut(&key) else { continue };
            let Some(first) = queue.front() else { continue };
            if first.ticket.tries > 0 || first.party.is_some() {
                if taken.is_empty() {
                    if let Some(party) = &first.party
                        && !inner.parties.enter(party, &key)
                    {
                        continue;
                    }
                    taken.extend(queue.pop_front());
                } else {
                    inner.ready.push_front(key);
                }
                break;
            }
            let plain = queue.iter().take_while(|work| work.party.is_none());
            let room = plain.take(records_max - taken.len()).count();
            taken.extend(queue.drain(..room));
        }
        // One call may have stood for several keys: the next lane is told, too.
        if !taken.is_empty() && !inner.ready.is_empty() {
            self.wake.notify_one();
        }
        Some(taken)
    }

    /// A lane waits for `party` no more; `failed`: it was in vain. Keys that waited for that are ready.
    fn leave(&self, party: &str, failed: bool) {
        let mut inner = self.inner.lock();
        let next = inner.parties.leave(party, failed);
        if !next.is_empty() {
            inner.ready.extend(next);
            self.wake.notify_one();
        }
    }

    /// Gives a key back with the records that are to be tried `again`, after `pause`.
    fn release(self: &Arc<Self>, key: Bytes, again: Vec<Work<T>>, pause: Duration) {
        {
            let mut inner = self.inner.lock();
            let Some(queue) = inner.waiting.get_mut(&key) else { return };
            again.into_iter().rev().for_each(|work| queue.push_front(work));
            if queue.is_empty() {
                inner.waiting.remove(&key);
                return;
            }
            if pause.is_zero() {
                inner.ready.push_back(key);
                self.wake.notify_one();
                return;
            }
        }
        let queues = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            queues.inner.lock().ready.push_back(key);
            queues.wake.notify_one();
        });
    }
}

/// Records of a key to be tried again, and after which pause.
type Again<T> = (Vec<Work<T>>, Duration);

struct Lane<E: Effect> {
    effect: Arc<E>,
    queues: Arc<Queues<E::In>>,
    setup: Setup,
    policy: EffectPolicy,
    finished: mpsc::UnboundedSender<Finished>,
}

impl<E: Effect> Lane<E> {
    async fn run(self) {
        while let Some(works) = self.queues.take(self.policy.batch_records_max) {
            if works.is_empty() {
                self.queues.wake.notified().await;
            } else {
                self.work(works).await;
            }
        }
    }

    /// Applies a batch. Where that panics, each of its records is tried again alone, and the one that
    /// does it is set aside.
    async fn applied(&self, inputs: &[Envelope<E::In>]) -> Vec<Outcome> {
        let applied = AssertUnwindSafe(self.effect.apply(inputs)).catch_unwind().await;
        let Err(_) = applied else { return applied.unwrap_or_default() };
        let alone = inputs.len() == 1;
        tracing::error!(stage = E::NAME, records = inputs.len(), "the effect panicked");
        let outcome = || match alone {
            true => Outcome::Reject("the effect panicked".to_owned()),
            false => {
                Outcome::Retry { after: Duration::ZERO, why: "a panic in its batch".to_owned() }
            }
        };
        inputs.iter().map(|_| outcome()).collect()
    }

    async fn work(&self, works: Vec<Work<E::In>>) {
        let keys = keys_of(&works);
        let party = works.first().and_then(|work| work.party.clone());
        let (tickets, inputs): (Vec<Ticket>, Vec<Envelope<E::In>>) = works
            .into_iter()
            .filter(|work| !work.ticket.revoked.is_cancelled())
            .map(|work| (work.ticket, work.envelope))
            .unzip();
        let mut outcomes = self.applied(&inputs).await;
        let missing = || Outcome::Reject("the effect gave no outcome".to_owned());
        outcomes.resize_with(inputs.len(), missing);
        let crashed = self.setup.at(E::NAME, Step::Applied).is_err();
        let mut again: HashMap<Bytes, Again<E::In>> = HashMap::new();
        for ((ticket, envelope), outcome) in tickets.into_iter().zip(inputs).zip(outcomes) {
            let end = match outcome {
                _ if crashed => End::Crashed,
                Outcome::Done(records) => End::Done(records),
                Outcome::Reject(detail) => End::Rejected(detail),
                Outcome::Retry { after, why } => {
                    self.setup.metrics.retried(E::NAME);
                    let pause = pause(after, ticket.tries, self.policy.retry_pause_max);
                    tracing::warn!(
                        stage = E::NAME,
                        tries = ticket.tries,
                        why,
                        ?pause,
                        "tried again"
                    );
                    let ticket = Ticket { tries: ticket.tries.saturating_add(1), ..ticket };
                    let slot = again.entry(envelope.key.clone()).or_default();
                    slot.0.push(Work { envelope, ticket, party: party.clone() });
                    slot.1 = slot.1.max(pause);
                    continue;
                }
            };
            let (lease, offset) = (ticket.lease, envelope.offset);
            let _ = self.finished.send(Finished { lease, offset, end });
        }
        if let Some(party) = &party {
            self.queues.leave(party, !again.is_empty());
        }
        for key in keys {
            let (works, pause) = again.remove(&key).unwrap_or_default();
            self.queues.release(key, works, pause);
        }
    }
}

/// The keys of a batch, each once.
fn keys_of<T>(works: &[Work<T>]) -> Vec<Bytes> {
    let mut keys: Vec<Bytes> = works.iter().map(|work| work.envelope.key.clone()).collect();
    keys.dedup();
    keys
}

/// Doubles with each try, up to `most`.
fn pause(after: Duration, tries: u32, most: Duration) -> Duration {
    after.saturating_mul(1 << tries.min(16)).clamp(Duration::from_millis(1), most)
}
