//! A head of words and pairs of words as plain JSON: what another implementation needs to decide as
//! this one does.
//!
//! Invariant: a word that a writer rejects ("não quero *boleto*") is a feature of its own with no name
//! of its own, and is left out; texts that hold one are told by their features being fewer.

use super::head::Head;
use crate::features::grams::GramKind;
use crate::features::hash::{finish, pair, raw};
use crate::text::slang;
use serde_json::{Value, json};

impl Head {
    /// The head as JSON, with names as [`crate::read_feature_names`] gives them: its labels, recipe,
    /// calibration and thresholds, the n-grams that are words or pairs (with factor, weights by label
    /// and of the background, and number as in [`Head::values`]), and the abbreviations of the
    /// normaliser.
    #[must_use]
    pub fn portable(&self, names: &[String]) -> Value {
        let model = &self.model;
        let grams: Vec<Value> = (0u32..)
            .zip(model.hashes.iter().zip(&model.places).zip(&model.scales))
            .filter_map(|(row, ((hash, place), scale))| {
                let name = names.get(*place as usize)?;
                let plain = plainly(name);
                (plain == *hash).then(|| {
                    json!({ "gram": name, "number": place, "scale": scale,
                        "weights": model.weights.row(row) })
                })
            })
            .collect();
        let header = &model.header;
        json!({
            "labels": header.labels,
            "recipe": header.recipe,
            "calibration": header.calibration,
            "thresholds": header.thresholds,
            "log_prior": header.log_prior,
            "grams": grams,
            "abbreviations": slang::pairs().collect::<std::collections::BTreeMap<_, _>>(),
        })
    }
}

/// The hash of a word or of a pair of words that nobody rejects.
fn plainly(name: &str) -> u64 {
    let raw_of = |word: &str| raw(&word.chars().collect::<Vec<_>>());
    match name.split_once(' ') {
        None => finish(raw_of(name), GramKind::Word as u64),
        Some((left, right)) => finish(pair(raw_of(left), raw_of(right)), GramKind::Pair as u64),
    }
}
