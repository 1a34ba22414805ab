//! How a head turns n-grams into numbers.
//!
//! Invariant: a recipe is stored in the artifact and fully determines, with the vocabulary, the
//! feature values of a text. A change of meaning raises [`RECIPE_VERSION`].

use super::grams::{GramKind, GramKinds};
use serde::{Deserialize, Serialize};

/// Version of the normaliser, the hash and the meaning of recipes.
pub const RECIPE_VERSION: u32 = 2;

/// How often an n-gram occurs in a text → its feature value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// The count itself: the textbook multinomial model.
    Counts,
    /// (1 + ln tf)·(1 + ln((1 + N)/(1 + df))), each text scaled to unit length: "sublinear tf·idf"
    /// (Manning, Raghavan & Schütze 2008, §6.4; smoothed as in Rennie et al. 2003, §4).
    TfIdf,
}

/// What a class weighs before any word is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prior {
    /// All classes alike: how often an intent was written into a corpus says little of traffic.
    Uniform,
    /// The class's share of the training rows.
    Empirical,
}

/// Feature recipe of one head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Version of the code that wrote it ([`RECIPE_VERSION`]).
    pub version: u32,
    /// Kinds of n-grams, as bits.
    pub(crate) kinds: GramKinds,
    /// Counts or tf·idf.
    pub weighting: Weighting,
    /// Factor on character n-grams: a word's letters repeat what the word said.
    pub char_weight: f64,
    /// Factor on concepts of the trade.
    pub concept_weight: f64,
    /// Lidstone smoothing of the multinomial model.
    pub alpha: f64,
    /// Class prior.
    pub prior: Prior,
    /// Rows an n-gram must occur in to be a feature.
    pub df_min: u32,
}

/// Words, pairs, borders and letters: an intent is in the nouns and verbs, in any spelling.
const INTENT: GramKinds = GramKinds::of(&[
    GramKind::Word,
    GramKind::Pair,
    GramKind::Edge,
    GramKind::Char3,
    GramKind::Char4,
    GramKind::Char5,
]);

/// Words, pairs, negation and marks: letters hurt sentiment (measured, classifier.md §3).
const TONE: GramKinds =
    GramKinds::of(&[GramKind::Word, GramKind::Pair, GramKind::Negated, GramKind::Mark]);

const CONCEPTS: GramKinds =
    GramKinds::of(&[GramKind::Concept, GramKind::ConceptPair, GramKind::Foreign, GramKind::Wish]);

/// As [`INTENT`], with concepts in the place of borders and of three-letter n-grams, which then add
/// nothing on held-out rows and would cost a third of the time.
const PROVIDER: GramKinds =
    GramKinds::of(&[GramKind::Word, GramKind::Pair, GramKind::Char4, GramKind::Char5])
        .union(CONCEPTS);

impl Recipe {
    fn new(kinds: GramKinds, weighting: Weighting, alpha: f64, prior: Prior) -> Self {
        let (char_weight, concept_weight) = (0.5, 3.0);
        let version = RECIPE_VERSION;
        Self { version, kinds, weighting, char_weight, concept_weight, alpha, prior, df_min: 2 }
    }

    /// The default of intent heads over any label set.
    #[must_use]
    pub fn intent() -> Self {
        Self::new(INTENT, Weighting::TfIdf, 0.05, Prior::Uniform)
    }

    /// The provider's intents: with the trade's concepts beside, which outweigh borders.
    #[must_use]
    pub fn provider_intent() -> Self {
        let recipe = Self::new(PROVIDER, Weighting::TfIdf, 0.05, Prior::Uniform);
        // The concepts were written with the hard training rows in view, so held-out figures
        // flatter them: of weights that do alike on the ordinary rows (1.5 to 2), the least.
        Self { char_weight: 0.35, concept_weight: 1.5, ..recipe }
    }

    /// The default of sentiment, frustration and urgency.
    #[must_use]
    pub fn tone() -> Self {
        Self::new(TONE, Weighting::Counts, 1.0, Prior::Empirical)
    }

    /// The provider's sentiment, frustration and urgency: with the trade's concepts beside.
    #[must_use]
    pub fn provider_tone() -> Self {
        let concept = GramKinds::of(&[GramKind::Concept]);
        Self { concept_weight: 1.0, ..Self { kinds: TONE.union(concept), ..Self::tone() } }
    }

    /// What training tries on data it knows nothing of; the first is the default.
    #[must_use]
    pub fn grid(many_classes: bool) -> Vec<Self> {
        let tf_idf = |kinds, alpha| Self::new(kinds, Weighting::TfIdf, alpha, Prior::Uniform);
        let counts = |kinds, alpha| Self::new(kinds, Weighting::Counts, alpha, Prior::Empirical);
        if many_classes {
            return vec![
                Self::intent(),
                tf_idf(INTENT, 0.1),
                tf_idf(INTENT, 0.02),
                Self::provider_intent(),
                counts(INTENT, 0.3),
            ];
        }
        let empirical = |recipe| Self { prior: Prior::Empirical, ..recipe };
        vec![
            Self::tone(),
            counts(TONE, 0.3),
            empirical(tf_idf(TONE, 0.1)),
            empirical(tf_idf(TONE.union(INTENT), 0.1)),
            empirical(tf_idf(TONE.union(INTENT), 0.5)),
            tf_idf(TONE.union(INTENT), 0.5),
        ]
    }

    /// The factor on n-grams of one kind.
    pub(crate) fn kind_weight(&self, kind: GramKind) -> f64 {
        match kind {
            kind if kind.is_char() => self.char_weight,
            GramKind::Concept | GramKind::Foreign | GramKind::Wish => self.concept_weight,
            _ => 1.0,
        }
    }

    /// The value of an n-gram that occurs `count` times, before document frequency and length.
    #[inline]
    pub(crate) fn term(&self, count: u32) -> f64 {
        match (self.weighting, count) {
            (_, 1) => 1.0,
            (Weighting::Counts, count) => f64::from(count),
            (Weighting::TfIdf, count) => 1.0 + f64::from(count).ln(),
        }
    }

    /// The factor that document frequency puts on an n-gram.
    pub(crate) fn rarity(&self, rows: usize, df: u32) -> f64 {
        match self.weighting {
            Weighting::Counts => 1.0,
            Weighting::TfIdf => 1.0 + ((1.0 + rows as f64) / (1.0 + f64::from(df))).ln(),
        }
    }

    /// Are texts scaled to unit length?
    pub(crate) fn is_unit_length(&self) -> bool {
        self.weighting == Weighting::TfIdf
    }
}
