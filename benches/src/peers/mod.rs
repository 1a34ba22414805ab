//! One piece of work, done by us and by others, and how it is measured: who does it, what goes in, what
//! comes out and whether that is right. What the work is: benches/peers/README.md.
//!
//! Invariant: a run whose outputs are not what they must be says so, and counts nowhere.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it talks to the person who runs it

pub mod feed;
pub mod model;
pub mod ours;
pub mod part;
pub mod peer;
mod plain;
pub mod plot;
pub mod reader;
pub mod records;
pub mod report;
pub mod run;
pub mod stand;
pub mod times;
