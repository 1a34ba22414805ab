//! A stage without a log: inputs in, outputs out, ticks when the time is moved.

use std::collections::BTreeMap;

use bytes::Bytes;
use schemas::Input;
use schemas::message::Tick;
use schemas::topics::Topic;

use crate::record::Headers;
use crate::stage::{Context, Envelope, Keyed, Stage, Verdict};

/// What a stage did with one input.
#[derive(Debug, Clone)]
pub struct Seen<O> {
    pub verdict: Verdict,
    pub outputs: Vec<(Bytes, O)>,
}

/// Runs a stage as the runner would, record by record.
pub struct Driver<S: Stage> {
    stage: S,
    broadcast: S::Broadcast,
    states: BTreeMap<Bytes, (S::State, Option<i64>)>,
    tick: fn(Tick) -> S::In,
    offset: u64,
}

impl<S: Stage> Driver<S> {
    /// `tick` makes an input of a tick.
    pub fn new(stage: S, broadcast: S::Broadcast, tick: fn(Tick) -> S::In) -> Self {
        Self { stage, broadcast, states: BTreeMap::new(), tick, offset: 0 }
    }

    /// The side inputs, to be changed between two inputs.
    pub fn broadcast_mut(&mut self) -> &mut S::Broadcast {
        &mut self.broadcast
    }

    /// State of a key.
    pub fn state(&self, key: &[u8]) -> Option<&S::State> {
        self.states.get(key).map(|(state, _)| state)
    }

    /// What the key waits for.
    pub fn deadline(&self, key: &[u8]) -> Option<i64> {
        self.states.get(key).and_then(|(_, deadline)| *deadline)
    }

    /// Lets the stage take account of one input. The state goes through its encoding and back, as
    /// it would over a restart.
    pub fn feed(&mut self, key: &[u8], time_ms: i64, body: S::In) -> Seen<S::Out> {
        let tick = body.tick().filter(|tick| tick.stage == S::NAME).cloned();
        let envelope = Envelope {
            key: Bytes::copy_from_slice(key),
            topic: Topic("driven"),
            partition: 0,
            offset: self.offset,
            time_ms,
            headers: Headers::default(),
            body,
        };
        self.offset += 1;
        let state_key = match &tick {
            Some(tick) => Bytes::copy_from_slice(&tick.state_key),
            None => self.stage.state_key(&envelope),
        };
        let record_key = envelope.key.clone();
        let before = self.states.get(&state_key).cloned();
        let waits_for = before.as_ref().and_then(|(_, deadline)| *deadline);
        if tick.as_ref().is_some_and(|tick| Some(tick.deadline_ms) != waits_for) {
            return Seen {
                verdict: Verdict::Drop(crate::stage::DropReason::Stale),
                outputs: Vec::new(),
            };
        }
        let mut emitted = Vec::new();
        let mut cx = Context::<S> {
            state: before.map(|(state, _)| state),
            wake_at_ms: if tick.is_some() { None } else { waits_for },
            emitted: &mut emitted,
            broadcast: &self.broadcast,
        };
        let verdict = self.stage.process(&mut cx, envelope);
        let (state, deadline) = (cx.state, cx.wake_at_ms);
        if matches!(verdict, Verdict::Done) || tick.is_some() {
            match state {
                Some(state) => {
                    let state = S::State::decode(&state.encode().unwrap()).unwrap();
                    self.states.insert(state_key, (state, deadline));
                }
                None => {
                    self.states.remove(&state_key);
                }
            }
        }
        let outputs = match &verdict {
            Verdict::Done => emitted
                .into_iter()
                .map(|emitted| (emitted.key.unwrap_or_else(|| record_key.clone()), emitted.out))
                .collect(),
            _ => Vec::new(),
        };
        Seen { verdict, outputs }
    }

    /// Moves the time: every deadline up to `now_ms` is ticked, in order. The record key of a tick
    /// is its state key.
    pub fn pass(&mut self, now_ms: i64) -> Vec<Seen<S::Out>> {
        let mut seen = Vec::new();
        loop {
            let due = self
                .states
                .iter()
                .filter_map(|(key, (_, deadline))| Some(((*deadline)?, key.clone())))
                .filter(|(deadline, _)| *deadline <= now_ms)
                .min();
            let Some((deadline_ms, key)) = due else { return seen };
            let tick = Tick { stage: S::NAME.to_owned(), state_key: key.to_vec(), deadline_ms };
            let input = (self.tick)(tick);
            seen.push(self.feed(&key, deadline_ms, input));
        }
    }
}
