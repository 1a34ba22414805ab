//! Held-out messages clause by clause → what names second intents.
//!
//! Invariant: a message and its clauses are judged by a model that has seen none of them.

use super::checks::Checked;
use super::documents::Documents;
use super::held_out::{HeldOut, score_rows};
use crate::calibrate::judge::{Calibration, Evidence, Judgement};
use crate::calibrate::second::{CLAUSES_MAX, Named, Second, Told, may_hold};
use crate::features::recipe::Recipe;
use crate::text::clauses::Clauses;

/// A message that is worth judging by its clauses.
struct Message {
    row: usize,
    primary: usize,
    probabilities: Vec<f64>,
    /// Where its clauses are among all of them.
    clauses: std::ops::Range<usize>,
}

/// Fits on all in-scope rows, the hard ones too: two intents at once are rare.
pub(crate) fn fit(
    checked: &Checked,
    folds: &[usize],
    held: &HeldOut,
    recipe: &Recipe,
    calibration: &Calibration,
) -> Option<(Second, Named)> {
    if checked.seconds.iter().all(Option::is_none) {
        return None;
    }
    let mut clauses: Vec<&str> = Vec::new();
    let mut messages = Vec::new();
    let in_scope = |row: &usize| checked.labels.get(*row).copied() != calibration.oos_class;
    for row in (0..checked.texts.len()).filter(in_scope) {
        let mut probabilities = Vec::new();
        let judged = calibration.judge(held.evidence(row), &mut probabilities);
        let start = clauses.len();
        let text = checked.texts.get(row).map(String::as_str).unwrap_or_default();
        if judged.in_scope >= 0.5 && may_hold(judged.class, &probabilities) {
            clauses.extend(Clauses::of(text).take(CLAUSES_MAX));
            if clauses.len() < start + 2 {
                clauses.truncate(start);
            }
        }
        let (primary, clauses) = (judged.class, start..clauses.len());
        messages.push(Message { row, primary, probabilities, clauses });
    }
    let judged = judge(checked, folds, &messages, &clauses, recipe, calibration);
    let told: Vec<Told> = messages
        .iter()
        .map(|message| {
            let at = |of: &[usize]| of.get(message.row).copied().unwrap_or_default();
            let second = checked.seconds.get(message.row).copied().flatten();
            let clauses = judged.get(message.clauses.clone()).unwrap_or_default();
            let truth = (at(&checked.labels), second);
            Told::new(at(folds), truth, message.primary, &message.probabilities, clauses)
        })
        .collect();
    let k = folds.iter().max().map_or(0, |last| last + 1);
    Second::fit(&told, checked.names.len(), k)
}

/// The judgement of every clause by the model of the folds that its message is not in.
fn judge(
    checked: &Checked,
    folds: &[usize],
    messages: &[Message],
    clauses: &[&str],
    recipe: &Recipe,
    calibration: &Calibration,
) -> Vec<Judgement> {
    let n = checked.texts.len();
    let texts = checked.texts.iter().map(String::as_str).chain(clauses.iter().copied());
    let documents = Documents::read(texts, recipe.kinds);
    let mut judged = vec![Judgement::BLANK; clauses.len()];
    let mut probabilities = Vec::new();
    for fold in 0..=folds.iter().copied().max().unwrap_or_default() {
        let is_held = |row: usize| folds.get(row) == Some(&fold);
        let train: Vec<usize> = (0..n).filter(|row| !is_held(*row)).collect();
        let held = messages.iter().filter(|message| is_held(message.row));
        let rows: Vec<usize> =
            held.flat_map(|message| message.clauses.clone().map(|clause| n + clause)).collect();
        let (labels, classes) = (&checked.labels, checked.names.len());
        let each = |row: usize, scores: &[f64], reading| {
            if let Some(slot) = row.checked_sub(n).and_then(|clause| judged.get_mut(clause)) {
                *slot = calibration.judge(Evidence { scores, reading }, &mut probabilities);
            }
        };
        score_rows(&documents, labels, classes, &train, &rows, recipe, each);
    }
    judged
}
