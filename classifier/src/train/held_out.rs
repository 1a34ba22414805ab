//! Scores of every training row by a model that has not seen it (k-fold, grouped).
//!
//! Invariant: rows of one near-duplicate group are always in the same fold, and document
//! frequencies and weights of a fold's model come from the other folds alone.

use super::documents::Documents;
use super::sums::ClassSums;
use super::vectors::Vocabulary;
use crate::calibrate::judge::Evidence;
use crate::features::hash::finish;
use crate::features::recipe::Recipe;
use crate::score::reading::Reading;
use std::collections::{HashMap, HashSet};

/// Which fold each row is held out in `[rows]`: whole groups, spread evenly over each label.
///
/// A group larger than a fold's share of its label is dealt row by row: held out whole, it would
/// measure what a model knows of a label it has never met.
pub(crate) fn folds(groups: &[usize], labels: &[usize], k: usize) -> Vec<usize> {
    let mut label_rows: HashMap<usize, usize> = HashMap::new();
    let mut group_rows: HashMap<usize, usize> = HashMap::new();
    for (&group, &label) in groups.iter().zip(labels) {
        *label_rows.entry(label).or_default() += 1;
        *group_rows.entry(group).or_default() += 1;
    }
    let is_split = |group: usize, label: usize| {
        let rows = |of: &HashMap<usize, usize>, key| of.get(&key).copied().unwrap_or_default();
        rows(&group_rows, group) * k > rows(&label_rows, label)
    };
    // What is dealt: groups, or the rows of a split group; told apart by the flag.
    let units: Vec<(bool, usize)> = groups
        .iter()
        .zip(labels)
        .enumerate()
        .map(|(row, (&group, &label))| {
            let split = is_split(group, label);
            (split, if split { row } else { group })
        })
        .collect();
    // In an order that depends on nothing but their numbers; then label by label.
    let mut order: Vec<(usize, u64, (bool, usize))> = Vec::new();
    let mut seen = HashSet::new();
    for (&unit, &label) in units.iter().zip(labels) {
        if seen.insert(unit) {
            order.push((label, finish(unit.1 as u64 + 1, 77), unit));
        }
    }
    order.sort_unstable();
    let dealt = order.into_iter().enumerate().map(|(i, (_, _, unit))| (unit, i % k));
    let fold_of: HashMap<(bool, usize), usize> = dealt.collect();
    units.iter().map(|unit| fold_of.get(unit).copied().unwrap_or_default()).collect()
}

/// Held-out scores `[rows, classes + 1]` and readings `[rows]`.
#[derive(Debug, Default)]
pub(crate) struct HeldOut {
    width: usize,
    scores: Vec<f64>,
    readings: Vec<Reading>,
}

impl HeldOut {
    /// The evidence on one row.
    pub(crate) fn evidence(&self, row: usize) -> Evidence<'_> {
        let start = row * self.width;
        let scores = self.scores.get(start..start + self.width).unwrap_or_default();
        Evidence { scores, reading: self.readings.get(row).copied().unwrap_or_default() }
    }

    /// Scores each row of `folds_wanted` by the model of the other folds.
    pub(crate) fn score(
        documents: &Documents,
        labels: &[usize],
        classes: usize,
        folds: &[usize],
        folds_wanted: std::ops::Range<usize>,
        recipe: &Recipe,
    ) -> Self {
        let rows = documents.len();
        let width = classes + 1;
        let mut held = Self {
            width,
            scores: vec![0.0; rows * width],
            readings: vec![Reading::default(); rows],
        };
        for fold in folds_wanted {
            let (held_rows, train): (Vec<usize>, Vec<usize>) =
                (0..rows).partition(|row| folds.get(*row) == Some(&fold));
            let keep = |row: usize, scores: &[f64], reading| {
                if let Some(slot) = held.readings.get_mut(row) {
                    *slot = reading;
                }
                if let Some(slot) = held.scores.get_mut(row * width..(row + 1) * width) {
                    slot.copy_from_slice(scores);
                }
            };
            score_rows(documents, labels, classes, &train, &held_rows, recipe, keep);
        }
        held
    }
}

/// Scores `rows` by the model of `train`, and hands each row's scores `[classes + 1]` and reading on.
pub(crate) fn score_rows(
    documents: &Documents,
    labels: &[usize],
    classes: usize,
    train: &[usize],
    rows: &[usize],
    recipe: &Recipe,
    mut each: impl FnMut(usize, &[f64], Reading),
) {
    let vocabulary = Vocabulary::select(documents, train, recipe);
    let weights = ClassSums::add_up(documents, &vocabulary, labels, classes, train).weights(recipe);
    let (mut values, mut scores) = (Vec::new(), Vec::new());
    for &row in rows {
        let reading = vocabulary.values(documents, row, &mut values);
        weights.score(&values, 1.0, &mut scores);
        each(row, &scores, reading);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_keep_groups_together_and_labels_even() {
        let groups: Vec<usize> = (0..100).map(|row| row - row % 2).collect();
        let labels: Vec<usize> = (0..100).map(|row| row / 50).collect();
        let folds = folds(&groups, &labels, 5);
        for row in (0..100).step_by(2) {
            assert_eq!(folds[row], folds[row + 1]);
        }
        for fold in 0..5 {
            for label in 0..2 {
                let n = (0..100).filter(|&row| folds[row] == fold && labels[row] == label).count();
                assert_eq!(n, 10);
            }
        }
    }

    #[test]
    fn a_group_that_is_most_of_its_label_is_spread() {
        let groups = vec![0; 50].into_iter().chain(50..100).collect::<Vec<usize>>();
        let labels: Vec<usize> = (0..100).map(|row| row / 50).collect();
        let folds = folds(&groups, &labels, 5);
        for fold in 0..5 {
            assert_eq!((0..50).filter(|&row| folds[row] == fold).count(), 10);
        }
    }
}
