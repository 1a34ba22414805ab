//! Why a head was not trained, and what to do about it.

use super::card::Card;
use super::linfa_fit::FitError;
use crate::artifact::error::ModelError;
use crate::rows::RowError;
use std::path::PathBuf;

/// A head could not be trained, or not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// Too many texts have several labels.
    #[error(
        "{rows} rows have the same text under different labels; settle them, or force training \
         without them"
    )]
    Contradictory {
        /// Rows concerned.
        rows: usize,
    },
    /// Labels with too few rows to hold some out.
    #[error(
        "labels with fewer than {min} rows: {}; add rows, or force training without them",
        labels.join(", ")
    )]
    ThinLabels {
        /// The labels.
        labels: Vec<String>,
        /// Rows needed.
        min: usize,
    },
    /// Nothing to tell apart.
    #[error("{labels} usable labels; a head needs at least two")]
    OneLabel {
        /// Usable labels.
        labels: usize,
    },
    /// Frustration and urgency are yes or no.
    #[error(
        "the {task} head needs the labels false and true, found {}; give rows with a boolean \
         `{task}` field",
        labels.join(", ")
    )]
    NotBinary {
        /// The task.
        task: &'static str,
        /// Labels found.
        labels: Vec<String>,
    },
    /// More classes than the file format counts.
    #[error("{labels} labels; at most 65,000 are supported")]
    TooManyLabels {
        /// Labels found.
        labels: usize,
    },
    /// A bar is not met; the card says which.
    #[error("not published: {}; better data may help, or force it", card.failed_bars.join("; "))]
    BelowBar {
        /// The card of the head that was trained.
        card: Box<Card>,
    },
    /// The fit failed.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The header cannot be written: a figure is not finite.
    #[error("cannot write the model's header: {0}")]
    Header(#[from] serde_json::Error),
    /// The written model does not read back: a defect of this program.
    #[error("the trained model does not read back: {0}")]
    ReadBack(#[from] ModelError),
    /// A row of the bundled corpus is damaged.
    #[error("the bundled corpus is damaged: {0}")]
    Corpus(#[from] RowError),
    /// The output cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}
