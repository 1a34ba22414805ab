//! What the product's stages tell of themselves: what a batch, making its outputs durable, and a
//! commit took on average while a run lasted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Time histograms by stage: sum of seconds and count.
type Times = BTreeMap<(String, String), (f64, f64)>;

const KINDS: [&str; 3] = ["batch", "publish", "commit"];

fn times(text: &str) -> Times {
    let mut times = Times::new();
    for line in text.lines() {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let Ok(value) = value.parse::<f64>() else { continue };
        for kind in KINDS {
            let prefix = format!("correnteza_stage_{kind}_seconds_");
            let Some((what, rest)) = name.strip_prefix(&prefix).and_then(|n| n.split_once('{'))
            else {
                continue;
            };
            let stage = rest.trim_start_matches("stage=\"").trim_end_matches("\"}");
            let entry = times.entry((stage.to_owned(), kind.to_owned())).or_default();
            match what {
                "sum" => entry.0 = value,
                "count" => entry.1 = value,
                _ => {}
            }
        }
    }
    times
}

/// What was added between two expositions, by stage: how often, and milliseconds on average.
pub fn grown(before: &str, after: &str) -> Value {
    let (before, after) = (times(before), times(after));
    let mut stages: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
    for ((stage, kind), (sum, count)) in &after {
        let (sum_then, count_then) =
            before.get(&(stage.clone(), kind.clone())).copied().unwrap_or_default();
        let count = count - count_then;
        if count > 0.0 {
            let ms_mean = (sum - sum_then) * 1000.0 / count;
            let told = json!({ "count": count, "ms_mean": (ms_mean * 1000.0).round() / 1000.0 });
            stages.entry(stage).or_default().insert(kind, told);
        }
    }
    json!(stages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_of_what_was_added() {
        let text = |sum: &str, count: &str| {
            format!(
                "# TYPE correnteza_stage_commit_seconds histogram\n\
                 correnteza_stage_commit_seconds_bucket{{stage=\"turns\",le=\"1\"}} {count}\n\
                 correnteza_stage_commit_seconds_sum{{stage=\"turns\"}} {sum}\n\
                 correnteza_stage_commit_seconds_count{{stage=\"turns\"}} {count}\n"
            )
        };
        let grown = grown(&text("1", "10"), &text("1.5", "110"));
        assert_eq!(grown, json!({ "turns": { "commit": { "count": 100.0, "ms_mean": 5.0 } } }));
    }
}
