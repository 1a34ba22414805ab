//! What an artifact says about itself, in JSON.

use crate::calibrate::judge::Calibration;
use crate::calibrate::thresholds::Thresholds;
use crate::features::recipe::Recipe;
use crate::rows::Task;
use crate::train::card::Card;
use serde::{Deserialize, Serialize};

/// A message and the scores it must have `[classes]`: the artifact tests itself when loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Golden {
    pub(crate) text: String,
    pub(crate) scores: Vec<f64>,
}

/// The JSON header of an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) task: Task,
    /// Sorted; a class's number is its place here.
    pub(crate) labels: Vec<String>,
    pub(crate) recipe: Recipe,
    pub(crate) calibration: Calibration,
    pub(crate) thresholds: Thresholds,
    /// Rows a class `[classes]`.
    pub(crate) class_rows: Vec<u64>,
    /// ln P(c) `[classes]`.
    pub(crate) log_prior: Vec<f64>,
    pub(crate) golden: Vec<Golden>,
    pub(crate) card: Card,
}
