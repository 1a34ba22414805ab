//! What the plots of a card show, from held-out rows judged by models that had not seen them.
//!
//! Invariant: counts what the figures of the card count; a row that the gate keeps out is decided
//! "out of scope", as it would be in service.

use super::calibration::Judged;
use crate::calibrate::metrics::{Bin, Outcome, bins};
use serde::{Deserialize, Serialize};

/// Steps of the curve of coverage against precision.
const COVERAGE_STEPS: usize = 50;

/// Everything that is drawn.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Curves {
    /// The cells of the confusion matrix that are not empty.
    pub confusion: Vec<Confused>,
    /// Raw probability of the decided label against the share right; in-scope rows.
    pub reliability_raw: Vec<Bin>,
    /// The same after calibration.
    pub reliability: Vec<Bin>,
    /// Confidence against the share right; all rows, those out of scope being wrong.
    pub confidence: Vec<Bin>,
    /// What precision is left at what coverage.
    pub coverage: Vec<CoveragePoint>,
    /// How good a model of fewer rows is.
    pub learning: Vec<LearningPoint>,
}

/// One cell of the confusion matrix; numbers are places among the card's labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confused {
    /// The row's label.
    pub truth: usize,
    /// What was decided.
    pub decided: usize,
    /// How many rows.
    pub rows: u64,
}

/// The rows over one confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CoveragePoint {
    /// The confidence.
    pub threshold: f64,
    /// Share of the in-scope rows over it.
    pub coverage: f64,
    /// Share right of all rows over it, those out of scope being wrong.
    pub precision: f64,
}

/// Figures of a model of some of the rows, on rows it had not seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LearningPoint {
    /// Rows it was trained on.
    pub rows: usize,
    /// Share right.
    pub accuracy: f64,
    /// Mean F1 of the labels.
    pub macro_f1: f64,
}

/// How one label fares on held-out rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LabelFigures {
    /// Held-out rows of the label.
    pub n: u64,
    /// Share right of what was decided to be it; absent if nothing was.
    pub precision: Option<f64>,
    /// Share of its rows that were decided to be it; absent without rows.
    pub recall: Option<f64>,
}

/// Draws up the curves of judged rows; `raw` are the same rows judged without calibration.
pub(crate) fn curves(judged: &[Judged], raw: &[Judged], oos: Option<usize>) -> Curves {
    let is_in = |row: &&Judged| oos != Some(row.label);
    let right = |row: &Judged| row.by.class == row.label;
    let top = |rows: &[Judged]| -> Vec<Outcome> {
        rows.iter().filter(is_in).map(|row| (row.by.probability, right(row))).collect()
    };
    let all: Vec<Outcome> =
        judged.iter().map(|row| (row.by.confidence, is_in(&row) && right(row))).collect();
    Curves {
        confusion: confusion(judged, oos),
        reliability_raw: filled(&top(raw)),
        reliability: filled(&top(judged)),
        confidence: filled(&all),
        coverage: coverage(&all, judged.iter().filter(is_in).count(), judged, oos),
        learning: Vec::new(),
    }
}

fn filled(outcomes: &[Outcome]) -> Vec<Bin> {
    bins(outcomes).into_iter().filter(|bin| bin.rows > 0).collect()
}

/// What is decided in service: the gate speaks first.
fn decided(row: &Judged, oos: Option<usize>) -> usize {
    oos.filter(|_| row.by.in_scope < 0.5).unwrap_or(row.by.class)
}

fn confusion(judged: &[Judged], oos: Option<usize>) -> Vec<Confused> {
    let mut pairs: Vec<(usize, usize)> =
        judged.iter().map(|row| (row.label, decided(row, oos))).collect();
    pairs.sort_unstable();
    let cells = pairs.chunk_by(|a, b| a == b).filter_map(|same| {
        let (truth, decided) = *same.first()?;
        Some(Confused { truth, decided, rows: same.len() as u64 })
    });
    cells.collect()
}

fn coverage(
    outcomes: &[Outcome],
    inside: usize,
    judged: &[Judged],
    oos: Option<usize>,
) -> Vec<CoveragePoint> {
    let scopes = judged.iter().map(|row| oos != Some(row.label));
    let mut rows: Vec<(f64, bool, bool)> =
        outcomes.iter().zip(scopes).map(|((p, right), is_in)| (*p, *right, is_in)).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut right, mut covered, mut points) = (0, 0, Vec::new());
    for (i, &(threshold, is_right, is_in)) in rows.iter().enumerate() {
        right += usize::from(is_right);
        covered += usize::from(is_in);
        let step = |covered: usize| covered * COVERAGE_STEPS / inside.max(1);
        if is_in && step(covered) > step(covered - 1) {
            points.push(CoveragePoint {
                threshold,
                coverage: covered as f64 / inside as f64,
                precision: right as f64 / (i + 1) as f64,
            });
        }
    }
    points
}

/// How each of `classes` labels fares.
pub(crate) fn label_figures(confusion: &[Confused], classes: usize) -> Vec<LabelFigures> {
    let of = |class: usize| {
        let rows = |of: fn(&Confused) -> usize| -> u64 {
            confusion.iter().filter(|cell| of(cell) == class).map(|cell| cell.rows).sum()
        };
        let (n, decided) = (rows(|cell| cell.truth), rows(|cell| cell.decided));
        let both = confusion.iter().find(|cell| cell.truth == class && cell.decided == class);
        let right = both.map_or(0, |cell| cell.rows);
        let share = |all: u64| (all > 0).then(|| right as f64 / all as f64);
        LabelFigures { n, precision: share(decided), recall: share(n) }
    };
    (0..classes).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::judge::Judgement;

    fn row(label: usize, class: usize, confidence: f64, in_scope: f64) -> Judged {
        let by = Judgement { class, probability: confidence, in_scope, confidence };
        Judged { label, by, positive: 0.0 }
    }

    #[test]
    fn the_matrix_and_the_labels_count_what_would_be_decided() {
        // Class 2 is out of scope; one row of class 0 is kept out, one out of scope gets through.
        let rows = [
            row(0, 0, 0.9, 0.9),
            row(0, 0, 0.8, 0.1),
            row(1, 0, 0.7, 0.9),
            row(2, 1, 0.6, 0.9),
            row(2, 1, 0.2, 0.1),
        ];
        let curves = curves(&rows, &rows, Some(2));
        let cells: Vec<(usize, usize, u64)> =
            curves.confusion.iter().map(|c| (c.truth, c.decided, c.rows)).collect();
        assert_eq!(cells, [(0, 0, 1), (0, 2, 1), (1, 0, 1), (2, 1, 1), (2, 2, 1)]);
        let labels = label_figures(&curves.confusion, 3);
        assert_eq!(labels[0], LabelFigures { n: 2, precision: Some(0.5), recall: Some(0.5) });
        assert_eq!(labels[1], LabelFigures { n: 1, precision: Some(0.0), recall: Some(0.0) });
        let last = curves.coverage.last().unwrap();
        assert_eq!((last.coverage, last.threshold), (1.0, 0.7));
        assert!((last.precision - 2.0 / 3.0).abs() < 1e-12);
    }
}
