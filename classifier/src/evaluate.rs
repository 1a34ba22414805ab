//! How good a head is on labelled rows it was not trained on.

use crate::calibrate::metrics::{Outcome, auroc, brier, coverage_at, ece, macro_f1};
use crate::rows::{Row, Task, is_out_of_scope};
use crate::serve::head::Head;
use crate::serve::scratch::Scratch;
use serde::{Deserialize, Serialize};

/// Figures of one head on labelled rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Rows, those out of scope included.
    pub n: usize,
    /// Share of in-scope rows decided rightly.
    pub accuracy: f64,
    /// Mean over the labels of the harmonic mean of precision and recall, in-scope rows.
    pub macro_f1: f64,
    /// Expected calibration error of the best label's probability, fifteen bins, in-scope rows.
    pub ece: f64,
    /// Brier score of the best label's probability, in-scope rows.
    pub brier: f64,
    /// Share of in-scope rows that can be kept at this precision, by confidence.
    pub coverage_at: CoverageAt,
    /// Of all rows that would be answered, the share answered rightly; null if none would be.
    pub precision_auto: Option<f64>,
    /// Share of in-scope rows that would be answered.
    pub coverage_auto: f64,
    /// How well the gate tells in-scope from out-of-scope rows; null without both.
    pub oos_auroc: Option<f64>,
    /// Share of out-of-scope rows that would be answered; null without such rows.
    pub oos_auto: Option<f64>,
}

/// Coverage at two precisions, chosen on the rows themselves (an oracle's).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CoverageAt {
    /// At 95 %.
    #[serde(rename = "95")]
    pub at_95: f64,
    /// At 97 %.
    #[serde(rename = "97")]
    pub at_97: f64,
}

/// One row's outcome.
struct Judged {
    in_scope: bool,
    right: bool,
    probability: f64,
    confidence: f64,
    gate: f64,
    answered: bool,
}

/// Evaluates a head. A row whose label the head does not know counts as decided wrongly.
#[must_use]
pub fn evaluate(head: &Head, rows: &[Row]) -> Evaluation {
    let mut scratch = Scratch::new();
    let mut labels: Vec<&str> = head.labels().iter().map(String::as_str).collect();
    let mut pairs = Vec::new();
    let mut judged = Vec::new();
    for row in rows {
        let truth = head.task().label_of(row);
        let said = head.predict(&row.text, &mut scratch);
        let in_scope = head.task() != Task::Intent || !is_out_of_scope(truth);
        let right = in_scope && said.label == truth;
        if in_scope {
            pairs.push((number(&mut labels, truth), number(&mut labels, said.label)));
        }
        judged.push(Judged {
            in_scope,
            right,
            probability: said.probability(),
            confidence: said.confidence,
            gate: said.in_scope_probability,
            answered: said.would_answer,
        });
    }
    figures(&judged, macro_f1(&pairs, labels.len()))
}

/// The number of a label, which is given one if it is new.
fn number<'a>(labels: &mut Vec<&'a str>, label: &'a str) -> usize {
    let found = labels.iter().position(|known| *known == label);
    found.unwrap_or_else(|| {
        labels.push(label);
        labels.len() - 1
    })
}

fn figures(judged: &[Judged], macro_f1: f64) -> Evaluation {
    let (inside, outside): (Vec<&Judged>, Vec<&Judged>) = judged.iter().partition(|r| r.in_scope);
    let outcomes = |of: fn(&Judged) -> f64| -> Vec<Outcome> {
        inside.iter().map(|row| (of(row), row.right)).collect()
    };
    let by_probability = outcomes(|row| row.probability);
    let by_confidence = outcomes(|row| row.confidence);
    let share = |rows: &[&Judged], of: fn(&Judged) -> bool| {
        let kept = rows.iter().filter(|row| of(row)).count();
        (!rows.is_empty()).then(|| kept as f64 / rows.len() as f64)
    };
    let gate = |rows: &[&Judged]| rows.iter().map(|row| row.gate).collect::<Vec<f64>>();
    let answered: Vec<&Judged> = judged.iter().filter(|row| row.answered).collect();
    Evaluation {
        n: judged.len(),
        accuracy: share(&inside, |row| row.right).unwrap_or_default(),
        macro_f1,
        ece: ece(&by_probability),
        brier: brier(&by_probability),
        coverage_at: CoverageAt {
            at_95: coverage_at(&by_confidence, 0.95),
            at_97: coverage_at(&by_confidence, 0.97),
        },
        precision_auto: share(&answered, |row| row.right),
        coverage_auto: share(&inside, |row| row.answered).unwrap_or_default(),
        oos_auroc: auroc(&gate(&inside), &gate(&outside)),
        oos_auto: share(&outside, |row| row.answered),
    }
}
