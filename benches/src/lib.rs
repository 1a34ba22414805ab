//! What the measuring programs share: servers, processes, what they use, the work that is compared, and
//! when a run counts.
//!
//! Invariant: times are taken where the work is done, and what is measured is checked in the same run.

pub mod conversation;
pub mod draw;
pub mod example;
pub mod histogram;
pub mod lateness;
pub mod pace;
pub mod peers;
pub mod process;
pub mod runs;
pub mod servers;
pub mod svg;
pub mod usage;
