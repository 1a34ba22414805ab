//! Length-temperature scaling: softmax(z / (T·nᵖ)).
//!
//! A naive-Bayes score adds up one term an n-gram as if they were independent, so it grows with the
//! number n of known n-grams; dividing by T·nᵖ is temperature scaling (Guo et al. 2017, §4.2) with
//! one exponent more. Two parameters, no reordering of the classes of a text.

use crate::score::softmax::log_sum_exp;
use serde::{Deserialize, Serialize};

/// Exponents tried.
const EXPONENTS: [f64; 7] = [-0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25];

/// Temperatures tried: 10^(−2.5) … 10^2 in steps of 10^(1/16), then refined.
const LOG10_T: (f64, f64, usize) = (-2.5, 2.0, 72);

/// The two parameters of the scaling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LengthTemperature {
    /// T: above 1 softens, below 1 sharpens.
    pub temperature: f64,
    /// p: how fast evidence is discounted with length.
    pub exponent: f64,
}

impl LengthTemperature {
    /// Raw scores as they are.
    pub const RAW: Self = Self { temperature: 1.0, exponent: 0.0 };

    /// T·nᵖ for a text of `known` known n-grams.
    pub(crate) fn scale(&self, known: u32) -> f64 {
        self.temperature * f64::from(known.max(1)).powf(self.exponent)
    }
}

/// One row to fit on: its scores over the classes, its true class, its known n-grams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scored<'a> {
    pub(crate) scores: &'a [f64],
    pub(crate) label: usize,
    pub(crate) known: u32,
}

/// Mean negative log-likelihood, in nats, under the scaling.
pub(crate) fn nll(rows: &[Scored<'_>], scaling: LengthTemperature) -> f64 {
    let mut scaled = Vec::new();
    let total: f64 = rows
        .iter()
        .map(|row| {
            let scale = scaling.scale(row.known);
            scaled.clear();
            scaled.extend(row.scores.iter().map(|score| score / scale));
            log_sum_exp(&scaled) - scaled.get(row.label).copied().unwrap_or(f64::NEG_INFINITY)
        })
        .sum();
    total / (rows.len() as f64).max(1.0)
}

/// The scaling of least negative log-likelihood: a coarse grid, then a finer one around its best.
pub(crate) fn fit(rows: &[Scored<'_>]) -> LengthTemperature {
    let (low, high, steps) = LOG10_T;
    // A coarse pass over a sample settles where the fine pass looks.
    let stride = (rows.len() / 1_500).max(1);
    let sample: Vec<Scored<'_>> = rows.iter().step_by(stride).copied().collect();
    let width = (high - low) / steps as f64;
    let coarse: Vec<f64> = (0..=steps / 4).map(|i| low + 4.0 * width * i as f64).collect();
    let best = best_of(&sample, &EXPONENTS, &coarse);
    let centre = best.temperature.log10();
    let fine: Vec<f64> = (-8..=8).map(|i| centre + width / 2.0 * f64::from(i)).collect();
    let near = [-0.125, 0.0, 0.125].map(|step| best.exponent + step);
    best_of(rows_or_sample(rows, &sample), &near, &fine)
}

fn rows_or_sample<'a, 'b>(rows: &'b [Scored<'a>], sample: &'b [Scored<'a>]) -> &'b [Scored<'a>] {
    if rows.len() > 6_000 { sample } else { rows }
}

fn best_of(rows: &[Scored<'_>], exponents: &[f64], logs: &[f64]) -> LengthTemperature {
    let mut best = (f64::INFINITY, LengthTemperature::RAW);
    for &exponent in exponents {
        for &log in logs {
            let scaling = LengthTemperature { temperature: 10f64.powf(log), exponent };
            let nll = nll(rows, scaling);
            if nll < best.0 {
                best = (nll, scaling);
            }
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overconfident_scores_are_softened() {
        // Scores claim 20 nats of evidence, but one row in four is wrong.
        let (right, wrong) = ([20.0, 0.0], [0.0, 20.0]);
        let rows: Vec<Scored<'_>> = (0..400)
            .map(|i| Scored {
                scores: if i % 4 == 0 { &wrong } else { &right },
                label: 0,
                known: 9,
            })
            .collect();
        let scaling = fit(&rows);
        let odds = (20.0 / scaling.scale(9)).exp();
        assert!((odds - 3.0).abs() < 0.3, "odds {odds}");
        assert!(nll(&rows, scaling) < nll(&rows, LengthTemperature::RAW));
    }

    #[test]
    fn the_exponent_follows_the_length() {
        // Evidence grows with n although the truth does not.
        let scores: Vec<([f64; 2], u32)> = (1..=200u32)
            .map(|n| if n % 5 == 0 { ([0.0, f64::from(n)], n) } else { ([f64::from(n), 0.0], n) })
            .collect();
        let rows: Vec<Scored<'_>> = scores
            .iter()
            .map(|(scores, known)| Scored { scores, label: 0, known: *known })
            .collect();
        assert!(fit(&rows).exponent > 0.7);
    }
}
