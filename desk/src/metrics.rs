//! The figures of the last minutes, from what the `metrics` stage counted.

use std::collections::BTreeMap;

use schemas::state::MinuteMetrics;
use serde::Serialize;
use serde_json::{Value, json};
use sink::metrics::longest_of;

/// How turns ended.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
struct Settled {
    auto: i64,
    human: i64,
    owned: i64,
    incident: i64,
    dropped: i64,
}

impl Settled {
    fn add(&mut self, route: &str, by: i64) {
        match route {
            "auto" => self.auto += by,
            "human" => self.human += by,
            "owned" => self.owned += by,
            "incident" => self.incident += by,
            _ => self.dropped += by,
        }
    }

    /// Share of messages the machine answered among those somebody had to; `None` for none.
    fn auto_rate(&self) -> Option<f64> {
        let all = self.auto + self.human + self.owned;
        #[allow(clippy::cast_precision_loss)] // counts of messages
        (all > 0).then(|| self.auto as f64 / all as f64)
    }
}

/// Times to an answer, by bucket.
#[derive(Debug, Default, Clone)]
struct Times(BTreeMap<u32, i64>);

impl Times {
    /// The time within which a share of all answers came, in milliseconds, to a tenth.
    fn quantile(&self, share: f64) -> Option<f64> {
        let all: i64 = self.0.values().sum();
        #[allow(clippy::cast_precision_loss)] // counts of answers
        let wanted = all as f64 * share;
        let mut seen = 0;
        self.0.iter().find_map(|(bucket, count)| {
            seen += count;
            #[allow(clippy::cast_precision_loss)]
            (seen as f64 >= wanted && all > 0).then(|| longest_of(*bucket).round())
        })
    }

    fn view(&self) -> Value {
        json!({
            "p50": self.quantile(0.50),
            "p95": self.quantile(0.95),
            "p99": self.quantile(0.99),
            "count": self.0.values().sum::<i64>(),
        })
    }
}

/// How it was for customers.
#[derive(Debug, Default, Clone, Copy)]
struct Csat {
    asked: i64,
    answered: i64,
    /// Of all scores.
    score: i64,
}

impl Csat {
    fn add(&mut self, what: &str, by: i64) {
        match what {
            "asked" => self.asked += by,
            "answered" => self.answered += by,
            _ => self.score += by,
        }
    }

    fn view(&self) -> Value {
        #[allow(clippy::cast_precision_loss)] // counts of conversations
        let share = |of: i64, all: i64| (all > 0).then(|| of as f64 / all as f64);
        json!({
            "asked": self.asked,
            "answered": self.answered,
            "average": share(self.score, self.answered),
            // What was asked before these minutes may be answered in them.
            "answer_rate": share(self.answered, self.asked).map(|rate| rate.min(1.0)),
        })
    }
}

#[derive(Debug, Default, Clone)]
struct Sums {
    messages: i64,
    opened: i64,
    resolved_auto: i64,
    resolved_human: i64,
    sla_breached: i64,
    csat: Csat,
    settled: Settled,
    answer_ms: Times,
    by_channel: BTreeMap<String, (i64, Settled)>,
    by_intent: BTreeMap<String, Settled>,
    by_sentiment: BTreeMap<String, i64>,
}

impl Sums {
    fn add(&mut self, minute: &MinuteMetrics) {
        for (name, by) in &minute.values {
            let mut parts = name.split('/');
            match (parts.next().unwrap_or_default(), parts.next().unwrap_or_default()) {
                ("messages", channel) => {
                    self.messages += by;
                    self.by_channel.entry(channel.to_owned()).or_default().0 += by;
                }
                ("opened", _) => self.opened += by,
                ("resolved", "auto") => self.resolved_auto += by,
                ("resolved", _) => self.resolved_human += by,
                ("sla_breached", _) => self.sla_breached += by,
                ("csat", what) => self.csat.add(what, *by),
                ("settled", route) => self.settled.add(route, *by),
                ("answer_ms", bucket) => {
                    *self.answer_ms.0.entry(bucket.parse().unwrap_or_default()).or_default() += by;
                }
                ("intents", intent) => {
                    let route = parts.next().unwrap_or_default();
                    self.by_intent.entry(intent.to_owned()).or_default().add(route, *by);
                }
                ("sentiment", tone) => {
                    *self.by_sentiment.entry(tone.to_owned()).or_default() += by;
                }
                (settled, route) => {
                    if let Some(channel) = settled.strip_prefix("settled_") {
                        let entry = self.by_channel.entry(channel.to_owned()).or_default();
                        entry.1.add(route, *by);
                    }
                }
            }
        }
    }
}

/// The figures of minutes `from` to before `to` (since 1970, UTC).
pub(crate) fn summary(minutes: &[MinuteMetrics], from: i64, to: i64) -> Value {
    let mut total = Sums::default();
    minutes.iter().for_each(|minute| total.add(minute));
    let by_minute: BTreeMap<i64, Sums> = minutes
        .iter()
        .map(|minute| {
            let mut sums = Sums::default();
            sums.add(minute);
            (minute.minute, sums)
        })
        .collect();
    let series: Vec<Value> = (from..to)
        .map(|minute| {
            let sums = by_minute.get(&minute).cloned().unwrap_or_default();
            json!({
                "minute": minute,
                "messages": sums.messages,
                "auto": sums.settled.auto,
                "human": sums.settled.human + sums.settled.owned,
                "p50_ms": sums.answer_ms.quantile(0.50),
                "p95_ms": sums.answer_ms.quantile(0.95),
            })
        })
        .collect();
    let by_channel: BTreeMap<&String, Value> = total
        .by_channel
        .iter()
        .map(|(channel, (messages, settled))| {
            (channel, json!({ "messages": messages, "settled": settled, "auto_rate": settled.auto_rate() }))
        })
        .collect();
    let settled = &total.settled;
    json!({
        "from_minute": from,
        "to_minute": to,
        "messages": total.messages,
        "settled": settled,
        "in_flight": total.messages
            - (settled.auto + settled.human + settled.owned + settled.incident + settled.dropped),
        "auto_rate": settled.auto_rate(),
        "answer_ms": total.answer_ms.view(),
        "conversations": {
            "opened": total.opened,
            "resolved_auto": total.resolved_auto,
            "resolved_human": total.resolved_human,
        },
        "sla_breached": total.sla_breached,
        "csat": total.csat.view(),
        "by_channel": by_channel,
        "by_intent": total.by_intent,
        "by_sentiment": total.by_sentiment,
        "series": series,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sink::metrics::bucket_of;

    #[test]
    fn sums_up_and_tells_times_to_a_tenth() {
        let values = [
            ("messages/whatsapp".to_owned(), 10),
            ("csat/asked".to_owned(), 4),
            ("csat/answered".to_owned(), 2),
            ("csat/score".to_owned(), 9),
            ("settled/auto".to_owned(), 6),
            ("settled_whatsapp/auto".to_owned(), 6),
            ("settled/human".to_owned(), 2),
            ("intents/pix/auto".to_owned(), 4),
            (format!("answer_ms/{}", bucket_of(100)), 90),
            (format!("answer_ms/{}", bucket_of(1_000)), 10),
        ];
        let minute = MinuteMetrics {
            tenant: "demo".to_owned(),
            minute: 5,
            source_partition: 0,
            values: values.into(),
        };
        let summary = summary(&[minute], 4, 7);
        assert_eq!(
            (&summary["csat"]["average"], &summary["csat"]["answer_rate"]),
            (&4.5.into(), &0.5.into())
        );
        assert_eq!(summary["auto_rate"], 0.75);
        assert_eq!(summary["in_flight"], 2);
        assert_eq!(summary["by_intent"]["pix"]["auto"], 4);
        assert_eq!(summary["by_channel"]["whatsapp"]["messages"], 10);
        let p50 = summary["answer_ms"]["p50"].as_f64().unwrap();
        let p95 = summary["answer_ms"]["p95"].as_f64().unwrap();
        assert!((100.0..=111.0).contains(&p50) && (1_000.0..=1_101.0).contains(&p95));
        let series: Vec<_> = summary["series"].as_array().unwrap().iter().collect();
        assert_eq!(series.len(), 3);
        assert_eq!((&series[0]["messages"], &series[1]["messages"]), (&0.into(), &10.into()));
    }

    #[test]
    fn nothing_is_nothing() {
        let summary = summary(&[], 0, 1);
        assert_eq!(summary["csat"]["average"], Value::Null);
        assert_eq!(summary["auto_rate"], Value::Null);
        assert_eq!(summary["answer_ms"]["p95"], Value::Null);
    }
}
