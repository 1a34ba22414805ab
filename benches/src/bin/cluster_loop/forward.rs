//! The forward that does no work, on the same broker: an example of `pipeline`, which alone names the
//! broker's client.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tests::server::root;

use crate::judge;
use crate::measure::{Asked, number};
use crate::usage;

/// Builds the example beside this program.
pub fn built() -> anyhow::Result<PathBuf> {
    let mine = std::env::current_exe()?;
    let profile = mine.parent().context("this program is in no directory")?;
    let target = profile.parent().context("this program is in no target directory")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "pipeline", "--features", "kafka"]);
    build.args(["--example", "kafka_forward"]);
    build.arg("--manifest-path").arg(root().join("Cargo.toml")).arg("--target-dir").arg(target);
    if profile.file_name().is_some_and(|name| name == "release") {
        build.arg("--release");
    }
    ensure!(build.status()?.success(), "the forward does not build");
    Ok(profile.join("examples/kafka_forward"))
}

/// Runs it over so many hops.
pub fn run(kafka: &str, hops: usize, asked: Asked) -> anyhow::Result<Value> {
    let load_before = usage::load();
    let output = Command::new(built()?)
        .args([kafka, &hops.to_string(), &asked.rate.to_string(), &asked.seconds.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the forward failed");
    let found: Value = serde_json::from_slice(&output.stdout)?;
    let mut why: Vec<String> = ["lost", "repeated", "disordered"]
        .into_iter()
        .map(|what| (what, number(&found, &format!("/{what}"))))
        .filter(|(_, count)| *count != 0.0)
        .map(|(what, count)| format!("{count} × {what}"))
        .collect();
    why.extend(judge::late(number(&found, "/late_ms/p99"), number(&found, "/latency_ms/p95")));
    let part = |name: &str| found.get(name).cloned().unwrap_or_default();
    Ok(json!({
        "stages": format!("forward_{hops}"),
        "layout": "",
        "delivery": "",
        "rate": asked.rate,
        "seconds": asked.seconds,
        "repeat": asked.repeat,
        "sent": part("sent"),
        "valid": why.is_empty(),
        "invalid_because": why,
        "late_ms": part("late_ms"),
        "forwarded_ms": part("latency_ms"),
        "cpu_us_a_message": { "forward": part("cpu_us") },
        "load_average": [load_before, usage::load()],
    }))
}
