//! train, evaluate, classify, explain.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use classifier::{
    Head, Models, PROVENANCE, Row, Scratch, Task, TrainError, TrainOptions, corpus,
    evaluate as judge, read_csv_rows, read_rows, train as train_head, train_bundled, write_head,
};
use serde_json::{Map, Value, json};

use super::labels::training_rows;
use super::print;
use crate::cli::{Classify, Evaluate, Explain, Fit, Train};
use crate::models::{self, Told};

fn task(name: &str) -> anyhow::Result<Task> {
    Task::from_name(name).with_context(|| {
        let known: Vec<&str> = Task::ALL.iter().map(|task| task.name()).collect();
        format!("no task '{name}'; there are {}", known.join(", "))
    })
}

fn rows(path: &Path) -> anyhow::Result<Vec<Row>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let is_csv = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
    let read = if is_csv { read_csv_rows } else { read_rows };
    read(&text).with_context(|| format!("in {}", path.display()))
}

fn text_of(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not a name in text", path.display()))
}

/// `train`: in a process of its own.
pub fn train(asked: &Train) -> anyhow::Result<()> {
    task(&asked.task)?;
    let mut arguments = vec!["fit", "--task", &asked.task, "--out", text_of(&asked.out)?];
    let files = [
        ("--data", &asked.data),
        ("--from-labels", &asked.from_labels),
        ("--test", &asked.test),
        ("--live", &asked.live),
    ];
    for (name, file) in files {
        if let Some(file) = file {
            arguments.extend([name, text_of(file)?]);
        }
    }
    if asked.force {
        arguments.push("--force");
    }
    let mut note = |line: &str| {
        let _ = writeln!(std::io::stderr(), "{line}");
    };
    let card = models::train_in_child(&arguments, &mut note)?;
    print(&serde_json::to_string_pretty(&card)?)
}

/// `fit`: what the process of its own does.
pub fn fit(asked: &Fit) -> anyhow::Result<()> {
    let told = match fitted(asked) {
        Ok(card) => Told::Done(card),
        Err(error) => Told::Failed(format!("{error:#}")),
    };
    models::say(&told);
    Ok(())
}

fn fitted(asked: &Fit) -> anyhow::Result<Value> {
    let mut progress = |progress| models::say(&models::told(progress));
    if asked.bundled {
        let models = train_bundled(&asked.out, &mut progress)?;
        return Ok(json!({ "version": models.version() }));
    }
    let task = task(asked.task.as_deref().context("--task is needed")?)?;
    let (mut training, mut provenance) = match (&asked.data, &asked.from_labels) {
        (Some(data), _) => (rows(data)?, format!("Rows given in {}.", name_of(data))),
        (None, Some(_)) => (corpus::training()?, PROVENANCE.to_owned()),
        (None, None) => bail!("--data or --from-labels is needed"),
    };
    if let Some(labels) = &asked.from_labels {
        training.extend(training_rows(labels, task)?);
        provenance += &format!(" With the labels in {}.", name_of(labels));
    }
    let live = asked.live.as_ref().unwrap_or(&asked.out).join(task.file_name());
    let options = TrainOptions {
        force: asked.force,
        test: asked.test.as_deref().map_or_else(|| Ok(Vec::new()), rows)?,
        live: live_head(&live, asked.live.is_some())?,
        provenance,
        ..TrainOptions::default()
    };
    let trained = train_head(task, &training, &options, &mut progress).map_err(explain_bars)?;
    write_head(&asked.out, &trained)?;
    Ok(serde_json::to_value(trained.card())?)
}

/// The head a new one is compared with: one that was named must be there and open; one that happens
/// to be in the way is not compared with if it does not.
fn live_head(path: &Path, is_named: bool) -> anyhow::Result<Option<Arc<Head>>> {
    match Head::open(path) {
        Ok(head) => Ok(Some(Arc::new(head))),
        Err(error) if is_named => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// What people call a file.
fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A refusal with the figures that led to it.
fn explain_bars(error: TrainError) -> anyhow::Error {
    let figures = match &error {
        TrainError::BelowBar { card } => serde_json::to_string(&card.held_out).ok(),
        _ => None,
    };
    let error = anyhow::Error::new(error);
    match figures {
        Some(figures) => error.context(format!("held-out figures: {figures}")),
        None => error,
    }
}

/// `evaluate`
pub fn evaluate(asked: &Evaluate, config: Option<&Path>) -> anyhow::Result<()> {
    let dir = directory(asked.model.as_ref(), config)?;
    let rows = rows(&asked.data)?;
    let head = match &asked.task {
        Some(name) => Head::open(&dir.join(task(name)?.file_name()))?,
        None => fitting_head(&dir, &rows)?,
    };
    let found = judge(&head, &rows);
    if asked.json {
        return print(&serde_json::to_string(&found)?);
    }
    let value = serde_json::to_value(&found)?;
    let lines: Vec<String> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name:<16} {value}"))
        .collect();
    print(&lines.join("\n"))
}

/// The head of the directory that knows most of the rows' labels.
fn fitting_head(dir: &Path, rows: &[Row]) -> anyhow::Result<Head> {
    let mut best: Option<(usize, Head)> = None;
    for task in Task::ALL {
        let path = dir.join(task.file_name());
        if !path.exists() {
            continue;
        }
        let head = Head::open(&path)?;
        let known = rows.iter().filter(|row| head.labels().contains(&row.label)).count();
        if best.as_ref().is_none_or(|(most, _)| known > *most) {
            best = Some((known, head));
        }
    }
    best.map(|(_, head)| head).with_context(|| {
        format!("no model in {}: train one, or name another with --model", dir.display())
    })
}

/// The model asked for, or the one `serve` uses.
fn directory(asked: Option<&PathBuf>, config: Option<&Path>) -> anyhow::Result<PathBuf> {
    match asked {
        Some(dir) => Ok(dir.clone()),
        None => Ok(models::in_use(&super::settings(config, None)?)),
    }
}

/// Opens a model; the default one is trained if it is not there yet.
fn open(asked: Option<&PathBuf>, config: Option<&Path>) -> anyhow::Result<Models> {
    let dir = directory(asked, config)?;
    if asked.is_some() { Ok(Models::open(&dir)?) } else { models::open_or_train(&dir) }
}

/// `classify`: lines in, lines out, in order.
pub fn classify(asked: &Classify, config: Option<&Path>) -> anyhow::Result<()> {
    let models = open(asked.model.as_ref(), config)?;
    let mut scratch = Scratch::new();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (at, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let mut row: Map<String, Value> = serde_json::from_str(&line)
            .with_context(|| format!("line {} is not a JSON object", at + 1))?;
        let Some(text) = row.get("text").and_then(Value::as_str).map(str::to_owned) else {
            bail!("line {} has no text", at + 1);
        };
        row.extend(said(&models, &text, &mut scratch));
        match writeln!(out, "{}", Value::Object(row)) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            done => done?,
        }
    }
    out.flush()?;
    Ok(())
}

/// What the models say of a text.
fn said(models: &Models, text: &str, scratch: &mut Scratch) -> Map<String, Value> {
    let c = models.classify(text, scratch);
    let intents: Vec<Value> =
        c.intents.iter().map(|(id, p)| json!({ "id": id, "probability": p })).collect();
    let fields = json!({
        "intent": c.intent,
        "secondary": c.secondary,
        "confidence": c.confidence,
        "intents": intents,
        "in_scope": c.in_scope,
        "would_answer": c.would_answer,
        "threshold": c.threshold.is_finite().then_some(c.threshold),
        "sentiment": c.sentiment,
        "sentiment_confidence": c.sentiment_confidence,
        "frustrated": c.frustrated.map(|(yes, _)| yes),
        "urgent": c.urgent.map(|(yes, _)| yes),
        "model_version": models.version(),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// `explain`
pub fn explain(asked: &Explain, config: Option<&Path>) -> anyhow::Result<()> {
    let models = open(asked.model.as_ref(), config)?;
    let mut scratch = Scratch::new();
    let known = classifier::Context {
        facts: asked.facts.iter().copied().collect(),
        previous_intent: asked.after.clone(),
    };
    let c = models.classify_in(&asked.text, &known, &mut scratch);
    let mut text = format!(
        "{} (confidence {:.3}, answered from {:.3} on{})\n",
        c.intent,
        c.confidence,
        c.threshold,
        if c.in_scope { "" } else { "; probably out of scope" },
    );
    for (id, probability) in c.intents.iter() {
        text += &format!("  {probability:>6.3}  {id}\n");
    }
    text += "what spoke for the first against the second (nats):\n";
    for telling in models.explain_last(asked.most, &scratch) {
        text += &format!("  {:>+6.2}  {}\n", telling.weight, telling.ngram);
    }
    print(text.trim_end())
}
