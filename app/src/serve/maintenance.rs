//! What runs beside the line: old records go, and how far everybody is behind is told.

use std::sync::Arc;
use std::time::Duration;

use pipeline::clock::Clock;
use pipeline::log::embedded::EmbeddedLog;
use pipeline::telemetry::metrics::Metrics;
use pipeline::{Group, Log, LogError};
use schemas::topics::{Retention, TOPICS};
use tokio_util::sync::CancellationToken;

use crate::media::{Directory, system_time};

/// How often the lag is looked at, and how often old records go.
const LAG_EVERY: Duration = Duration::from_secs(5);
const FORGET_EVERY: Duration = Duration::from_secs(60);
/// Records that go at once, so that the line hardly notices.
const FORGET_RECORDS: usize = 500;
/// How often old files go.
const FORGET_MEDIA_EVERY: Duration = Duration::from_secs(3_600);
const HOUR_MS: i64 = 3_600_000;

/// Tells how far every group is behind, until `stop`.
pub(super) async fn lag(
    log: Arc<dyn Log>,
    groups: Vec<Group>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    while stop.run_until_cancelled(tokio::time::sleep(LAG_EVERY)).await.is_some() {
        for group in &groups {
            match log.lag(group).await {
                Ok(records) => metrics.lag(&group.name, records),
                Err(error) => tracing::warn!(group = %group.name, %error, "no lag to be had"),
            }
        }
    }
}

/// Fails when the log's disk does, unless `stop` comes first: ended, the process is started again by
/// whoever watches over it, and recovers.
pub(super) async fn disk(log: EmbeddedLog, stop: CancellationToken) -> anyhow::Result<()> {
    match stop.run_until_cancelled(log.disk_failed()).await {
        Some(why) => anyhow::bail!("the log's disk failed: {why}; mend it and start again"),
        None => Ok(()),
    }
}

/// Drops what is older than its topic keeps, until `stop`.
pub(super) async fn forget(
    log: EmbeddedLog,
    clock: Arc<dyn Clock>,
    history_days: u32,
    stop: CancellationToken,
) {
    while stop.run_until_cancelled(tokio::time::sleep(FORGET_EVERY)).await.is_some() {
        for spec in TOPICS {
            let hours = match spec.retention {
                Retention::Hours(hours) | Retention::CompactedHours(hours) => i64::from(hours),
                Retention::History => i64::from(history_days) * 24,
                Retention::Compacted => continue,
            };
            let before_ms = clock.now_ms() - hours * HOUR_MS;
            let gone = async {
                while log.forget(spec.topic, before_ms, FORGET_RECORDS).await? == FORGET_RECORDS {
                    tokio::task::yield_now().await;
                }
                Ok::<(), LogError>(())
            };
            if let Some(Err(error)) = stop.run_until_cancelled(gone).await {
                tracing::warn!(topic = %spec.topic, %error, "old records stay");
            }
        }
    }
}

/// Removes files that came with messages older than the history is kept, until `stop`.
pub(super) async fn forget_media(
    files: Directory,
    clock: Arc<dyn Clock>,
    history_days: u32,
    stop: CancellationToken,
) {
    while stop.run_until_cancelled(tokio::time::sleep(FORGET_MEDIA_EVERY)).await.is_some() {
        let before = system_time(clock.now_ms() - i64::from(history_days) * 24 * HOUR_MS);
        let files = files.clone();
        match tokio::task::spawn_blocking(move || files.forget(before)).await {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(gone)) => tracing::info!(gone, "old files were removed"),
            Ok(Err(error)) => {
                tracing::warn!(%error, "old files stay; see to the disk of media.dir");
            }
        }
    }
}
