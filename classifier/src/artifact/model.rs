//! One head, ready to score.

use super::header::Header;
use crate::score::weights::Weights;

/// A head: features from common to rare, their weights, and how to judge the scores.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) header: Header,
    /// `[features]`.
    pub(crate) hashes: Vec<u64>,
    /// Place of each feature in the file, which is sorted by hash `[features]`.
    pub(crate) places: Vec<u32>,
    /// Factor on each feature's value `[features]`.
    pub(crate) scales: Vec<f64>,
    pub(crate) weights: Weights,
    /// SHA-256 of the file.
    pub(crate) digest: [u8; 32],
}

impl Model {
    /// The label of a class number; empty when out of range.
    pub(crate) fn label(&self, class: usize) -> &str {
        self.header.labels.get(class).map_or("", String::as_str)
    }
}
