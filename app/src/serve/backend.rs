//! What the line runs on: the log, the store, the once-ledger, the tenants' keys.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pipeline::clock::{Clock, SteadyClock, SystemClock};
use pipeline::ledger::OnceLedger;
use pipeline::log::embedded::{self, EmbeddedLog, Options};
use pipeline::telemetry::metrics::Metrics;
use pipeline::{Log, Offset, Policy, Stored};
use schemas::sealed::Keyring;
use schemas::topics::{INBOUND, TOPICS, Topic};
use sink::Store;
use sink::store::sqlite::SqliteStore;

use crate::config::{Durability, Settings};
use crate::keys;

/// How far the machine's clock may be behind the newest record before that is told, and before the
/// record is not believed.
const CLOCK_BACK_MS_TOLD: i64 = 1_000;
const CLOCK_BACK_MS_MAX: i64 = 24 * 3_600_000;

/// What is open before anything runs.
pub(crate) struct Backend {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) ledger: Arc<dyn OnceLedger>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keyring: Arc<Keyring>,
    /// The log, where it is this process's own file and has to be looked after.
    pub(crate) own_log: Option<EmbeddedLog>,
    /// Who has to be told every line of the history.
    pub(crate) told: Option<Told>,
    /// Time between two commits of a stage or an effect.
    pub(crate) commit_every: Duration,
}

/// A store that answers lists from memory, and whose rows other processes write.
#[derive(Clone)]
pub(crate) struct Told {
    /// What it holds already, of the topic `conversations`.
    pub(crate) from: HashMap<(Topic, u32), Offset>,
    /// Tells it one line.
    pub(crate) tell: Arc<dyn Fn(&Stored) + Send + Sync>,
}

impl Backend {
    /// Everything in one directory of this machine.
    pub(crate) async fn embedded(settings: &Settings) -> anyhow::Result<Self> {
        let data_dir = &settings.server.data_dir;
        let metrics = Arc::new(Metrics::new()?);
        let options = Options {
            partitions: settings.log.partitions,
            durability: match settings.log.durability {
                Durability::Fsync => embedded::Durability::Fsync,
                Durability::Os => embedded::Durability::Os,
            },
            queued_bytes_max: settings.log.queue_bytes_max,
            ..Options::at(data_dir)
        };
        let log = EmbeddedLog::open(&options, Arc::clone(&metrics))?;
        log.ensure(TOPICS).await?;
        Ok(Self {
            log: Arc::new(log.clone()),
            ledger: Arc::new(log.clone()),
            store: Arc::new(SqliteStore::open(&data_dir.join("store.db"))?),
            metrics,
            clock: Arc::new(clock(data_dir)?),
            keyring: Arc::new(keys::made(data_dir, settings.tenants.keys())?),
            own_log: Some(log),
            told: None,
            commit_every: Policy::default().commit_every,
        })
    }
}

/// Time goes on from the newest record where that is later than the machine's clock: deadlines were
/// asked for by it, and the order of times is that of records. A clock that was wrong by more than a
/// day is not followed.
fn clock(data_dir: &Path) -> anyhow::Result<SteadyClock> {
    let newest_ms = embedded::newest_ms(data_dir, INBOUND)?.unwrap_or_default();
    let ahead_ms = newest_ms - SystemClock.now_ms();
    if ahead_ms > CLOCK_BACK_MS_TOLD {
        tracing::warn!(
            ahead_s = ahead_ms / 1_000,
            followed = ahead_ms <= CLOCK_BACK_MS_MAX,
            "the newest record is from later than now: the machine's clock was or is wrong"
        );
    }
    Ok(SteadyClock::not_before(if ahead_ms <= CLOCK_BACK_MS_MAX { newest_ms } else { 0 }))
}
