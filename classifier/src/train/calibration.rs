//! Held-out scores → calibration, thresholds and figures.
//!
//! Rows written to be hard take no part in it, because thresholds must hold for what customers
//! usually write.
//!
//! Invariant: what the card reports and what thresholds are certified on is judged by a calibration
//! fitted without the row (cross-fitting over the same folds); the calibration that is published is
//! fitted on all rows.

use super::card::HeldOutFigures;
use super::checks::Checked;
use super::curves::{Curves, curves};
use super::held_out::HeldOut;
use super::options::TrainOptions;
use crate::calibrate::fit::{self, HeldRow};
use crate::calibrate::judge::{Calibration, Evidence, Judgement};
use crate::calibrate::metrics::{Outcome, auroc, brier, coverage_at, ece, macro_f1};
use crate::calibrate::thresholds::{Held, Promise, Thresholds};
use crate::rows::{Task, is_out_of_scope};

/// All that is learned from held-out rows.
#[derive(Debug)]
pub(crate) struct Calibrated {
    pub(crate) calibration: Calibration,
    pub(crate) thresholds: Thresholds,
    pub(crate) figures: HeldOutFigures,
    pub(crate) curves: Curves,
}

/// A row's judgement and the probabilities of its classes.
pub(crate) struct Judged {
    pub(crate) label: usize,
    pub(crate) by: Judgement,
    /// Probability of the second class.
    pub(crate) positive: f64,
}

/// The class that means out of scope, for an intent head that has one.
pub(crate) fn oos_class(task: Task, names: &[String]) -> Option<usize> {
    let found = names.iter().position(|name| is_out_of_scope(name));
    found.filter(|_| task == Task::Intent)
}

/// Fits, certifies and measures.
pub(crate) fn calibrate(
    task: Task,
    checked: &Checked,
    folds: &[usize],
    held: &HeldOut,
    options: &TrainOptions,
) -> Calibrated {
    let oos = oos_class(task, &checked.names);
    let all = checked.labels.iter().zip(folds).zip(&checked.hard).enumerate();
    let (mut rows, mut hard, mut row_folds) = (Vec::new(), Vec::new(), Vec::new());
    for (row, ((label, fold), is_hard)) in all {
        let held_row = HeldRow { evidence: held.evidence(row), label: *label };
        if *is_hard {
            hard.push(held_row);
        } else {
            rows.push(held_row);
            row_folds.push(*fold);
        }
    }
    let judged = cross_fit(task, &rows, &row_folds, oos, options.folds);
    let raw = judge_all(&rows, &Calibration::raw(oos));
    let held: Vec<Held> = judged.iter().map(|judged| held_row(judged, oos)).collect();
    let classes = checked.names.len();
    let promise = Promise {
        target: options.target_precision,
        intent_floor: options.intent_floor,
        oos_share_max: options.oos_share_max,
    };
    let thresholds = Thresholds::certify(&held, classes, promise);
    let calibration = fit::fit(&rows, oos, task.is_binary());
    let figures = HeldOutFigures {
        hard_accuracy: accuracy(&judge_all(&hard, &calibration), oos),
        ..figures(task, &judged, &raw, oos, classes)
    };
    let curves = curves(&judged, &raw, oos);
    Calibrated { calibration, thresholds, figures, curves }
}

/// Share right of the in-scope rows; `None` without such rows.
fn accuracy(judged: &[Judged], oos: Option<usize>) -> Option<f64> {
    let inside = judged.iter().filter(|row| oos != Some(row.label));
    let right = inside.clone().filter(|row| row.by.class == row.label).count();
    let n = inside.count();
    (n > 0).then(|| right as f64 / n as f64)
}

/// Judges each fold by a calibration fitted on the other folds.
fn cross_fit(
    task: Task,
    rows: &[HeldRow<'_>],
    folds: &[usize],
    oos: Option<usize>,
    k: usize,
) -> Vec<Judged> {
    let mut judged: Vec<Option<Judged>> = rows.iter().map(|_| None).collect();
    for fold in 0..k {
        let others: Vec<HeldRow<'_>> = rows
            .iter()
            .zip(folds)
            .filter(|(_, other)| **other != fold)
            .map(|(row, _)| *row)
            .collect();
        let calibration = fit::fit(&others, oos, task.is_binary());
        let mut probabilities = Vec::new();
        for ((row, slot), _) in
            rows.iter().zip(&mut judged).zip(folds).filter(|(_, other)| **other == fold)
        {
            *slot = Some(judge(row, &calibration, &mut probabilities));
        }
    }
    judged.into_iter().flatten().collect()
}

fn judge_all(rows: &[HeldRow<'_>], calibration: &Calibration) -> Vec<Judged> {
    let mut probabilities = Vec::new();
    rows.iter().map(|row| judge(row, calibration, &mut probabilities)).collect()
}

fn judge(row: &HeldRow<'_>, calibration: &Calibration, probabilities: &mut Vec<f64>) -> Judged {
    let by = calibration.judge(row.evidence, probabilities);
    let positive = probabilities.get(1).copied().unwrap_or_default();
    Judged { label: row.label, by, positive }
}

fn held_row(judged: &Judged, oos: Option<usize>) -> Held {
    let in_scope = oos != Some(judged.label);
    let passes = judged.by.in_scope >= 0.5;
    Held {
        confidence: if passes { judged.by.confidence } else { 0.0 },
        gate: judged.by.in_scope,
        class: judged.by.class,
        right: in_scope && judged.by.class == judged.label,
        in_scope,
    }
}

fn figures(
    task: Task,
    judged: &[Judged],
    raw: &[Judged],
    oos: Option<usize>,
    classes: usize,
) -> HeldOutFigures {
    let is_in = |row: &&Judged| oos != Some(row.label);
    let right = |row: &Judged| row.by.class == row.label;
    let top = |rows: &[Judged]| -> Vec<Outcome> {
        rows.iter().filter(is_in).map(|row| (row.by.probability, right(row))).collect()
    };
    let (before, after) = (top(raw), top(judged));
    let by_confidence: Vec<Outcome> =
        judged.iter().filter(is_in).map(|row| (row.by.confidence, right(row))).collect();
    let all: Vec<Outcome> =
        judged.iter().map(|row| (row.by.confidence, is_in(&row) && right(row))).collect();
    let pairs: Vec<(usize, usize)> =
        judged.iter().filter(is_in).map(|row| (row.label, row.by.class)).collect();
    let n = pairs.len();
    let largest = (0..classes)
        .map(|class| pairs.iter().filter(|(label, _)| *label == class).count())
        .max()
        .unwrap_or_default();
    let gate = |wanted: bool| -> Vec<f64> {
        judged.iter().filter(|row| is_in(row) == wanted).map(|row| row.by.in_scope).collect()
    };
    let positive = |wanted: bool| -> Vec<f64> {
        judged.iter().filter(|r| (r.label == 1) == wanted).map(|r| r.positive).collect()
    };
    let share = |count: usize| count as f64 / (n as f64).max(1.0);
    HeldOutFigures {
        n,
        accuracy: share(after.iter().filter(|(_, right)| *right).count()),
        macro_f1: macro_f1(&pairs, classes),
        majority: share(largest),
        ece_raw: ece(&before),
        ece: ece(&after),
        brier_raw: brier(&before),
        brier: brier(&after),
        coverage_at_95: coverage_at(&by_confidence, 0.95),
        coverage_at_97: coverage_at(&by_confidence, 0.97),
        oos_n: judged.len() - n,
        oos_auroc: oos.and_then(|_| auroc(&gate(true), &gate(false))),
        confidence_ece: ece(&all),
        auroc: if task.is_binary() { auroc(&positive(true), &positive(false)) } else { None },
        hard_accuracy: None,
        seconds: None,
    }
}

/// The best in-scope class by raw scores.
pub(crate) fn judge_class(evidence: Evidence<'_>, oos: Option<usize>) -> usize {
    Calibration::raw(oos).judge(evidence, &mut Vec::new()).class
}
