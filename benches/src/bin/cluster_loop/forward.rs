//! The forward that does no work, on the same broker: an example of `pipeline`, which alone names the
//! broker's client.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::ensure;
use benches::runs::number;
use benches::{lateness, usage};
use serde_json::{Value, json};

use crate::measure::Asked;

/// Builds it beside this program.
pub fn built() -> anyhow::Result<PathBuf> {
    benches::example::built("kafka_forward")
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
    why.extend(lateness::late(number(&found, "/late_ms/p99"), number(&found, "/latency_ms/p95")));
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
