//! `labels export`: what people said turns were about, for data teams' own tools and for `train`.
//!
//! Reads `labels`. A turn that was labelled more than once is one row: the last word on it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use classifier::{Row, Task, read_rows};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemas::Avro;
use schemas::ids::ConversationId;
use schemas::labels::Label;
use schemas::topics::LABELS;
use serde::Serialize;

use super::{peek, print, settings};
use crate::cli::{ExportFormat, Labels};
use crate::config::Settings;

/// Does what is asked of labels.
pub fn run(asked: Labels, file: Option<&Path>) -> anyhow::Result<()> {
    let Labels::Export { out, format, since, data_dir } = asked;
    let settings = settings(file, data_dir.as_deref())?;
    let since_ms = since.as_deref().map(moment).transpose()?.unwrap_or(i64::MIN);
    let rows = rows(read(&settings)?, since_ms);
    match format {
        ExportFormat::Jsonl => write_jsonl(&out, &rows)?,
        ExportFormat::Parquet => super::parquet::write(&out, &rows)?,
    }
    print(&format!("{} labelled turns in {}", rows.len(), out.display()))
}

/// A day, or a moment, in words of RFC 3339.
fn moment(text: &str) -> anyhow::Result<i64> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let day: Date = text
        .parse()
        .with_context(|| format!("'{text}' is neither 2026-11-28 nor 2026-11-28T12:00:00Z"))?;
    Ok(day.to_zoned(TimeZone::UTC)?.timestamp().as_millisecond())
}

/// Every label there is, oldest first within each turn.
fn read(settings: &Settings) -> anyhow::Result<Vec<Label>> {
    let records = super::runtime()?.block_on(peek::all(settings, LABELS))?;
    let labels = records
        .into_iter()
        .map(|record| Ok(Label::from_bytes(record.value.as_deref().unwrap_or_default())?));
    labels.collect()
}

/// A labelled turn, as `train` reads it.
#[derive(Debug, Serialize)]
pub(super) struct Exported {
    pub(super) text: String,
    pub(super) label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sentiment: Option<&'static str>,
    pub(super) predicted: String,
    pub(super) confidence: f64,
    pub(super) model_version: String,
    pub(super) route: &'static str,
    pub(super) source: &'static str,
    pub(super) channel: &'static str,
    /// RFC 3339.
    pub(super) at: String,
    #[serde(skip)]
    pub(super) at_ms: i64,
}

/// The last word on each turn, if it was said from `since_ms` on; oldest first.
fn rows(labels: Vec<Label>, since_ms: i64) -> Vec<Exported> {
    let mut latest: BTreeMap<(ConversationId, i64), Label> = BTreeMap::new();
    for label in labels {
        let turn = (label.conversation_id, label.turn);
        if latest.get(&turn).is_none_or(|known| known.at_ms <= label.at_ms) {
            latest.insert(turn, label);
        }
    }
    let mut rows: Vec<Exported> =
        latest.into_values().filter(|label| label.at_ms >= since_ms).map(exported).collect();
    rows.sort_by(|a, b| (a.at_ms, &a.text).cmp(&(b.at_ms, &b.text)));
    rows
}

fn exported(label: Label) -> Exported {
    let at = Timestamp::from_millisecond(label.at_ms).unwrap_or_default();
    Exported {
        text: label.text_masked,
        label: label.intent,
        sentiment: label.sentiment.map(schemas::line::Sentiment::as_str),
        predicted: label.predicted,
        confidence: label.confidence,
        model_version: label.model_version,
        route: label.route.as_str(),
        source: label.source.as_str(),
        channel: label.channel.as_str(),
        at: at.to_string(),
        at_ms: label.at_ms,
    }
}

fn write_jsonl(out: &Path, rows: &[Exported]) -> anyhow::Result<()> {
    let file =
        std::fs::File::create(out).with_context(|| format!("cannot write {}", out.display()))?;
    let mut file = std::io::BufWriter::new(file);
    for row in rows {
        serde_json::to_writer(&mut file, row)?;
        file.write_all(b"\n")?;
    }
    file.into_inner()?.sync_all()?;
    Ok(())
}

/// The rows of an export that say something for `task`.
pub(super) fn training_rows(export: &Path, task: Task) -> anyhow::Result<Vec<Row>> {
    let text = std::fs::read_to_string(export)
        .with_context(|| format!("cannot read {}", export.display()))?;
    let mut rows = read_rows(&text).with_context(|| format!("in {}", export.display()))?;
    match task {
        Task::Intent => {}
        Task::Sentiment => rows.retain(|row| row.sentiment.is_some()),
        Task::Frustrated | Task::Urgent => {
            bail!(
                "labels say nothing of {}: --from-labels is for intent and sentiment",
                task.name()
            )
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use schemas::conversation::Route;
    use schemas::ids::{CommandId, ContactKey};
    use schemas::labels::LabelSource;
    use schemas::line::Sentiment;
    use schemas::message::Channel;

    use super::*;

    fn label(turn: i64, intent: &str, at_ms: i64) -> Label {
        Label {
            label_id: CommandId([1; 16]),
            tenant: "demo".to_owned(),
            conversation_id: ConversationId::new(ContactKey([1; 16]), 0),
            turn,
            messages: Vec::new(),
            channel: Channel::Whatsapp,
            text_masked: format!("turno {turn}"),
            intent: intent.to_owned(),
            sentiment: (turn == 2).then_some(Sentiment::Negativo),
            model_version: "m-1".to_owned(),
            predicted: "pix".to_owned(),
            confidence: 0.98,
            predicted_sentiment: Sentiment::Neutro,
            route: Route::Auto,
            source: LabelSource::Check,
            by: "Ana".to_owned(),
            at_ms,
        }
    }

    #[test]
    fn the_last_word_on_a_turn_counts_and_train_reads_it() {
        let labels = vec![
            label(1, "planos", 10),
            label(2, "pix", 5),
            label(1, "cobertura", 20),
            label(3, "pix", 1),
        ];
        let rows = rows(labels, 5);
        let told: Vec<_> = rows.iter().map(|row| (row.text.as_str(), row.label.as_str())).collect();
        assert_eq!(told, [("turno 2", "pix"), ("turno 1", "cobertura")]);
        assert_eq!(rows[0].at, "1970-01-01T00:00:00.005Z");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("labels.jsonl");
        write_jsonl(&file, &rows).unwrap();
        assert_eq!(training_rows(&file, Task::Intent).unwrap().len(), 2);
        let tones = training_rows(&file, Task::Sentiment).unwrap();
        assert_eq!((tones.len(), Task::Sentiment.label_of(&tones[0])), (1, "negativo"));
        assert!(training_rows(&file, Task::Urgent).is_err());
    }

    #[test]
    fn a_day_and_a_moment_are_understood() {
        assert_eq!(moment("1970-01-02").unwrap(), 86_400_000);
        assert_eq!(moment("1970-01-01T00:00:01Z").unwrap(), 1_000);
        assert!(moment("ontem").is_err());
    }
}
