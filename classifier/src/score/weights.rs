//! The linear model every head is: weight rows by feature, and class priors.
//!
//! Invariant: score(c | text) = prior(c) + Σ value(f)·weight(f, c) over the features present; for
//! weights fitted by linfa this equals its `joint_log_likelihood` (tested to 1e-6). A row begins at
//! a cache line and fills whole ones, since reading rows is what scoring spends its time on.

/// Numbers in a cache line.
const LANES: usize = 8;

/// Bytes of a cache line.
const LINE_BYTES: usize = 64;

/// Weights `[features, classes + 1]`; the last column is the background, a unigram model of all
/// training rows together.
#[derive(Debug)]
pub(crate) struct Weights {
    classes: usize,
    /// Numbers from one row to the next: whole lines.
    stride: usize,
    /// Where the first row begins in `rows`: at a cache line.
    start: usize,
    rows: Vec<f64>,
    /// ln P(c) `[classes]`.
    log_prior: Vec<f64>,
}

impl Weights {
    /// Takes rows of `classes + 1` weights each; `log_prior` has one entry a class.
    pub(crate) fn new<R: AsRef<[f64]>>(
        features: usize,
        rows: impl Iterator<Item = R>,
        log_prior: Vec<f64>,
    ) -> Self {
        let classes = log_prior.len();
        let stride = (classes + 1).next_multiple_of(LANES);
        let mut weights = Self {
            classes,
            stride,
            start: 0,
            rows: vec![0.0; features * stride + LANES],
            log_prior,
        };
        // The buffer keeps its place from here on, so the first line can be sought once.
        weights.start = weights.rows.as_ptr().align_offset(LINE_BYTES).min(LANES);
        weights.rows.truncate(weights.start + features * stride);
        let slots = weights.rows.get_mut(weights.start..).unwrap_or_default();
        for (slot, row) in slots.chunks_exact_mut(stride).zip(rows) {
            for (slot, weight) in slot.iter_mut().zip(row.as_ref()) {
                *slot = *weight;
            }
        }
        weights
    }

    /// Number of classes.
    pub(crate) fn classes(&self) -> usize {
        self.classes
    }

    /// ln P(c) `[classes]`.
    pub(crate) fn log_prior(&self) -> &[f64] {
        &self.log_prior
    }

    /// The row of one feature with its filling; empty when out of range.
    #[inline]
    fn padded(&self, feature: u32) -> &[f64] {
        let at = self.start + feature as usize * self.stride;
        self.rows.get(at..at + self.stride).unwrap_or_default()
    }

    /// The weights of one feature: the classes, then the background; empty when out of range.
    pub(crate) fn row(&self, feature: u32) -> &[f64] {
        self.padded(feature).get(..=self.classes).unwrap_or_default()
    }

    /// The weight of one feature for one class; 0 when out of range.
    pub(crate) fn weight(&self, feature: u32, class: usize) -> f64 {
        self.row(feature).get(class).copied().unwrap_or_default()
    }

    /// Sets `scores` `[classes + 1]` to the scores of a text, given as (feature, value) pairs whose
    /// values are still to be multiplied by `unit`.
    pub(crate) fn score(&self, values: &[(u32, f64)], unit: f64, scores: &mut Vec<f64>) {
        scores.clear();
        scores.resize(self.stride, 0.0);
        // Four rows at a time: their cache misses overlap, and the sums are loaded once.
        let (fours, rest) = values.as_chunks::<4>();
        for [a, b, c, d] in fours {
            let first = self.padded(a.0).iter().zip(self.padded(b.0));
            let second = self.padded(c.0).iter().zip(self.padded(d.0));
            for (score, ((wa, wb), (wc, wd))) in scores.iter_mut().zip(first.zip(second)) {
                *score += (a.1 * wa + b.1 * wb) + (c.1 * wc + d.1 * wd);
            }
        }
        for &(feature, value) in rest {
            for (score, weight) in scores.iter_mut().zip(self.padded(feature)) {
                *score += value * weight;
            }
        }
        scores.truncate(self.classes + 1);
        for score in scores.iter_mut() {
            *score *= unit;
        }
        for (score, prior) in scores.iter_mut().zip(&self.log_prior) {
            *score += prior;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_any_width_score_exactly() {
        for classes in [2, 7, 8, 31] {
            let row = |f: usize| (0..=classes).map(|c| (f * 100 + c) as f64).collect::<Vec<_>>();
            let prior = (0..classes).map(|c| -(c as f64)).collect();
            let weights = Weights::new(3, (0..3).map(row), prior);
            assert_eq!(weights.row(1), row(1));
            assert_eq!(weights.weight(2, 1), 201.0);
            assert!(weights.row(3).is_empty());
            let mut scores = Vec::new();
            weights.score(&[(1, 2.0), (2, 0.5)], 1.0, &mut scores);
            for (c, score) in scores[..classes].iter().enumerate() {
                assert_eq!(*score, 2.0 * (100 + c) as f64 + 0.5 * (200 + c) as f64 - c as f64);
            }
            assert_eq!(scores.len(), classes + 1);
        }
    }
}
