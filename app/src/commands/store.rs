//! `store rebuild`: the store is a view; here it is made anew from the log.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use pipeline::clock::SystemClock;
use pipeline::log::embedded::{self, EmbeddedLog, Options};
use pipeline::telemetry::metrics::Metrics;
use pipeline::{Effect, Log, Policy, Setup, spawn_effect};
use schemas::topics::{self, CONVERSATIONS, CUSTOMERS, INBOUND, METRICS_STATE, TOPICS};
use sink::Store;
use sink::effects::{KeepAccepted, KeepCustomers, KeepHistory, KeepMetrics};
use sink::store::sqlite::SqliteStore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::print;
use crate::config::Settings;

const FILE: &str = "store.db";

/// Makes the store anew beside the old one, and puts it in its place when it is whole.
pub fn rebuild(settings: &Settings) -> anyhow::Result<()> {
    let dir = &settings.server.data_dir;
    if !dir.join("log.db").exists() {
        bail!("there is no log in {}: name the directory with --data-dir", dir.display());
    }
    let beside = dir.join("store.new.db");
    for name in ["store.new.db", "store.new.db-wal", "store.new.db-shm"] {
        let _ = std::fs::remove_file(dir.join(name));
    }
    super::runtime()?.block_on(async {
        let options = Options { partitions: settings.log.partitions, ..Options::at(dir) };
        let metrics = Arc::new(Metrics::new()?);
        let log = EmbeddedLog::open(&options, Arc::clone(&metrics))?;
        log.ensure(TOPICS).await?;
        covered(dir).await?;
        let new = Arc::new(SqliteStore::open(&beside)?);
        let store: Arc<dyn Store> = Arc::clone(&new) as _;
        fill(&log, &store, metrics).await?;
        // The log keeps minutes for two days, the store as long as the history.
        if dir.join(FILE).exists() {
            let carried = new.carry_minutes(&dir.join(FILE)).await?;
            print(&format!("  {carried} minutes older than the log's are carried over"))?;
        }
        new.gather().await?;
        anyhow::Ok(())
    })?;
    // The old file is there until the new one takes its place; only what would be read with it goes.
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.join(format!("{FILE}{suffix}")));
    }
    std::fs::rename(&beside, dir.join(FILE)).context("cannot put the new store in its place")?;
    for name in ["store.new.db-wal", "store.new.db-shm"] {
        let _ = std::fs::remove_file(dir.join(name));
    }
    print("the store is made anew")
}

/// Refuses when the store holds what the log no longer does.
async fn covered(dir: &Path) -> anyhow::Result<()> {
    let file = dir.join(FILE);
    if !file.exists() {
        return Ok(());
    }
    let Some(stored_ms) = SqliteStore::open(&file)?.oldest_ms().await? else { return Ok(()) };
    let first = embedded::peek(dir, topics::named(CONVERSATIONS.0).context("no topic")?, 0, 1)?;
    // An empty history begins never.
    let logged_ms = first.first().map_or(i64::MAX, |record| record.time_ms);
    if stored_ms < logged_ms {
        let hours = (logged_ms - stored_ms) / 3_600_000;
        bail!(
            "the log begins {hours} h later than the store: rebuilding would lose what lies between. \
             Restore the log from a backup, or keep the store"
        );
    }
    Ok(())
}

/// Runs the store's effects from the start of the log to its end, as the server would with an empty
/// store: a store says itself how far it has come.
async fn fill(
    log: &EmbeddedLog,
    store: &Arc<dyn Store>,
    metrics: Arc<Metrics>,
) -> anyhow::Result<()> {
    let setup = Setup {
        log: Arc::new(log.clone()),
        clock: Arc::new(SystemClock),
        metrics,
        ticks: None,
        policy: Policy::default(),
        probe: None,
    };
    let stop = CancellationToken::new();
    let policy = sink::effects::policy();
    let accepted = Setup::effect_group(KeepAccepted::NAME, INBOUND);
    let history = Setup::effect_group(KeepHistory::NAME, CONVERSATIONS);
    let minutes = Setup::effect_group(KeepMetrics::NAME, METRICS_STATE);
    let customers = Setup::effect_group(KeepCustomers::NAME, CUSTOMERS);
    let mut running = JoinSet::new();
    for runner in [
        spawn_effect(
            Arc::new(KeepAccepted(Arc::clone(store))),
            accepted,
            setup.clone(),
            policy,
            stop.clone(),
        ),
        spawn_effect(
            Arc::new(KeepHistory(Arc::clone(store))),
            history,
            setup.clone(),
            policy,
            stop.clone(),
        ),
        spawn_effect(
            Arc::new(KeepMetrics(Arc::clone(store))),
            minutes,
            setup.clone(),
            policy,
            stop.clone(),
        ),
        spawn_effect(
            Arc::new(KeepCustomers(Arc::clone(store))),
            customers,
            setup,
            policy,
            stop.clone(),
        ),
    ] {
        running.spawn(runner.ended());
    }
    tokio::select! {
        done = caught_up(log, store) => done?,
        // One that ends by itself has failed: the others would be waited for in vain.
        Some(ended) = running.join_next() => ended??,
    }
    stop.cancel();
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(())
}

/// Waits until the store has everything the log has, telling how far it is.
async fn caught_up(log: &EmbeddedLog, store: &Arc<dyn Store>) -> anyhow::Result<()> {
    let mut told = std::time::Instant::now();
    for topic in [INBOUND, CONVERSATIONS, METRICS_STATE, CUSTOMERS] {
        let end = log.end(topic)?;
        loop {
            let positions = store.positions(topic).await?.unwrap_or_default();
            let reached = positions.iter().map(|(_, at)| *at).max().unwrap_or(0);
            if reached >= end {
                break;
            }
            if told.elapsed().as_secs() >= 1 {
                told = std::time::Instant::now();
                print(&format!("  {topic}: {reached} of {end}"))?;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    Ok(())
}
