//! Any label set and language: trains on parts of the public sets, where they are at hand.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use classifier::{Row, Task, TrainOptions, evaluate, read_rows, train};
use std::path::PathBuf;

/// The first rows of a public set beside the project's root; says so when it is absent.
fn rows(file: &str, n: usize) -> Option<Vec<Row>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(file);
    let Ok(jsonl) = std::fs::read_to_string(path) else {
        println!("skipped: no ../shared/data/{file} beside the project's root");
        return None;
    };
    let mut rows = read_rows(&jsonl).unwrap();
    // Spread over the file, which is sorted by label.
    let step = (rows.len() / n).max(1);
    rows = rows.into_iter().step_by(step).collect();
    Some(rows)
}

/// Trains on four fifths and evaluates on the rest.
fn held_out(task: Task, rows: &[Row]) -> classifier::Evaluation {
    let part = |held: bool| -> Vec<Row> {
        let rows = rows.iter().enumerate().filter(|(i, _)| (i % 5 == 4) == held);
        rows.map(|(_, row)| row.clone()).collect()
    };
    let head = train(task, &part(false), &TrainOptions::default(), &mut |_| {}).unwrap();
    evaluate(head.head(), &part(true))
}

#[test]
fn a_card_issuers_intents_in_portuguese() {
    let Some(rows) = rows("intent_ptbr_credsystem16.jsonl", 2_500) else { return };
    let evaluation = held_out(Task::Intent, &rows);
    assert!(evaluation.accuracy >= 0.90, "{evaluation:?}");
    assert!(evaluation.ece <= 0.05, "{evaluation:?}");
    assert_eq!(evaluation.oos_auto, None);
}

#[test]
fn english_intents_with_rows_out_of_scope() {
    let Some(mut rows) = rows("intent_en_clinc150.jsonl", 20_000) else { return };
    // Every fifth label, and out of scope: enough to be quick in a test.
    let mut labels: Vec<String> = rows.iter().map(|row| row.label.clone()).collect();
    labels.sort_unstable();
    labels.dedup();
    let kept: Vec<String> = labels.into_iter().filter(|label| label != "oos").step_by(10).collect();
    rows.retain(|row| row.label == "oos" || kept.contains(&row.label));
    let evaluation = held_out(Task::Intent, &rows);
    assert!(evaluation.accuracy >= 0.93, "{evaluation:?}");
    assert!(evaluation.oos_auroc.unwrap() >= 0.93, "{evaluation:?}");
}

#[test]
fn shop_reviews() {
    let Some(mut rows) = rows("sentiment_ptbr_olist_sample.jsonl", 3_000) else { return };
    rows.retain(|row| row.label != "neutral");
    let evaluation = held_out(Task::Sentiment, &rows);
    assert!(evaluation.accuracy >= 0.90, "{evaluation:?}");
}
