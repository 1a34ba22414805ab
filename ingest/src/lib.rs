//! Channel adapters, doors, and the stage that groups messages into turns.
//!
//! Doors write `inbound` and `raw` and hear back by following `conversations` and `replies`; `turns`
//! reads `inbound` and writes `turns`; the `media` effect fetches what messages name and has recordings
//! transcribed. Invariants: a 2xx means durable; an adapter is pure, from raw
//! bytes to normalized messages; nothing is classified or stored here.

pub mod channels;
pub mod door;
pub mod media;
pub mod turns;

pub use door::Door;
