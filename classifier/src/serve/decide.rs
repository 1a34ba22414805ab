//! Scores → what the caller is told.

use super::scratch::HeadScratch;
use crate::artifact::model::Model;
use crate::calibrate::judge::{Evidence, Judgement};
use crate::rows::Task;

/// Classes listed with their probabilities.
const RANKED_MAX: usize = 3;

/// The most probable labels, the best first; dereferences to a slice of (label, probability).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked<'m> {
    list: [(&'m str, f64); RANKED_MAX],
    len: usize,
}

impl Ranked<'_> {
    pub(crate) const EMPTY: Self = Self { list: [("", 0.0); RANKED_MAX], len: 0 };
}

impl<'m> std::ops::Deref for Ranked<'m> {
    type Target = [(&'m str, f64)];

    fn deref(&self) -> &Self::Target {
        self.list.get(..self.len).unwrap_or_default()
    }
}

/// What one head says of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction<'m> {
    /// The best label; for an intent head the best one in scope.
    pub label: &'m str,
    /// A second label the message holds as well, if it seems to; told by an intent head.
    pub secondary: Option<&'m str>,
    /// The probability that `label` is right, 0..=1: low for a text out of scope.
    pub confidence: f64,
    /// The three best labels in scope, with their probabilities given that the text is in scope.
    pub ranked: Ranked<'m>,
    /// More likely in scope than not; always true for a head without a gate.
    pub in_scope: bool,
    /// The probability of being in scope, 0..=1.
    pub in_scope_probability: f64,
    /// May be answered without a person: in scope, over the threshold, not assist-only.
    pub would_answer: bool,
    /// The confidence from which this label may be answered; over 1 if never.
    pub threshold: f64,
    /// This label's precision is not certified well enough to answer without a person.
    pub assist_only: bool,
    /// Share of the text's n-grams the head has never seen, 0..=1.
    pub unknown_share: f64,
}

impl Prediction<'_> {
    /// The probability of `label` given that the text is in scope, 0..=1.
    #[must_use]
    pub fn probability(&self) -> f64 {
        let own = self.ranked.iter().find(|(label, _)| *label == self.label);
        own.map_or(0.0, |(_, probability)| *probability)
    }
}

/// Judges the scores of one head, with `nats` `[labels]` (or none) added to its log-prior. The second
/// label takes more than scores, and is left out.
pub(crate) fn decide<'m>(
    model: &'m Model,
    scored: &mut HeadScratch,
    nats: &[f64],
) -> Prediction<'m> {
    let evidence = Evidence { scores: &scored.scores, reading: scored.reading };
    let mut judged =
        model.header.calibration.judge_shifted(evidence, nats, &mut scored.probabilities);
    if model.header.task == Task::Intent && scored.reading.known == 0 {
        // Nothing known says nothing of an intent, also for a head that learned no gate.
        judged = Judgement::BLANK;
    }
    scored.judged = judged;
    let rule = model.header.thresholds.intents.get(judged.class);
    let threshold = rule.map_or(f64::INFINITY, |rule| rule.rows.threshold);
    let assist_only = rule.is_none_or(|rule| rule.assist_only);
    let passes = judged.in_scope >= model.header.thresholds.in_scope_from;
    let ranked = rank(model, &scored.probabilities);
    Prediction {
        label: model.label(judged.class),
        secondary: None,
        confidence: judged.confidence,
        ranked,
        in_scope: judged.in_scope >= 0.5,
        in_scope_probability: judged.in_scope,
        would_answer: passes && !assist_only && judged.confidence >= threshold,
        threshold,
        assist_only,
        unknown_share: scored.reading.grams.unknown_share(),
    }
}

fn rank<'m>(model: &'m Model, probabilities: &[f64]) -> Ranked<'m> {
    let mut best: [Option<(usize, f64)>; RANKED_MAX] = [None; RANKED_MAX];
    let oos = model.header.calibration.oos_class;
    for (class, &probability) in probabilities.iter().enumerate() {
        if oos == Some(class) {
            continue;
        }
        let mut entry = Some((class, probability));
        for place in &mut best {
            // Strictly greater: equal probabilities stay in the order of the labels.
            if place.is_none_or(|(_, held)| entry.is_some_and(|(_, new)| new > held)) {
                std::mem::swap(place, &mut entry);
            }
        }
    }
    let mut ranked = Ranked::EMPTY;
    for (slot, (class, probability)) in ranked.list.iter_mut().zip(best.into_iter().flatten()) {
        *slot = (model.label(class), probability);
        ranked.len += 1;
    }
    ranked
}
