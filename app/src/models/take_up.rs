//! What the stages of a process are handed: the live version and the candidate, fetched and tested
//! first. They take it up at a commit boundary.
//!
//! Reads `model-chunks`. Invariant: a version that cannot be had or used here changes nothing: the one
//! before goes on deciding.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use classifier::Models;
use classifier::shadow::Beside;
use pipeline::Log;
use pipeline::broadcast::{Broadcasts, Missing, Newest, Swapped, Versioned};
use pipeline::telemetry::metrics::Metrics;
use schemas::models::{ModelPublished, ModelsInUse};
use smol_str::format_smolstr;

use super::chunks;
use super::installed::aside;
use super::kept::Kept;
use super::releases::Releases;

/// What metrics and errors call this side input.
const NAME: &str = "models";
/// The version of no candidate.
const NONE: &str = "none";

/// What the stages of a process are handed.
#[derive(Clone)]
pub struct Ready {
    /// Of `classify`.
    pub live: Arc<Swapped<Models>>,
    /// Of `shadow`.
    pub beside: Arc<Newest<Option<Beside>>>,
}

/// Brings it to what the log says.
pub struct TakeUp {
    pub(super) log: Arc<dyn Log>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) kept: Kept,
}

fn versioned(models: Models) -> Arc<Versioned<Models>> {
    Arc::new(Versioned { version: models.version().into(), content: models })
}

impl TakeUp {
    /// The first there is to hand to stages, and every version a partition may be pinned to; the
    /// candidate comes with [`Self::next`].
    ///
    /// # Errors
    /// When the live version cannot be had or used.
    pub async fn first(&self, releases: &Releases) -> anyhow::Result<Ready> {
        let in_use = releases.in_use.as_ref().context("no models are in use")?;
        if let Err(error) = self.fetch_lacking(releases).await {
            // It may never be asked for.
            tracing::warn!(error = %format!("{error:#}"), "not every version of the models is here");
        }
        let live = async {
            self.had(releases, &in_use.live).await?;
            self.open(&in_use.live).await
        };
        let live = live.await.with_context(|| {
            format!("the live models ({}) cannot be used: promote others", in_use.live)
        })?;
        let strangers = self.kept.forget_strangers(|one| releases.published.contains_key(one));
        if let Err(error) = strangers {
            tracing::warn!(%error, "models-kept is not tidied");
        }
        let kept = self.kept.clone();
        let live = Swapped::new(live, move |version: &str| {
            let opened = kept.open(version).map_err(|error| Missing {
                name: NAME.to_owned(),
                version: version.into(),
                remedy: format!("publish it again with `correnteza model publish DIR` ({error:#})"),
            })?;
            Ok(versioned(opened))
        });
        let nothing = Versioned { version: NONE.into(), content: None };
        let beside = Newest::new(Arc::new(nothing));
        let ready = Ready { live: Arc::new(live), beside: Arc::new(beside) };
        self.note_live(None, &in_use.live);
        Ok(ready)
    }

    /// Brings `ready` to what `releases` say.
    ///
    /// # Errors
    /// When a version cannot be had or used; what was before stays.
    pub async fn next(&self, releases: &Releases, ready: &Ready) -> anyhow::Result<()> {
        let Some(in_use) = &releases.in_use else { return Ok(()) };
        let before = ready.live.latest().version.clone();
        if before != in_use.live {
            let started = Instant::now();
            self.had(releases, &in_use.live).await?;
            ready.live.replace(self.open(&in_use.live).await?);
            self.metrics.side_input_ready(NAME, started.elapsed());
            self.note_live(Some(&before), &in_use.live);
        }
        self.candidate(releases, in_use, ready).await?;
        // What may be wanted next is fetched now.
        self.fetch_lacking(releases).await
    }

    async fn candidate(
        &self,
        releases: &Releases,
        in_use: &ModelsInUse,
        ready: &Ready,
    ) -> anyhow::Result<()> {
        let latest = ready.beside.latest();
        let before = latest.content.as_ref().map(|beside| beside.candidate.version.clone());
        let live = ready.live.latest();
        let version = match &in_use.candidate {
            None => NONE.into(),
            Some(candidate) => format_smolstr!("{}+{candidate}", live.version),
        };
        if latest.version == version {
            return Ok(());
        }
        let content = match &in_use.candidate {
            None => None,
            Some(candidate) => {
                self.had(releases, candidate).await?;
                Some(Beside { candidate: self.open(candidate).await?, live })
            }
        };
        let candidate = in_use.candidate.as_deref();
        self.metrics.side_input(NAME, "candidate", before.as_deref(), candidate);
        ready.beside.replace(Arc::new(Versioned { version, content }));
        Ok(())
    }

    fn note_live(&self, before: Option<&str>, live: &str) {
        self.metrics.side_input(NAME, "live", before, Some(live));
        tracing::info!(version = live, "these models decide from the next commit on");
        if let Err(error) = self.kept.note_live(live) {
            tracing::warn!(%error, "commands will not find the live models by themselves");
        }
    }

    /// Sees to it that `version` is here.
    async fn had(&self, releases: &Releases, version: &str) -> anyhow::Result<()> {
        if self.kept.has(version) {
            return Ok(());
        }
        let published = releases.published.get(version).cloned();
        let published = published.with_context(|| format!("{version} is not published yet"))?;
        self.fetch(&[published]).await
    }

    async fn fetch_lacking(&self, releases: &Releases) -> anyhow::Result<()> {
        let lacking = releases.published.values().filter(|one| !self.kept.has(&one.version));
        self.fetch(&lacking.cloned().collect::<Vec<_>>()).await
    }

    /// Keeps as many of `wanted` as can be had.
    async fn fetch(&self, wanted: &[ModelPublished]) -> anyhow::Result<()> {
        let mut fetched = Ok(());
        for files in chunks::fetch(&*self.log, wanted).await? {
            let kept = self.kept.clone();
            let put = aside(move || kept.put(&files?).map(drop)).await;
            fetched = fetched.and(put);
        }
        fetched
    }

    async fn open(&self, version: &str) -> anyhow::Result<Arc<Versioned<Models>>> {
        let (kept, version) = (self.kept.clone(), version.to_owned());
        aside(move || Ok(versioned(kept.open(&version)?))).await
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use classifier::{Row, Task, TrainOptions, corpus, train, write_head};
    use pipeline::Record;
    use pipeline::log::memory::MemoryLog;
    use schemas::Avro;
    use schemas::models::{ModelChunk, ModelFiles, ModelsChange};
    use schemas::topics::MODEL_CHUNKS;

    use super::super::kept::files_of;
    use super::super::releases::{By, Change, read, write};
    use super::*;

    /// A model that knows these labels.
    fn trained(dir: &Path, labels: &[&str]) -> (Models, ModelFiles) {
        let is_of = |row: &Row| labels.contains(&row.label.as_str());
        let rows: Vec<Row> = corpus::training().unwrap().into_iter().filter(is_of).collect();
        let options = TrainOptions { force: true, folds: 2, ..TrainOptions::default() };
        let dir = dir.join(labels.concat());
        write_head(&dir, &train(Task::Intent, &rows, &options, &mut |_| {}).unwrap()).unwrap();
        (Models::open(&dir).unwrap(), files_of(&dir).unwrap())
    }

    fn by(now_ms: i64) -> By {
        By { name: "ana".to_owned(), now_ms }
    }

    async fn releases(log: &MemoryLog) -> Releases {
        read(log, 9, |_| {}).await.unwrap().0
    }

    #[tokio::test]
    async fn every_version_is_had_from_the_log_and_a_bad_one_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let log = MemoryLog::new(3);
        let (a, a_files) = trained(dir.path(), &["segunda_via", "cancelar"]);
        let (b, b_files) = trained(dir.path(), &["sem_conexao", "cancelar"]);
        let a_published = chunks::publish(&log, &a, &a_files, &by(1)).await.unwrap();
        chunks::publish(&log, &b, &b_files, &by(2)).await.unwrap();
        let begun = ModelsInUse {
            live: b.version().to_owned(),
            previous: None,
            candidate: None,
            change: ModelsChange::Begun,
            changed_by: "ana".to_owned(),
            changed_at_ms: 3,
        };
        write(&log, &begun).await.unwrap();
        let take_up = TakeUp {
            log: Arc::new(log.clone()),
            metrics: Arc::new(Metrics::new().unwrap()),
            kept: Kept::of(dir.path()),
        };
        let ready = take_up.first(&releases(&log).await).await.unwrap();
        assert_eq!(ready.live.latest().version, b.version());
        // A partition may be pinned to a version that never was live here.
        assert_eq!(ready.live.at(a.version()).unwrap().content.version(), a.version());
        assert!(ready.live.at("m-gone").unwrap_err().to_string().contains("model publish"));
        assert_eq!(take_up.kept.live().unwrap().file_name().unwrap(), b.version());

        let shadow = Change::Shadow(a.version().to_owned());
        let with = releases(&log).await.changed(&shadow, &by(4)).unwrap();
        write(&log, &with).await.unwrap();
        take_up.next(&releases(&log).await, &ready).await.unwrap();
        let beside = ready.beside.latest();
        assert_eq!(beside.content.as_ref().unwrap().candidate.version, a.version());

        // Damaged on the way, and the copy is gone.
        let chunk = ModelChunk { version: a.version().to_owned(), index: 0, content: vec![0; 9] };
        let key = format!("{}|0", a.version());
        let record = Record::new(MODEL_CHUNKS, key, chunk.to_bytes().unwrap(), 5);
        log.append(vec![record]).await.unwrap();
        take_up.kept.remove(a.version());
        let promote = Change::Promote(a.version().to_owned());
        let promoted = releases(&log).await.changed(&promote, &by(5)).unwrap();
        write(&log, &promoted).await.unwrap();
        let error = take_up.next(&releases(&log).await, &ready).await.unwrap_err();
        assert!(format!("{error:#}").contains("damaged"), "{error:#}");
        assert_eq!(ready.live.latest().version, b.version(), "the one before decides on");

        // Published again, it is taken up.
        chunks::publish(&log, &a, &a_files, &by(a_published.published_at_ms)).await.unwrap();
        take_up.next(&releases(&log).await, &ready).await.unwrap();
        assert_eq!(ready.live.latest().version, a.version());
        assert!(ready.beside.latest().content.is_none(), "what is live is no candidate");
    }
}
