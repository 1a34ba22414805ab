//! Rows → a trained head.

pub(crate) mod calibration;
pub mod card;
pub(crate) mod checks;
pub mod curves;
pub(crate) mod documents;
pub mod error;
pub(crate) mod fitted;
pub mod head;
pub(crate) mod held_out;
pub(crate) mod learning;
pub mod linfa_fit;
pub mod options;
pub(crate) mod recipe_choice;
pub(crate) mod second;
pub(crate) mod sums;
pub(crate) mod test_part;
pub(crate) mod vectors;
