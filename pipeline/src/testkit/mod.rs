//! For tests: drive a stage from a `Vec`, and hold a log to what [`crate::log`] promises.
//!
//! Compiled behind the feature `testkit`; it may fail loudly, as tests do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

pub mod conformance;
mod driver;
mod tally;

pub use driver::{Driver, Seen};
