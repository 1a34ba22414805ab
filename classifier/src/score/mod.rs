//! Features → scores: the sparse scorer.

pub(crate) mod reading;
pub(crate) mod softmax;
pub(crate) mod weights;
