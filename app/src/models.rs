//! The models: how the bundled ones come to be at the first start, and how versions travel by the log
//! from there.
//!
//! Training runs in a child process: its memory goes with it, and what a library prints on standard
//! error while it fits does not reach the terminal.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use classifier::{Models, Progress, Step, Task};
use serde::{Deserialize, Serialize};

use crate::config::Settings;

pub mod chunks;
pub mod follow;
pub mod installed;
pub mod kept;
pub mod releases;
pub mod route;
pub mod shadowed;
pub mod take_up;

/// How many versions of the models are kept.
const KEPT_VERSIONS: usize = 4;

/// What a training child tells its parent, a JSON line each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// Where it is.
    Step {
        /// Which head.
        task: String,
        /// What it does now.
        step: String,
        /// Rows it works on.
        rows: usize,
    },
    /// It is done; what was made of what, for people.
    Done(serde_json::Value),
    /// It failed.
    Failed(String),
}

/// Where the live models are, as far as this machine knows; before anything is live, where they will be
/// found.
pub fn in_use(settings: &Settings) -> PathBuf {
    let live = kept::Kept::of(&settings.server.data_dir).live();
    live.unwrap_or_else(|| directory(settings))
}

/// Where the first models of an installation are found, or put.
pub fn directory(settings: &Settings) -> PathBuf {
    if settings.models.dir.is_empty() {
        settings.server.data_dir.join("models")
    } else {
        PathBuf::from(&settings.models.dir)
    }
}

/// Opens the models in `dir`; without any, trains the bundled corpus first.
pub fn open_or_train(dir: &Path) -> anyhow::Result<Models> {
    if !dir.join(Task::Intent.file_name()).exists() {
        let mut note = |line: &str| {
            let _ = writeln!(std::io::stderr(), "{line}");
        };
        note(&format!("no model in {} yet: training the bundled corpus once", dir.display()));
        let name = dir.to_str().context("the models' directory has a name that is not text")?;
        let unfinished = PathBuf::from(format!("{name}.unfinished"));
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished)?;
        }
        let out = unfinished.to_str().unwrap_or_default();
        train_in_child(&["fit", "--bundled", "--out", out], &mut note)?;
        publish(&unfinished, dir)
            .with_context(|| format!("cannot put the models into {}", dir.display()))?;
    }
    Ok(Models::open(dir)?)
}

/// Moves trained heads to where they are looked for: the intent head, by which they are found, last.
fn publish(unfinished: &Path, dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let last = Task::Intent.file_name();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(unfinished)? {
        names.push(entry?.file_name());
    }
    names.sort_by_key(|name| name == last);
    for name in names {
        std::fs::File::open(unfinished.join(&name))?.sync_all()?;
        std::fs::rename(unfinished.join(&name), dir.join(&name))?;
    }
    std::fs::remove_dir_all(unfinished)
}

/// Runs this program again with `arguments` to train, and passes on what it tells.
pub fn train_in_child(
    arguments: &[&str],
    note: &mut dyn FnMut(&str),
) -> anyhow::Result<serde_json::Value> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start a process to train in")?;
    let output = child.stdout.take().context("the training process has no output")?;
    let mut done = None;
    for line in BufReader::new(output).lines() {
        match serde_json::from_str(&line?) {
            Ok(Told::Step { task, step, rows }) => note(&format!("  {task}: {step} ({rows} rows)")),
            Ok(Told::Done(value)) => done = Some(Ok(value)),
            Ok(Told::Failed(why)) => done = Some(Err(anyhow::anyhow!(why))),
            Err(_) => {}
        }
    }
    let status = child.wait()?;
    match done {
        Some(done) => done,
        None => {
            bail!("the training process ended without a word ({status}); is there enough memory?")
        }
    }
}

/// What a training child says of its progress.
pub fn told(progress: Progress) -> Told {
    let step = match progress.step {
        Step::Checking => "checking the rows",
        Step::Testing => "training without the test part, to test that",
        Step::ChoosingRecipe => "choosing a recipe on held-out rows",
        Step::HoldingOut => "scoring every row by a model that has not seen it",
        Step::Calibrating => "calibrating and certifying thresholds",
        Step::Fitting => "fitting",
        Step::Writing => "writing",
    };
    Told::Step { task: progress.task.name().to_owned(), step: step.to_owned(), rows: progress.rows }
}

/// Says a line to the parent.
pub fn say(told: &Told) {
    let mut output = std::io::stdout().lock();
    if let Ok(line) = serde_json::to_string(told) {
        let _ = writeln!(output, "{line}");
        let _ = output.flush();
    }
}
