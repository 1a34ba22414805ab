//! What is known of a trained head: the model card.

use super::curves::{Curves, LabelFigures};
use crate::calibrate::temperature::LengthTemperature;
use crate::evaluate::Evaluation;
use crate::features::recipe::Recipe;
use serde::{Deserialize, Serialize};

/// Figures on rows the scored model had not seen (k-fold; calibration cross-fitted).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldOutFigures {
    /// In-scope rows.
    pub n: usize,
    /// Share right.
    pub accuracy: f64,
    /// Mean F1 of the classes.
    pub macro_f1: f64,
    /// Share of the largest class: what guessing would reach.
    pub majority: f64,
    /// Calibration error of raw scores.
    pub ece_raw: f64,
    /// Calibration error after calibration.
    pub ece: f64,
    /// Brier score of raw scores.
    pub brier_raw: f64,
    /// Brier score after calibration.
    pub brier: f64,
    /// Share of in-scope rows that can be kept at 95 % precision.
    pub coverage_at_95: f64,
    /// Share of in-scope rows that can be kept at 97 % precision.
    pub coverage_at_97: f64,
    /// Rows out of scope.
    pub oos_n: usize,
    /// How well the gate tells them apart; absent without such rows.
    pub oos_auroc: Option<f64>,
    /// Calibration error of the confidence over all rows, those out of scope included.
    pub confidence_ece: f64,
    /// For yes or no: how well the probability ranks.
    pub auroc: Option<f64>,
    /// Share right among the in-scope rows written to be hard, which no other figure counts; absent
    /// without such rows.
    #[serde(default)]
    pub hard_accuracy: Option<f64>,
    /// How second intents are named; absent where training rows tell of too few, or naming them is
    /// wrong more often than right.
    pub seconds: Option<SecondsFigures>,
}

/// How second intents are named, over all in-scope rows, the hard ones too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondsFigures {
    /// Rows with a second intent.
    pub rows: usize,
    /// Rows that one was named for.
    pub named: usize,
    /// Of these, the two named are the true two, in either order.
    pub right: usize,
}

/// One recipe that was tried, and its held-out figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The recipe.
    pub recipe: Recipe,
    /// Share right on held-out rows.
    pub accuracy: f64,
    /// Mean F1 on held-out rows.
    pub macro_f1: f64,
}

/// Rows of one label and its most telling n-grams.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelCard {
    /// The label.
    pub label: String,
    /// Training rows.
    pub rows: u64,
    /// N-grams that speak most for it.
    pub telling: Vec<String>,
    /// How it fares on held-out rows.
    #[serde(default)]
    pub held_out: Option<LabelFigures>,
}

/// What the checks of the training data found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DataChecks {
    /// Rows given.
    pub rows: usize,
    /// Rows trained on.
    pub kept: usize,
    /// Left out: without text or label.
    pub empty: usize,
    /// Left out: the same text and label as an earlier row.
    pub repeated: usize,
    /// Left out: the same text under different labels.
    pub contradictory: usize,
    /// Left out: a near-duplicate of a row that must stay unseen.
    pub leaked: usize,
    /// Of those trained on: written to be hard, so that nothing is certified on them.
    #[serde(default)]
    pub hard: usize,
    /// Labels with few rows.
    pub thin_labels: Vec<String>,
}

/// How the rows were chosen that a head is tested on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestSplit {
    /// Given apart from the training rows; the published head itself was tested.
    Given,
    /// The latest of the rows.
    Time,
    /// A share of the rows, by near-duplicate group.
    Groups,
}

/// Figures on a test part that neither weights, calibration nor thresholds had seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestFigures {
    /// How its rows were chosen. Unless they were given apart, the head that was tested is of the
    /// other rows alone, and the published one of all.
    pub split: TestSplit,
    /// Figures of this head.
    pub own: Evaluation,
    /// Figures on the same rows as hasty hands would have written them, by the name of the way.
    #[serde(default)]
    pub hasty: Vec<(String, Evaluation)>,
    /// The live head on the same rows.
    pub live: Option<LiveFigures>,
}

/// What the live head reaches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveFigures {
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
    /// Its figures.
    pub figures: Evaluation,
}

/// The card of one head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Versions of the programs that trained it.
    pub trained_by: String,
    /// Where the rows come from, in words.
    #[serde(default)]
    pub provenance: String,
    /// SHA-256 of the training rows, in hexadecimal.
    pub data_sha256: String,
    /// What the checks found.
    pub checks: DataChecks,
    /// Number of features.
    pub features: usize,
    /// Folds of the held-out figures.
    pub folds: usize,
    /// Recipes tried, if there was a choice.
    pub trials: Vec<Trial>,
    /// Figures on held-out rows.
    pub held_out: HeldOutFigures,
    /// Figures on a test part, if there is one.
    #[serde(default)]
    pub test: Option<TestFigures>,
    /// What its plots show.
    #[serde(default)]
    pub curves: Curves,
    /// The scaling in use.
    pub temperature: LengthTemperature,
    /// Labels with their rows and telling n-grams.
    pub labels: Vec<LabelCard>,
    /// In words: what the certified thresholds promise.
    pub promise: String,
    /// Bars the head does not meet; a head with any was published by force.
    pub failed_bars: Vec<String>,
}
