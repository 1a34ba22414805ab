//! Figures over judged rows: calibration error, Brier score, coverage, AUROC, macro-F1.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Bins of the expected calibration error.
const BINS: usize = 15;

/// A confidence and whether the decision was right.
pub(crate) type Outcome = (f64, bool);

/// Largest first; NaN cannot occur but would sort last.
fn falling(a: &f64, b: &f64) -> Ordering {
    b.partial_cmp(a).unwrap_or(Ordering::Equal)
}

/// The outcomes of one interval of confidence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Outcomes.
    pub rows: u64,
    /// Their mean confidence.
    pub confidence: f64,
    /// Share of them right.
    pub right: f64,
}

/// Fifteen equal intervals of confidence.
pub(crate) fn bins(outcomes: &[Outcome]) -> [Bin; BINS] {
    let mut bins = [Bin::default(); BINS];
    for &(confidence, right) in outcomes {
        let at = (0..BINS).rev().find(|&bin| confidence * BINS as f64 > bin as f64).unwrap_or(0);
        if let Some(bin) = bins.get_mut(at) {
            bin.rows += 1;
            bin.confidence += confidence;
            bin.right += f64::from(u8::from(right));
        }
    }
    for bin in bins.iter_mut().filter(|bin| bin.rows > 0) {
        bin.confidence /= bin.rows as f64;
        bin.right /= bin.rows as f64;
    }
    bins
}

/// Expected calibration error with fifteen equal bins (Guo et al. 2017, §2): the mean distance
/// between confidence and share right, weighted by rows. 0 for no rows.
pub(crate) fn ece(outcomes: &[Outcome]) -> f64 {
    let distance = |bin: Bin| bin.rows as f64 * (bin.confidence - bin.right).abs();
    let distance: f64 = bins(outcomes).into_iter().map(distance).sum();
    distance / (outcomes.len() as f64).max(1.0)
}

/// Mean squared distance between confidence and outcome (Brier 1950, top label only).
pub(crate) fn brier(outcomes: &[Outcome]) -> f64 {
    mean(outcomes.iter().map(|&(confidence, right)| {
        let distance = confidence - f64::from(u8::from(right));
        distance * distance
    }))
}

/// Mean; 0 for none.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    if n == 0.0 { 0.0 } else { sum / n }
}

/// The largest share of rows that can be kept, by falling confidence, at the given precision.
pub(crate) fn coverage_at(outcomes: &[Outcome], precision: f64) -> f64 {
    let mut sorted = outcomes.to_vec();
    sorted.sort_by(|a, b| falling(&a.0, &b.0));
    let (mut right, mut best) = (0usize, 0usize);
    for (i, &(confidence, is_right)) in sorted.iter().enumerate() {
        right += usize::from(is_right);
        // Rows of equal confidence are kept or left together.
        let ties_on = sorted.get(i + 1).is_some_and(|next| next.0 >= confidence);
        if !ties_on && right as f64 >= precision * (i + 1) as f64 {
            best = i + 1;
        }
    }
    best as f64 / (outcomes.len() as f64).max(1.0)
}

/// Area under the ROC curve: the chance that a random positive scores above a random negative,
/// ties counting half (Hanley & McNeil 1982). `None` without both.
pub(crate) fn auroc(positives: &[f64], negatives: &[f64]) -> Option<f64> {
    if positives.is_empty() || negatives.is_empty() {
        return None;
    }
    let mut all: Vec<(f64, bool)> = positives.iter().map(|&score| (score, true)).collect();
    all.extend(negatives.iter().map(|&score| (score, false)));
    all.sort_by(|a, b| falling(&b.0, &a.0));
    let (mut below, mut area) = (0.0, 0.0);
    for ties in all.chunk_by(|a, b| a.0 == b.0) {
        let positive = ties.iter().filter(|(_, positive)| *positive).count() as f64;
        let negative = ties.len() as f64 - positive;
        area += positive * (below + negative / 2.0);
        below += negative;
    }
    Some(area / (positives.len() as f64 * negatives.len() as f64))
}

/// Mean over the classes that occur of the harmonic mean of precision and recall.
pub(crate) fn macro_f1(pairs: &[(usize, usize)], classes: usize) -> f64 {
    let mut counts = vec![(0.0, 0.0, 0.0); classes];
    for &(truth, found) in pairs {
        if let Some(counts) = counts.get_mut(truth) {
            counts.0 += 1.0;
            counts.2 += f64::from(u8::from(truth == found));
        }
        if let Some(counts) = counts.get_mut(found) {
            counts.1 += 1.0;
        }
    }
    let occurring = counts.iter().filter(|(truths, _, _)| *truths > 0.0);
    mean(occurring.map(|(truths, found, right)| 2.0 * right / (truths + found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibration_error_of_known_cases() {
        let always = vec![(1.0, true); 10];
        assert_eq!(ece(&always), 0.0);
        assert_eq!(brier(&always), 0.0);
        let mut half = vec![(0.9, true); 5];
        half.extend(vec![(0.9, false); 5]);
        assert!((ece(&half) - 0.4).abs() < 1e-12);
        assert!((brier(&half) - 0.41).abs() < 1e-12);
        assert_eq!(ece(&[]), 0.0);
        assert_eq!(ece(&[(0.0, false)]), 0.0);
    }

    #[test]
    fn coverage_keeps_ties_together() {
        let outcomes = [(0.9, true), (0.8, true), (0.8, false), (0.1, true)];
        assert_eq!(coverage_at(&outcomes, 0.95), 0.25);
        assert_eq!(coverage_at(&outcomes, 0.75), 1.0);
        assert_eq!(coverage_at(&outcomes, 0.66), 1.0);
        assert_eq!(coverage_at(&[], 0.5), 0.0);
    }

    #[test]
    fn auroc_counts_ties_half() {
        assert_eq!(auroc(&[1.0, 2.0], &[0.0, 0.5]), Some(1.0));
        assert_eq!(auroc(&[1.0], &[1.0]), Some(0.5));
        assert_eq!(auroc(&[0.0], &[1.0]), Some(0.0));
        assert_eq!(auroc(&[], &[1.0]), None);
    }

    #[test]
    fn macro_f1_ignores_classes_that_do_not_occur() {
        assert_eq!(macro_f1(&[(0, 0), (1, 1)], 3), 1.0);
        let f1 = macro_f1(&[(0, 0), (0, 1), (1, 1)], 2);
        assert!((f1 - (2.0 / 3.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
    }
}
