//! Scores → probabilities and decisions that can be trusted.

pub(crate) mod bound;
pub(crate) mod fit;
pub(crate) mod judge;
pub(crate) mod logistic;
pub(crate) mod metrics;
pub mod second;
pub mod temperature;
pub mod thresholds;
