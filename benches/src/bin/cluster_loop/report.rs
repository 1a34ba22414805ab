//! What is shown of all runs: of each configuration and rate the median over the runs that are valid.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::measure::number;

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

/// The runs of one configuration at one rate.
pub struct Group<'a> {
    /// What ran.
    pub name: String,
    /// Messages a second.
    pub rate: f64,
    /// Those that count.
    pub valid: Vec<&'a Value>,
    /// How many there were.
    pub runs: usize,
}

impl Group<'_> {
    /// The median of a figure over the runs that count; nothing where none has it.
    pub fn median(&self, pointer: &str) -> Option<f64> {
        let mut found: Vec<f64> =
            self.valid.iter().map(|run| number(run, pointer)).filter(|n| n.is_finite()).collect();
        found.sort_by(f64::total_cmp);
        let middle = found.len().checked_sub(1)? / 2;
        found.get(middle).copied()
    }
}

/// What a run is called.
pub fn name(run: &Value) -> String {
    let words = ["stages", "layout", "delivery"].map(|part| run.get(part).and_then(Value::as_str));
    let words: Vec<&str> = words.into_iter().flatten().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// The runs by rate and configuration, in the order they are first met.
pub fn groups(runs: &[Value]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for run in runs {
        let (name, rate) = (name(run), number(run, "/rate"));
        #[allow(clippy::float_cmp)] // as it was asked for
        let at = groups.iter().position(|group| group.name == name && group.rate == rate);
        let at = at.unwrap_or(groups.len());
        if at == groups.len() {
            groups.push(Group { name, rate, valid: Vec::new(), runs: 0 });
        }
        if let Some(group) = groups.get_mut(at) {
            group.runs += 1;
            group.valid.extend((run.get("valid") == Some(&Value::Bool(true))).then_some(run));
        }
    }
    groups.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    groups
}

/// One run, in a few lines.
pub fn told(run: &Value) -> String {
    let mut text = format!(
        "{} at {}/s, repeat {}: {}\n",
        name(run),
        number(run, "/rate"),
        number(run, "/repeat"),
        if run.get("valid") == Some(&Value::Bool(true)) { "valid" } else { "INVALID" },
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
            group.rate.to_string(),
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
        text += &format!("- {} at {}/s: {}\n", group.name, group.rate, used.join(", "));
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
