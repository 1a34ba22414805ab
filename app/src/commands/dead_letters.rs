//! Records no stage could use: looked at while the server runs, put back while it does not.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use pipeline::ledger::{Claim, OnceKey, OnceLedger};
use pipeline::log::embedded::{self, EmbeddedLog, Options};
use pipeline::telemetry::metrics::Metrics;
use pipeline::{Headers, Log, Record, Stored};
use schemas::Avro;
use schemas::ops::DeadLetter;
use schemas::topics::{self, DEAD_LETTERS, TOPICS, TopicSpec};

use super::{print, settings};
use crate::cli::DeadLetters;
use crate::config::Settings;
use crate::layout;

/// Letters read at once.
const PAGE: usize = 500;

/// Does what is asked of dead letters.
pub fn run(asked: DeadLetters, file: Option<&Path>) -> anyhow::Result<()> {
    match asked {
        DeadLetters::List { data_dir } => list(&settings(file, data_dir.as_deref())?),
        DeadLetters::Show { place, data_dir } => {
            show(&settings(file, data_dir.as_deref())?, &place)
        }
        DeadLetters::Replay { place, data_dir } => {
            let settings = settings(file, data_dir.as_deref())?;
            super::runtime()?.block_on(replay(&settings, &place))
        }
    }
}

fn topic() -> anyhow::Result<&'static TopicSpec> {
    topics::named(DEAD_LETTERS.0).context("this release has no dead letters")
}

/// Every letter, oldest first.
fn letters(settings: &Settings) -> anyhow::Result<Vec<(Stored, DeadLetter)>> {
    let mut all = Vec::new();
    let mut from = 0;
    loop {
        let page = embedded::peek(&settings.server.data_dir, topic()?, from, PAGE)?;
        let Some(last) = page.last() else { return Ok(all) };
        from = last.offset + 1;
        for record in page {
            let value = record.value.clone().unwrap_or_default();
            let letter = DeadLetter::from_bytes(&value)?;
            all.push((record, letter));
        }
    }
}

fn place_of(record: &Stored) -> String {
    format!("{}/{}", record.partition, record.offset)
}

fn list(settings: &Settings) -> anyhow::Result<()> {
    let letters = letters(settings)?;
    if letters.is_empty() {
        return print("no dead letters");
    }
    let mut text = format!("{:<10} {:<14} {:<15} {:<22} why\n", "place", "stage", "reason", "from");
    for (record, letter) in letters {
        let from = format!("{}/{}/{}", letter.topic, letter.partition, letter.offset);
        let reason = letter.reason.as_str();
        let place = place_of(&record);
        text += &format!(
            "{place:<10} {:<14} {reason:<15} {from:<22} {}\n",
            letter.stage, letter.detail
        );
    }
    print(text.trim_end())
}

fn find(settings: &Settings, place: &str) -> anyhow::Result<(Stored, DeadLetter)> {
    letters(settings)?
        .into_iter()
        .find(|(record, _)| place_of(record) == place)
        .with_context(|| format!("no dead letter at {place}; `dead-letters list` shows them"))
}

fn show(settings: &Settings, place: &str) -> anyhow::Result<()> {
    let (_, letter) = find(settings, place)?;
    let bytes = letter.value.as_deref().unwrap_or_default();
    let hex = data_encoding::HEXLOWER.encode(bytes);
    let shown = serde_json::json!({
        "stage": letter.stage,
        "reason": letter.reason,
        "detail": letter.detail,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "time_ms": letter.time_ms,
        "key": String::from_utf8_lossy(&letter.key),
        "bytes": bytes.len(),
        "value_hex": hex,
    });
    print(&serde_json::to_string_pretty(&shown)?)
}

/// Puts letters back at the input of the stage that could not use them, each once.
async fn replay(settings: &Settings, place: &str) -> anyhow::Result<()> {
    let chosen = if place == "all" { letters(settings)? } else { vec![find(settings, place)?] };
    let options =
        Options { partitions: settings.log.partitions, ..Options::at(&settings.server.data_dir) };
    let log = EmbeddedLog::open(&options, Arc::new(Metrics::new()?))?;
    log.ensure(TOPICS).await?;
    let mut replayed = 0;
    for (record, letter) in chosen {
        let place = place_of(&record);
        let Some(spec) = topics::named(&letter.topic) else {
            bail!("{place} is from topic {}, which this release does not have", letter.topic);
        };
        let once = OnceKey(format!("replay/{place}"));
        // One that was begun and not finished is put back again: the state machines know messages,
        // commands and outcomes by their ids.
        if let Claim::Settled(_) = log.claim(&once).await? {
            print(&format!("{place} was replayed before"))?;
            continue;
        }
        let (topic, link) = layout::again(settings.line.layout, &letter.stage, spec.topic);
        let mut again =
            Record::new(topic, letter.key, letter.value.unwrap_or_default(), letter.time_ms);
        let whole = format!("{}/{place}", DEAD_LETTERS.0);
        again.headers = Headers {
            // Without its origin: the reader has seen that, and would take this for a repeat.
            origin: None,
            replay_of: Some(whole.as_str().into()),
            trace: Headers::from_bytes(&letter.headers).trace,
        };
        if let Some(stage) = link {
            again.headers.replay_at(&whole, stage);
        }
        log.append(vec![again]).await?;
        log.settle(&once, b"replayed".to_vec()).await?;
        replayed += 1;
    }
    print(&format!("{replayed} put back; the next start of the server takes them up"))
}
