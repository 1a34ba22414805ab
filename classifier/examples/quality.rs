//! Measures quality: the bundled corpus on its validation rows, and the public data sets on a
//! held-out fifth of each. `benches/quality/run.sh` runs it, and scikit-learn on the same features.
//!
//! `quality OUT [set…]` writes `OUT/<set>.json` and, for public sets, the feature values of both
//! parts (`OUT/<set>.train.svm`, `OUT/<set>.test.svm`). Public sets are read in place from
//! `../shared/data` beside the project's root; absent ones are named and skipped. linfa prints to
//! standard error.

#![allow(clippy::print_stdout, clippy::indexing_slicing)] // a JSON object is filled by name

use classifier::{
    Context, ContextTable, Head, Models, Prior, Row, Scratch, Task, TrainOptions, TrainedHead,
    corpus, evaluate, is_out_of_scope, read_rows, seconds, train, train_bundled_head, write_head,
};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

/// A public set and what of it is used.
struct Set {
    name: &'static str,
    task: Task,
    file: &'static str,
    /// Labels left out.
    without: &'static [&'static str],
}

const SETS: [Set; 6] = [
    intents("banking77", "intent_en_banking77.jsonl"),
    intents("clinc150", "intent_en_clinc150.jsonl"),
    intents("credsystem16", "intent_ptbr_credsystem16.jsonl"),
    tones("tweetsentbr", "sentiment_ptbr_tweetsentbr_umsab.jsonl", &[]),
    tones("olist_neg_pos", "sentiment_ptbr_olist_sample.jsonl", &["neutral"]),
    tones("olist_3", "sentiment_ptbr_olist_sample.jsonl", &[]),
];

const fn intents(name: &'static str, file: &'static str) -> Set {
    Set { name, task: Task::Intent, file, without: &[] }
}

const fn tones(name: &'static str, file: &'static str, without: &'static [&'static str]) -> Set {
    Set { name, task: Task::Sentiment, file, without }
}

/// What the public sets' thresholds are certified for.
const TARGET: f64 = 0.95;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let out = PathBuf::from(arguments.next().ok_or("usage: quality OUT [set…]")?);
    std::fs::create_dir_all(&out)?;
    let wanted: Vec<String> = arguments.collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    if wants("provider") {
        provider(&out)?;
    }
    if wants("scale") {
        scale(&out)?;
    }
    for set in SETS.iter().filter(|set| wants(set.name)) {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let path = root.join("../../shared/data").join(set.file);
        let Ok(jsonl) = std::fs::read_to_string(&path) else {
            println!("SKIPPED: {}: no ../shared/data/{} beside the root", set.name, set.file);
            continue;
        };
        let mut rows = read_rows(&jsonl)?;
        rows.retain(|row| !set.without.contains(&row.label.as_str()));
        public(set, &rows, &out)?;
    }
    Ok(())
}

/// Writes what was measured, and says it is there.
fn report(out: &Path, name: &str, measured: &Value) -> Result<(), Failure> {
    std::fs::write(out.join(format!("{name}.json")), serde_json::to_vec_pretty(measured)?)?;
    println!("{name}: {}", measured["test"]);
    Ok(())
}

/// What is told of any head: its held-out figures, and those on rows it has not seen.
fn told(head: &TrainedHead, unseen: &[Row], started: Instant) -> Value {
    let (card, seconds) = (head.card(), started.elapsed().as_secs_f64());
    json!({
        "features": card.features,
        "artifact_bytes": head.bytes().len(),
        "train_seconds": seconds,
        "trained_on": card.checks.kept,
        "promise": card.promise,
        "forced": card.failed_bars,
        "trials": card.trials,
        "held_out": card.held_out,
        "test": evaluate(head.head(), unseen),
        "test_outside": unseen.iter().filter(|row| is_outside(head.head(), row)).count(),
        "ece_by_chance": ece_by_chance(head.head(), unseen),
    })
}

fn is_outside(head: &Head, row: &Row) -> bool {
    head.task() == Task::Intent && is_out_of_scope(&row.label)
}

/// The calibration error that a perfectly calibrated head with these very confidences would show on
/// so many rows: the mean over outcomes drawn by the confidences.
fn ece_by_chance(head: &Head, rows: &[Row]) -> f64 {
    const BINS: usize = 15;
    const ROUNDS: usize = 200;
    let mut scratch = Scratch::new();
    let inside = rows.iter().filter(|row| !is_outside(head, row));
    let sure: Vec<f64> =
        inside.map(|row| head.predict(&row.text, &mut scratch).probability()).collect();
    let mut total = 0.0;
    for round in 0..ROUNDS {
        let mut gaps = [0.0; BINS];
        for (i, confidence) in sure.iter().enumerate() {
            let bin = (0..BINS).rev().find(|bin| confidence * BINS as f64 > *bin as f64);
            let drawn = below(i, round, 1_000_000) as f64 / 1e6;
            gaps[bin.unwrap_or(0)] += confidence - f64::from(u8::from(drawn < *confidence));
        }
        total += gaps.iter().map(|gap| gap.abs()).sum::<f64>() / (sure.len() as f64).max(1.0);
    }
    total / ROUNDS as f64
}

/// The four bundled heads on the validation rows, as they are and as hasty hands would write them.
fn provider(out: &Path) -> Result<(), Failure> {
    let (rows, unseen) = (corpus::training()?, corpus::validation()?);
    for task in Task::ALL {
        let started = Instant::now();
        let head = train_bundled_head(task, &rows, &mut |_| {})?;
        let mut measured = told(&head, &unseen, started);
        let hasty = head.card().test.as_ref().map(|test| test.hasty.clone());
        measured["hasty"] = serde_json::to_value(hasty)?;
        measured["reload_ms"] = json!(reload_ms(&head)?);
        write_head(&out.join("model"), &head)?;
        if task == Task::Intent {
            measured["second_intents"] = serde_json::to_value(seconds(head.head(), &unseen))?;
            let head = Head::from_bytes("again", head.bytes())?;
            measured["context_simulated"] = context(head, &rows, &unseen)?;
        }
        report(out, &format!("provider_{}", task.name()), &measured)?;
    }
    report(out, "speed", &speed(&Models::open(&out.join("model"))?, &unseen))
}

/// Time of one message of 13 to 17 words by all heads, over the validation rows in turn; on a machine
/// with other work, the least time of each message says more.
fn speed(models: &Models, rows: &[Row]) -> Value {
    let words = |row: &&Row| (13..=17).contains(&row.text.split_whitespace().count());
    let texts: Vec<&str> = rows.iter().filter(words).map(|row| row.text.as_str()).collect();
    let (mut scratch, mut times) = (Scratch::new(), Vec::new());
    let mut least = vec![Duration::MAX; texts.len()];
    for round in 0..200 {
        for (text, least) in texts.iter().zip(&mut least) {
            let started = Instant::now();
            black_box(models.classify(black_box(text), &mut scratch));
            let taken = started.elapsed();
            *least = taken.min(*least);
            if round > 0 {
                times.push(taken);
            }
        }
    }
    let at = |times: &[Duration], share: usize| {
        times.get(times.len() * share / 100).map(|time| time.as_secs_f64() * 1e6)
    };
    times.sort_unstable();
    least.sort_unstable();
    json!({ "test": {
        "p50_us": at(&times, 50), "p99_us": at(&times, 99),
        "least_p50_us": at(&least, 50), "least_p99_us": at(&least, 99),
        "messages": texts.len(), "load": load(),
    } })
}

/// Processes that wanted to run in the last minute, on average.
fn load() -> String {
    let loads = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    loads.split(' ').next().unwrap_or_default().to_owned()
}

/// What facts beside the text bring, on simulated ones: drawn by the declared rates for each row's
/// true intent; the table is learned from draws for the training rows.
fn context(head: Head, rows: &[Row], unseen: &[Row]) -> Result<Value, Failure> {
    let declared = ContextTable::from_json(include_str!("../corpus/context.json"))?;
    let draw = |(at, row): (usize, &Row)| {
        let drawn = declared.facts.iter().enumerate().map(|(place, (fact, rates))| {
            let rate = rates.intents.get(&row.label).copied().unwrap_or(rates.overall);
            (*fact, (below(at, place, 1_000) as f64) < rate * 1_000.0)
        });
        Context { facts: drawn.collect(), previous_intent: None }
    };
    let contacts: Vec<(String, Context)> =
        rows.iter().enumerate().map(|row| (row.1.label.clone(), draw(row))).collect();
    let table = ContextTable::learn(&contacts, "simulated");
    let models = Models::from_heads(vec![head]).with_context(table);
    let known: Vec<Context> = unseen.iter().enumerate().map(draw).collect();
    let unknown = vec![Context::default(); unseen.len()];
    Ok(json!({
        "text_alone": with_context(&models, unseen, &unknown),
        "with_facts": with_context(&models, unseen, &known),
    }))
}

fn with_context(models: &Models, rows: &[Row], contexts: &[Context]) -> Value {
    let mut scratch = Scratch::new();
    let (mut inside, mut right, mut answered, mut wrong, mut outside) = (0, 0, 0, 0, 0);
    for (row, context) in rows.iter().zip(contexts) {
        let said = models.classify_in(&row.text, context, &mut scratch);
        let is_in = !is_out_of_scope(&row.label);
        let is_right = is_in && said.intent == row.label;
        inside += usize::from(is_in);
        right += usize::from(is_right);
        answered += usize::from(said.would_answer);
        wrong += usize::from(said.would_answer && !is_right);
        outside += usize::from(said.would_answer && !is_in);
    }
    json!({
        "in_scope": inside, "right": right, "answered": answered, "answered_wrongly": wrong,
        "out_of_scope_answered": outside,
    })
}

fn reload_ms(head: &TrainedHead) -> Result<f64, Failure> {
    let started = Instant::now();
    Head::from_bytes("again", head.bytes())?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

/// Time and memory of training 20,000 rows of 30 labels: made-up messages, a few words of which
/// tell the label.
fn scale(out: &Path) -> Result<(), Failure> {
    let syllables = ["ba", "co", "de", "fi", "go", "lu", "ma", "ne", "pi", "ro", "sa", "te", "vu"];
    let word = |i: usize| -> String {
        let at = |k: usize| syllables.get(below(i, k, syllables.len())).copied();
        (0..2 + i % 3).filter_map(at).collect()
    };
    let words: Vec<String> = (0..8_000).map(word).collect();
    let text = |i: usize| {
        let one = |k: usize| {
            let own = k.is_multiple_of(4);
            let at = if own { i % 30 * 40 + below(i, k, 40) } else { below(i, k, 8_000) };
            words.get(at).map_or("", String::as_str)
        };
        (0..15).map(one).collect::<Vec<_>>().join(" ")
    };
    let rows: Vec<Row> =
        (0..20_000).map(|i| Row::new(text(i), format!("l{:02}", i % 30))).collect();
    let started = Instant::now();
    let head = train(Task::Intent, &rows, &TrainOptions::default(), &mut |_| {})?;
    let mut measured = told(&head, &[], started);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    measured["peak_memory"] = json!(peak.map(str::trim));
    let build = if cfg!(debug_assertions) { "the tests' build" } else { "release" };
    measured["told_by"] = json!(format!("{build}, load {}", load()));
    measured["reload_ms"] = json!(reload_ms(&head)?);
    measured["test"] = json!(head.card().held_out.accuracy);
    report(out, "scale", &measured)
}

/// A number under `n` that depends on row and place alone.
fn below(row: usize, place: usize, n: usize) -> usize {
    let mixed = (row * 31 + place + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) % (n * 7) / 7
}

/// A public set: every fifth row is held out, the rest trained on.
fn public(set: &Set, rows: &[Row], out: &Path) -> Result<(), Failure> {
    let part = |held: bool| -> Vec<Row> {
        let rows = rows.iter().enumerate().filter(|(i, _)| (i % 5 == 4) == held);
        rows.map(|(_, row)| row.clone()).collect()
    };
    let (rows, unseen) = (part(false), part(true));
    let started = Instant::now();
    let options = TrainOptions { target_precision: TARGET, force: true, ..TrainOptions::default() };
    let head = train(set.task, &rows, &options, &mut |_| {})?;
    let mut measured = told(&head, &unseen, started);
    let recipe = head.head().recipe();
    measured["alpha"] = json!(recipe.alpha);
    measured["uniform_prior"] = json!(recipe.prior == Prior::Uniform);
    let outside = head.head().labels().iter().position(|label| is_out_of_scope(label));
    measured["out_of_scope_class"] = json!(outside.filter(|_| set.task == Task::Intent));
    for (part, rows) in [("train", &rows), ("test", &unseen)] {
        let path = out.join(format!("{}.{part}.svm", set.name));
        std::fs::write(path, features(head.head(), rows)?)?;
    }
    report(out, set.name, &measured)
}

/// The feature values of rows, a line each: the class, then `feature:value`, as svmlight has it.
fn features(head: &Head, rows: &[Row]) -> Result<String, Failure> {
    let (mut scratch, mut lines) = (Scratch::new(), String::new());
    for row in rows {
        let label = head.labels().iter().position(|label| label == head.task().label_of(row));
        let Some(label) = label else { continue };
        write!(lines, "{label}")?;
        let mut values = head.values(&row.text, &mut scratch);
        values.sort_unstable_by_key(|(feature, _)| *feature);
        for (feature, value) in values {
            write!(lines, " {}:{value:.9}", feature + 1)?;
        }
        lines.push('\n');
    }
    Ok(lines)
}
