//! Reads everything the product shows of a run, through its doors.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::customers::Journal;
use super::facts::{Facts, Line, Sent};
use crate::api::Api;

/// Requests at once.
const AT_ONCE: usize = 16;

/// Everything there is about what `journal` says was written.
///
/// # Errors
/// When a door does not answer.
pub async fn gather(api: &Api, journal: &Journal, sent: Vec<Sent>) -> anyhow::Result<Facts> {
    let ids: Vec<String> = journal.values().flatten().map(|one| one.message_id.clone()).collect();
    let decisions = each(ids, |id| decision(api.clone(), id)).await?;
    let decisions: BTreeMap<String, Value> = decisions.into_iter().collect();
    let mut conversations: Vec<String> = decisions
        .values()
        .filter_map(|decision| decision.get("conversation_id")?.as_str().map(str::to_owned))
        .chain(sent.iter().map(|one| one.conversation_id.clone()))
        .collect();
    conversations.sort_unstable();
    conversations.dedup();
    let histories = each(conversations, |id| history(api.clone(), id)).await?;
    let metrics = api.get("/metrics").await?;
    Ok(Facts {
        written: journal.clone(),
        decisions,
        histories: histories.into_iter().collect(),
        sent,
        dead_letters: rejected(&metrics.text),
    })
}

/// Asks for each of `ids`, some at a time.
async fn each<T, F>(ids: Vec<String>, ask: impl Fn(String) -> F) -> anyhow::Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    let mut asked = tokio::task::JoinSet::new();
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        if asked.len() >= AT_ONCE
            && let Some(answer) = asked.join_next().await
        {
            found.push(answer??);
        }
        asked.spawn(ask(id));
    }
    while let Some(answer) = asked.join_next().await {
        found.push(answer??);
    }
    Ok(found)
}

async fn decision(api: Api, id: String) -> anyhow::Result<(String, Value)> {
    let answer = api.get(&format!("/v1/messages/{id}")).await?;
    // A lost message is for the judge to say; the door's answer is noted as it is.
    Ok((id, answer.body))
}

async fn history(api: Api, id: String) -> anyhow::Result<((i64, String), Vec<Line>)> {
    let head = api.get(&format!("/v1/conversations/{id}")).await?;
    ensure!(head.status == 200, "conversation {id}: status {}", head.status);
    let opened =
        head.body.get("opened_at_ms").and_then(Value::as_i64).context("no opened_at_ms")?;
    let mut lines: Vec<Line> = Vec::new();
    loop {
        let after = lines.last().map_or(0, |line| line.seq);
        let path = format!("/v1/conversations/{id}/events?after={after}");
        let page = api.get(&path).await?;
        let events = page.body.get("events").and_then(Value::as_array).context("no events")?;
        lines.extend(events.iter().map(line));
        // A history that does not go on is at its end, or spoilt: the judge sees that.
        if lines.last().is_none_or(|line| line.seq <= after) {
            return Ok(((opened, id), lines));
        }
    }
}

fn line(event: &Value) -> Line {
    Line {
        seq: event.get("seq").and_then(Value::as_i64).unwrap_or_default(),
        event: event.get("event").and_then(Value::as_str).unwrap_or_default().to_owned(),
        detail: event.get("detail").cloned().unwrap_or_default(),
    }
}

/// How many records were set aside since the server started.
fn rejected(metrics: &str) -> u64 {
    metrics
        .lines()
        .filter(|line| line.starts_with("correnteza_stage_rejected_total{"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}
