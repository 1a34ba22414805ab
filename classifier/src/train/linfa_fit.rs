//! The fit by linfa-bayes, and the reading of what it keeps private.
//!
//! Invariant: published weights come from `MultinomialNb::fit_with`. linfa 0.8.1 offers no access
//! to its estimates, so they are read through serde into a mirror of the same field order; its
//! `predict_proba` has no log-sum-exp and is never called. It also leaves a `dbg!` in every fit
//! that prints each class's whole histogram to standard error, so the fit is one call a block of
//! classes with ONE row a class that holds the class's sums (exact: the estimate depends on the
//! sums alone), and programs should train in a child process whose standard error is discarded.

use super::sums::ClassSums;
use crate::features::recipe::Recipe;
use crate::score::weights::Weights;
use linfa::traits::FitWith;
use linfa::{DatasetBase, ParamGuard};
use linfa_bayes::{MultinomialNb, MultinomialNbParams};
use ndarray::{Array1, Array2};
use serde::Deserialize;
use std::collections::HashMap;

/// Cells `[classes, features]` of one dense call: bounds memory whatever the number of classes.
const BLOCK_CELLS_MAX: usize = 4_000_000;

/// Why linfa's fit could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// linfa refused the data or a parameter.
    #[error("linfa could not fit: {0}")]
    Linfa(#[from] linfa_bayes::NaiveBayesError),
    /// The serialized model no longer has the known shape: another linfa version.
    #[error("cannot read linfa's model (was linfa-bayes upgraded? pin 0.8.1): {0}")]
    Shape(#[from] postcard::Error),
    /// A class or a feature is missing from linfa's model.
    #[error("linfa's model lacks class {class}")]
    Missing {
        /// The class's number.
        class: usize,
    },
}

/// Field for field `linfa_bayes::MultinomialNb<f64, usize>`.
#[derive(Debug, Deserialize)]
pub(crate) struct Mirror {
    pub(crate) class_info: HashMap<usize, HistogramMirror>,
}

/// Field for field `linfa_bayes::ClassHistogram<f64>`.
#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "every field must be read for the next one to be found")]
pub(crate) struct HistogramMirror {
    pub(crate) class_count: usize,
    pub(crate) prior: f64,
    pub(crate) feature_count: Array1<f64>,
    pub(crate) feature_log_prob: Array1<f64>,
}

/// Fits the classes `from..to`, one aggregated row each, in one call.
pub(crate) fn fit(
    sums: &ClassSums,
    from: usize,
    to: usize,
    alpha: f64,
) -> Result<MultinomialNb<f64, usize>, FitError> {
    let mut records = Array2::zeros((to.saturating_sub(from), sums.features()));
    for (mut row, class) in records.rows_mut().into_iter().zip(from..to) {
        for (cell, sum) in row.iter_mut().zip(sums.class(class)) {
            *cell = sum;
        }
    }
    let dataset = DatasetBase::new(records, Array1::from_iter(from..to));
    let params = MultinomialNbParams::new().alpha(alpha).check()?;
    Ok(params.fit_with(None, &dataset)?)
}

/// Reads the estimates out of a fitted model.
pub(crate) fn extract(model: &MultinomialNb<f64, usize>) -> Result<Mirror, FitError> {
    let bytes = postcard::to_allocvec(model)?;
    Ok(postcard::from_bytes(&bytes)?)
}

/// The weights of a head: linfa's log-probabilities, with our prior and background beside.
pub(crate) fn weights(sums: &ClassSums, recipe: &Recipe) -> Result<Weights, FitError> {
    let (features, width) = (sums.features(), sums.classes + 1);
    let mut rows = vec![0.0; features * width];
    let block = (BLOCK_CELLS_MAX / features.max(1)).max(1);
    for from in (0..sums.classes).step_by(block) {
        let to = (from + block).min(sums.classes);
        let mut mirror = extract(&fit(sums, from, to, recipe.alpha)?)?;
        for class in from..to {
            let histogram = mirror.class_info.remove(&class);
            let histogram = histogram.ok_or(FitError::Missing { class })?;
            let column = rows.iter_mut().skip(class).step_by(width);
            for (cell, log_prob) in column.zip(histogram.feature_log_prob) {
                *cell = log_prob;
            }
        }
    }
    let background = rows.iter_mut().skip(sums.classes).step_by(width);
    for (cell, log_prob) in background.zip(sums.background(recipe.alpha)) {
        *cell = log_prob;
    }
    Ok(Weights::new(features, rows.chunks_exact(width), sums.log_prior(recipe.prior)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;
    use crate::features::grams::GramKinds;
    use crate::rows::{Row, Task};
    use crate::score::weights::Weights;
    use crate::serve::head::Head;
    use crate::serve::scratch::Scratch;
    use crate::train::checks::check;
    use crate::train::documents::Documents;
    use crate::train::head::train;
    use crate::train::options::TrainOptions;
    use crate::train::vectors::Vocabulary;
    use linfa_bayes::NaiveBayes;
    use ndarray::Array2;
    use std::collections::HashMap as Map;

    /// A fixed generator: tests must not vary.
    struct Random(u64);

    impl Random {
        fn below(&mut self, n: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(self.0 >> 33).unwrap() % n
        }
    }

    /// Random rows `[n, features]` of small counts, and their classes.
    fn random(n: usize, features: usize, classes: usize) -> (Array2<f64>, Array1<usize>) {
        let mut random = Random(42);
        let labels = Array1::from_iter((0..n).map(|row| row % classes));
        let mut records = Array2::zeros((n, features));
        for row in 0..n {
            for _ in 0..random.below(250) {
                records[(row, random.below(features))] += 1.0;
            }
        }
        (records, labels)
    }

    fn sums_of(records: &Array2<f64>, labels: &Array1<usize>, classes: usize) -> ClassSums {
        let mut sums = vec![0.0; records.ncols() * classes];
        let mut rows = vec![0; classes];
        for (record, &label) in records.rows().into_iter().zip(labels) {
            rows[label] += 1;
            for (feature, value) in record.iter().enumerate() {
                sums[feature * classes + label] += value;
            }
        }
        ClassSums { classes, sums, rows }
    }

    #[test]
    fn one_row_a_class_is_exactly_the_row_by_row_fit() {
        let (records, labels) = random(120, 300, 5);
        let sums = sums_of(&records, &labels, 5);
        let aggregated = extract(&fit(&sums, 0, 5, 0.3).unwrap()).unwrap();
        let params = MultinomialNbParams::new().alpha(0.3).check().unwrap();
        let whole = params.fit_with(None, &DatasetBase::new(records, labels)).unwrap();
        let whole = extract(&whole).unwrap();
        for (class, histogram) in &aggregated.class_info {
            let other = &whole.class_info[class];
            assert_eq!(histogram.feature_count, other.feature_count);
            assert_eq!(histogram.feature_log_prob, other.feature_log_prob);
            assert_eq!((histogram.class_count, other.class_count), (1, 24));
            assert_eq!(histogram.prior, 0.2);
        }
    }

    #[test]
    fn the_closed_form_of_the_folds_is_linfas_estimate() {
        let (records, labels) = random(90, 200, 4);
        let sums = sums_of(&records, &labels, 4);
        let recipe = Recipe { alpha: 0.3, ..Recipe::intent() };
        let (ours, linfas) = (sums.weights(&recipe), weights(&sums, &recipe).unwrap());
        for feature in 0..200 {
            let pairs = ours.row(feature).iter().zip(linfas.row(feature));
            assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 1e-12), "{feature}");
        }
    }

    /// Scores by linfa's own dense joint log-likelihood, by class.
    fn dense(
        model: &MultinomialNb<f64, usize>,
        features: usize,
        values: &[(u32, f64)],
    ) -> Vec<f64> {
        let mut row = Array2::zeros((1, features));
        for &(feature, value) in values {
            row[(0, feature as usize)] = value;
        }
        let by_class: Map<&usize, Array1<f64>> = model.joint_log_likelihood(row.view());
        let mut sorted: Vec<(usize, f64)> = by_class.iter().map(|(c, s)| (**c, s[0])).collect();
        sorted.sort_unstable_by_key(|(class, _)| *class);
        sorted.into_iter().map(|(_, score)| score).collect()
    }

    fn best(scores: &[f64]) -> usize {
        (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap()
    }

    #[track_caller]
    fn assert_equal_scores(ours: &[f64], linfas: &[f64]) {
        assert_eq!(ours.len(), linfas.len());
        let difference = ours.iter().zip(linfas).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(difference <= 1e-6, "difference {difference:e}");
        assert_eq!(best(ours), best(linfas));
    }

    #[test]
    fn the_sparse_scorer_equals_linfa_on_random_documents() {
        let (features, classes) = (500, 7);
        let (records, labels) = random(140, features, classes);
        let sums = sums_of(&records, &labels, classes);
        let model = fit(&sums, 0, classes, 0.3).unwrap();
        let sparse: Weights = weights(&sums, &Recipe { alpha: 0.3, ..Recipe::intent() }).unwrap();
        let mut random = Random(7);
        let mut scores = Vec::new();
        for _ in 0..1_000 {
            let mut values: Map<u32, f64> = Map::new();
            for _ in 0..random.below(250) {
                let feature = u32::try_from(random.below(features)).unwrap();
                *values.entry(feature).or_default() += 0.25 * (1 + random.below(4)) as f64;
            }
            let values: Vec<(u32, f64)> = values.into_iter().collect();
            sparse.score(&values, 1.0, &mut scores);
            assert_equal_scores(&scores[..classes], &dense(&model, features, &values));
        }
    }

    /// A small head of the corpus, and the linfa model of the same sums.
    fn head_and_linfa() -> (Head, MultinomialNb<f64, usize>, Vec<Row>) {
        let mut rows = corpus::training().unwrap();
        rows.retain(|row| ["pix", "cancelar", "luz_los", "fora_escopo"].contains(&&*row.label));
        let options = TrainOptions {
            recipe: Some(Recipe::provider_intent()),
            force: true,
            ..TrainOptions::default()
        };
        let trained = train(Task::Intent, &rows, &options, &mut |_| {}).unwrap();
        let sums = crate::artifact::read::read_class_sums("it", trained.bytes()).unwrap();
        let model = fit(&sums, 0, sums.classes, Recipe::provider_intent().alpha).unwrap();
        (trained.into_head(), model, rows)
    }

    #[test]
    fn a_published_head_equals_linfa_and_the_training_path_on_real_texts() {
        let (head, model, rows) = head_and_linfa();
        let features = head.card().features;
        let mut scratch = Scratch::new();
        for row in corpus::validation().unwrap() {
            let values = head.values(&row.text, &mut scratch);
            let linfas = dense(&model, features, &values);
            assert_equal_scores(head.scores(&row.text, &mut scratch), &linfas);
        }
        // The training path reads documents in bulk; serving must compute the same values.
        let recipe = Recipe::provider_intent();
        let kinds = GramKinds::NONE.union(recipe.kinds);
        // Short messages repeat ("pix"): training keeps one of each.
        let texts = check(Task::Intent, &rows, &[], true).unwrap().texts;
        let documents = Documents::read(texts.iter().map(String::as_str), kinds);
        let all: Vec<usize> = (0..documents.len()).collect();
        let vocabulary = Vocabulary::select(&documents, &all, &recipe);
        assert_eq!(vocabulary.len(), features);
        let mut bulk = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            vocabulary.values(&documents, i, &mut bulk);
            bulk.sort_unstable_by_key(|(feature, _)| *feature);
            let mut served = head.values(text, &mut scratch);
            served.sort_unstable_by_key(|(feature, _)| *feature);
            assert_eq!(bulk.len(), served.len(), "{text}");
            for (a, b) in bulk.iter().zip(&served) {
                assert!(a.0 == b.0 && (a.1 - b.1).abs() < 1e-12, "{text}");
            }
        }
    }
}
