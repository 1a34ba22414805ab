//! What the log says of models: which versions there are, which one decides, which one would like to.
//!
//! Reads and writes `models`. Invariant: a version is live or a candidate only when its content is in
//! `model-chunks`, whole.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use pipeline::log::{From, Tail};
use pipeline::{Log, Record, Stored};
use schemas::Avro;
use schemas::models::{Look, ModelBody, ModelPublished, ModelRecord, ModelsChange, ModelsInUse};
use schemas::topics::{MODELS, SHADOW_STATE};
use serde::{Deserialize, Serialize};

use super::KEPT_VERSIONS;
use super::chunks::append;

/// Key of what is in use.
const IN_USE: &str = "in-use";
/// Key of the records behind which everything has been read.
const LOOK: &str = "look";

/// Who does something, and when.
#[derive(Debug, Clone)]
pub struct By {
    /// A name for people.
    pub name: String,
    /// Unix, ms.
    pub now_ms: i64,
}

/// What may be asked of the models in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", content = "version", rename_all = "snake_case")]
pub enum Change {
    /// This version decides from now on.
    Promote(String),
    /// The version before does.
    Rollback,
    /// This version is scored beside the live one.
    Shadow(String),
    /// None is.
    EndShadow,
}

/// What the log says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Releases {
    /// Versions whose content can be had.
    pub published: BTreeMap<String, ModelPublished>,
    /// What decides; none in a new log.
    pub in_use: Option<ModelsInUse>,
}

impl Releases {
    /// Takes account of a record of `models`.
    ///
    /// # Errors
    /// When it is of a later release.
    pub fn hear(&mut self, record: &Stored) -> anyhow::Result<()> {
        let Some(value) = &record.value else {
            self.published.remove(&*String::from_utf8_lossy(&record.key));
            return Ok(());
        };
        match ModelRecord::from_bytes(value)?.body {
            ModelBody::ModelsInUse(in_use) => self.in_use = Some(in_use),
            ModelBody::ModelPublished(published) => {
                self.published.insert(published.version.clone(), published);
            }
            ModelBody::Look(_) => {}
        }
        Ok(())
    }

    /// What is in use once `change` is made.
    ///
    /// # Errors
    /// When it cannot be made, with what to do instead.
    pub fn changed(&self, change: &Change, by: &By) -> anyhow::Result<ModelsInUse> {
        let now = self.in_use.as_ref().context(
            "no models are in use yet: start `correnteza serve`, or `run classify`, once",
        )?;
        let there = |version: &String| {
            if !self.published.contains_key(version) {
                let known: Vec<&str> = self.published.keys().map(String::as_str).collect();
                bail!("no version {version} in the log; there are {}", known.join(", "));
            }
            Ok(version.clone())
        };
        let mut next =
            ModelsInUse { changed_by: by.name.clone(), changed_at_ms: by.now_ms, ..now.clone() };
        match change {
            Change::Promote(version) if *version == now.live => bail!("{version} is live already"),
            Change::Promote(version) => {
                next.live = there(version)?;
                next.previous = Some(now.live.clone());
                next.change = ModelsChange::Promoted;
            }
            Change::Rollback => {
                let back = now.previous.as_ref().context("no version was live before this one")?;
                next.live = there(back)?;
                next.previous = Some(now.live.clone());
                next.change = ModelsChange::RolledBack;
            }
            Change::Shadow(version) if *version == now.live => {
                bail!("{version} is live: there is nothing to compare")
            }
            Change::Shadow(version) => {
                next.candidate = Some(there(version)?);
                next.change = ModelsChange::ShadowBegun;
            }
            Change::EndShadow if now.candidate.is_none() => bail!("no candidate is shadowed"),
            Change::EndShadow => {
                next.candidate = None;
                next.change = ModelsChange::ShadowEnded;
            }
        }
        if next.candidate.as_deref() == Some(&next.live) {
            next.candidate = None;
        }
        Ok(next)
    }

    /// Versions there are too many of, the oldest first: never one that is in use or can be returned
    /// to.
    pub fn surplus(&self) -> Vec<&ModelPublished> {
        let Some(now) = &self.in_use else { return Vec::new() };
        let in_use = [Some(&now.live), now.previous.as_ref(), now.candidate.as_ref()];
        let mut others: Vec<&ModelPublished> =
            self.published.values().filter(|one| !in_use.contains(&Some(&one.version))).collect();
        others.sort_by_key(|one| one.published_at_ms);
        let surplus = self.published.len().saturating_sub(KEPT_VERSIONS);
        others.into_iter().take(surplus).collect()
    }
}

fn record(key: &str, body: ModelBody, time_ms: i64) -> anyhow::Result<Record> {
    Ok(Record::new(MODELS, key.to_owned(), ModelRecord { body }.to_bytes()?, time_ms))
}

/// Writes down what is in use.
///
/// # Errors
/// When the log does not take it.
pub async fn write(log: &dyn Log, in_use: &ModelsInUse) -> anyhow::Result<()> {
    let body = ModelBody::ModelsInUse(in_use.clone());
    append(log, vec![record(IN_USE, body, in_use.changed_at_ms)?]).await?;
    Ok(())
}

/// Writes down that `published` can be had.
///
/// # Errors
/// When the log does not take it.
pub async fn tell_published(log: &dyn Log, published: &ModelPublished) -> anyhow::Result<()> {
    let body = ModelBody::ModelPublished(published.clone());
    append(log, vec![record(&published.version, body, published.published_at_ms)?]).await?;
    Ok(())
}

/// Reads all there is; gives also the tail, which goes on behind it, and the counts of `shadow` it has
/// met on the way.
///
/// # Errors
/// When the log cannot be read.
pub async fn read(
    log: &dyn Log,
    now_ms: i64,
    mut tallied: impl FnMut(&Stored),
) -> anyhow::Result<(Releases, Box<dyn Tail>)> {
    let mut tail = log.tail(&[MODELS, SHADOW_STATE], From::Start).await?;
    let mut looks = Vec::new();
    for partition in 0..log.partitions() {
        let look = ModelBody::Look(Look { partition: i32::try_from(partition)? });
        let look = record(LOOK, look, now_ms)?;
        looks.push(Record { partition: Some(partition), ..look });
    }
    let mut open = append(log, looks).await?;
    let mut releases = Releases::default();
    while !open.is_empty() {
        for record in tail.next().await? {
            if record.topic == MODELS {
                open.retain(|place| *place != (record.partition, record.offset));
                releases.hear(&record)?;
            } else {
                tallied(&record);
            }
        }
    }
    Ok((releases, tail))
}

#[cfg(test)]
mod tests {
    use pipeline::log::memory::MemoryLog;

    use super::*;

    fn published(version: &str, at_ms: i64) -> ModelPublished {
        ModelPublished {
            version: version.to_owned(),
            chunks: 1,
            size_bytes: 1,
            sha256: String::new(),
            heads: Vec::new(),
            published_by: "ana".to_owned(),
            published_at_ms: at_ms,
        }
    }

    fn by(now_ms: i64) -> By {
        By { name: "ana".to_owned(), now_ms }
    }

    fn begun(live: &str) -> ModelsInUse {
        ModelsInUse {
            live: live.to_owned(),
            previous: None,
            candidate: None,
            change: ModelsChange::Begun,
            changed_by: "ana".to_owned(),
            changed_at_ms: 0,
        }
    }

    fn with(versions: &[&str]) -> Releases {
        let published = versions.iter().zip(1..).map(|(v, at)| ((*v).to_owned(), published(v, at)));
        Releases { published: published.collect(), in_use: Some(begun(versions[0])) }
    }

    #[test]
    fn a_version_is_promoted_returned_from_and_shadowed() {
        let mut releases = with(&["m-a", "m-b"]);
        let mut make = |change: Change| {
            let next = releases.changed(&change, &by(9)).map_err(|error| error.to_string());
            if let Ok(next) = &next {
                releases.in_use = Some(next.clone());
            }
            next
        };
        assert!(make(Change::Rollback).is_err());
        assert!(make(Change::Promote("m-c".to_owned())).unwrap_err().contains("m-a, m-b"));
        let next = make(Change::Shadow("m-b".to_owned())).unwrap();
        assert_eq!((next.live.as_str(), next.candidate.as_deref()), ("m-a", Some("m-b")));
        let next = make(Change::Promote("m-b".to_owned())).unwrap();
        assert_eq!((next.live.as_str(), next.previous.as_deref()), ("m-b", Some("m-a")));
        assert_eq!(next.candidate, None, "what is live is no candidate");
        assert!(make(Change::Promote("m-b".to_owned())).is_err());
        let next = make(Change::Rollback).unwrap();
        assert_eq!((next.live.as_str(), next.previous.as_deref()), ("m-a", Some("m-b")));
        assert!(make(Change::EndShadow).is_err());
    }

    #[test]
    fn what_is_in_use_is_never_surplus() {
        let mut releases = with(&["m-a", "m-b", "m-c", "m-d", "m-e", "m-f"]);
        let surplus = |releases: &Releases| -> Vec<String> {
            releases.surplus().iter().map(|one| one.version.clone()).collect()
        };
        assert_eq!(surplus(&releases), ["m-b", "m-c"], "the oldest that are not live");
        let now = releases.in_use.as_mut().unwrap();
        now.previous = Some("m-b".to_owned());
        now.candidate = Some("m-c".to_owned());
        assert_eq!(surplus(&releases), ["m-d", "m-e"]);
        assert!(surplus(&with(&["m-a", "m-b", "m-c", "m-d"])).is_empty());
    }

    #[tokio::test]
    async fn the_log_tells_what_was_written_last() {
        let log = MemoryLog::new(3);
        let (nothing, _) = read(&log, 1, |_| {}).await.unwrap();
        assert_eq!(nothing, Releases::default());
        for (version, at) in [("m-a", 1), ("m-b", 2)] {
            tell_published(&log, &published(version, at)).await.unwrap();
        }
        write(&log, &begun("m-a")).await.unwrap();
        let (found, _) = read(&log, 2, |_| {}).await.unwrap();
        let next = found.changed(&Change::Promote("m-b".to_owned()), &by(5)).unwrap();
        write(&log, &next).await.unwrap();
        let (found, _) = read(&log, 3, |_| {}).await.unwrap();
        assert_eq!(found.in_use, Some(next));
        assert_eq!(found.published.len(), 2);
    }
}
