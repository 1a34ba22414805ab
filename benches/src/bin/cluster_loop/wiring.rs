//! What the parts of the line that run here are connected to.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use pipeline::clock::SystemClock;
use pipeline::log::kafka::{Delivery, KafkaLog, Options};
use pipeline::telemetry::metrics::Metrics;
use pipeline::{Running, Setup, runner};
use sink::store::cql::{CqlOptions, CqlStore};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Everything a runner needs, on the broker at `bootstrap`, as the product sets it up.
pub fn setup(
    bootstrap: &str,
    tag: &str,
    transactional: bool,
    states: Option<&Path>,
) -> anyhow::Result<Setup> {
    let delivery = if transactional { Delivery::Transactional } else { Delivery::AtOnce };
    let options = Options {
        prefix: prefix(tag),
        delivery,
        state_dir: states.map(Path::to_owned),
        ..Options::at(bootstrap)
    };
    Ok(Setup {
        log: Arc::new(KafkaLog::open(options)?),
        clock: Arc::new(SystemClock),
        metrics: Arc::new(Metrics::new()?),
        ticks: None,
        policy: runner::Policy { commit_every: delivery.commit_every(), ..Default::default() },
        probe: None,
    })
}

/// How long the product keeps history unless told otherwise.
const HISTORY: Duration = Duration::from_secs(1_095 * 86_400);

/// The store of the installation `tag`, as the product opens it.
pub async fn store(contact_point: &str, tag: &str) -> anyhow::Result<CqlStore> {
    let options = CqlOptions { retention: Some(HISTORY), ..CqlOptions::at(contact_point, tag) };
    Ok(CqlStore::open(&options).await?)
}

/// What the names of the installation's topics and groups begin with.
pub fn prefix(tag: &str) -> String {
    format!("{tag}-")
}

/// Runs until told to stop, or until one of `running` ends by itself.
pub async fn until_told(running: Vec<Running>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut told = signal(SignalKind::terminate()).context("SIGTERM cannot be waited for")?;
    let mut ends: tokio::task::JoinSet<_> = running
        .into_iter()
        .map(|running| async move { (running.name, running.ended().await) })
        .collect();
    tokio::select! {
        _ = told.recv() => {}
        Some(Ok((name, end))) = ends.join_next() => {
            end.with_context(|| format!("{name} ended"))?;
        }
    }
    stop.cancel();
    while let Some(ended) = ends.join_next().await {
        let (name, end) = ended?;
        end.with_context(|| format!("{name} ended"))?;
    }
    Ok(())
}
