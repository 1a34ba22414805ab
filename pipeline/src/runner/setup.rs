//! What every runner of a process shares, and how it behaves.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schemas::topics::Topic;
use smol_str::SmolStr;

use super::brake::BrakePolicy;
use super::{RunError, chain};
use crate::clock::Clock;
use crate::log::{Group, Limit, Log};
use crate::record::Record;
use crate::telemetry::metrics::Metrics;

/// Makes the record that tells a stage its deadline has passed: stage, record key, state key,
/// deadline, now.
pub type TickWriter = fn(&'static str, &Bytes, i64, i64) -> Option<Record>;

/// A point of the loop at which a test may end the runner, or the whole process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Records were taken, nothing was done.
    Taken,
    /// The stage has seen them; nothing of theirs is handed over.
    Processed,
    /// Outputs are confirmed; nothing that covers them is committed.
    Published,
    /// Ticks are published.
    Ticked,
    /// Just before the commit.
    Committing,
    /// The commit took effect; nothing since.
    Committed,
    /// An effect has touched the world; its outcome is not written down.
    Applied,
    /// The outcome is written down; the position is not committed.
    Told,
}

impl Step {
    /// What the loop of a stage passes.
    pub const OF_STAGES: [Self; 6] = [
        Self::Taken,
        Self::Processed,
        Self::Published,
        Self::Ticked,
        Self::Committing,
        Self::Committed,
    ];
    /// What the loop of an effect passes.
    pub const OF_EFFECTS: [Self; 5] =
        [Self::Taken, Self::Applied, Self::Told, Self::Committing, Self::Committed];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Processed => "processed",
            Self::Published => "published",
            Self::Ticked => "ticked",
            Self::Committing => "committing",
            Self::Committed => "committed",
            Self::Applied => "applied",
            Self::Told => "told",
        }
    }
}

/// Asked at each step of whoever runs: a stage, a chain by the names of its stages, an effect.
type Probe = dyn Fn(&str, Step) -> bool + Send + Sync;

/// How a runner behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Records taken at once at most.
    pub batch_records_max: usize,
    /// Bytes taken at once, about.
    pub batch_bytes_max: usize,
    /// Records between two commits, about.
    pub commit_records: usize,
    /// Time between two commits while there is something to commit.
    pub commit_every: Duration,
    /// Longest wait without records before deadlines are looked at.
    pub idle_wait: Duration,
    /// Keys whose state is kept in memory, by partition, beside those that were not committed yet.
    pub hot_keys_max: usize,
    /// Deadlines ticked at once.
    pub ticks_max: usize,
    /// How many dead letters are too many.
    pub brake: BrakePolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            batch_records_max: 2_048,
            batch_bytes_max: 4 << 20,
            commit_records: 10_000,
            commit_every: Duration::from_millis(100),
            idle_wait: Duration::from_millis(500),
            hot_keys_max: 20_000,
            ticks_max: 1_000,
            brake: BrakePolicy::default(),
        }
    }
}

impl Policy {
    pub(super) fn limit(&self, wait: Duration) -> Limit {
        Limit { records_max: self.batch_records_max, bytes_max: self.batch_bytes_max, wait }
    }
}

/// What every runner of a process shares.
#[derive(Clone)]
pub struct Setup {
    /// Where records come from and go to.
    pub log: Arc<dyn Log>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where figures go.
    pub metrics: Arc<Metrics>,
    /// How a stage is told of its deadlines; `None` where no stage asks.
    pub ticks: Option<TickWriter>,
    /// How it behaves.
    pub policy: Policy,
    /// Ends the runner at a step when it answers `true`; tests only.
    pub probe: Option<Arc<Probe>>,
}

impl Setup {
    /// The group of a stage called `name`.
    #[must_use]
    pub fn stage_group(name: &'static str, input: Topic, state: Option<Topic>) -> Group {
        let name = SmolStr::new_static(name);
        Group { name, input, state, durable_only: false, gather: Duration::ZERO }
    }

    /// The group of a chain of the stages called `names`, in order: one member reads `input` for all
    /// of them, and `state` keeps what all of them remember.
    #[must_use]
    pub fn chain_group(names: &[&'static str], input: Topic, state: Option<Topic>) -> Group {
        let name = chain::name(names.iter().copied());
        Group { name, input, state, durable_only: false, gather: Duration::ZERO }
    }

    /// The group of an effect called `name`.
    #[must_use]
    pub fn effect_group(name: &'static str, input: Topic) -> Group {
        Group { durable_only: true, ..Self::stage_group(name, input, None) }
    }

    /// `part` has come to `step`.
    pub(super) fn at(&self, part: &str, step: Step) -> Result<(), RunError> {
        match &self.probe {
            Some(probe) if probe(part, step) => Err(RunError::Crashed(step)),
            _ => Ok(()),
        }
    }
}
