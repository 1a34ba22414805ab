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
}

impl Row {
    /// A row with a text and a label alone.
    #[must_use]
    pub fn new(text: impl Into<String>, label: impl Into<String>) -> Self {
        let (text, label) = (text.into(), label.into());
        let (second, sentiment, channel) = (None, None, None);
        let (frustrated, urgent, hard) = (None, None, false);
        Self { text, label, second, sentiment, frustrated, urgent, channel, hard }
    }
}

/// A line that is no labelled message.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is not a JSON object with `text` and `label`; fix or delete it: {source}")]
pub struct RowError {
    /// Line number, from 1.
    pub line: usize,
    source: serde_json::Error,
}

/// Reads rows from JSON lines; blank lines are skipped.
///
/// # Errors
/// The first line that is not a JSON object with `text` and `label`.
pub fn read_rows(jsonl: &str) -> Result<Vec<Row>, RowError> {
    let lines = jsonl.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(i, line)| {
            serde_json::from_str(line).map_err(|source| RowError { line: i + 1, source })
        })
        .collect()
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
}
