//! How anything runs: the one loop for stages and the one loop for effects. A stage alone is a chain
//! of one.
//!
//! Reads the input topic of its stage, chain or effect; writes its outputs, its changelog and
//! `dead-letters`. Invariants: outputs are durable before the position that covers them is
//! committed; a record is taken account of once; what configures a stage changes at a commit
//! boundary only.

mod brake;
mod chain;
mod commits;
mod dead_letter;
mod effects;
mod frontier;
mod held;
mod lanes;
mod link;
mod on_its_way;
mod outputs;
mod parties;
mod pass;
mod pins;
mod scoped;
mod setup;
mod stage_link;
mod stages;
mod state;
mod thread;
mod timers;

pub use brake::BrakePolicy;
pub use chain::Chain;
pub use effects::EffectRunner;
pub use setup::{Policy, Setup, Step, TickWriter};
pub use stages::{StageRunner, Stepped};
pub use thread::{Running, spawn_chain, spawn_effect, spawn_stage};

use schemas::ops::DeadLetterReason;

use crate::broadcast::Missing;
use crate::log::{AppendError, LogError};

/// Why a runner stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The log's word.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A pinned side input is gone.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// Too many records were set aside.
    #[error(
        "{stage} stopped: too many records are {} (see dead-letters). Mend the cause, then restart; \
         the backlog is kept", reason.as_str()
    )]
    Braked {
        /// Who could not use them.
        stage: &'static str,
        /// What they had in common.
        reason: DeadLetterReason,
    },
    /// An outcome could not be written down.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A stage wrote what its schema has no place for.
    #[error("{stage} wrote a record its schema has no place for: {detail}")]
    Unwritable {
        /// Which stage.
        stage: &'static str,
        /// The codec's words.
        detail: String,
    },
    /// A stage of a chain was handed a record that belongs to another partition.
    #[error(
        "{stage} cannot run in this chain: the stage before it writes under keys of other \
         partitions. Run it alone"
    )]
    Unchainable {
        /// Which stage.
        stage: &'static str,
    },
    /// A test ended it at a named step, as a crash would.
    #[error("ended at {0:?} by a test")]
    Crashed(Step),
}

impl RunError {
    /// Whether joining again from the last commit may help.
    #[must_use]
    pub fn rejoins(&self) -> bool {
        matches!(
            self,
            Self::Log(LogError::Fenced { .. } | LogError::Redeliver(_)) | Self::Append(_)
        )
    }
}
