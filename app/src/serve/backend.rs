//! What the line runs on: the log, the store, the once-ledger, the tenants' keys.

use std::collections::HashMap;
use std::sync::Arc;

use pipeline::clock::{Clock, SystemClock};
use pipeline::ledger::OnceLedger;
use pipeline::log::embedded::{self, EmbeddedLog, Options};
use pipeline::telemetry::metrics::Metrics;
use pipeline::{Log, Offset, Stored};
use schemas::sealed::Keyring;
use schemas::topics::{TOPICS, Topic};
use sink::Store;
use sink::store::sqlite::SqliteStore;

use crate::config::{Durability, Settings};
use crate::keys;

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
            clock: Arc::new(SystemClock),
            keyring: Arc::new(keys::made(data_dir, settings.tenants.keys())?),
            own_log: Some(log),
            told: None,
        })
    }
}
