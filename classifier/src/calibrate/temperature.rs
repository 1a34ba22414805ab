//! Length-temperature scaling: softmax(z / (T·nᵖ·exp(Σ wᵢ·uᵢ))).
//!
//! A naive-Bayes score adds up one term an n-gram as if they were independent, so it grows with the
//! number n of known n-grams; dividing by T·nᵖ is temperature scaling (Guo et al. 2017, §4.2) with
//! one exponent more. What is new in a text says nothing of its class, but of how much the rest may
//! be believed: the shares u of unknown n-grams, words and pairs soften it further. Five parameters,
//! no reordering of the classes of a text.

use super::logistic::solve;
use crate::score::reading::Reading;
use crate::score::softmax::log_sum_exp;
use serde::{Deserialize, Serialize};

/// Exponents tried.
const EXPONENTS: [f64; 7] = [-0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25];

/// Temperatures tried: 10^(−2.5) … 10^2 in steps of 10^(1/16), then refined.
const LOG10_T: (f64, f64, usize) = (-2.5, 2.0, 72);

/// Shares of what is new that the scaling looks at.
const NOVELTIES: usize = 3;

/// Parameters of the scaling: ln T, the exponent, a weight a share.
const PARAMETERS: usize = 2 + NOVELTIES;

/// Ridge on the weights of novelty, in rows.
const RIDGE: f64 = 2.0;

/// Newton steps at most; convergence takes about six.
const STEPS_MAX: usize = 20;

/// The parameters of the scaling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LengthTemperature {
    /// T: above 1 softens, below 1 sharpens.
    pub temperature: f64,
    /// p: how fast evidence is discounted with length.
    pub exponent: f64,
    /// How much the shares of unknown n-grams, words and pairs of words soften, in nats.
    pub novelty: [f64; NOVELTIES],
}

impl LengthTemperature {
    /// Raw scores as they are.
    pub const RAW: Self = Self { temperature: 1.0, exponent: 0.0, novelty: [0.0; NOVELTIES] };

    /// What the scores of a text are divided by.
    pub(crate) fn scale(&self, reading: &Reading) -> f64 {
        let terms = self.parameters().into_iter().zip(quantities(reading));
        terms.map(|(parameter, quantity)| parameter * quantity).sum::<f64>().exp()
    }

    fn parameters(&self) -> [f64; PARAMETERS] {
        let [grams, words, pairs] = self.novelty;
        [self.temperature.ln(), self.exponent, grams, words, pairs]
    }

    fn of([log_temperature, exponent, novelty @ ..]: [f64; PARAMETERS]) -> Self {
        Self { temperature: log_temperature.exp(), exponent, novelty }
    }
}

/// What the parameters are multiplied with.
fn quantities(reading: &Reading) -> [f64; PARAMETERS] {
    let (grams, words, pairs) = (reading.grams, reading.words, reading.pairs);
    let length = f64::from(reading.known.max(1)).ln();
    [1.0, length, grams.unknown_share(), words.unknown_share(), pairs.unknown_share()]
}

/// One row to fit on: its scores over the classes, its true class, what was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scored<'a> {
    pub(crate) scores: &'a [f64],
    pub(crate) label: usize,
    pub(crate) reading: Reading,
}

/// Mean negative log-likelihood, in nats, under the scaling.
pub(crate) fn nll(rows: &[Scored<'_>], scaling: LengthTemperature) -> f64 {
    let mut scaled = Vec::new();
    let total: f64 = rows
        .iter()
        .map(|row| {
            let scale = scaling.scale(&row.reading);
            scaled.clear();
            scaled.extend(row.scores.iter().map(|score| score / scale));
            log_sum_exp(&scaled) - scaled.get(row.label).copied().unwrap_or(f64::NEG_INFINITY)
        })
        .sum();
    total / (rows.len() as f64).max(1.0)
}

/// The scaling of least negative log-likelihood: length first, by a coarse grid and a finer one around
/// its best; from there all parameters together.
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
    let rows = rows_or_sample(rows, &sample);
    refine(rows, best_of(rows, &near, &fine))
}

/// Fisher scoring on all parameters, with a ridge on those of novelty; steps that do not pay are
/// halved.
fn refine(rows: &[Scored<'_>], start: LengthTemperature) -> LengthTemperature {
    let cost = |scaling: LengthTemperature| {
        let squares: f64 = scaling.novelty.iter().map(|weight| weight * weight).sum();
        nll(rows, scaling) * rows.len() as f64 + RIDGE / 2.0 * squares
    };
    let (mut best, mut least) = (start, cost(start));
    for _ in 0..STEPS_MAX {
        let (gradient, information) = derivatives(rows, best);
        let step = solve(information, gradient);
        let at = |share: f64| {
            let mut parameters = best.parameters();
            for (parameter, step) in parameters.iter_mut().zip(&step) {
                *parameter -= share * step.clamp(-1.0, 1.0);
            }
            let scaling = LengthTemperature::of(parameters);
            (scaling, cost(scaling))
        };
        let tried = [1.0, 0.5, 0.25, 0.125].map(at);
        let Some((scaling, found)) = tried.into_iter().find(|(_, found)| *found < least) else {
            break;
        };
        let gained = least - found;
        (best, least) = (scaling, found);
        if gained < 1e-6 * least {
            break;
        }
    }
    best
}

/// Gradient of the penalised negative log-likelihood, and its expected curvature.
fn derivatives(rows: &[Scored<'_>], scaling: LengthTemperature) -> (Vec<f64>, Vec<Vec<f64>>) {
    let penalty = |i: usize| if i < 2 { 1e-6 } else { RIDGE };
    let parameters = scaling.parameters();
    let weight = |i: usize| if i < 2 { 0.0 } else { parameters.get(i).copied().unwrap_or(0.0) };
    let mut gradient: Vec<f64> = (0..PARAMETERS).map(|i| penalty(i) * weight(i)).collect();
    let mut information: Vec<Vec<f64>> = (0..PARAMETERS)
        .map(|i| (0..PARAMETERS).map(|j| if i == j { penalty(i) } else { 0.0 }).collect())
        .collect();
    for row in rows {
        let (slope, curvature) = along_scale(row, scaling.scale(&row.reading));
        let quantities = quantities(&row.reading);
        for ((gradient, cells), x) in gradient.iter_mut().zip(&mut information).zip(quantities) {
            *gradient += slope * x;
            for (cell, other) in cells.iter_mut().zip(quantities) {
                *cell += curvature * x * other;
            }
        }
    }
    (gradient, information)
}

/// First derivative of a row's negative log-likelihood by the logarithm of its scale, and the
/// expectation of the second: the true class's scaled score less its mean under the model, and the
/// variance of that.
fn along_scale(row: &Scored<'_>, scale: f64) -> (f64, f64) {
    let largest = row.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (mut total, mut first, mut second) = (0.0, 0.0, 0.0);
    for score in row.scores.iter().filter(|score| score.is_finite()) {
        let scaled = (score - largest) / scale;
        let share = scaled.exp();
        total += share;
        first += share * scaled;
        second += share * scaled * scaled;
    }
    let mean = first / total;
    let own = row.scores.get(row.label).map_or(0.0, |score| (score - largest) / scale);
    if own.is_finite() { (own - mean, second / total - mean * mean) } else { (0.0, 0.0) }
}

fn rows_or_sample<'a, 'b>(rows: &'b [Scored<'a>], sample: &'b [Scored<'a>]) -> &'b [Scored<'a>] {
    if rows.len() > 6_000 { sample } else { rows }
}

fn best_of(rows: &[Scored<'_>], exponents: &[f64], logs: &[f64]) -> LengthTemperature {
    let mut best = (f64::INFINITY, LengthTemperature::RAW);
    for &exponent in exponents {
        for &log in logs {
            let scaling = LengthTemperature {
                temperature: 10f64.powf(log),
                exponent,
                ..LengthTemperature::RAW
            };
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
    use crate::score::reading::Seen;

    fn reading(known: u32) -> Reading {
        Reading { known, ..Reading::default() }
    }

    #[test]
    fn overconfident_scores_are_softened() {
        // Scores claim 20 nats of evidence, but one row in four is wrong.
        let (right, wrong) = ([20.0, 0.0], [0.0, 20.0]);
        let rows: Vec<Scored<'_>> = (0..400)
            .map(|i| Scored {
                scores: if i % 4 == 0 { &wrong } else { &right },
                label: 0,
                reading: reading(9),
            })
            .collect();
        let scaling = fit(&rows);
        let odds = (20.0 / scaling.scale(&reading(9))).exp();
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
            .map(|(scores, known)| Scored { scores, label: 0, reading: reading(*known) })
            .collect();
        assert!(fit(&rows).exponent > 0.7);
    }

    #[test]
    fn what_is_new_softens() {
        // Half the texts are new to the head, and of these one in three is wrong.
        let row = |i: u32| {
            let words = Seen { known: 4, unknown: if i.is_multiple_of(2) { 4 } else { 0 } };
            let wrong = if i.is_multiple_of(2) { i.is_multiple_of(6) } else { i % 99 == 1 };
            let scores: &[f64] = if wrong { &[0.0, 5.0] } else { &[5.0, 0.0] };
            Scored { scores, label: 0, reading: Reading { words, ..reading(4) } }
        };
        let rows: Vec<Scored<'_>> = (0..600).map(row).collect();
        let scaling = fit(&rows);
        let odds = |row: &Scored<'_>| (5.0 / scaling.scale(&row.reading)).exp();
        // Two to one, and a little more: the ridge draws it to the texts that are not new.
        assert!((2.0..2.6).contains(&odds(&rows[0])), "{}", odds(&rows[0]));
        assert!(odds(&rows[1]) > 20.0, "{}", odds(&rows[1]));
    }
}
