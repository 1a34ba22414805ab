//! Channel adapters, doors, and the stage that groups messages into turns.

pub mod turns;
