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
        let conversations = list.body["conversations"].as_array().context("no conversations")?;
        let mut found = Vec::new();
        for conversation in conversations {
            let id = conversation["conversation_id"].as_str().unwrap_or_default();
            let history = self.get(&format!("/v1/conversations/{id}/events")).await?;
            let events = history.body["events"].as_array().context("no events")?;
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
    lines.iter().filter(|line| line["event"] == event).collect()
}
