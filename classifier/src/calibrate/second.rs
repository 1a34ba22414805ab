//! Does a message hold a second intent, and which?
//!
//! The whole message says which intents it is near; its clauses say what stands behind that. An
//! intent that some clause holds by itself is a candidate, and logistic regression tells how likely
//! it is one of two wishes rather than a circumstance ("paguei, e a internet *caiu*").
//!
//! Invariant: candidates come from in-scope classes other than the primary one, and at least
//! [`PROBABLE_MIN`] of the whole message's probability speaks for each.

use super::judge::Judgement;
use super::logistic::{Logistic, logit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Clauses that are judged; a longer message has said its wishes by then.
pub(crate) const CLAUSES_MAX: usize = 8;

/// Probability in the whole message under which an intent is no candidate.
pub(crate) const PROBABLE_MIN: f64 = 0.03;

/// Log-odds that a clause counts as sure with.
const SURE_NATS: f64 = 5.0;

/// Ridge of the logistic model, in rows.
const RIDGE: f64 = 1.0;

/// Rows of the average rate that a pair's own rate is drawn to.
const PAIR_ROWS: f64 = 20.0;

/// Rows with a second intent below which none is ever named.
const ROWS_MIN: usize = 30;

/// Probability under which no class is named, however right the more probable ones are.
const NAMED_FROM_MIN: f64 = 0.25;

/// Second intents rightly named before the share of right ones means anything.
const NAMED_MIN: usize = 8;

/// Features of naming, in order: log-odds of the clause's confidence, log-probability in the whole
/// message, log-odds of the surest clause of the primary intent, log-rate of the two intents being
/// wished together.
type Features = [f64; 4];

/// What names second intents; stored in the artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Second {
    /// Is the candidate wished too?
    naming: Logistic,
    /// The probability from which it is named.
    from: f64,
    /// ln of how often two classes heard together are wished together `[classes, classes]`.
    pair_rates: Vec<f64>,
    classes: usize,
}

/// A class that a clause holds by itself.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    class: usize,
    /// All features but the last.
    heard: [f64; 3],
}

/// One held-out in-scope message, judged as a whole and clause by clause.
#[derive(Debug)]
pub(crate) struct Told {
    fold: usize,
    primary: usize,
    /// The true two.
    both: Option<(usize, usize)>,
    candidates: Vec<Candidate>,
}

/// How many rows have a second intent, how many were named, and how many of those rightly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) rows: usize,
    pub(crate) named: usize,
    pub(crate) right: usize,
}

/// May the message hold a class beside the primary one?
pub(crate) fn may_hold(primary: usize, probabilities: &[f64]) -> bool {
    let mut others = probabilities.iter().enumerate().filter(|(class, _)| *class != primary);
    others.any(|(_, probability)| *probability >= PROBABLE_MIN)
}

/// The candidates, given the probabilities of the whole message and what its clauses hold.
fn candidates<'a>(
    primary: usize,
    probabilities: &'a [f64],
    clauses: &'a [Judgement],
) -> impl Iterator<Item = Candidate> + 'a {
    let own = clauses.iter().filter(move |clause| clause.class == primary);
    let own = logit(own.map(|clause| clause.confidence).fold(0.0, f64::max), SURE_NATS);
    // Of several clauses that hold the same class, the surest, and of those the first.
    let surest = move |at: usize, clause: &Judgement| {
        clauses.iter().enumerate().all(|(i, other)| {
            other.class != clause.class
                || other.confidence < clause.confidence
                || other.confidence == clause.confidence && i >= at
        })
    };
    clauses.iter().enumerate().filter_map(move |(at, clause)| {
        let probability = probabilities.get(clause.class).copied()?;
        let stands = clause.class != primary && probability >= PROBABLE_MIN && surest(at, clause);
        stands.then(|| Candidate {
            class: clause.class,
            heard: [logit(clause.confidence, SURE_NATS), probability.ln(), own],
        })
    })
}

impl Second {
    /// The second class of a message, if one is likely enough.
    pub(crate) fn name(
        &self,
        primary: usize,
        probabilities: &[f64],
        clauses: &[Judgement],
    ) -> Option<usize> {
        let sure = candidates(primary, probabilities, clauses).map(|candidate| {
            (candidate.class, self.probability(primary, candidate.class, candidate.heard))
        });
        let best = sure.max_by(|a, b| a.1.total_cmp(&b.1));
        best.filter(|(_, probability)| *probability >= self.from).map(|(class, _)| class)
    }

    /// Could a class be named, were the clauses as sure as can be? It keeps most messages from being
    /// read a second time.
    pub(crate) fn might_name(&self, primary: usize, probabilities: &[f64]) -> bool {
        probabilities.iter().enumerate().any(|(class, probability)| {
            let heard = [SURE_NATS, probability.ln(), SURE_NATS];
            class != primary
                && *probability >= PROBABLE_MIN
                && self.probability(primary, class, heard) >= self.from
        })
    }

    fn probability(&self, primary: usize, class: usize, heard: [f64; 3]) -> f64 {
        let rate = self.pair_rates.get(primary * self.classes + class).copied();
        // Every pair has a rate; without one nothing would be known of it.
        rate.map_or(0.0, |rate| self.naming.probability(&with_rate(heard, rate)))
    }

    /// Fits on held-out messages, and tells how those are named by a model that has not seen them.
    /// `None` where too few have a second intent, or naming one is wrong more often than right.
    pub(crate) fn fit(told: &[Told], classes: usize, folds: usize) -> Option<(Self, Named)> {
        let rows = told.iter().filter(|told| told.both.is_some()).count();
        if rows < ROWS_MIN {
            return None;
        }
        let mut outcomes: Vec<(f64, bool)> = Vec::new();
        for fold in 0..folds {
            let (held, others): (Vec<&Told>, Vec<&Told>) =
                told.iter().partition(|told| told.fold == fold);
            let (pairs, naming) = naming(&others);
            for told in held {
                let sure = told.candidates.iter().map(|candidate| {
                    let pair = pair(told.primary, candidate.class);
                    let features = with_rate(candidate.heard, pairs.rate(pair, None));
                    (naming.probability(&features), told.both == Some(pair))
                });
                outcomes.extend(sure.max_by(|a, b| a.0.total_cmp(&b.0)));
            }
        }
        outcomes.retain(|(probability, _)| *probability >= NAMED_FROM_MIN);
        outcomes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut right = 0;
        let at_least_half = outcomes.iter().zip(1..).filter_map(|(&(from, yes), named)| {
            right += usize::from(yes);
            (right >= NAMED_MIN && 2 * right >= named)
                .then_some((from, Named { rows, named, right }))
        });
        let (from, named) = at_least_half.last()?;
        let (pairs, naming) = naming(&told.iter().collect::<Vec<_>>());
        let cells = (0..classes).flat_map(|a| (0..classes).map(move |b| pair(a, b)));
        let pair_rates = cells.map(|pair| pairs.rate(pair, None)).collect();
        Some((Self { naming, from, pair_rates, classes }, named))
    }
}

impl Told {
    /// A held-out message; `label` and `second` are its true intents.
    pub(crate) fn new(
        fold: usize,
        (label, second): (usize, Option<usize>),
        primary: usize,
        probabilities: &[f64],
        clauses: &[Judgement],
    ) -> Self {
        let candidates = candidates(primary, probabilities, clauses).collect();
        Self { fold, primary, both: second.map(|second| pair(label, second)), candidates }
    }
}

/// Two classes, the lower number first.
fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

fn with_rate([clause, whole, own]: [f64; 3], rate: f64) -> Features {
    [clause, whole, own, rate]
}

/// How often two classes that were heard together were both wished.
struct Pairs {
    /// Wished, heard.
    counts: BTreeMap<(usize, usize), (f64, f64)>,
    average: f64,
}

impl Pairs {
    fn count(told: &[&Told]) -> Self {
        let mut counts: BTreeMap<(usize, usize), (f64, f64)> = BTreeMap::new();
        let (mut wished, mut heard) = (0.5, 1.0);
        for told in told {
            for candidate in &told.candidates {
                let pair = pair(told.primary, candidate.class);
                let yes = f64::from(u8::from(told.both == Some(pair)));
                let count = counts.entry(pair).or_default();
                *count = (count.0 + yes, count.1 + 1.0);
                (wished, heard) = (wished + yes, heard + 1.0);
            }
        }
        Self { counts, average: wished / heard }
    }

    /// ln of the rate, drawn to the average; `without` one outcome that was counted.
    fn rate(&self, pair: (usize, usize), without: Option<bool>) -> f64 {
        let (wished, heard) = self.counts.get(&pair).copied().unwrap_or_default();
        let (yes, one) = without.map_or((0.0, 0.0), |yes| (f64::from(u8::from(yes)), 1.0));
        ((wished - yes + PAIR_ROWS * self.average) / (heard - one + PAIR_ROWS)).ln()
    }
}

/// The pairs' rates and the logistic model; a row's own outcome is left out of the rate it is
/// fitted with, which would else give the outcome away.
fn naming(told: &[&Told]) -> (Pairs, Logistic) {
    let pairs = Pairs::count(told);
    let rows: Vec<(Features, bool)> = told
        .iter()
        .flat_map(|told| told.candidates.iter().map(move |candidate| (told, candidate)))
        .map(|(told, candidate)| {
            let pair = pair(told.primary, candidate.class);
            let yes = told.both == Some(pair);
            (with_rate(candidate.heard, pairs.rate(pair, Some(yes))), yes)
        })
        .collect();
    let naming = Logistic::fit(&rows, RIDGE);
    (pairs, naming)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: [f64; 4] = [0.6, 0.3, 0.095, 0.005];

    fn clause(class: usize, confidence: f64) -> Judgement {
        Judgement { class, probability: confidence, in_scope: confidence, confidence }
    }

    #[test]
    fn a_class_is_a_candidate_once_by_its_surest_clause() {
        let clauses = [clause(0, 0.9), clause(1, 0.5), clause(1, 0.7), clause(3, 0.99)];
        let found: Vec<Candidate> = candidates(0, &WHOLE, &clauses).collect();
        // Class 3 is all but excluded by the whole message.
        assert_eq!(found.iter().map(|found| found.class).collect::<Vec<_>>(), [1]);
        assert!((found[0].heard[0] - logit(0.7, SURE_NATS)).abs() < 1e-12);
        assert!((found[0].heard[2] - logit(0.9, SURE_NATS)).abs() < 1e-12);
        assert!(may_hold(0, &WHOLE) && !may_hold(0, &[0.995, 0.005]));
    }

    #[test]
    fn what_is_wished_together_is_named_and_a_circumstance_is_not() {
        // Classes 0 and 1 are wished together whenever they are heard together, 0 and 2 never.
        let told: Vec<Told> = (0..400)
            .map(|i| {
                let other = 1 + i % 2;
                let clauses = [clause(0, 0.9), clause(other, 0.8)];
                let second = (other == 1).then_some(1);
                Told::new(i / 2 % 5, (0, second), 0, &WHOLE, &clauses)
            })
            .collect();
        let (second, named) = Second::fit(&told, 4, 5).unwrap();
        assert_eq!(named, Named { rows: 200, named: 200, right: 200 });
        assert_eq!(second.name(0, &WHOLE, &[clause(0, 0.9), clause(1, 0.8)]), Some(1));
        assert_eq!(second.name(0, &WHOLE, &[clause(0, 0.9), clause(2, 0.8)]), None);
        assert_eq!(second.name(0, &WHOLE, &[clause(0, 0.9)]), None);
        assert!(second.might_name(0, &WHOLE) && !second.might_name(0, &[0.9, 0.0, 0.1, 0.0]));
        assert!(Second::fit(&told[..40], 4, 5).is_none());
    }
}
