//! The curve of the intents: what scoring a text costs under more labels.
//!
//! The product's trainer fits a head for each number of labels, on made-up texts: words of the label
//! among words that all share, as many rows a label as real ones have. What is measured is the whole
//! reading of a text it has not seen, as the product serves it.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::ensure;
use benches::draw::Draw;
use benches::usage::Own;
use classifier::{Head, Recipe, Row, Scratch, Task, TrainOptions};

use crate::report::Case;

const LABELS: [u64; 4] = [8, 20, 40, 80];
/// Rows of a label.
const ROWS: u64 = 60;
/// Words of a label, and of all.
const OWN_WORDS: u64 = 30;
const SHARED_WORDS: u64 = 400;
/// Different texts that are scored in turn.
const TEXTS: u64 = 5_000;

/// All numbers of labels.
pub fn all(place: &Path, texts: u64) -> anyhow::Result<Vec<Case>> {
    LABELS.into_iter().map(|labels| one(place, labels, texts)).collect()
}

/// Trains a head of so many labels into `dir`. In a process of its own: the library that fits it is
/// talkative.
pub fn train(dir: &Path, labels: u64) -> anyhow::Result<()> {
    let rows: Vec<Row> =
        (0..labels * ROWS).map(|n| Row::new(text(n % labels, n), name(n % labels))).collect();
    let recipe = Some(Recipe::provider_intent());
    let options = TrainOptions { recipe, folds: 2, force: true, ..TrainOptions::default() };
    let trained = classifier::train(Task::Intent, &rows, &options, &mut |_| {})?;
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join(Task::Intent.file_name()), trained.bytes())?;
    Ok(())
}

fn one(place: &Path, labels: u64, texts: u64) -> anyhow::Result<Case> {
    let dir = place.join(format!("labels_{labels}"));
    let mut child = Command::new(std::env::current_exe()?);
    let output =
        child.arg("train").arg(&dir).arg(labels.to_string()).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().next_back().unwrap_or_default();
    ensure!(output.status.success(), "no head of {labels} labels was trained: {last}");
    let head = Head::open(&dir.join(Task::Intent.file_name()))?;
    ensure!(head.labels().len() as u64 == labels, "the head has lost labels");
    let unseen: Vec<(String, String)> =
        (0..TEXTS).map(|n| (name(n % labels), text(n % labels, n + 1_000_000_007))).collect();
    let mut scratch = Scratch::new();
    let (used, mut right) = (Own::begin(), 0u64);
    for n in 0..texts {
        let at = usize::try_from(n % TEXTS)?;
        let Some((label, text)) = unseen.get(at) else { continue };
        let said = head.predict(text, &mut scratch);
        right += u64::from(said.label == label);
    }
    let (cpu_s, _) = used.used();
    #[allow(clippy::cast_precision_loss)] // texts of a run
    let each = |found: f64| found / texts as f64;
    let right = each(right as f64);
    let mut case = Case::of("intents")
        .at(labels)
        .with("cpu_us_a_message", each(cpu_s * 1e6))
        .with("right_share", right)
        .about("texts", texts)
        .about("rows_a_label", ROWS);
    if right < 0.5 {
        case.invalid_because.push("the head does not tell the labels apart".to_owned());
    }
    Ok(case)
}

fn name(label: u64) -> String {
    format!("intencao_{label:02}")
}

/// The `n`th text under a label: six words of its own among six of all.
fn text(label: u64, n: u64) -> String {
    let mut draw = Draw::of(n ^ 0x7e87);
    let words: Vec<String> = (0..12)
        .map(|at| match at % 2 {
            0 => word(1_000 + label * OWN_WORDS + draw.below(OWN_WORDS)),
            _ => word(draw.below(SHARED_WORDS)),
        })
        .collect();
    words.join(" ")
}

/// The `n`th word: of syllables, as Portuguese has them.
fn word(n: u64) -> String {
    const FIRST: [&str; 12] =
        ["ba", "ca", "do", "fe", "ga", "lo", "mi", "no", "pe", "ra", "su", "vi"];
    let mut draw = Draw::of(n ^ 0x30d);
    (0..2 + draw.below(3)).map(|_| draw.of_all(&FIRST)).collect()
}
