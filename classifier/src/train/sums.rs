//! Class sums of feature values, and the multinomial weights they give in closed form.
//!
//! Invariant: `ln((sum + α) / Σ(sum + α))` is the estimate linfa-bayes makes from the same sums
//! (tested bit for bit in [`super::linfa_fit`]); folds use this form, published heads linfa's.

use super::documents::Documents;
use super::vectors::Vocabulary;
use crate::features::recipe::{Prior, Recipe};
use crate::score::weights::Weights;

/// What a multinomial model is made of: labelled messages are added to a head by adding to these.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassSums {
    /// Number of classes.
    pub classes: usize,
    /// Sums of feature values `[features, classes]`, row by row.
    pub sums: Vec<f64>,
    /// Training rows `[classes]`.
    pub rows: Vec<u64>,
}

impl ClassSums {
    /// Adds up the rows of `train`; `labels` `[documents]` holds class numbers.
    pub(crate) fn add_up(
        documents: &Documents,
        vocabulary: &Vocabulary,
        labels: &[usize],
        classes: usize,
        train: &[usize],
    ) -> Self {
        let mut sums = vec![0.0; vocabulary.len() * classes];
        let mut rows = vec![0u64; classes];
        let mut values = Vec::new();
        for &row in train {
            let Some(&label) = labels.get(row) else { continue };
            if let Some(rows) = rows.get_mut(label) {
                *rows += 1;
            }
            vocabulary.values(documents, row, &mut values);
            for &(column, value) in &values {
                if let Some(sum) = sums.get_mut(column as usize * classes + label) {
                    *sum += value;
                }
            }
        }
        Self { classes, sums, rows }
    }

    /// Number of features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.sums.len().checked_div(self.classes).unwrap_or_default()
    }

    /// The sums of one class, by feature.
    pub(crate) fn class(&self, class: usize) -> impl Iterator<Item = f64> + '_ {
        self.sums.iter().skip(class).step_by(self.classes.max(1)).copied()
    }

    /// ln P(c) under the recipe's prior.
    pub(crate) fn log_prior(&self, prior: Prior) -> Vec<f64> {
        let total: u64 = self.rows.iter().sum();
        let share = |rows: u64| match prior {
            Prior::Uniform => 1.0 / self.classes as f64,
            // Half a row keeps a class without rows finite.
            Prior::Empirical => (rows as f64).max(0.5) / (total as f64).max(1.0),
        };
        self.rows.iter().map(|&rows| share(rows).ln()).collect()
    }

    /// ln of each class's smoothed total, by class.
    pub(crate) fn log_totals(&self, alpha: f64) -> Vec<f64> {
        let mut totals = vec![alpha * self.features() as f64; self.classes];
        for row in self.sums.chunks_exact(self.classes.max(1)) {
            for (total, sum) in totals.iter_mut().zip(row) {
                *total += sum;
            }
        }
        totals.into_iter().map(f64::ln).collect()
    }

    /// ln of the smoothed share of each feature in all classes together: the background model.
    pub(crate) fn background(&self, alpha: f64) -> Vec<f64> {
        let smooth = alpha * self.classes as f64;
        let by_feature: Vec<f64> = self
            .sums
            .chunks_exact(self.classes.max(1))
            .map(|row| row.iter().sum::<f64>() + smooth)
            .collect();
        let log_total = by_feature.iter().sum::<f64>().ln();
        by_feature.into_iter().map(|sum| sum.ln() - log_total).collect()
    }

    /// The weights in closed form.
    pub(crate) fn weights(&self, recipe: &Recipe) -> Weights {
        let log_totals = self.log_totals(recipe.alpha);
        let background = self.background(recipe.alpha);
        let sums = self.sums.chunks_exact(self.classes.max(1)).zip(background);
        let rows = sums.map(|(row, background)| {
            let logs = row.iter().zip(&log_totals);
            let logs = logs.map(|(sum, log_total)| (sum + recipe.alpha).ln() - log_total);
            logs.chain([background]).collect::<Vec<f64>>()
        });
        Weights::new(self.features(), rows, self.log_prior(recipe.prior))
    }
}
