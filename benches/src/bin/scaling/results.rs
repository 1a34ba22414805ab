//! What a task leaves: a run a line, a table, and a picture.
//!
//! Invariant: a run is on disk before the next one begins.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use benches::runs::is_valid;
use serde_json::Value;

/// The results of one task.
pub struct Results {
    out: PathBuf,
    name: &'static str,
    lines: File,
    /// All runs so far.
    pub runs: Vec<Value>,
}

impl Results {
    /// Begins anew in `out`.
    pub fn new(out: &Path, name: &'static str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(out)?;
        let lines = File::create(out.join(format!("{name}.jsonl")))?;
        Ok(Self { out: out.to_owned(), name, lines, runs: Vec::new() })
    }

    /// Writes a run down, and tells it.
    pub fn add(&mut self, run: Value) -> anyhow::Result<()> {
        writeln!(self.lines, "{run}")?;
        println!("{}: {}", self.name, if is_valid(&run) { "valid" } else { "INVALID" });
        for (name, found) in run.as_object().into_iter().flatten() {
            if name != "lag" {
                println!("  {name}: {found}");
            }
        }
        self.runs.push(run);
        Ok(())
    }

    /// Writes what came of all.
    pub fn finish(&self, table: &str, svg: &str) -> anyhow::Result<()> {
        println!("\n{table}");
        std::fs::write(self.out.join(format!("{}.md", self.name)), table)?;
        std::fs::write(self.out.join(format!("{}.svg", self.name)), svg)?;
        Ok(())
    }
}

/// Whether what was asked for came about, in a word.
pub fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}
