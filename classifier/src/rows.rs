//! Labelled messages: what training and evaluation read.

use serde::{Deserialize, Serialize};

/// Labels of an intent data set that mean "none of the intents".
pub const OUT_OF_SCOPE: [&str; 2] = ["fora_escopo", "oos"];

/// Does this intent label mean out of scope?
#[must_use]
pub fn is_out_of_scope(label: &str) -> bool {
    OUT_OF_SCOPE.contains(&label)
}

/// What a head decides about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// What the customer wants; may be out of scope.
    Intent,
    /// Pleased, displeased or neither.
    Sentiment,
    /// Anger, repetition, giving up.
    Frustrated,
    /// Harm or a deadline now.
    Urgent,
}

impl Task {
    /// Every task, in the order of the artifacts.
    pub const ALL: [Self; 4] = [Self::Intent, Self::Sentiment, Self::Frustrated, Self::Urgent];

    /// The task's name, as in file names and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Sentiment => "sentiment",
            Self::Frustrated => "frustrated",
            Self::Urgent => "urgent",
        }
    }

    /// The name of the task's file in a model directory.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Intent => "intent.model",
            Self::Sentiment => "sentiment.model",
            Self::Frustrated => "frustrated.model",
            Self::Urgent => "urgent.model",
        }
    }

    /// The task of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name() == name)
    }

    /// Yes or no, the labels being `false` and `true`.
    pub(crate) fn is_binary(self) -> bool {
        matches!(self, Self::Frustrated | Self::Urgent)
    }

    /// The label of a row under this task: the field of that name, or `label` where it is absent.
    #[must_use]
    pub fn label_of(self, row: &Row) -> &str {
        let truth = |value: Option<bool>| value.map(|value| if value { "true" } else { "false" });
        let own = match self {
            Self::Intent => None,
            Self::Sentiment => row.sentiment.as_deref(),
            Self::Frustrated => truth(row.frustrated),
            Self::Urgent => truth(row.urgent),
        };
        own.unwrap_or(&row.label)
    }
}

/// One labelled message; other fields of a JSON row are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What the customer wrote.
    pub text: String,
    /// Primary intent, or the label of whatever data set it is.
    pub label: String,
    /// A second intent in the same message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
    /// `positivo`, `neutro` or `negativo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentiment: Option<String>,
    /// Anger, repetition, giving up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frustrated: Option<bool>,
    /// Harm or a deadline now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgent: Option<bool>,
    /// Where it came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Written to be hard (traps, two wishes at once): trained on, but no threshold is certified on
    /// it and no figure counts it, for it is not what customers usually write.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hard: bool,
    /// When it was written. Given as RFC 3339, as a date with or without a time (then UTC), or as a
    /// number; here milliseconds since 1970, or the number. Training only asks which is later.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "moment")]
    pub ts: Option<i64>,
}

impl Row {
    /// A row with a text and a label alone.
    #[must_use]
    pub fn new(text: impl Into<String>, label: impl Into<String>) -> Self {
        let (text, label) = (text.into(), label.into());
        let (second, sentiment, channel) = (None, None, None);
        let (frustrated, urgent, hard, ts) = (None, None, false, None);
        Self { text, label, second, sentiment, frustrated, urgent, channel, hard, ts }
    }
}

/// Reads `ts` in whichever form it was given.
fn moment<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Number(i64),
        Text(String),
    }
    let utc = |text: &str| {
        let civil: jiff::civil::DateTime = text.parse()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp())
    };
    match Option::<Given>::deserialize(from)? {
        None => Ok(None),
        Some(Given::Number(number)) => Ok(Some(number)),
        Some(Given::Text(text)) if text.trim().is_empty() => Ok(None),
        Some(Given::Text(text)) => {
            let text = text.trim();
            let parsed: Result<jiff::Timestamp, jiff::Error> = text.parse().or_else(|_| utc(text));
            let told =
                |_| serde::de::Error::custom("`ts` is neither RFC 3339, a date nor a number");
            parsed.map(|ts| Some(ts.as_millisecond())).map_err(told)
        }
    }
}

/// A line that is no labelled message.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is not a row with `text` and `label`; fix or delete it: {source}")]
pub struct RowError {
    /// Line number, from 1.
    pub line: usize,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Reads rows from JSON lines; blank lines are skipped.
///
/// # Errors
/// The first line that is not a JSON object with `text` and `label`.
pub fn read_rows(jsonl: &str) -> Result<Vec<Row>, RowError> {
    let lines = jsonl.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(i, line)| {
            serde_json::from_str(line)
                .map_err(|source| RowError { line: i + 1, source: source.into() })
        })
        .collect()
}

/// Reads rows from CSV whose first line names the columns, `text` and `label` among them; columns of
/// other names are ignored. Separated by what the first line has most of: commas, semicolons (as
/// spreadsheets in Portuguese write) or tabs.
///
/// # Errors
/// The first line that is not a row.
pub fn read_csv_rows(csv: &str) -> Result<Vec<Row>, RowError> {
    let header = csv.lines().next().unwrap_or_default();
    let often = |separator: &u8| header.bytes().filter(|byte| byte == separator).count();
    let separator = [b'\t', b';', b','].into_iter().max_by_key(often).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(csv.as_bytes());
    let at = |error: csv::Error| {
        let line = error.position().map_or(1, |position| position.line());
        RowError { line: usize::try_from(line).unwrap_or(usize::MAX), source: error.into() }
    };
    reader.deserialize().map(|row| row.map_err(at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_bad_lines_named() {
        let jsonl = "{\"text\":\"oi\",\"label\":\"saudacao\",\"urgent\":false,\"x\":1}\n\n";
        let rows = read_rows(jsonl).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(Task::Intent.label_of(&rows[0]), "saudacao");
        assert_eq!(Task::Urgent.label_of(&rows[0]), "false");
        assert_eq!(Task::Sentiment.label_of(&rows[0]), "saudacao");
        let error = read_rows("{\"text\":\"oi\",\"label\":\"a\"}\n{}").unwrap_err();
        assert_eq!(error.line, 2);
    }

    #[test]
    fn csv_is_read_with_any_separator_and_bad_lines_named() {
        let csv = "\u{feff}text,label,urgent,note\n\"caiu, e não volta\",sem_conexao,true,x\noi,saudacao,,\n";
        let rows = read_csv_rows(csv).unwrap();
        let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        assert_eq!(texts, ["caiu, e não volta", "oi"]);
        assert_eq!((rows[0].urgent, rows[1].urgent), (Some(true), None));
        let rows = read_csv_rows("label;text\npix;\"qual a chave; e o valor?\"\n").unwrap();
        assert_eq!((&*rows[0].label, &*rows[0].text), ("pix", "qual a chave; e o valor?"));
        assert_eq!(read_csv_rows("text,label\na,b\nc\n").unwrap_err().line, 3);
        let error = read_csv_rows("texto,label\na,b\n").unwrap_err();
        assert!(error.to_string().contains("text"), "{error}");
    }

    #[test]
    fn moments_are_read_in_every_form() {
        let of = |ts: &str| {
            let line = format!("{{\"text\":\"oi\",\"label\":\"a\",\"ts\":{ts}}}");
            read_rows(&line).map(|rows| rows[0].ts)
        };
        let noon = Some(1_795_867_200_000);
        assert_eq!(of("\"2026-11-28T12:00:00Z\"").unwrap(), noon);
        assert_eq!(of("\"2026-11-28T09:00:00-03:00\"").unwrap(), noon);
        assert_eq!(of("\"2026-11-28 12:00:00\"").unwrap(), noon);
        assert!(of("\"2026-11-28\"").unwrap() < noon);
        assert_eq!(of("17").unwrap(), Some(17));
        assert_eq!(of("null").unwrap(), None);
        assert!(of("\"ontem\"").is_err());
        let csv = read_csv_rows("text,label,ts\na,b,2026-11-28T12:00:00Z\nc,d,\ne,f,5\n").unwrap();
        assert_eq!(csv.iter().map(|row| row.ts).collect::<Vec<_>>(), [noon, None, Some(5)]);
    }
}
