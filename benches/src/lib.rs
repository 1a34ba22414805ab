//! What the measuring programs share: servers, processes, what they use, and when a run counts.
//!
//! Invariant: nothing here measures by itself; times are taken where the work is done.

pub mod draw;
pub mod example;
pub mod histogram;
pub mod lateness;
pub mod pace;
pub mod process;
pub mod servers;
pub mod usage;
