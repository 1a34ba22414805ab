//! What is shown of all runs: of each configuration and rate the median over the runs that are valid.

use std::collections::BTreeMap;

use benches::runs::{self, Group, is_valid, number};
use serde_json::Value;

/// What is looked at, and what people call it.
pub const FIGURES: [(&str, &str); 5] = [
    ("accepted_ms", "2xx"),
    ("decided_ms", "decision heard"),
    ("message_stored_ms", "message stored"),
    ("decision_stored_ms", "decision stored"),
    ("forwarded_ms", "forwarded"),
];

/// Percentiles that are shown.
pub const SHARES: [&str; 5] = ["p50", "p95", "p99", "p999", "max"];

/// What a run is called.
pub fn name(run: &Value) -> String {
    let words = ["stages", "layout", "delivery"].map(|part| run.get(part).and_then(Value::as_str));
    let words: Vec<&str> = words.into_iter().flatten().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// The runs by rate and configuration, the lowest rate first.
pub fn groups(runs: &[Value]) -> Vec<Group<'_>> {
    let mut groups = runs::groups(runs, name);
    let rate = |group: &Group<'_>| group.rate.unwrap_or_default();
    groups.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
    groups
}

/// One run, in a few lines.
pub fn told(run: &Value) -> String {
    let mut text = format!(
        "{} at {}/s, repeat {}: {}\n",
        name(run),
        number(run, "/rate"),
        number(run, "/repeat"),
        if is_valid(run) { "valid" } else { "INVALID" },
    );
    if let Some(why) = run.get("invalid_because").and_then(Value::as_array) {
        why.iter().filter_map(Value::as_str).for_each(|why| text += &format!("  because: {why}\n"));
    }
    let figures = [("late_ms", "generator late")].into_iter().chain(FIGURES);
    for (figure, words) in figures.filter(|(figure, _)| run.get(*figure).is_some()) {
        let all: Vec<String> = SHARES
            .iter()
            .map(|share| format!("{share} {:.2}", number(run, &format!("/{figure}/{share}"))))
            .collect();
        text += &format!("  {words:16} {} ms\n", all.join("  "));
    }
    for part in ["cpu_us_a_message", "memory_mib", "load_average", "first_output_s", "hops"] {
        if let Some(found) = run.get(part).filter(|found| !found.is_null()) {
            text += &format!("  {part}: {found}\n");
        }
    }
    text
}

/// All runs as a table in Markdown.
pub fn table(runs: &[Value]) -> String {
    let mut text = String::from(
        "| msg/s | what | valid | 2xx p50/p95/p99 | decision heard | message stored | decision stored |\
         \n|---|---|---|---|---|---|---|\n",
    );
    for group in groups(runs) {
        let mut cells = vec![
            group.rate.unwrap_or_default().to_string(),
            group.name.clone(),
            format!("{} of {}", group.valid.len(), group.runs),
        ];
        let forwarded = group.median("/forwarded_ms/p95").is_some();
        for (figure, _) in FIGURES.iter().take(4) {
            // A forward has one figure: it stands where its path ends.
            let figure = match *figure {
                "decision_stored_ms" if forwarded => "forwarded_ms",
                figure => figure,
            };
            let all: Option<Vec<String>> = ["p50", "p95", "p99"]
                .iter()
                .map(|share| Some(format!("{:.1}", group.median(&format!("/{figure}/{share}"))?)))
                .collect();
            cells.push(all.map_or_else(|| "–".to_owned(), |all| all.join(" / ")));
        }
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text += "\nCPU, µs a message (median):\n\n";
    for group in groups(runs) {
        let names: BTreeMap<&str, ()> = group
            .valid
            .iter()
            .filter_map(|run| run.get("cpu_us_a_message")?.as_object())
            .flat_map(|used| used.keys().map(|name| (name.as_str(), ())))
            .collect();
        let used: Vec<String> = names
            .keys()
            .filter_map(|name| {
                let used = group.median(&format!("/cpu_us_a_message/{name}"))?;
                Some(format!("{name} {used:.0}"))
            })
            .collect();
        text += &format!(
            "- {} at {}/s: {}\n",
            group.name,
            group.rate.unwrap_or_default(),
            used.join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(valid: bool, p95: f64) -> Value {
        json!({ "stages": "ours", "layout": "chained", "delivery": "at_once", "rate": 200.0,
            "valid": valid, "decision_stored_ms": { "p50": 1.0, "p95": p95, "p99": 9.0 } })
    }

    #[test]
    fn only_what_is_valid_counts_and_the_middle_is_shown() {
        let runs = [run(true, 5.0), run(true, 3.0), run(false, 100.0), run(true, 4.0)];
        let groups = groups(&runs);
        assert_eq!((groups.len(), groups[0].valid.len(), groups[0].runs), (1, 3, 4));
        assert_eq!(groups[0].median("/decision_stored_ms/p95"), Some(4.0));
        let table = table(&runs);
        assert!(table.contains("| 200 | ours chained at_once | 3 of 4 |"), "{table}");
        assert!(table.contains("1.0 / 4.0 / 9.0"), "{table}");
    }
}
