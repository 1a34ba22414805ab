//! Text → intent, sentiment, frustration and urgency, with confidences that can be trusted.
//!
//! One normaliser and tokeniser (`text`) feeds hashed n-grams (`features`) to multinomial
//! naive-Bayes heads that linfa-bayes fits (`train`); a sparse scorer (`score`, `serve`) computes the
//! same scores as linfa a hundred times faster; `calibrate` turns scores into probabilities, tells
//! texts out of scope and certifies from which confidence a message may be answered without a
//! person; `artifact` is the file format. Nothing here does I/O on the hot path: [`Models::open`] and
//! [`write_head`] are the only functions that touch files.
//!
//! Invariants: training and serving read text by one code path; the same rows give the same bytes; a
//! file is checked whole before it is used; no text panics or yields a number that is not finite.
//!
//! ```no_run
//! use classifier::{Models, Scratch};
//!
//! # fn main() -> Result<(), classifier::ModelError> {
//! let models = Models::open(std::path::Path::new("model"))?;
//! let mut scratch = Scratch::new(); // one a thread
//! let said = models.classify("me manda o boleto pf", &mut scratch);
//! println!("{} {:.2} {}", said.intent, said.confidence, said.would_answer);
//! for part in models.explain("me manda o boleto pf", 5, &mut scratch) {
//!     println!("{:+.3} {}", part.weight, part.ngram);
//! }
//! # Ok(())
//! # }
//! ```

mod artifact;
mod bundled;
mod calibrate;
mod card_page;
pub mod context;
pub mod corpus;
mod evaluate;
mod features;
pub mod near_duplicates;
mod perturb;
mod rows;
mod score;
mod seconds;
mod serve;
pub mod shadow;
pub mod stage;
mod text;
mod train;

pub use artifact::error::ModelError;
pub use artifact::read::{read_class_sums, read_feature_names};
pub use bundled::{PROVENANCE, train_bundled, train_bundled_head, write_head};
pub use calibrate::judge::Calibration;
pub use calibrate::logistic::Logistic;
pub use calibrate::metrics::Bin;
pub use calibrate::second::Second;
pub use calibrate::temperature::LengthTemperature;
pub use calibrate::thresholds::{Accepted, IntentThreshold, Thresholds};
pub use context::{Context, ContextTable, Fact};
pub use evaluate::{CoverageAt, Evaluation, evaluate};
pub use features::recipe::{Prior, RECIPE_VERSION, Recipe, Weighting};
pub use perturb::Haste;
pub use rows::{OUT_OF_SCOPE, Row, RowError, Task, is_out_of_scope, read_csv_rows, read_rows};
pub use seconds::{Seconds, seconds};
pub use serve::decide::{Prediction, Ranked};
pub use serve::explain::Telling;
pub use serve::head::Head;
pub use serve::models::{CONTEXT_FILE, Classified, Models};
pub use serve::scratch::Scratch;
pub use train::card::{
    Card, DataChecks, HeldOutFigures, LabelCard, LiveFigures, SecondsFigures, TestFigures,
    TestSplit, Trial,
};
pub use train::curves::{Confused, CoveragePoint, Curves, LabelFigures, LearningPoint};
pub use train::error::TrainError;
pub use train::head::{TrainedHead, train};
pub use train::linfa_fit::FitError;
pub use train::options::{Progress, Step, TrainOptions};
pub use train::sums::ClassSums;
