//! One run: a peer, a load, and what is said of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::{Value, json};

use crate::peers::feed::Feed;
use crate::peers::peer::Peer;
use crate::peers::reader::Checks;
use crate::peers::stand::{Running, Stand};
use crate::runs::number;
use crate::{histogram, lateness, usage};

/// Messages that show that a peer is ready: some for every partition.
pub const READY: u64 = 64;
/// How long a peer may take until it is.
pub const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long nothing may come out before the rest counts as lost.
pub const SILENCE_MAX: Duration = Duration::from_secs(15);
/// Messages of the beginning of the warm-up that stand for a cold peer, in time.
const COLD: Duration = Duration::from_secs(10);
/// The steady part of a bulk, in shares of its messages: without start and end.
const STEADY: (f64, f64) = (0.3, 0.95);

/// What is asked of a run.
#[derive(Debug, Clone, Copy)]
pub enum Load {
    /// At times fixed in advance.
    Rate {
        /// Messages a second.
        rate: f64,
        /// Measured for so long.
        time: Duration,
        /// Before that, for so long.
        warm: Duration,
    },
    /// So many messages that are there when the peer starts.
    Bulk(u64),
}

impl Stand {
    /// Runs `peer` under `load`.
    ///
    /// # Errors
    /// It did not come about; what came about and is not right, the report says.
    pub async fn run(&self, peer: Peer, load: Load, repeat: usize) -> anyhow::Result<Value> {
        let (prefix, feed) = self.topics(peer).await?;
        let load_before = usage::load();
        let mut found = match load {
            Load::Rate { rate, time, warm } => {
                self.paced(peer, &prefix, feed, (rate, time, warm)).await?
            }
            Load::Bulk(messages) => self.bulk(peer, &prefix, feed, messages).await?,
        };
        let about = json!({
            "peer": peer.name(), "repeat": repeat,
            "load_average": [load_before, usage::load()],
        });
        if let (Some(found), Some(about)) = (found.as_object_mut(), about.as_object()) {
            found.extend(about.clone());
        }
        Ok(found)
    }

    async fn at_work(
        &self,
        peer: Peer,
        prefix: &str,
        feed: Arc<Feed>,
        total: u64,
    ) -> anyhow::Result<Running> {
        let checks = Checks { compares: peer.scores(), by_origin: false };
        let mut running = self.begin(feed, total, checks).await?;
        running.started = Instant::now();
        running.workers.push(self.start(peer, prefix)?);
        Ok(running)
    }

    async fn paced(
        &self,
        peer: Peer,
        prefix: &str,
        feed: Arc<Feed>,
        (rate, time, warm): (f64, Duration, Duration),
    ) -> anyhow::Result<Value> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // messages of a run
        let count = |time: Duration| (rate * time.as_secs_f64()) as u64;
        let total = READY + count(warm + time);
        feed.bulk(0, READY).await?;
        let mut running = self.at_work(peer, prefix, feed, total).await?;
        if !running.until(READY, READY_WITHIN).await? {
            bail!("{} was not ready within {READY_WITHIN:?}", peer.name());
        }
        let ready_s = running.started.elapsed().as_secs_f64();
        let (began, feed) = (Instant::now(), Arc::clone(&running.feed));
        let sending = tokio::spawn(feed.paced((READY, total), rate, began, warm));
        tokio::time::sleep_until((began + warm).into()).await;
        let before = running.cpu();
        let late = sending.await??;
        let after = running.cpu();
        let memory = usage::memory_mib(&running.pids());
        running.until(total, SILENCE_MAX).await?;
        let times = running.times(began, rate);
        let outcome = running.reader.outcome.lock();
        let warm_figures = times.latency(warm, warm + time)?;
        let late = histogram::figures(&late);
        let mut why = outcome.wrong();
        why.extend(lateness::late(number(&late, "/p99"), number(&warm_figures, "/p95")));
        let [app, broker] = per_million(before, after, count(time));
        let found = json!({
            "mode": "rate", "rate": rate, "seconds": time.as_secs_f64(), "messages": count(time),
            "warm_s": warm.as_secs_f64(), "ready_s": ready_s, "valid": why.is_empty(),
            "invalid_because": why, "late_ms": late, "latency_ms": warm_figures,
            "cold_ms": times.latency(Duration::ZERO, COLD.min(warm))?,
            "cpu_s_per_million": { "app": app, "broker": broker },
            "memory_mib": memory, "checked": outcome.counts(),
        });
        drop(outcome);
        running.stop()?;
        Ok(found)
    }

    async fn bulk(
        &self,
        peer: Peer,
        prefix: &str,
        feed: Arc<Feed>,
        messages: u64,
    ) -> anyhow::Result<Value> {
        feed.bulk(0, messages).await?;
        let broker_before = usage::cpu_seconds(
            &self.kafka.pid().map(|pid| ("broker".to_owned(), pid)).into_iter().collect(),
        );
        let mut running = self.at_work(peer, prefix, feed, messages).await?;
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )] // messages of a run
        let at = |share: f64| (messages as f64 * share) as u64;
        running.until(1, READY_WITHIN).await?;
        let ready_s = running.started.elapsed().as_secs_f64();
        running.until(at(STEADY.0), SILENCE_MAX).await?;
        let (first, before) = (Instant::now(), running.cpu());
        let from = running.done();
        running.until(at(STEADY.1), SILENCE_MAX).await?;
        let (took, after) = (first.elapsed().as_secs_f64(), running.cpu());
        let to = running.done();
        running.until(messages, SILENCE_MAX).await?;
        let whole_s = running.started.elapsed().as_secs_f64();
        let end = running.cpu();
        let memory = usage::memory_mib(&running.pids());
        let start = [0.0, broker_before.get("broker").copied().unwrap_or(f64::NAN)];
        let steady = per_million(before, after, to.saturating_sub(from));
        let whole = per_million(start, end, messages);
        let outcome = running.reader.outcome.lock();
        let why = outcome.wrong();
        #[allow(clippy::cast_precision_loss)] // messages of a run
        let speed = to.saturating_sub(from) as f64 / took;
        let found = json!({
            "mode": "bulk", "messages": messages, "ready_s": ready_s, "whole_s": whole_s,
            "steady_messages": to.saturating_sub(from), "messages_a_second": speed,
            "valid": why.is_empty(), "invalid_because": why,
            "cpu_s_per_million": { "app": steady[0], "broker": steady[1] },
            "cpu_s_per_million_whole": { "app": whole[0], "broker": whole[1] },
            "memory_mib": memory, "checked": outcome.counts(),
        });
        drop(outcome);
        running.stop()?;
        Ok(found)
    }
}

/// CPU time between two looks, in seconds a million messages: peer and broker.
fn per_million(before: [f64; 2], after: [f64; 2], messages: u64) -> [f64; 2] {
    #[allow(clippy::cast_precision_loss)] // messages of a run
    let millions = messages as f64 / 1e6;
    let [app, broker] = before;
    let [app_after, broker_after] = after;
    [(app_after - app) / millions, (broker_after - broker) / millions]
}
