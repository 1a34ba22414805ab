//! Bags of n-grams → feature values, under one recipe and one set of training rows.
//!
//! Invariant: document frequencies come from the given training rows alone, so a held-out row is
//! seen as a new message would be; serving computes the same values (tested end to end by the
//! golden messages).

use super::documents::Documents;
use crate::features::recipe::Recipe;
use crate::score::reading::Reading;

const ABSENT: u32 = u32::MAX;

/// The features of a head, in the order of their hashes, and the factor on each.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    /// Identifier → column, or [`ABSENT`].
    columns: Vec<u32>,
    /// Column → hash, strictly rising.
    hashes: Vec<u64>,
    /// Column → kind weight × rarity.
    scales: Vec<f64>,
    recipe: Recipe,
}

impl Vocabulary {
    /// Selects the features that occur in at least `df_min` of the training rows.
    pub(crate) fn select(documents: &Documents, train: &[usize], recipe: &Recipe) -> Self {
        let mut df = vec![0u32; documents.features().len()];
        for cell in train.iter().flat_map(|&row| documents.row(row)) {
            if let Some(df) = df.get_mut(cell.id as usize) {
                *df += 1;
            }
        }
        let features = documents.features().iter().zip(&df).zip(0u32..);
        // A hash of 0 marks a free slot of the serving index: such an n-gram is no feature.
        let mut chosen: Vec<(u64, u32, u32)> = features
            .filter(|((feature, df), _)| {
                **df >= recipe.df_min && recipe.kinds.has(feature.kind) && feature.hash != 0
            })
            .map(|((feature, df), id)| (feature.hash, id, *df))
            .collect();
        chosen.sort_unstable();
        let mut columns = vec![ABSENT; df.len()];
        let mut scales = Vec::with_capacity(chosen.len());
        for ((_, id, df), column) in chosen.iter().zip(0u32..) {
            let kind = documents.features().get(*id as usize).map(|feature| feature.kind);
            let weight = kind.map_or(1.0, |kind| recipe.kind_weight(kind));
            scales.push(weight * recipe.rarity(train.len(), *df));
            if let Some(slot) = columns.get_mut(*id as usize) {
                *slot = column;
            }
        }
        let hashes = chosen.into_iter().map(|(hash, _, _)| hash).collect();
        Self { columns, hashes, scales, recipe: recipe.clone() }
    }

    /// Number of features.
    pub(crate) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Column → hash, strictly rising.
    pub(crate) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Column → factor.
    pub(crate) fn scales(&self) -> &[f64] {
        &self.scales
    }

    /// Replaces `values` by the (column, value) pairs of a row, in no order.
    pub(crate) fn values(
        &self,
        documents: &Documents,
        row: usize,
        values: &mut Vec<(u32, f64)>,
    ) -> Reading {
        values.clear();
        let mut reading = Reading::default();
        let mut squares = 0.0;
        for cell in documents.row(row) {
            let Some(feature) = documents.features().get(cell.id as usize) else { continue };
            if !self.recipe.kinds.has(feature.kind) {
                continue;
            }
            let column = self.columns.get(cell.id as usize).copied().unwrap_or(ABSENT);
            reading.add(feature.kind, cell.count, column != ABSENT);
            if let Some(&scale) = self.scales.get(column as usize) {
                let value = self.recipe.term(cell.count) * scale;
                squares += value * value;
                values.push((column, value));
            }
        }
        let length: f64 = if self.recipe.is_unit_length() { squares.sqrt() } else { 1.0 };
        for (_, value) in values.iter_mut() {
            *value /= length;
            reading.mass += *value;
        }
        reading
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::grams::{GramKind, GramKinds};
    use crate::features::recipe::{Prior, RECIPE_VERSION, Weighting};
    use crate::score::reading::Seen;

    fn recipe(weighting: Weighting) -> Recipe {
        Recipe {
            version: RECIPE_VERSION,
            kinds: GramKinds::of(&[GramKind::Word]),
            weighting,
            char_weight: 1.0,
            concept_weight: 1.0,
            alpha: 1.0,
            prior: Prior::Uniform,
            df_min: 2,
        }
    }

    #[test]
    fn rare_and_held_out_words_are_unknown() {
        let kinds = GramKinds::of(&[GramKind::Word]);
        let documents = Documents::read(["a b", "a c", "a a b c d"].into_iter(), kinds);
        let vocabulary = Vocabulary::select(&documents, &[0, 1], &recipe(Weighting::Counts));
        assert_eq!(vocabulary.len(), 1);
        let mut values = Vec::new();
        let reading = vocabulary.values(&documents, 2, &mut values);
        assert_eq!(values, [(0, 2.0)]);
        let grams = Seen { known: 2, unknown: 3 };
        let expected = Reading { known: 2, grams, words: grams, mass: 2.0, ..Reading::default() };
        assert_eq!(reading, expected);
        assert_eq!(reading.grams.unknown_share(), 0.6);
    }

    #[test]
    fn tf_idf_rows_have_unit_length() {
        let kinds = GramKinds::of(&[GramKind::Word]);
        let documents = Documents::read(["a b", "a b b", "a c"].into_iter(), kinds);
        let vocabulary = Vocabulary::select(&documents, &[0, 1, 2], &recipe(Weighting::TfIdf));
        let mut values = Vec::new();
        vocabulary.values(&documents, 1, &mut values);
        let squares: f64 = values.iter().map(|(_, value)| value * value).sum();
        assert!((squares - 1.0).abs() < 1e-12);
        // "b" is rarer than "a" and occurs twice here.
        let largest = values.iter().map(|(_, value)| *value).fold(0.0, f64::max);
        assert_eq!(values.len(), 2);
        assert!(largest > 0.9);
    }
}
