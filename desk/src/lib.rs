//! The people's side: queues, conversations, commands, and the live page.
//!
//! Reads the store's queries and follows `conversations`; appends commands and links to `inbound`, and
//! openings to `automatic-paths`. Invariant:
//! it owns no state the log does not have; what an agent asks takes effect when the router says so.

mod access;
mod api;
mod board;
mod commands;
mod customers;
mod dead_letters;
mod files;
mod floor;
mod labels;
mod links;
mod live;
mod metrics;
mod page;
mod problem;
mod suggestions;
mod typing;
mod views;

pub use access::{Access, Scope};
pub use api::{Desk, routes};
pub use board::Board;
pub use dead_letters::{DeadLetters, Letter, PutBack};
pub use files::Files;
pub use floor::Floor;
pub use suggestions::{Suggestion, Suggests, TemplateText};
pub use typing::TypingTold;
