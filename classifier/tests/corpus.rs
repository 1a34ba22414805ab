//! The project's corpus: enough rows, no near-duplicates, nothing of validation in training.

#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

use classifier::near_duplicates::{JACCARD_MIN, find};
use classifier::{Row, corpus, is_out_of_scope};
use std::collections::BTreeMap;

/// Words up to which two people write the same message by themselves ("oi", "boleto", "bom dia"):
/// such messages repeat in real traffic, so they are no sign of a copied row.
const SAME_BY_NATURE_WORDS: usize = 2;

fn by_nature(row: &Row) -> bool {
    let words = row.text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.count() <= SAME_BY_NATURE_WORDS
}

/// Pairs of rows that are too alike, one line each.
fn too_alike(rows: &[Row]) -> Vec<(usize, usize, String)> {
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    find(&texts, JACCARD_MIN)
        .into_iter()
        .filter(|pair| !by_nature(&rows[pair.first]) || !by_nature(&rows[pair.second]))
        .map(|pair| {
            let (first, second) = (&rows[pair.first], &rows[pair.second]);
            let line = format!(
                "{:.2} {} {:?} / {} {:?}",
                pair.jaccard, first.label, first.text, second.label, second.text
            );
            (pair.first, pair.second, line)
        })
        .collect()
}

#[test]
fn every_label_has_enough_rows() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for row in corpus::training().unwrap() {
        *counts.entry(row.label).or_default() += 1;
    }
    assert_eq!(counts.len(), 31, "{counts:?}");
    for (label, rows) in counts {
        let enough = if is_out_of_scope(&label) { 150 } else { 40 };
        assert!(rows >= enough, "{label} has {rows} rows, fewer than {enough}");
    }
}

#[test]
fn rows_are_complete_and_labels_agree() {
    let training = corpus::training().unwrap();
    let validation = corpus::validation().unwrap();
    let known: std::collections::BTreeSet<&str> =
        training.iter().map(|row| row.label.as_str()).collect();
    for row in training.iter().chain(&validation) {
        assert!(!row.text.trim().is_empty());
        assert!(known.contains(row.label.as_str()), "unknown label {}", row.label);
        assert!(row.second.as_deref().is_none_or(|label| known.contains(label)), "{row:?}");
        assert_ne!(row.second.as_deref(), Some(row.label.as_str()), "{row:?}");
        let sentiment = row.sentiment.as_deref();
        assert!(matches!(sentiment, Some("positivo" | "neutro" | "negativo")), "{row:?}");
        assert!(row.frustrated.is_some() && row.urgent.is_some(), "{row:?}");
        let channel = row.channel.as_deref();
        assert!(matches!(channel, Some("whatsapp" | "web_chat" | "email" | "phone")), "{row:?}");
    }
}

#[test]
fn training_rows_are_not_near_duplicates() {
    let found = too_alike(&corpus::training().unwrap());
    let lines: Vec<&String> = found.iter().map(|(_, _, line)| line).collect();
    assert!(lines.is_empty(), "{} near-duplicates:\n{lines:#?}", lines.len());
}

#[test]
fn validation_is_unseen_in_training() {
    let training = corpus::training().unwrap();
    let border = training.len();
    let all: Vec<Row> = training.into_iter().chain(corpus::validation().unwrap()).collect();
    let crossing =
        |(first, second, _): &&(usize, usize, String)| *first < border && *second >= border;
    let found = too_alike(&all);
    let lines: Vec<&String> = found.iter().filter(crossing).map(|(_, _, line)| line).collect();
    assert!(lines.is_empty(), "{} near-duplicates:\n{lines:#?}", lines.len());
}
