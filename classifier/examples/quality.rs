//! Measures quality: the bundled corpus on its validation rows, and the public data sets on a
//! held-out fifth of each.
//!
//! `cargo run --release -p classifier --example quality [set…] 2>/dev/null` (linfa prints to
//! standard error). Public sets are read in place from `../shared/data` beside the project's root;
//! absent ones are named and skipped.

#![allow(clippy::print_stdout, clippy::indexing_slicing)]

use classifier::{
    Evaluation, Row, Task, TrainError, TrainOptions, TrainedHead, corpus, evaluate, read_rows,
    train, train_bundled_head,
};
use std::path::PathBuf;
use std::time::Instant;

/// Set, task, file, labels left out.
const SETS: [(&str, Task, &str, &[&str]); 6] = [
    ("banking77", Task::Intent, "intent_en_banking77.jsonl", &[]),
    ("clinc150", Task::Intent, "intent_en_clinc150.jsonl", &[]),
    ("credsystem16", Task::Intent, "intent_ptbr_credsystem16.jsonl", &[]),
    ("tweetsentbr", Task::Sentiment, "sentiment_ptbr_tweetsentbr_umsab.jsonl", &[]),
    ("olist", Task::Sentiment, "sentiment_ptbr_olist_sample.jsonl", &["neutral"]),
    ("anger", Task::Sentiment, "emotion_ptbr_brighter_anger.jsonl", &[]),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    if wants("provider") {
        provider()?;
    }
    if wants("scale") {
        scale()?;
    }
    for (name, task, file, left_out) in SETS.into_iter().filter(|set| wants(set.0)) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(file);
        let Ok(jsonl) = std::fs::read_to_string(&path) else {
            println!("{name}: skipped, no ../shared/data/{file} beside the project's root");
            continue;
        };
        let mut rows = read_rows(&jsonl)?;
        rows.retain(|row| !left_out.contains(&row.label.as_str()));
        public(name, task, &rows)?;
    }
    Ok(())
}

/// The four bundled heads on the validation rows.
fn provider() -> Result<(), Box<dyn std::error::Error>> {
    let (rows, unseen) = (corpus::training()?, corpus::validation()?);
    for task in Task::ALL {
        let started = Instant::now();
        let head = train_bundled_head(task, &rows, &mut |_| {})?;
        report(&format!("provider {}", task.name()), &head, &unseen, started);
    }
    Ok(())
}

/// Time and memory of training 20,000 rows of 30 labels: made-up messages, a few words of which
/// tell the label.
fn scale() -> Result<(), Box<dyn std::error::Error>> {
    let mut state = 1usize;
    let mut below = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % n
    };
    let syllables = ["ba", "co", "de", "fi", "go", "lu", "ma", "ne", "pi", "ro", "sa", "te", "vu"];
    let mut word = |n: usize| (0..n).map(|_| syllables[below(13)]).collect::<String>();
    let words: Vec<String> = (0..8_000).map(|i| word(2 + i % 3)).collect();
    let mut rows = Vec::new();
    for i in 0..20_000 {
        let label = i % 30;
        let text = (0..15).map(|k| {
            let own = k % 4 == 0;
            let at = if own { label * 40 + below_of(i, k, 40) } else { below_of(i, k, 8_000) };
            words[at].as_str()
        });
        rows.push(Row::new(text.collect::<Vec<_>>().join(" "), format!("l{label:02}")));
    }
    let started = Instant::now();
    let head = train(Task::Intent, &rows, &TrainOptions::default(), &mut |_| {})?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    let seconds = started.elapsed().as_secs_f64();
    let (accuracy, size) = (head.card().held_out.accuracy, head.bytes().len());
    println!("\nscale 20,000 x 30: {seconds:.1} s, {peak}, {size} bytes, accuracy {accuracy:.3}");
    Ok(())
}

/// A number under `n` that depends on row and place alone.
fn below_of(row: usize, place: usize, n: usize) -> usize {
    let mixed = (row * 31 + place + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) % (n * 7) / 7
}

/// A public set: every fifth row is held out, the rest trained on.
fn public(name: &str, task: Task, rows: &[Row]) -> Result<(), Box<dyn std::error::Error>> {
    let part = |held: bool| -> Vec<Row> {
        rows.iter()
            .enumerate()
            .filter(|(i, _)| (i % 5 == 4) == held)
            .map(|(_, r)| r.clone())
            .collect()
    };
    let started = Instant::now();
    let options = TrainOptions { target_precision: target(), ..TrainOptions::default() };
    match train(task, &part(false), &options, &mut |_| {}) {
        Ok(head) => report(name, &head, &part(true), started),
        Err(TrainError::BelowBar { card }) => {
            println!("{name}: refused: {}", card.failed_bars.join("; "));
            let options = TrainOptions { force: true, ..options };
            let head = train(task, &part(false), &options, &mut |_| {})?;
            report(name, &head, &part(true), started);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// `TARGET=0.95` measures the thresholds of another target.
fn target() -> f64 {
    std::env::var("TARGET").ok().and_then(|t| t.parse().ok()).unwrap_or(0.97)
}

fn report(name: &str, head: &TrainedHead, unseen: &[Row], started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    let (held, card) = (&head.card().held_out, head.card());
    println!("\n{name}: {} features, {} bytes, {seconds:.1} s", card.features, head.bytes().len());
    println!(
        "  held out  n {:5} acc {:.3} f1 {:.3} ece {:.3}->{:.3} brier {:.3}->{:.3} cov95 {:.2} \
         cov97 {:.2} auroc {:.3} conf-ece {:.3} {}",
        held.n,
        held.accuracy,
        held.macro_f1,
        held.ece_raw,
        held.ece,
        held.brier_raw,
        held.brier,
        held.coverage_at_95,
        held.coverage_at_97,
        held.oos_auroc.or(held.auroc).unwrap_or(f64::NAN),
        held.confidence_ece,
        card.promise,
    );
    for trial in &card.trials {
        let recipe = &trial.recipe;
        println!(
            "    tried {:?} alpha {}: acc {:.4} f1 {:.4}",
            recipe.weighting, recipe.alpha, trial.accuracy, trial.macro_f1
        );
    }
    let e: Evaluation = evaluate(head.head(), unseen);
    println!(
        "  unseen    n {:5} acc {:.3} f1 {:.3} ece {:.3} brier {:.3} cov95 {:.2} cov97 {:.2} \
         precision_auto {:.3} coverage_auto {:.3} oos_auroc {:.3} oos_auto {:.3}",
        e.n,
        e.accuracy,
        e.macro_f1,
        e.ece,
        e.brier,
        e.coverage_at.at_95,
        e.coverage_at.at_97,
        e.precision_auto.unwrap_or(f64::NAN),
        e.coverage_auto,
        e.oos_auroc.unwrap_or(f64::NAN),
        e.oos_auto.unwrap_or(f64::NAN),
    );
}
