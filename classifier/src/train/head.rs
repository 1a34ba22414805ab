//! Rows → one trained, calibrated, tested and described head.

use super::calibration::{Calibrated, calibrate, oos_class};
use super::card::{Card, HeldOutFigures, LabelCard, SecondsFigures, TestFigures, TestSplit, Trial};
use super::checks::{Checked, check};
use super::curves::label_figures;
use super::documents::Documents;
use super::error::TrainError;
use super::fitted::Fitted;
use super::held_out::{HeldOut, folds};
use super::learning::learning;
use super::options::{Progress, Step, TrainOptions};
use super::recipe_choice;
use super::second;
use super::test_part;
use crate::artifact::header::{Golden, Header};
use crate::artifact::read::read;
use crate::artifact::write::write;
use crate::calibrate::second::Named;
use crate::calibrate::thresholds::Thresholds;
use crate::features::grams::GramKinds;
use crate::features::recipe::Recipe;
use crate::near_duplicates::{JACCARD_MIN, groups};
use crate::rows::{Row, Task};
use crate::serve::head::Head;
use crate::serve::scratch::Scratch;

/// Largest artifact that is published, in bytes.
const ARTIFACT_BYTES_MAX: usize = 32 << 20;

/// How much worse than raw the calibration error may be (sampling noise).
const ECE_SLACK: f64 = 0.005;

/// How well a yes-or-no head must rank at least.
const AUROC_MIN: f64 = 0.6;

/// N-grams named a label in the card.
const TELLING: usize = 8;

/// A head with the bytes of its file.
#[derive(Debug)]
pub struct TrainedHead {
    pub(crate) head: Head,
    pub(crate) bytes: Vec<u8>,
}

impl TrainedHead {
    /// The head, ready to score.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The content of its file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The model card.
    #[must_use]
    pub fn card(&self) -> &Card {
        self.head.card()
    }

    /// The head alone.
    #[must_use]
    pub fn into_head(self) -> Head {
        self.head
    }
}

/// Trains one head in this process, on one thread.
///
/// linfa-bayes 0.8.1 prints every class's whole histogram to standard error in the last step;
/// programs run this in a child process whose standard error is discarded.
///
/// # Errors
/// The rows are not fit for training, or a bar is not met and `options.force` is not set (then the
/// error carries the card).
pub fn train(
    task: Task,
    rows: &[Row],
    options: &TrainOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<TrainedHead, TrainError> {
    let parts = match options.test.is_empty() {
        true => test_part::split(task, rows, options.live.is_some()),
        false => None,
    };
    let Some(parts) = parts else { return train_on(task, rows, options, None, progress) };
    progress(Progress { task, step: Step::Testing, rows: parts.rest.len() });
    // A test measures: bars and thin labels are judged on all rows.
    let trial = TrainOptions { force: true, live: None, ..options.clone() };
    let trial = train_on(task, &parts.rest, &trial, None, &mut |_| {})?;
    let live = options.live.as_deref();
    let test = test_part::figures(parts.split, &parts.test, trial.head(), live);
    let recipe = Some(trial.head.model.header.recipe.clone());
    let tested = Tested { figures: Some(test), trials: trial.card().trials.clone() };
    let options = TrainOptions { recipe, ..options.clone() };
    train_on(task, rows, &options, Some(tested), progress)
}

/// What the trial on a part of the rows told.
struct Tested {
    figures: Option<TestFigures>,
    trials: Vec<Trial>,
}

/// Trains on all of `rows`.
fn train_on(
    task: Task,
    rows: &[Row],
    options: &TrainOptions,
    tested: Option<Tested>,
    progress: &mut dyn FnMut(Progress),
) -> Result<TrainedHead, TrainError> {
    let mut report = |step, rows| progress(Progress { task, step, rows });
    report(Step::Checking, rows.len());
    let unseen: Vec<&str> = options.test.iter().map(|row| row.text.as_str()).collect();
    let checked = check(task, rows, &unseen, options.force)?;
    let (n, classes) = (checked.texts.len(), checked.names.len());
    if classes > 65_000 {
        return Err(TrainError::TooManyLabels { labels: classes });
    }
    let candidates =
        options.recipe.clone().map_or_else(|| Recipe::grid(classes > 6), |recipe| vec![recipe]);
    let kinds = candidates.iter().map(|recipe| recipe.kinds);
    let kinds = kinds.fold(GramKinds::NONE, GramKinds::union);
    let documents = Documents::read(checked.texts.iter().map(String::as_str), kinds);
    let folds = folds(&groups(&checked.texts, JACCARD_MIN), &checked.labels, options.folds.max(2));
    report(Step::ChoosingRecipe, n);
    let (oos, labels) = (oos_class(task, &checked.names), &checked.labels);
    let (recipe, trials) =
        recipe_choice::choose(candidates, &documents, labels, classes, oos, &folds);
    report(Step::HoldingOut, n);
    let all_folds = 0..options.folds.max(2);
    let held = HeldOut::score(&documents, labels, classes, &folds, all_folds, &recipe);
    let learning = learning(&documents, labels, classes, oos, &folds, &recipe);
    report(Step::Calibrating, n);
    let mut calibrated = calibrate(task, &checked, &folds, &held, options);
    calibrated.curves.learning = learning;
    let named = second::fit(&checked, &folds, &held, &recipe, &calibrated.calibration);
    if let Some((second, Named { rows, named, right })) = named {
        calibrated.calibration.second = Some(second);
        calibrated.figures.seconds = Some(SecondsFigures { rows, named, right });
    }
    drop(held);
    report(Step::Fitting, n);
    let fitted = Fitted::fit(&checked, &documents, recipe)?;
    report(Step::Writing, n);
    let tested = tested.unwrap_or(Tested { figures: None, trials });
    let card = card(&checked, &calibrated, &fitted, tested, options);
    publish(task, &checked, calibrated, &fitted, card, options)
}

fn card(
    checked: &Checked,
    calibrated: &Calibrated,
    fitted: &Fitted,
    tested: Tested,
    options: &TrainOptions,
) -> Card {
    let figures = label_figures(&calibrated.curves.confusion, checked.names.len());
    let labels = checked.names.iter().zip(&fitted.sums.rows).zip(figures).enumerate();
    Card {
        trained_by: concat!("classifier ", env!("CARGO_PKG_VERSION"), ", linfa-bayes 0.8.1").into(),
        provenance: options.provenance.clone(),
        data_sha256: checked.data_sha256.clone(),
        checks: checked.checks.clone(),
        features: fitted.names.len(),
        folds: options.folds.max(2),
        trials: tested.trials,
        held_out: calibrated.figures.clone(),
        test: tested.figures,
        curves: calibrated.curves.clone(),
        temperature: calibrated.calibration.temperature,
        labels: labels
            .map(|(class, ((label, rows), held_out))| LabelCard {
                label: label.clone(),
                rows: *rows,
                telling: fitted.telling(class, TELLING),
                held_out: Some(held_out),
            })
            .collect(),
        promise: promise(&calibrated.thresholds, checked.checks.hard > 0),
        failed_bars: failed_bars(&calibrated.figures),
    }
}

/// What the certified thresholds promise, in words.
fn promise(thresholds: &Thresholds, has_hard_rows: bool) -> String {
    let (coverage, accepted) = (thresholds.coverage * 100.0, thresholds.pooled.accepted);
    let rows = if has_hard_rows { "ordinary rows" } else { "rows" };
    let target = thresholds.target * 100.0;
    match thresholds.certified {
        None => {
            format!("no precision could be certified: nothing is answered (target {target:.0} %)")
        }
        Some(level) if level + 1e-9 < thresholds.target => format!(
            "{target:.0} % could not be certified on these rows; certified with 95 % confidence: \
             {:.0} % of what is answered is right, on {coverage:.0} % of the {rows} ({accepted})",
            level * 100.0
        ),
        Some(level) => format!(
            "certified with 95 % confidence: {:.0} % of what is answered is right, on \
             {coverage:.0} % of the {rows} ({accepted})",
            level * 100.0
        ),
    }
}

fn failed_bars(figures: &HeldOutFigures) -> Vec<String> {
    let mut failed = Vec::new();
    if let Some(auroc) = figures.auroc.filter(|auroc| *auroc < AUROC_MIN) {
        failed.push(format!("the probability ranks hardly better than chance (AUROC {auroc:.3})"));
    }
    // The threshold of a yes-or-no head trades accuracy for recall.
    if figures.auroc.is_none() && figures.accuracy <= figures.majority {
        let (accuracy, majority) = (figures.accuracy, figures.majority);
        failed.push(format!(
            "accuracy {accuracy:.3} is not above always guessing the commonest label ({majority:.3})"
        ));
    }
    if figures.ece > figures.ece_raw + ECE_SLACK {
        let (ece, raw) = (figures.ece, figures.ece_raw);
        failed.push(format!("calibration error {ece:.3} is worse than uncalibrated ({raw:.3})"));
    }
    failed
}

/// Writes the artifact, reads it back, tests it, and judges the bars.
fn publish(
    task: Task,
    checked: &Checked,
    calibrated: Calibrated,
    fitted: &Fitted,
    card: Card,
    options: &TrainOptions,
) -> Result<TrainedHead, TrainError> {
    let mut header = Header {
        task,
        labels: checked.names.clone(),
        recipe: fitted.recipe.clone(),
        calibration: calibrated.calibration,
        thresholds: calibrated.thresholds,
        class_rows: fitted.sums.rows.clone(),
        log_prior: fitted.weights.log_prior().to_vec(),
        golden: Vec::new(),
        card,
    };
    let content = fitted.content();
    let untested = read("new model", &write(&header, &content)?)?;
    let head = Head::untested(untested);
    header.golden = golden(&head, fitted);
    if !options.test.is_empty() {
        let live = options.live.as_deref();
        header.card.test = Some(test_part::figures(TestSplit::Given, &options.test, &head, live));
    }
    header
        .card
        .failed_bars
        .extend(header.card.test.as_ref().and_then(|test| test_part::worse_than_live(task, test)));
    let mut bytes = write(&header, &content)?;
    if bytes.len() > ARTIFACT_BYTES_MAX {
        let failed = format!("the artifact has {} bytes, over {ARTIFACT_BYTES_MAX}", bytes.len());
        header.card.failed_bars.push(failed);
        bytes = write(&header, &content)?;
    }
    if !header.card.failed_bars.is_empty() && !options.force {
        return Err(TrainError::BelowBar { card: Box::new(header.card) });
    }
    Ok(TrainedHead { head: Head::from_bytes("new model", &bytes)?, bytes })
}

/// Fixed messages and some of common training words (never a training row: an artifact must not
/// carry customers' messages), with their scores.
fn golden(head: &Head, fitted: &Fitted) -> Vec<Golden> {
    let fixed = ["quero a 2ª via do boleto", "Minha internet caiu!!! 😡", "I lost my card", ""];
    let made = (0..4).map(|k| fitted.common_words(k, 12).join(" "));
    let mut scratch = Scratch::new();
    fixed
        .into_iter()
        .map(str::to_owned)
        .chain(made)
        .map(|text| Golden { scores: head.scores(&text, &mut scratch).to_vec(), text })
        .collect()
}
