//! What all conversations tell, line by line.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::api::Api;

impl Api {
    /// Every line of every history.
    ///
    /// # Errors
    /// When the desk does not tell.
    pub async fn lines(&self) -> anyhow::Result<Vec<Value>> {
        let list = self.get("/v1/conversations?limit=200").await?;
        let conversations = list.body.get("conversations").and_then(Value::as_array);
        let conversations = conversations.context("no conversations")?;
        let mut found = Vec::new();
        for conversation in conversations {
            let id = conversation.get("conversation_id").and_then(Value::as_str);
            let id = id.context("a conversation without its id")?;
            let history = self.get(&format!("/v1/conversations/{id}/events")).await?;
            let events = history.body.get("events").and_then(Value::as_array);
            let events = events.context("no events")?;
            found.extend(events.iter().cloned());
        }
        Ok(found)
    }

    /// Asks until `enough` of the lines.
    ///
    /// # Errors
    /// When it is not within `patience`; with the last lines.
    pub async fn until_lines(
        &self,
        patience: Duration,
        enough: impl Fn(&[Value]) -> bool,
    ) -> anyhow::Result<Vec<Value>> {
        let until = Instant::now() + patience;
        loop {
            let found = self.lines().await?;
            if enough(&found) {
                return Ok(found);
            }
            ensure!(Instant::now() < until, "never became so: {found:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Those that tell `event`.
#[must_use]
pub fn of<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line.get("event").is_some_and(|named| named == event)).collect()
}

/// What those that tell `event` say of it.
#[must_use]
pub fn details<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    of(lines, event).into_iter().filter_map(|line| line.get("detail")).collect()
}
