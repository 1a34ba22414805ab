//! Tokens → hashed features.

pub(crate) mod grams;
pub(crate) mod hash;
pub mod recipe;
