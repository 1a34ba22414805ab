//! What a caller may set, and what it is told on the way.

use crate::features::recipe::Recipe;
use crate::rows::{Row, Task};
use crate::serve::head::Head;
use std::sync::Arc;

/// Settings of one training.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// Precision that automatic answers are certified for, 0..1.
    pub target_precision: f64,
    /// A label whose own certified precision is under this is assist-only. It is a 95 % lower bound
    /// on few rows: with 25 of them, 0.60 takes 20 right.
    pub intent_floor: f64,
    /// Share of held-out rows out of scope that may be answered, 0..1.
    pub oos_share_max: f64,
    /// Parts that the rows are split into to hold each out once, at least 2. With ten, the models that
    /// are calibrated and measured are nearly the one that is published.
    pub folds: usize,
    /// The feature recipe; chosen on held-out rows if absent.
    pub recipe: Option<Recipe>,
    /// Rows to test the head on; no training row may resemble one. Without them, rows that all say
    /// when they were written, or a live head to compare with, have a part of the rows held back
    /// for a test.
    pub test: Vec<Row>,
    /// The head in use: a new one that is worse on the same test part is refused.
    pub live: Option<Arc<Head>>,
    /// Where the rows come from, in words, for the card.
    pub provenance: String,
    /// Publish although a bar is not met; the card names it.
    pub force: bool,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            target_precision: 0.97,
            intent_floor: 0.60,
            oos_share_max: 0.03,
            folds: 10,
            recipe: None,
            test: Vec::new(),
            live: None,
            provenance: String::new(),
            force: false,
        }
    }
}

/// Where training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Checking the rows and grouping near-duplicates.
    Checking,
    /// Training once without the test part, to test that.
    Testing,
    /// Trying recipes on held-out rows.
    ChoosingRecipe,
    /// Scoring every row by a model that has not seen it.
    HoldingOut,
    /// Fitting temperature, gate and confidence; certifying thresholds.
    Calibrating,
    /// The fit of the published weights by linfa.
    Fitting,
    /// Writing and testing the artifact.
    Writing,
}

/// A report on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The head being trained.
    pub task: Task,
    /// What begins now.
    pub step: Step,
    /// Rows in training.
    pub rows: usize,
}
