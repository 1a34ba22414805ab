//! Records to rows: the store people's queries are answered from, and the minute metrics.
//!
//! Reads `inbound`, `conversations`, `customers` and `metrics-state`; `metrics` writes `metrics-state`.
//! Invariants: a store is a view, rebuilt from the log it is the same; rows are upserted in the
//! conversation's own order, never by a clock; no conversation is changed here.

pub mod customers;
pub mod effects;
pub mod metrics;
pub mod rows;
pub mod store;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod timeline;
pub mod watch;

pub use store::{Store, StoreError};
