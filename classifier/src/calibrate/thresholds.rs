//! From which confidence a message may be answered without a person.
//!
//! Invariant: a threshold is certified. Going down from the surest rows, it is lowered step by step
//! as long as the one-sided 95 % Clopper–Pearson lower bound of the precision among the rows over
//! it stays at the target, and the first failure ends the sequence (fixed-sequence testing, Angelopoulos et
//! al. 2021, "Learn then Test", §2.2), so that trying many thresholds costs no confidence. Rows out
//! of scope that would be answered count as errors.

use super::bound::lower_bound;
use serde::{Deserialize, Serialize};

/// Coverage at which the sequence starts, in steps: lower, one early error would end it.
const STEP_START: u32 = 30;
/// Steps from no coverage to full: 1 % each.
const STEPS: u32 = 100;
/// The lowest precision anything is answered at, when the target cannot be certified.
const LEVEL_MIN: f64 = 0.50;
/// Step between the levels tried.
const LEVEL_STEP: f64 = 0.01;
/// Accepted rows an intent needs for a threshold of its own.
const OWN_ROWS_MIN: usize = 20;
/// A confidence never reached: answers nothing.
const NEVER: f64 = 2.0;

/// What is asked of automatic answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Promise {
    /// Precision, 0..1.
    pub(crate) target: f64,
    /// An intent whose own bound is under this is assist-only.
    pub(crate) intent_floor: f64,
    /// Share of the rows out of scope that may be answered, 0..1.
    pub(crate) oos_share_max: f64,
}

/// A held-out row and what became of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Held {
    /// Confidence of the decision; 0 for a row that the gate keeps out.
    pub(crate) confidence: f64,
    /// The probability of being in scope.
    pub(crate) gate: f64,
    /// The intent decided for.
    pub(crate) class: usize,
    /// Decided rightly; always false for a row out of scope.
    pub(crate) right: bool,
    /// A row with an intent, as against one out of scope.
    pub(crate) in_scope: bool,
}

/// The rows over a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    /// Confidence from which rows are accepted.
    pub threshold: f64,
    /// Rows accepted, those out of scope included.
    pub accepted: u64,
    /// Of these, decided wrongly or out of scope.
    pub wrong: u64,
    /// 95 % lower bound of the precision.
    pub precision_bound: f64,
}

/// Threshold of one intent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IntentThreshold {
    /// The intent's own rows over its threshold.
    #[serde(flatten)]
    pub rows: Accepted,
    /// The threshold was certified on this intent's rows alone.
    pub own: bool,
    /// The intent's own bound is under the floor: suggest to a person, never answer alone.
    pub assist_only: bool,
}

/// All thresholds of a head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// The precision asked for.
    pub target: f64,
    /// The precision certified: the target, or the highest level that could be.
    pub certified: Option<f64>,
    /// An intent whose own bound is under this is assist-only.
    pub intent_floor: f64,
    /// The probability of being in scope from which a message may be answered.
    pub in_scope_from: f64,
    /// The threshold of all intents together.
    pub pooled: Accepted,
    /// Share of in-scope rows over the pooled threshold.
    pub coverage: f64,
    /// By class number.
    pub intents: Vec<IntentThreshold>,
}

impl Accepted {
    fn at<'a>(rows: impl Iterator<Item = &'a Held>, threshold: f64) -> Self {
        let (mut accepted, mut wrong) = (0, 0);
        for row in rows.filter(|row| row.confidence >= threshold) {
            accepted += 1;
            wrong += u64::from(!row.right);
        }
        let precision_bound = lower_bound(accepted - wrong, accepted);
        Self { threshold, accepted, wrong, precision_bound }
    }
}

impl Thresholds {
    /// Certifies thresholds on held-out rows of `classes` classes.
    pub(crate) fn certify(rows: &[Held], classes: usize, promise: Promise) -> Self {
        let Promise { target, intent_floor, oos_share_max } = promise;
        let first = highest_level(rows, target).map_or(NEVER, |(_, rows)| rows.threshold);
        let in_scope_from = gate(rows, first, oos_share_max);
        let gated: Vec<Held> = rows.iter().map(|row| row.gated(in_scope_from)).collect();
        let certified = highest_level(&gated, target);
        let pooled = certified.map_or_else(|| Accepted::at(gated.iter(), NEVER), |(_, rows)| rows);
        let inside = gated.iter().filter(|row| row.in_scope);
        let over = inside.clone().filter(|row| row.confidence >= pooled.threshold).count();
        let coverage = over as f64 / (inside.count() as f64).max(1.0);
        let level = certified.map_or(target, |(level, _)| level);
        let intents = (0..classes)
            .map(|class| {
                let own: Vec<&Held> = gated.iter().filter(|row| row.class == class).collect();
                intent(&own, pooled.threshold, level, intent_floor)
            })
            .collect();
        let certified = certified.map(|(level, _)| level);
        Self { target, certified, intent_floor, in_scope_from, pooled, coverage, intents }
    }
}

impl Held {
    /// The row under a gate: kept out, it can be accepted by no threshold.
    fn gated(self, in_scope_from: f64) -> Self {
        let confidence = if self.gate >= in_scope_from { self.confidence } else { 0.0 };
        Self { confidence, ..self }
    }
}

/// The target, or the highest level under it that can be certified, and the rows it accepts.
fn highest_level(rows: &[Held], target: f64) -> Option<(f64, Accepted)> {
    let all: Vec<&Held> = rows.iter().collect();
    std::iter::successors(Some(target), |level| Some(level - LEVEL_STEP))
        .take_while(|&level| level >= LEVEL_MIN - 1e-9)
        .find_map(|level| Some((level, sequence(&all, level)?)))
}

/// The lowest gate (at least even odds) that lets so few rows out of scope over the threshold that
/// the 95 % upper bound of their share is at most `share_max`; none where no number of rows will do.
fn gate(rows: &[Held], threshold: f64, share_max: f64) -> f64 {
    let outside = rows.iter().filter(|row| !row.in_scope);
    let all = outside.clone().count() as u64;
    let upper_bound = |over: u64| 1.0 - lower_bound(all - over, all);
    let allowed = (0..=all).take_while(|over| upper_bound(*over) <= share_max).last();
    let allowed = allowed.unwrap_or_default();
    let over = outside.filter(|row| row.confidence >= threshold);
    let mut gates: Vec<f64> = over.map(|row| row.gate).collect();
    gates.sort_by(|a, b| b.total_cmp(a));
    let first_refused = gates.iter().zip(0u64..).find(|(_, n)| *n >= allowed);
    // The next number over the gate of the first row that must stay out.
    first_refused.map_or(0.5, |(gate, _)| gate.next_up().max(0.5))
}

/// An intent's own threshold where its rows certify the level; else the pooled one, or one so much
/// higher that the intent's own bound reaches the floor; else assist-only.
fn intent(own: &[&Held], pooled: f64, level: f64, floor: f64) -> IntentThreshold {
    let certified = sequence(own, level).filter(|rows| rows.accepted >= OWN_ROWS_MIN as u64);
    if let Some(rows) = certified {
        return IntentThreshold { rows, own: true, assist_only: rows.precision_bound < floor };
    }
    let rows = Accepted::at(own.iter().copied(), pooled);
    if rows.precision_bound >= floor {
        return IntentThreshold { rows, own: false, assist_only: false };
    }
    match raised(own, pooled, floor) {
        Some(rows) => IntentThreshold { rows, own: true, assist_only: false },
        None => IntentThreshold { rows, own: false, assist_only: true },
    }
}

/// The lowest threshold over the pooled one with a bound at the floor: row by row from the surest
/// down, beginning with as few as can reach it without an error, and ending at the first failure.
fn raised(own: &[&Held], pooled: f64, floor: f64) -> Option<Accepted> {
    let mut confidences: Vec<f64> =
        own.iter().map(|row| row.confidence).filter(|confidence| *confidence > pooled).collect();
    confidences.sort_by(|a, b| b.total_cmp(a));
    let fewest = (1..=confidences.len()).find(|n| lower_bound(*n as u64, *n as u64) >= floor)?;
    let thresholds = confidences.iter().skip(fewest - 1);
    let accepted = thresholds.map(|threshold| Accepted::at(own.iter().copied(), *threshold));
    accepted.take_while(|rows| rows.precision_bound >= floor).last()
}

/// The lowest threshold of the fixed sequence that is certified at `level`.
fn sequence(rows: &[&Held], level: f64) -> Option<Accepted> {
    let mut in_scope: Vec<f64> =
        rows.iter().filter(|row| row.in_scope).map(|row| row.confidence).collect();
    in_scope.sort_by(|a, b| b.total_cmp(a));
    let mut best = None;
    for step in STEP_START..=STEPS {
        let coverage = f64::from(step) / f64::from(STEPS);
        let at = (in_scope.len() as f64 * coverage).ceil();
        let nth = in_scope.iter().zip(1u32..).find(|(_, n)| f64::from(*n) >= at);
        // A confidence of 0 belongs to rows the gate keeps out: nothing may be answered there.
        let Some((&threshold, _)) = nth.filter(|(confidence, _)| **confidence > 0.0) else { break };
        let accepted = Accepted::at(rows.iter().copied(), threshold);
        if accepted.precision_bound < level {
            break;
        }
        best = Some(accepted);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMISE: Promise = Promise { target: 0.97, intent_floor: 0.8, oos_share_max: 1.0 };

    /// `n` rows of falling confidence; every `wrong_every`-th of the less sure half is wrong.
    fn rows(n: usize, wrong_every: usize) -> Vec<Held> {
        let row = |i: usize| Held {
            confidence: 1.0 - i as f64 / n as f64,
            gate: 0.9,
            class: i % 2,
            right: i < n / 2 || !i.is_multiple_of(wrong_every),
            in_scope: true,
        };
        (0..n).map(row).collect()
    }

    #[test]
    fn the_target_is_certified_as_far_down_as_it_holds() {
        let thresholds = Thresholds::certify(&rows(2_000, 4), 2, PROMISE);
        assert_eq!(thresholds.certified, Some(0.97));
        assert!(thresholds.pooled.precision_bound >= 0.97);
        assert!((0.5..0.56).contains(&thresholds.coverage), "{}", thresholds.coverage);
        assert!(thresholds.intents.iter().all(|intent| !intent.assist_only));
    }

    #[test]
    fn too_few_rows_fall_back_to_a_lower_level() {
        let thresholds = Thresholds::certify(&rows(60, 1_000), 2, PROMISE);
        assert!(thresholds.certified.unwrap() < 0.97);
        let none = Thresholds::certify(&[], 2, PROMISE);
        assert_eq!(none.certified, None);
        assert!(none.pooled.threshold > 1.0);
        assert!(none.intents.iter().all(|intent| intent.assist_only));
    }

    #[test]
    fn accepted_rows_out_of_scope_are_errors() {
        let mut held = rows(1_000, 1_000_000);
        assert_eq!(Thresholds::certify(&held, 2, PROMISE).coverage, 1.0);
        for row in held.iter_mut().skip(1).step_by(10) {
            *row = Held { in_scope: false, right: false, ..*row };
        }
        assert!(Thresholds::certify(&held, 2, PROMISE).certified.unwrap() < 0.9);
    }

    #[test]
    fn the_gate_keeps_rows_out_of_scope_from_being_answered() {
        let mut held = rows(1_000, 1_000_000);
        for (i, row) in held.iter_mut().enumerate().skip(1).step_by(10) {
            let gate = 0.5 + i as f64 / 2_500.0;
            *row = Held { in_scope: false, right: false, gate, ..*row };
        }
        let promise = Promise { oos_share_max: 0.03, ..PROMISE };
        let thresholds = Thresholds::certify(&held, 2, promise);
        let answered = held.iter().filter(|row| {
            !row.in_scope
                && row.gate >= thresholds.in_scope_from
                && row.confidence >= thresholds.pooled.threshold
        });
        assert!(answered.count() <= 3);
        assert_eq!(thresholds.certified, Some(0.97));
    }

    #[test]
    fn an_intent_under_the_floor_gets_a_higher_threshold_or_none() {
        let row =
            |confidence, right| Held { confidence, gate: 1.0, class: 0, right, in_scope: true };
        // Ten sure rows are right, ten less sure ones wrong.
        let rows: Vec<Held> = (0..20).map(|i| row(0.99 - f64::from(i) / 100.0, i < 10)).collect();
        let own: Vec<&Held> = rows.iter().collect();
        let threshold = intent(&own, 0.5, 0.97, 0.6);
        assert!(threshold.own && !threshold.assist_only);
        assert!(threshold.rows.threshold > 0.85 && threshold.rows.threshold < 0.9);
        assert!(threshold.rows.precision_bound >= 0.6);
        let wrong: Vec<Held> =
            rows.iter().map(|held| Held { right: !held.right, ..*held }).collect();
        assert!(intent(&wrong.iter().collect::<Vec<_>>(), 0.5, 0.97, 0.6).assist_only);
    }
}
