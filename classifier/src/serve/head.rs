//! One head alone: what training returns and what a single-task directory holds.

use super::decide::{Prediction, decide};
use super::index::{HEADS, Index};
use super::score::score;
use super::scratch::Scratch;
use super::second;
use crate::artifact::error::ModelError;
use crate::artifact::model::Model;
use crate::artifact::read;
use crate::features::recipe::Recipe;
use crate::rows::Task;
use crate::train::card::Card;
use std::path::Path;

/// Largest difference of a golden message's score from what it was in training.
const SELF_TEST_MAX: f64 = 1e-9;

/// A trained head.
#[derive(Debug)]
pub struct Head {
    pub(crate) model: Model,
    index: Index,
}

impl Head {
    /// Opens the file of one head.
    ///
    /// # Errors
    /// The file is absent, damaged, of another version, or fails its self-test.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let bytes = std::fs::read(path)
            .map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
        Self::from_bytes(&path.display().to_string(), &bytes)
    }

    /// Reads a head from the bytes of its file; `name` is for error messages.
    ///
    /// # Errors
    /// As for [`Head::open`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, ModelError> {
        let head = Self::untested(read::read(name, bytes)?);
        head.self_test(name)?;
        Ok(head)
    }

    pub(crate) fn untested(model: Model) -> Self {
        let index = Index::build(&[Some(&model), None, None, None]);
        Self { model, index }
    }

    /// Scores the golden messages of the artifact.
    fn self_test(&self, name: &str) -> Result<(), ModelError> {
        let mut scratch = Scratch::new();
        for golden in &self.model.header.golden {
            let scores = self.scores(&golden.text, &mut scratch);
            let pairs = scores.iter().zip(&golden.scores);
            let difference = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            // Not a number fails too.
            let passes = difference <= SELF_TEST_MAX && scores.len() == golden.scores.len();
            if !passes {
                let (name, text) = (name.to_owned(), golden.text.clone());
                return Err(ModelError::SelfTest { name, text, difference });
            }
        }
        Ok(())
    }

    /// What the head decides.
    #[must_use]
    pub fn task(&self) -> Task {
        self.model.header.task
    }

    /// The labels, sorted; out of scope is among them if the head learned it.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.model.header.labels
    }

    /// How it turns n-grams into numbers.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.model.header.recipe
    }

    /// The model card.
    #[must_use]
    pub fn card(&self) -> &Card {
        &self.model.header.card
    }

    /// The raw scores ln P(c) + Σ value·ln P(n-gram | c), by label `[labels]`.
    pub fn scores<'s>(&self, text: &str, scratch: &'s mut Scratch) -> &'s [f64] {
        score(&self.index, &self.slots(), text, scratch);
        let [own, ..] = &scratch.heads;
        own.scores.split_last().map(|(_, classes)| classes).unwrap_or_default()
    }

    /// Scores once more the features that the last call found, without reading its text: what a
    /// comparison with an implementation that starts from features needs.
    pub fn rescore<'s>(&self, scratch: &'s mut Scratch) -> &'s [f64] {
        let [own, ..] = &mut scratch.heads;
        self.model.weights.score(&own.values, own.unit, &mut own.scores);
        own.scores.split_last().map(|(_, classes)| classes).unwrap_or_default()
    }

    /// The feature values of a text, by feature number (the order of [`ClassSums`]): what another
    /// implementation needs to compute the same scores.
    ///
    /// [`ClassSums`]: crate::ClassSums
    pub fn values(&self, text: &str, scratch: &mut Scratch) -> Vec<(u32, f64)> {
        score(&self.index, &self.slots(), text, scratch);
        let [own, ..] = &scratch.heads;
        let place = |row: &u32| self.model.places.get(*row as usize).copied();
        let pairs = own.values.iter();
        pairs.filter_map(|(row, value)| Some((place(row)?, value * own.unit))).collect()
    }

    /// Decides about one message.
    pub fn predict(&self, text: &str, scratch: &mut Scratch) -> Prediction<'_> {
        score(&self.index, &self.slots(), text, scratch);
        let [own, ..] = &mut scratch.heads;
        let said = decide(&self.model, own, &[]);
        Prediction { secondary: second::name(&self.index, &self.model, text, scratch), ..said }
    }

    fn slots(&self) -> [Option<&Model>; HEADS] {
        [Some(&self.model), None, None, None]
    }
}
