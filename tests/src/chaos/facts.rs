//! What is known about a run: what customers noted, and what the product shows afterwards.

use std::collections::BTreeMap;

use serde_json::Value;

/// A message a door acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The id the door gave.
    pub message_id: String,
    /// Who wrote.
    pub customer: String,
    /// What was written.
    pub text: String,
}

/// A line of a conversation's history, as the desk shows it.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its place, from 1.
    pub seq: i64,
    /// What happened.
    pub event: String,
    /// What is known about it.
    pub detail: Value,
}

impl Line {
    /// A string of the detail.
    #[must_use]
    pub fn str(&self, name: &str) -> &str {
        self.detail.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The turn it is about.
    #[must_use]
    pub fn turn(&self) -> Option<i64> {
        self.detail.get("turn").and_then(Value::as_i64)
    }

    /// The messages of a decided turn.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        let messages = self.detail.get("messages").and_then(Value::as_array);
        messages.into_iter().flatten().filter_map(|id| id.as_str().map(str::to_owned)).collect()
    }
}

/// A reply that reached the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The id the product gave it: the same reply again has the same.
    pub id: String,
    /// Whose conversation.
    pub conversation_id: String,
    /// Who was to read it.
    pub customer: String,
}

/// Everything a run left behind.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// By customer, in the order they were written.
    pub written: BTreeMap<String, Vec<Written>>,
    /// What the product says of each message: the body of `GET /v1/messages/{id}`.
    pub decisions: BTreeMap<String, Value>,
    /// Histories by conversation, in the order the conversations were opened.
    pub histories: BTreeMap<(i64, String), Vec<Line>>,
    /// What the channel was sent, in its order.
    pub sent: Vec<Sent>,
    /// Records no stage could use.
    pub dead_letters: u64,
}
