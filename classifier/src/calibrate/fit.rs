//! Held-out scores → calibration: temperature, gate, confidence, decision threshold.

use super::judge::{Calibration, ConfidenceFeatures, Evidence, GateFeatures};
use super::logistic::Logistic;
use super::metrics::{Outcome, ece};
use super::temperature::{self, LengthTemperature, Scored};

/// Ridge of the two logistic models, in rows.
const RIDGE: f64 = 2.0;

/// Out-of-scope rows below which no gate is fitted.
const OOS_ROWS_MIN: usize = 30;

/// One held-out row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldRow<'a> {
    pub(crate) evidence: Evidence<'a>,
    /// Its class number.
    pub(crate) label: usize,
}

/// Fits a calibration on held-out rows; `is_binary` also picks the threshold of the second class.
pub(crate) fn fit(rows: &[HeldRow<'_>], oos_class: Option<usize>, is_binary: bool) -> Calibration {
    let mut calibration = Calibration::raw(oos_class);
    calibration.temperature = fit_temperature(rows, &calibration);
    if oos_class.is_some() {
        fit_gate(rows, &mut calibration);
    }
    if is_binary {
        calibration.positive_from = best_threshold(rows, &calibration);
    }
    calibration
}

fn is_oos(calibration: &Calibration, row: &HeldRow<'_>) -> bool {
    calibration.oos_class == Some(row.label)
}

/// The fitted scaling, or raw scores where they are calibrated better already.
fn fit_temperature(rows: &[HeldRow<'_>], raw: &Calibration) -> LengthTemperature {
    let in_scope: Vec<&HeldRow<'_>> = rows.iter().filter(|row| !is_oos(raw, row)).collect();
    let mut scores: Vec<Vec<f64>> = Vec::with_capacity(in_scope.len());
    for row in &in_scope {
        let classes = row.evidence.scores.split_last().map(|(_, classes)| classes);
        let mut classes = classes.unwrap_or_default().to_vec();
        if let Some(oos) = raw.oos_class.and_then(|class| classes.get_mut(class)) {
            *oos = f64::NEG_INFINITY;
        }
        scores.push(classes);
    }
    let scored: Vec<Scored<'_>> = in_scope
        .iter()
        .zip(&scores)
        .map(|(row, scores)| Scored { scores, label: row.label, reading: row.evidence.reading })
        .collect();
    let fitted = temperature::fit(&scored);
    let error = |temperature| ece(&top_label(rows, &Calibration { temperature, ..raw.clone() }));
    if error(fitted) <= error(LengthTemperature::RAW) { fitted } else { LengthTemperature::RAW }
}

/// Probability of the best class and whether it is right, over the in-scope rows.
pub(crate) fn top_label(rows: &[HeldRow<'_>], calibration: &Calibration) -> Vec<Outcome> {
    let mut probabilities = Vec::new();
    rows.iter()
        .filter(|row| !is_oos(calibration, row))
        .map(|row| {
            let judged = calibration.judge(row.evidence, &mut probabilities);
            (judged.probability, judged.class == row.label)
        })
        .collect()
}

fn fit_gate(rows: &[HeldRow<'_>], calibration: &mut Calibration) {
    let oos = rows.iter().filter(|row| is_oos(calibration, row)).count();
    if oos < OOS_ROWS_MIN || rows.len() - oos < OOS_ROWS_MIN {
        return;
    }
    let mut probabilities = Vec::new();
    let mut parts = |row: &HeldRow<'_>| calibration.parts(row.evidence, &mut probabilities);
    let read: Vec<_> = rows.iter().filter_map(|row| Some((row, parts(row)?))).collect();
    let gate_rows: Vec<(GateFeatures, bool)> =
        read.iter().map(|(row, parts)| (parts.gate(), !is_oos(calibration, row))).collect();
    let gate = Logistic::fit(&gate_rows, RIDGE);
    let confidence_rows: Vec<(ConfidenceFeatures, bool)> = read
        .iter()
        .zip(&gate_rows)
        .map(|((row, parts), (features, in_scope))| {
            let odds = gate.log_odds(features).clamp(-12.0, 12.0);
            (parts.confidence(odds), *in_scope && parts.class() == row.label)
        })
        .collect();
    calibration.confidence = Some(Logistic::fit(&confidence_rows, RIDGE));
    calibration.gate = Some(gate);
}

/// The threshold of best F1 over outcomes, of which `all` ought to be found.
fn best_f1(mut outcomes: Vec<Outcome>, all: usize) -> Option<f64> {
    outcomes.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut right, mut best) = (0.0, (0.0, None));
    for (i, &(probability, yes)) in outcomes.iter().enumerate() {
        right += f64::from(u8::from(yes));
        let f1 = 2.0 * right / (all + i + 1) as f64;
        if f1 > best.0 {
            best = (f1, Some(probability));
        }
    }
    best.1
}

/// The probability threshold of the second class with the best F1; `None` without such rows.
fn best_threshold(rows: &[HeldRow<'_>], calibration: &Calibration) -> Option<f64> {
    let mut probabilities = Vec::new();
    let positives: Vec<Outcome> = rows
        .iter()
        .filter_map(|row| {
            calibration.parts(row.evidence, &mut probabilities)?;
            Some((probabilities.get(1).copied()?, row.label == 1))
        })
        .collect();
    let all = positives.iter().filter(|(_, yes)| *yes).count();
    best_f1(positives, all)
}
