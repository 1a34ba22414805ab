//! The conversation state machine: auto or human, which queue and how soon, who owns a conversation
//! and when it ends.
//!
//! Reads `classified`; writes `conversations`, `actions`, `handoffs`, `labels`. Pure: it calls nothing and has
//! no clock but the records' own time.

pub mod agreements;
mod begun;
pub mod closings;
pub mod decide;
pub mod hours;
mod machine;
mod mistakes;
mod out;
pub mod protocol;
pub mod settings;

pub use begun::begun;
pub use closings::Closings;
pub use machine::Router;
pub use mistakes::Known;
pub use out::RouterOut;
pub use settings::{Settings, SettingsError};
