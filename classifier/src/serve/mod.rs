//! Scoring messages: the hot path.

pub mod decide;
pub mod explain;
pub mod head;
pub(crate) mod index;
pub mod models;
pub mod portable;
pub(crate) mod score;
pub mod scratch;
pub(crate) mod second;
