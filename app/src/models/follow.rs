//! A process and the models: it hears from the log which version is live, which is a candidate and what
//! `shadow` has counted, and hands its stages what they need.
//!
//! Reads `models` and `shadow-state`; of a new installation, writes the first `models`.

use std::sync::Arc;
use std::time::Duration;

use pipeline::broadcast::Broadcasts;
use pipeline::clock::Clock;
use pipeline::log::Tail;
use pipeline::telemetry::metrics::Figures;
use schemas::models::{ModelsChange, ModelsInUse};
use schemas::topics::MODELS;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::installed::aside;
use super::kept::{Kept, files_of};
use super::releases::{self, By, Releases};
use super::shadowed::Tallies;
use super::take_up::{Ready, TakeUp};
use super::{chunks, directory, open_or_train};
use crate::config::Settings;
use crate::serve::backend::Backend;

/// Who publishes an installation's first models.
const FIRST: &str = "first start";
/// Pause before a version that could not be taken up is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What a process knows.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// What the log says.
    pub releases: Releases,
    /// The version its stages are handed, where it has any that need one.
    pub ready: Option<String>,
    /// What `shadow` has counted.
    pub tallies: Tallies,
}

/// Follows the log.
pub struct Follower {
    tail: Box<dyn Tail>,
    known: watch::Sender<Known>,
    figures: Figures,
    take_up: TakeUp,
    ready: Option<Ready>,
}

impl Follower {
    /// Hears what there is. `decides`: this process has stages that need models, and is not begun
    /// before it has them; those of a new installation are trained or found, and published.
    ///
    /// # Errors
    /// When the live version cannot be had or used.
    pub async fn begin(
        backend: &Backend,
        settings: &Settings,
        decides: bool,
    ) -> anyhow::Result<Self> {
        let mut tallies = Tallies::default();
        let now_ms = backend.clock.now_ms();
        let (releases, tail) =
            releases::read(&*backend.log, now_ms, |record| tallies.hear(record)).await?;
        let mut follower = Self {
            tail,
            known: watch::Sender::new(Known { releases, ready: None, tallies }),
            figures: backend.metrics.figures(
                "shadow_turns",
                "What a candidate changes, in turns",
                &["of"],
            )?,
            take_up: TakeUp {
                log: Arc::clone(&backend.log),
                metrics: Arc::clone(&backend.metrics),
                kept: Kept::of(&settings.server.data_dir),
            },
            ready: None,
        };
        if decides {
            if follower.releases().in_use.is_none() {
                found(&follower.take_up, settings, &*backend.clock).await?;
            }
            while follower.releases().in_use.is_none() {
                follower.hear().await?;
            }
            let ready = follower.take_up.first(&follower.releases()).await?;
            follower.note_ready(&ready);
            follower.ready = Some(ready);
        }
        Ok(follower)
    }

    /// What it knows, as it comes to know it.
    pub fn known(&self) -> watch::Receiver<Known> {
        self.known.subscribe()
    }

    /// What the stages are handed.
    pub fn ready(&self) -> Option<Ready> {
        self.ready.clone()
    }

    fn releases(&self) -> Releases {
        self.known.borrow().releases.clone()
    }

    fn note_ready(&self, ready: &Ready) {
        let version = ready.live.latest().version.to_string();
        self.known.send_modify(|known| known.ready = Some(version));
    }

    /// Follows until `stop`.
    ///
    /// # Errors
    /// When the log cannot be read any more.
    pub async fn follow(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        // The candidate is not waited for at the start.
        let mut again_at = Some(Instant::now());
        loop {
            let again = async {
                match again_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                heard = self.hear() => if !heard? { continue },
                () = again => {}
            }
            // A process without such stages has nothing to take up.
            let Some(ready) = self.ready.clone() else {
                again_at = None;
                continue;
            };
            let taken_up = self.take_up.next(&self.releases(), &ready).await;
            self.note_ready(&ready);
            again_at = taken_up.is_err().then(|| Instant::now() + AGAIN_AFTER);
            if let Err(error) = taken_up {
                let error = format!("{error:#}");
                tracing::error!(error, "models cannot be taken up; those of before decide on");
            }
        }
    }

    /// Waits for news; says whether it is of models.
    async fn hear(&mut self) -> anyhow::Result<bool> {
        let records = self.tail.next().await?;
        let (of_models, of_shadow): (Vec<_>, Vec<_>) =
            records.iter().partition(|record| record.topic == MODELS);
        self.known.send_modify(|known| {
            of_shadow.iter().for_each(|record| known.tallies.hear(record));
            for record in &of_models {
                if let Err(error) = known.releases.hear(record) {
                    tracing::error!(%error, "a record of models cannot be read and is passed over");
                }
            }
        });
        for gone in of_models.iter().filter(|record| record.value.is_none()) {
            self.let_go(&String::from_utf8_lossy(&gone.key));
        }
        if let Some(report) = self.known.borrow().tallies.report(None) {
            #[allow(clippy::cast_precision_loss)] // counts are far below 2^53
            report.figures().iter().for_each(|(of, value)| self.figures.tell(&[of], *value as f64));
        }
        Ok(!of_models.is_empty())
    }

    /// What the log does not hold any more goes here too.
    fn let_go(&self, version: &str) {
        let kept = &self.take_up.kept;
        let is_ready = self.known.borrow().ready.as_deref() == Some(version);
        if !is_ready && kept.has(version) {
            kept.remove(version);
        }
    }
}

/// The first models of an installation: those in its directory, or the bundled ones.
async fn found(take_up: &TakeUp, settings: &Settings, clock: &dyn Clock) -> anyhow::Result<()> {
    let (dir, kept) = (directory(settings), take_up.kept.clone());
    let (models, files) = aside(move || {
        open_or_train(&dir)?;
        let files = files_of(&dir)?;
        Ok((kept.put(&files)?, files))
    })
    .await?;
    let by = By { name: FIRST.to_owned(), now_ms: clock.now_ms() };
    chunks::publish(&*take_up.log, &models, &files, &by).await?;
    let begun = ModelsInUse {
        live: models.version().to_owned(),
        previous: None,
        candidate: None,
        change: ModelsChange::Begun,
        changed_by: by.name,
        changed_at_ms: by.now_ms,
    };
    releases::write(&*take_up.log, &begun).await
}
