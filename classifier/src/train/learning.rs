//! The learning curve: how good a model of fewer rows is, which tells what more rows would bring.
//!
//! Invariant: every point is measured on the same rows, the first fold's, which no model of the
//! curve has seen; the rows of a point are among those of the next.

use super::calibration::judge_class;
use super::curves::LearningPoint;
use super::documents::Documents;
use super::held_out::score_rows;
use crate::calibrate::judge::Evidence;
use crate::calibrate::metrics::macro_f1;
use crate::features::hash::finish;
use crate::features::recipe::Recipe;

/// Shares of the rows, in hundredths.
const SHARES: [usize; 6] = [5, 10, 25, 50, 75, 100];

/// The curve over the in-scope rows of the first fold.
pub(crate) fn learning(
    documents: &Documents,
    labels: &[usize],
    classes: usize,
    oos: Option<usize>,
    folds: &[usize],
    recipe: &Recipe,
) -> Vec<LearningPoint> {
    let in_fold = |row: &usize| folds.get(*row) == Some(&0);
    let label = |row: usize| labels.get(row).copied();
    let held: Vec<usize> =
        (0..documents.len()).filter(|row| in_fold(row) && label(*row) != oos).collect();
    let mut others: Vec<usize> = (0..documents.len()).filter(|row| !in_fold(row)).collect();
    others.sort_by_key(|row| finish(*row as u64 + 1, 31));
    let point = |share: usize| {
        let train: Vec<usize> = others.iter().take(others.len() * share / 100).copied().collect();
        let mut pairs: Vec<(usize, usize)> = Vec::with_capacity(held.len());
        score_rows(documents, labels, classes, &train, &held, recipe, |row, scores, reading| {
            let class = judge_class(Evidence { scores, reading }, oos);
            pairs.extend(label(row).map(|label| (label, class)));
        });
        let right = pairs.iter().filter(|(label, class)| label == class).count();
        let accuracy = right as f64 / (pairs.len() as f64).max(1.0);
        LearningPoint { rows: train.len(), accuracy, macro_f1: macro_f1(&pairs, classes) }
    };
    SHARES.into_iter().map(point).collect()
}
