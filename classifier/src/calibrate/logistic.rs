//! Logistic regression over a handful of features: the gate and the confidence of a decision.

use serde::{Deserialize, Serialize};

/// Newton steps at most; convergence takes about eight.
const STEPS_MAX: usize = 50;

/// P(yes | x) = 1 / (1 + exp(−(bias + Σ wᵢ·(xᵢ − mᵢ)/sᵢ))).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logistic {
    /// Constant term.
    pub bias: f64,
    /// Weight a standardised feature `[features]`.
    pub weights: Vec<f64>,
    /// Mean of each feature over the training rows `[features]`.
    pub means: Vec<f64>,
    /// Standard deviation of each feature, never 0 `[features]`.
    pub deviations: Vec<f64>,
}

impl Logistic {
    /// The log-odds of yes.
    pub(crate) fn log_odds(&self, features: &[f64]) -> f64 {
        let standard = features.iter().zip(&self.means).zip(&self.deviations);
        let terms = standard.zip(&self.weights).map(|(((x, mean), sd), w)| w * (x - mean) / sd);
        self.bias + terms.sum::<f64>()
    }

    /// The probability of yes, 0..=1.
    pub(crate) fn probability(&self, features: &[f64]) -> f64 {
        sigmoid(self.log_odds(features))
    }

    /// Fits by Newton's method with a ridge of `ridge` rows on the standardised weights.
    pub(crate) fn fit<const N: usize>(rows: &[([f64; N], bool)], ridge: f64) -> Self {
        let (means, deviations) = moments(rows);
        let standard: Vec<([f64; N], f64)> = rows
            .iter()
            .map(|(x, yes)| {
                let x = std::array::from_fn(|i| (get(x, i) - get(&means, i)) / get(&deviations, i));
                (x, f64::from(u8::from(*yes)))
            })
            .collect();
        // The constant term is parameter 0; beta has N + 1 parameters.
        let mut beta = vec![0.0; N + 1];
        for _ in 0..STEPS_MAX {
            let (gradient, hessian) = derivatives(&standard, &beta, ridge);
            let step = solve(hessian, gradient);
            for (beta, step) in beta.iter_mut().zip(&step) {
                // A bounded step keeps separable data from running away.
                *beta -= step.clamp(-4.0, 4.0);
            }
            if step.iter().all(|step| step.abs() < 1e-9) {
                break;
            }
        }
        let bias = beta.first().copied().unwrap_or_default();
        let weights = beta.get(1..).unwrap_or_default().to_vec();
        Self { bias, weights, means: means.to_vec(), deviations: deviations.to_vec() }
    }
}

/// 1 / (1 + exp(−x)).
pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// ln(p / (1 − p)), kept within ±`limit`.
pub(crate) fn logit(p: f64, limit: f64) -> f64 {
    (p.ln() - (1.0 - p).ln()).clamp(-limit, limit)
}

fn get(values: &[f64], i: usize) -> f64 {
    values.get(i).copied().unwrap_or_default()
}

fn moments<const N: usize>(rows: &[([f64; N], bool)]) -> ([f64; N], [f64; N]) {
    let n = (rows.len() as f64).max(1.0);
    let means: [f64; N] =
        std::array::from_fn(|i| rows.iter().map(|(x, _)| get(x, i)).sum::<f64>() / n);
    let deviations = std::array::from_fn(|i| {
        let square = |x: &[f64; N]| (get(x, i) - get(&means, i)).powi(2);
        let variance = rows.iter().map(|(x, _)| square(x)).sum::<f64>() / n;
        if variance < 1e-12 { 1.0 } else { variance.sqrt() }
    });
    (means, deviations)
}

/// Gradient and Hessian of the penalised negative log-likelihood.
fn derivatives<const N: usize>(
    rows: &[([f64; N], f64)],
    beta: &[f64],
    ridge: f64,
) -> (Vec<f64>, Vec<Vec<f64>>) {
    let size = N + 1;
    let penalty = |i: usize| if i == 0 { 1e-9 } else { ridge };
    let mut gradient: Vec<f64> = (0..size).map(|i| penalty(i) * get(beta, i)).collect();
    let mut hessian = vec![vec![0.0; size]; size];
    for (i, row) in hessian.iter_mut().enumerate() {
        if let Some(cell) = row.get_mut(i) {
            *cell = penalty(i);
        }
    }
    for (x, yes) in rows {
        let with_one = |i: usize| if i == 0 { 1.0 } else { get(x, i - 1) };
        let p = sigmoid((0..size).map(|i| get(beta, i) * with_one(i)).sum());
        let weight = (p * (1.0 - p)).max(1e-9);
        for (i, (gradient, row)) in gradient.iter_mut().zip(&mut hessian).enumerate() {
            *gradient += (p - yes) * with_one(i);
            for (j, cell) in row.iter_mut().enumerate() {
                *cell += weight * with_one(i) * with_one(j);
            }
        }
    }
    (gradient, hessian)
}

/// Solves A·x = b by elimination; A is symmetric and positive definite, so no pivot search.
pub(crate) fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let size = b.len();
    for i in 0..size {
        let (pivot_row, pivot_b) = (a.get(i).cloned().unwrap_or_default(), get(&b, i));
        let pivot = get(&pivot_row, i);
        for (row, b) in a.iter_mut().zip(&mut b).skip(i + 1) {
            let factor = get(row, i) / pivot;
            for (cell, above) in row.iter_mut().zip(&pivot_row) {
                *cell -= factor * above;
            }
            *b -= factor * pivot_b;
        }
    }
    let mut x = vec![0.0; size];
    for i in (0..size).rev() {
        let row = a.get(i).map(Vec::as_slice).unwrap_or_default();
        let known: f64 = row.iter().zip(&x).skip(i + 1).map(|(a, x)| a * x).sum();
        if let Some(x) = x.get_mut(i) {
            *x = (get(&b, i) - known) / get(row, i);
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovers_a_known_relation() {
        // log-odds = 1 + 2x at x ∈ {−1, 0, 1}, in exact proportions of 10,000.
        let mut rows = Vec::new();
        for x in [-1.0, 0.0, 1.0f64] {
            let yes = sigmoid(1.0 + 2.0 * x) * 10_000.0;
            rows.extend((0..10_000).map(|i| ([x, 7.0], f64::from(i) < yes)));
        }
        let model = Logistic::fit(&rows, 1e-6);
        for x in [-1.0, 0.0, 1.0] {
            assert!((model.log_odds(&[x, 7.0]) - (1.0 + 2.0 * x)).abs() < 1e-2);
        }
    }

    #[test]
    fn separable_and_degenerate_data_stay_finite() {
        let rows: Vec<([f64; 1], bool)> = (0..20).map(|i| ([f64::from(i)], i >= 10)).collect();
        let model = Logistic::fit(&rows, 1.0);
        assert!(model.probability(&[0.0]) < 0.1 && model.probability(&[19.0]) > 0.9);
        let one_sided = Logistic::fit(&[([1.0], true), ([2.0], true)], 1.0);
        assert!(one_sided.probability(&[1.5]).is_finite());
        assert!(Logistic::fit::<2>(&[], 1.0).probability(&[0.0, 0.0]).is_finite());
    }
}
