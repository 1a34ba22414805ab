//! What is done to an installation's models, on its log: by a running server that is asked to, or by a
//! command that has the log itself.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use classifier::{Models, Task};
use pipeline::{Group, Log};
use schemas::models::{ModelFiles, ModelPublished, ModelsInUse};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chunks;
use super::kept::Kept;
use super::releases::{self, By, Change, Releases};
use crate::config::Layout;
use crate::serve::classifying_group;

/// An installation's models.
#[derive(Clone)]
pub struct Installed {
    /// Where they are.
    pub log: Arc<dyn Log>,
    /// Where this process keeps them.
    pub kept: Kept,
    /// How the stages run that are pinned to versions.
    pub layout: Layout,
}

/// What there is, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// What decides; none in a new log.
    pub in_use: Option<ModelsInUse>,
    /// The version the stages of the process that was asked are handed.
    pub ready: Option<String>,
    /// Every version that can be had, the newest first.
    pub versions: Vec<ModelPublished>,
}

impl Listed {
    /// What `releases` say.
    pub fn of(releases: &Releases, ready: Option<String>) -> Self {
        let mut versions: Vec<ModelPublished> = releases.published.values().cloned().collect();
        versions.sort_by_key(|one| std::cmp::Reverse(one.published_at_ms));
        Self { in_use: releases.in_use.clone(), ready, versions }
    }
}

impl Installed {
    /// The group whose positions pin versions of the models.
    pub fn reader(&self) -> Group {
        classifying_group(self.layout)
    }

    /// Puts `files` into the log; where they are already, over what is there.
    ///
    /// # Errors
    /// When they are no models that can be used here, or the log does not take them.
    pub async fn publish(&self, files: ModelFiles, by: &By) -> anyhow::Result<ModelPublished> {
        let kept = self.kept.clone();
        let (models, files) = aside(move || Ok((kept.put(&files)?, files))).await?;
        chunks::publish(&*self.log, &models, &files, by).await
    }

    /// Makes `change`; a version that is to decide, now or later, is tested first.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn change(
        &self,
        releases: &Releases,
        change: &Change,
        by: &By,
    ) -> anyhow::Result<ModelsInUse> {
        let next = releases.changed(change, by)?;
        for version in [Some(&next.live), next.candidate.as_ref()].into_iter().flatten() {
            self.opened(releases, version)
                .await
                .with_context(|| format!("{version} cannot be used, and nothing was changed"))?;
        }
        releases::write(&*self.log, &next).await?;
        Ok(next)
    }

    /// What a version is made of: its cards.
    ///
    /// # Errors
    /// When it cannot be had or used.
    pub async fn show(&self, releases: &Releases, version: &str) -> anyhow::Result<Value> {
        let models = self.opened(releases, version).await?;
        let mut shown = cards(&models)?;
        if let (Some(shown), Some(published)) =
            (shown.as_object_mut(), releases.published.get(version))
        {
            shown.insert("published".to_owned(), serde_json::to_value(published)?);
        }
        Ok(shown)
    }

    async fn opened(&self, releases: &Releases, version: &str) -> anyhow::Result<Models> {
        if !self.kept.has(version) {
            let published = releases.published.get(version).cloned();
            let published =
                published.with_context(|| format!("no version {version} in the log"))?;
            for files in chunks::fetch(&*self.log, &[published]).await? {
                let (kept, files) = (self.kept.clone(), files?);
                aside(move || kept.put(&files).map(drop)).await?;
            }
        }
        let (kept, version) = (self.kept.clone(), version.to_owned());
        aside(move || kept.open(&version)).await
    }
}

/// The cards of all heads.
///
/// # Errors
/// When one cannot be told in JSON.
pub fn cards(models: &Models) -> anyhow::Result<Value> {
    let mut heads = serde_json::Map::new();
    for task in Task::ALL {
        if let Some(card) = models.card(task) {
            let labels = models.labels(task);
            heads.insert(task.name().to_owned(), json!({ "labels": labels, "card": card }));
        }
    }
    Ok(json!({ "version": models.version(), "heads": heads }))
}

/// Reads and writes files, on no thread that waits for others.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| anyhow!("reading a model broke down; the log says where"))?
}
