//! The model file: one head a file, self-describing, checked when opened.

pub mod error;
pub(crate) mod header;
pub(crate) mod model;
pub(crate) mod read;
pub(crate) mod write;
