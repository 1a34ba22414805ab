//! The model everyone scores with, and the texts everyone reads.
//!
//! The product's own training fits it on the project's corpus, with a recipe that others can follow:
//! words and pairs of words, tf·idf. Messages are those of the corpus that a plain normaliser reads as
//! the product's does: what the product's tokeniser knows more of (numbers, negations) is not compared.

use std::path::Path;

use anyhow::{Context, ensure};
use classifier::{Head, Scratch, Task, TrainOptions, corpus, read_feature_names, train};
use serde_json::json;

use crate::peers::plain::Plain;

/// The texts must be many enough that caches are not what is measured.
const TEXTS_MIN: usize = 500;

/// A text, and what the product says of it.
#[derive(Debug, Clone)]
pub struct Text {
    /// What the customer wrote.
    pub text: String,
    /// The best intent.
    pub intent: String,
    /// The probability that it is right.
    pub confidence: f64,
    /// May be answered without a person.
    pub answered: bool,
}

/// The recipe: kinds 0 and 1 are words and pairs (bits 1 and 2).
fn recipe() -> anyhow::Result<classifier::Recipe> {
    let recipe = json!({
        "version": classifier::RECIPE_VERSION, "kinds": 3, "weighting": "tf_idf",
        "char_weight": 0.5, "concept_weight": 1.0, "alpha": 0.05, "prior": "uniform", "df_min": 2,
    });
    Ok(serde_json::from_value(recipe)?)
}

/// Trains the head and writes it to `dir`: as the product's file, and as JSON for everyone else.
pub fn prepare(dir: &Path) -> anyhow::Result<()> {
    let mut rows = corpus::training()?;
    // A second intent is told by reading clauses again, which no peer does.
    rows.iter_mut().for_each(|row| row.second = None);
    let options = TrainOptions {
        recipe: Some(recipe()?),
        target_precision: 0.9,
        force: true,
        ..TrainOptions::default()
    };
    let trained = train(Task::Intent, &rows, &options, &mut |_| {})?;
    let names = read_feature_names("the model of the comparison", trained.bytes())?;
    let portable = trained.head().portable(&names);
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join(Task::Intent.file_name()), trained.bytes())?;
    std::fs::write(dir.join("model.json"), serde_json::to_vec(&portable)?)?;
    Ok(())
}

/// Opens the head that [`prepare`] wrote.
pub fn open(dir: &Path) -> anyhow::Result<Head> {
    Ok(Head::open(&dir.join(Task::Intent.file_name()))?)
}

/// The texts everyone reads alike, with what the product says of each.
pub fn texts(dir: &Path) -> anyhow::Result<Vec<Text>> {
    let head = open(dir)?;
    let portable = serde_json::from_slice(&std::fs::read(dir.join("model.json"))?)?;
    let plain = Plain::of(&portable).context("model.json is not as it is written")?;
    let mut scratch = Scratch::new();
    let mut texts = Vec::new();
    let rows = corpus::training()?;
    for row in &rows {
        let said = head.predict(&row.text, &mut scratch);
        let (intent, confidence) = (said.label.to_owned(), said.confidence);
        let (answered, unknown) = (said.would_answer, said.unknown_share);
        let mut values = head.values(&row.text, &mut scratch);
        values.sort_by_key(|(number, _)| *number);
        let Some(read) = plain.read(&row.text) else { continue };
        if read.is_same(&values, unknown) {
            texts.push(Text { text: row.text.clone(), intent, confidence, answered });
        }
    }
    ensure!(texts.len() >= TEXTS_MIN, "only {} texts are read alike", texts.len());
    eprintln!("{} of {} texts of the corpus are read alike by all", texts.len(), rows.len());
    Ok(texts)
}
