//! How anything runs: stages, effects, the runner, keyed state, ticks, dead letters and the log.
//!
//! Reads and writes whatever topics the stages name, its changelogs and `dead-letters`. Invariants:
//! no domain word (intent, boleto …) is known here; stages do no I/O; only this crate names a
//! broker's client.

pub mod broadcast;
pub mod clock;
pub mod effect;
pub mod ledger;
pub mod log;
pub mod panics;
pub mod partition;
pub mod record;
pub mod runner;
pub mod stage;
pub mod telemetry;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod watermarks;

pub use effect::{Effect, EffectPolicy, Outcome};
pub use log::{Group, Log, LogError};
pub use record::{Headers, Offset, Origin, Record, Stored, TraceContext};
pub use runner::{
    Chain, Policy, RunError, Running, Setup, Step, spawn_chain, spawn_effect, spawn_stage,
};
pub use stage::{Context, DropReason, Envelope, Keyed, Output, Stage, Stateless, Verdict};
