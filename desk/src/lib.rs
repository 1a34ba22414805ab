//! The people's side: queues, conversations, commands, and the live page.
//!
//! Reads the store's queries and follows `conversations`; appends commands to `inbound`, and
//! openings to `automatic-paths`. Invariant:
//! it owns no state the log does not have; what an agent asks takes effect when the router says so.

mod access;
mod api;
mod board;
mod commands;
mod files;
mod floor;
mod labels;
mod metrics;
mod page;
mod problem;
mod suggestions;
mod views;

pub use access::Access;
pub use api::{Desk, routes};
pub use board::Board;
pub use files::Files;
pub use floor::Floor;
pub use suggestions::{Suggestion, Suggests};
