//! Time to classify a message of about fifteen words, and the ratio to linfa's own dense predict.
//!
//! `cargo bench -p classifier --bench score`. The heads are trained in a child process whose
//! standard error is discarded, because linfa prints every fit to it.

#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing)]

use classifier::{Head, Models, Recipe, Scratch, Task, corpus, read_class_sums, train_bundled};
use criterion::Criterion;
use linfa::traits::{FitWith, Predict};
use linfa::{DatasetBase, ParamGuard};
use linfa_bayes::{MultinomialNb, MultinomialNbParams};
use ndarray::{Array1, Array2};
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Set in the child that trains: where to.
const TRAIN_INTO: &str = "CLASSIFIER_BENCH_TRAIN_INTO";

fn main() {
    if let Some(dir) = std::env::var_os(TRAIN_INTO) {
        return train_into(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .env(TRAIN_INTO, dir.path())
        .stderr(Stdio::null())
        .status();
    assert!(child.unwrap().success(), "training failed");
    let messages = messages();
    let started = Instant::now();
    let models = Models::open(dir.path()).unwrap();
    println!("open: {:.0} ms, model {}", started.elapsed().as_secs_f64() * 1e3, models.version());
    percentiles(&models, &messages);
    ratio(dir.path(), &messages);
    let mut criterion = Criterion::default().configure_from_args().sample_size(30);
    compare(&mut criterion, &models, &messages);
    criterion.final_summary();
}

/// Trains all heads, and the same intent model as a linfa object.
fn train_into(dir: &Path) {
    train_bundled(dir, &mut |_| {}).unwrap();
    let bytes = std::fs::read(dir.join(Task::Intent.file_name())).unwrap();
    let sums = read_class_sums("intent.model", &bytes).unwrap();
    let records = Array2::from_shape_vec((sums.features(), sums.classes), sums.sums).unwrap();
    let records = records.reversed_axes().as_standard_layout().to_owned();
    let dataset = DatasetBase::new(records, Array1::from_iter(0..sums.classes));
    let alpha = Recipe::provider_intent().alpha;
    let params = MultinomialNbParams::<f64, usize>::new().alpha(alpha).check().unwrap();
    let model: MultinomialNb<f64, usize> = params.fit_with(None, &dataset).unwrap();
    std::fs::write(dir.join("linfa.bin"), postcard::to_allocvec(&model).unwrap()).unwrap();
}

/// Validation messages of 13 to 17 words: texts the heads were not trained on.
fn messages() -> Vec<String> {
    let rows = corpus::validation().unwrap().into_iter().map(|row| row.text);
    rows.filter(|text| (13..=17).contains(&text.split_whitespace().count())).collect()
}

/// p50 and p99 of single calls, over all messages in turn.
fn percentiles(models: &Models, messages: &[String]) {
    let mut scratch = Scratch::new();
    let mut times: Vec<Duration> = Vec::new();
    for round in 0..200 {
        for text in messages {
            let started = Instant::now();
            black_box(models.classify(black_box(text), &mut scratch));
            if round > 0 {
                times.push(started.elapsed());
            }
        }
    }
    times.sort_unstable();
    let at = |share: usize| times[times.len() * share / 1_000].as_secs_f64() * 1e6;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!(
        "classify, {} messages of 13-17 words, four heads: p50 {:.1} us, p95 {:.1}, p99 {:.1}, \
         p99.9 {:.1} (load {})",
        messages.len(),
        at(500),
        at(950),
        at(990),
        at(999),
        load.split(' ').next().unwrap_or("unknown"),
    );
}

/// Our scores against linfa's dense predict: from the text, and from ready-made features, which is
/// what linfa is given.
fn ratio(dir: &Path, messages: &[String]) {
    let head = Head::open(&dir.join(Task::Intent.file_name())).unwrap();
    let linfa: MultinomialNb<f64, usize> =
        postcard::from_bytes(&std::fs::read(dir.join("linfa.bin")).unwrap()).unwrap();
    let mut scratch = Scratch::new();
    let features = head.card().features;
    let texts: Vec<&String> = messages.iter().take(60).collect();
    let (mut ours, mut bare, mut theirs, mut agree) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..50 {
        for text in &texts {
            let started = Instant::now();
            black_box(head.scores(black_box(text), &mut scratch));
            ours.push(started.elapsed());
        }
    }
    for _ in 0..50 {
        for text in &texts {
            // Rescoring takes the features found by the call before.
            head.scores(text, &mut scratch);
            let started = Instant::now();
            black_box(head.rescore(&mut scratch));
            bare.push(started.elapsed());
        }
    }
    for text in &texts {
        let scores = head.scores(text, &mut scratch);
        let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let mut dense = Array2::<f64>::zeros((1, features));
        for (feature, value) in head.values(text, &mut scratch) {
            dense[(0, feature as usize)] = value;
        }
        for _ in 0..5 {
            let started = Instant::now();
            let found = black_box(linfa.predict(black_box(&dense)));
            theirs.push(started.elapsed());
            agree += usize::from(Some(found[0]) == best);
        }
    }
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e6
    };
    let (ours, bare, theirs) = (median(ours), median(bare), median(theirs));
    println!(
        "intent head, {features} features: linfa dense predict {theirs:.0} us; ours from features \
         {bare:.2} us ({:.0} times), from text {ours:.1} us ({:.0} times); same class {agree} of {}",
        theirs / bare,
        theirs / ours,
        texts.len() * 5
    );
}

fn compare(criterion: &mut Criterion, models: &Models, messages: &[String]) {
    let mut scratch = Scratch::new();
    let mut next = messages.iter().cycle();
    criterion.bench_function("classify_15_words_four_heads", |bencher| {
        bencher.iter(|| {
            let text = next.next().unwrap();
            black_box(models.classify(black_box(text), &mut scratch));
        });
    });
    criterion.bench_function("classify_and_explain_15_words", |bencher| {
        bencher.iter(|| {
            black_box(models.classify(black_box(&messages[0]), &mut scratch));
            black_box(models.explain_last(5, &scratch))
        });
    });
    criterion.bench_function("explain_15_words", |bencher| {
        bencher.iter(|| black_box(models.explain(black_box(&messages[0]), 5, &mut scratch)));
    });
}
