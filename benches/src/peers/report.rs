//! What is shown of all runs: of each peer and load the median over the runs that are valid.

use serde_json::Value;

use crate::runs::{self, Group, is_valid, number};

/// The runs by load and peer, in the order they are first met.
#[must_use]
pub fn groups(runs: &[Value]) -> Vec<Group<'_>> {
    runs::groups(runs, |run| run.get("peer").and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// The median and the least, as people read them.
fn cell(group: &Group<'_>, pointer: &str) -> String {
    let least = group.sorted(pointer).first().copied();
    match (group.median(pointer), least) {
        (Some(median), Some(least)) => format!("{median:.1} ({least:.1})"),
        _ => "–".to_owned(),
    }
}

/// One run, in a few lines.
#[must_use]
pub fn told(run: &Value) -> String {
    let load = match run.get("rate").and_then(Value::as_f64) {
        Some(rate) => format!("{rate}/s"),
        None => format!("bulk of {}", number(run, "/messages")),
    };
    let mut text = format!(
        "{} at {load}, repeat {}: {}\n",
        run.get("peer").and_then(Value::as_str).unwrap_or_default(),
        number(run, "/repeat"),
        if is_valid(run) { "valid" } else { "INVALID" },
    );
    let parts = [
        "invalid_because",
        "late_ms",
        "cold_ms",
        "latency_ms",
        "messages_a_second",
        "cpu_s_per_million",
        "cpu_s_per_million_whole",
        "memory_mib",
        "ready_s",
        "load_average",
        "checked",
    ];
    for part in parts {
        if let Some(found) = run.get(part) {
            text += &format!("  {part}: {found}\n");
        }
    }
    text
}

/// All runs as tables in Markdown: medians, and the least in brackets.
#[must_use]
pub fn table(runs: &[Value]) -> String {
    let (bulk, rate): (Vec<_>, Vec<_>) =
        groups(runs).into_iter().partition(|group| group.rate.is_none());
    let mut text = String::new();
    if !bulk.is_empty() {
        text += "| peer | valid | messages/s | app CPU s/M, steady | whole | broker CPU s/M | RSS MiB | \
                 first output, s |\n|---|---|---|---|---|---|---|---|\n";
    }
    for group in &bulk {
        let cells = [
            "/messages_a_second",
            "/cpu_s_per_million/app",
            "/cpu_s_per_million_whole/app",
            "/cpu_s_per_million/broker",
            "/memory_mib/app/most",
            "/ready_s",
        ];
        text += &row(group, &group.name, &cells);
    }
    if !rate.is_empty() {
        text += "\n| peer | valid | p50 ms | p95 | p99 | cold p95 | app CPU s/M | broker CPU s/M | \
                 RSS MiB | ready, s |\n|---|---|---|---|---|---|---|---|---|---|\n";
    }
    for group in &rate {
        let name = format!("{} at {}/s", group.name, group.rate.unwrap_or_default());
        let cells = [
            "/latency_ms/p50",
            "/latency_ms/p95",
            "/latency_ms/p99",
            "/cold_ms/p95",
            "/cpu_s_per_million/app",
            "/cpu_s_per_million/broker",
            "/memory_mib/app/most",
            "/ready_s",
        ];
        text += &row(group, &name, &cells);
    }
    text
}

fn row(group: &Group<'_>, name: &str, cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|pointer| cell(group, pointer)).collect();
    format!("| {name} | {} of {} | {} |\n", group.valid.len(), group.runs, cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_valid_counts() {
        let run = |valid: bool, p95: f64| json!({ "peer": "ours", "rate": 100.0, "valid": valid, "latency_ms": { "p95": p95 } });
        let runs = [run(true, 5.0), run(true, 3.0), run(false, 100.0), run(true, 4.0)];
        let table = table(&runs);
        assert!(table.contains("| ours at 100/s | 3 of 4 | – | 4.0 (3.0) |"), "{table}");
    }
}
