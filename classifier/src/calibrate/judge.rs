//! One text's scores → the decision: which class, is it in scope, how sure.
//!
//! Invariant: `confidence` means "this in-scope class is the right answer", so it is low for an
//! out-of-scope text whatever its best class; training, evaluation and serving judge by this code.

use super::logistic::{Logistic, logit, sigmoid};
use super::second::Second;
use super::temperature::LengthTemperature;
use crate::score::reading::Reading;
use crate::score::softmax::{softmax, top_two};
use serde::{Deserialize, Serialize};

/// Log-odds and log-ratios are kept within this many nats.
const NATS_MAX: f64 = 12.0;

/// Features of the gate, in order: log-odds of the best class, log ratio of the best two, share of
/// unknown n-grams, likelihood ratio to the background a unit of evidence, log length, log ratio of
/// the out-of-scope class to the best one (0 where the head has none), log count of words of other
/// trades, share of unknown words, share of unknown pairs of words.
pub(crate) type GateFeatures = [f64; 9];

/// Features of the confidence, in order: log-odds of the best class, log-odds of being in scope,
/// log ratio of the best two, share of unknown n-grams, log length, log count of words of other
/// trades, share of unknown words, share of unknown pairs of words.
pub(crate) type ConfidenceFeatures = [f64; 8];

/// What turns scores into a decision; all of it is stored in the artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// The number of the class that means out of scope, if the head learned one.
    pub oos_class: Option<usize>,
    /// Scores → class probabilities.
    pub temperature: LengthTemperature,
    /// Is the text in scope? Needs out-of-scope rows in training.
    pub gate: Option<Logistic>,
    /// Is the best in-scope class right? Needs out-of-scope rows in training.
    pub confidence: Option<Logistic>,
    /// For two classes: the probability of the second from which it is chosen; else 0.5.
    pub positive_from: Option<f64>,
    /// Does the message hold a second intent? Needs rows with one in training.
    pub second: Option<Second>,
}

/// Scores of one text and what they rest on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence<'a> {
    /// Scores `[classes]` and of the background `[1]`.
    pub(crate) scores: &'a [f64],
    /// What was read.
    pub(crate) reading: Reading,
}

/// A decision about one text.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Judgement {
    /// The best in-scope class.
    pub(crate) class: usize,
    /// Its probability among the in-scope classes, 0..=1.
    pub(crate) probability: f64,
    /// The probability that the text is in scope, 0..=1; 1 for a head without a gate.
    pub(crate) in_scope: f64,
    /// The probability that `class` is the right answer, 0..=1.
    pub(crate) confidence: f64,
}

impl Judgement {
    /// The decision on a text without one known n-gram.
    pub(crate) const BLANK: Self =
        Self { class: 0, probability: 0.0, in_scope: 0.0, confidence: 0.0 };
}

impl Calibration {
    /// Raw scores, no gate.
    pub(crate) fn raw(oos_class: Option<usize>) -> Self {
        let temperature = LengthTemperature::RAW;
        Self {
            oos_class,
            temperature,
            gate: None,
            confidence: None,
            positive_from: None,
            second: None,
        }
    }

    /// Judges a text; `probabilities` `[classes]` becomes the calibrated probability of each class,
    /// the out-of-scope class being 0.
    pub(crate) fn judge(&self, text: Evidence<'_>, probabilities: &mut Vec<f64>) -> Judgement {
        self.judge_shifted(text, &[], probabilities)
    }

    /// The same with `nats` `[classes]` (or none) added to the log-probabilities. Whether the text is
    /// in scope is judged without them.
    pub(crate) fn judge_shifted(
        &self,
        text: Evidence<'_>,
        nats: &[f64],
        probabilities: &mut Vec<f64>,
    ) -> Judgement {
        let Some(parts) = self.parts(text, probabilities) else {
            return self.blank(probabilities);
        };
        let gate_features = parts.gate();
        let parts = if nats.is_empty() { parts } else { parts.shifted(nats, probabilities) };
        let class = self.choose(parts.class, probabilities);
        let probability = probabilities.get(class).copied().unwrap_or_default();
        let Some(gate) = &self.gate else {
            return Judgement { class, probability, in_scope: 1.0, confidence: probability };
        };
        let gate_odds = gate.log_odds(&gate_features).clamp(-NATS_MAX, NATS_MAX);
        let in_scope = sigmoid(gate_odds);
        let confidence = match &self.confidence {
            Some(model) => model.probability(&parts.confidence(gate_odds)),
            None => in_scope * probability,
        };
        Judgement { class, probability, in_scope, confidence }
    }

    fn blank(&self, probabilities: &mut [f64]) -> Judgement {
        if self.gate.is_some() {
            return Judgement::BLANK;
        }
        // Without a gate the prior is all there is: the calibrated scores already hold it.
        let best = top_two(probabilities.iter().copied());
        let (class, probability) = best.first().copied().flatten().unwrap_or_default();
        Judgement { class, probability, in_scope: 1.0, confidence: probability }
    }

    /// For two classes the second is chosen from `positive_from` on.
    fn choose(&self, best: usize, probabilities: &[f64]) -> usize {
        match (self.positive_from, probabilities) {
            (Some(from), [_, positive]) => usize::from(*positive >= from),
            _ => best,
        }
    }

    /// Fills `probabilities`; `None` for a text without one known n-gram.
    pub(crate) fn parts(&self, text: Evidence<'_>, probabilities: &mut Vec<f64>) -> Option<Parts> {
        let (background, scores) = text.scores.split_last()?;
        let scale = self.temperature.scale(&text.reading);
        probabilities.clear();
        probabilities.extend_from_slice(scores);
        let oos = self.oos_class.and_then(|class| probabilities.get_mut(class));
        let oos_score = oos.map(|oos| std::mem::replace(oos, f64::NEG_INFINITY));
        let [first, second] = top_two(probabilities.iter().copied());
        softmax(probabilities, scale);
        let (class, top) = first?;
        if text.reading.known == 0 {
            return None;
        }
        let margin = second.map_or(NATS_MAX, |(_, second)| (top - second) / scale);
        Some(Parts {
            class,
            odds: logit(probabilities.get(class).copied().unwrap_or_default(), NATS_MAX),
            margin: margin.clamp(0.0, NATS_MAX),
            unknown: text.reading.grams.unknown_share(),
            evidence: (top - background) / text.reading.mass.max(1e-9),
            length: f64::from(text.reading.grams.all() + 1).ln(),
            new_words: text.reading.words.unknown_share(),
            new_pairs: text.reading.pairs.unknown_share(),
            foreign: f64::from(text.reading.foreign + 1).ln(),
            oos: oos_score.map_or(0.0, |oos| ((oos - top) / scale).clamp(-NATS_MAX, NATS_MAX)),
        })
    }
}

/// The quantities that gate and confidence are made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Parts {
    class: usize,
    odds: f64,
    margin: f64,
    unknown: f64,
    evidence: f64,
    length: f64,
    oos: f64,
    foreign: f64,
    new_words: f64,
    new_pairs: f64,
}

impl Parts {
    /// The parts under a shift; `probabilities` are shifted too.
    fn shifted(self, nats: &[f64], probabilities: &mut [f64]) -> Self {
        for (probability, nats) in probabilities.iter_mut().zip(nats) {
            *probability *= nats.exp();
        }
        let total: f64 = probabilities.iter().sum();
        for probability in probabilities.iter_mut().filter(|_| total > 0.0) {
            *probability /= total;
        }
        let [Some((class, first)), second] = top_two(probabilities.iter().copied()) else {
            return self;
        };
        let margin = second.map_or(NATS_MAX, |(_, second)| (first / second.max(1e-300)).ln());
        let (odds, margin) = (logit(first, NATS_MAX), margin.clamp(0.0, NATS_MAX));
        Self { class, odds, margin, ..self }
    }

    pub(crate) fn class(&self) -> usize {
        self.class
    }

    pub(crate) fn gate(&self) -> GateFeatures {
        [
            self.odds,
            self.margin,
            self.unknown,
            self.evidence,
            self.length,
            self.oos,
            self.foreign,
            self.new_words,
            self.new_pairs,
        ]
    }

    pub(crate) fn confidence(&self, gate_odds: f64) -> ConfidenceFeatures {
        [
            self.odds,
            gate_odds,
            self.margin,
            self.unknown,
            self.length,
            self.foreign,
            self.new_words,
            self.new_pairs,
        ]
    }
}
