//! Messages into the topic: all at once, or at times fixed in advance.
//!
//! Invariant: records are handed to the log in the order of their numbers, whatever becomes of those
//! before, so that a customer's messages are in order.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::draw::mix;
use crate::pace::{self, due_at, wait_until};
use anyhow::Context as _;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use hdrhistogram::Histogram;
use pipeline::{Log, Record};
use schemas::Avro;

use crate::peers::model::Text;
use crate::peers::records::{IN, Message};

/// Records in one append of a bulk.
const BULK: u64 = 1_000;
/// How often an append that the log is too busy for is tried again.
const TRIES: usize = 200;
/// How long before its time the sender of a message is awake.
const AWAKE: Duration = Duration::from_micros(150);

/// Writes messages by number.
pub struct Feed {
    /// Where to.
    pub log: Arc<dyn Log>,
    /// What customers write, in turn.
    pub texts: Arc<Vec<Text>>,
    /// How many customers there are.
    pub customers: u64,
}

impl Feed {
    /// What message `id` says.
    pub fn text(&self, id: u64) -> Option<&Text> {
        let at = mix(id ^ 0x5eed) % (self.texts.len().max(1) as u64);
        self.texts.get(usize::try_from(at).ok()?)
    }

    /// Who wrote it.
    pub fn customer(&self, id: u64) -> u64 {
        mix(id) % self.customers.max(1)
    }

    fn record(&self, id: u64) -> anyhow::Result<Record> {
        let text = self.text(id).context("there are no texts")?.text.clone();
        let key = format!("c{}", self.customer(id));
        let value = Message { id, text }.to_bytes()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        Ok(Record::new(IN, key, value, i64::try_from(now)?))
    }

    /// Writes messages `from..to` as fast as they go.
    pub async fn bulk(&self, from: u64, to: u64) -> anyhow::Result<()> {
        let mut next = from;
        while next < to {
            let end = to.min(next + BULK);
            let records: Vec<Record> =
                (next..end).map(|id| self.record(id)).collect::<Result<_, _>>()?;
            let mut tries = 0;
            loop {
                match self.log.append(records.clone()).await {
                    Ok(_) => break,
                    Err(pipeline::log::AppendError::Busy { retry_after }) if tries < TRIES => {
                        tries += 1;
                        tokio::time::sleep(retry_after).await;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            next = end;
        }
        Ok(())
    }

    /// Writes messages `from..to`, number n at `started + (n − from) / rate`; gives how late each was
    /// handed to the log, in microseconds, those of the first `warm` left out. On a thread of its own.
    pub async fn paced(
        self: Arc<Self>,
        which: (u64, u64),
        rate: f64,
        started: Instant,
        warm: Duration,
    ) -> anyhow::Result<Histogram<u64>> {
        pace::apart(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(self.keep_time(which, rate, started, warm))
        })
        .await?
    }

    async fn keep_time(
        &self,
        (from, to): (u64, u64),
        rate: f64,
        started: Instant,
        warm: Duration,
    ) -> anyhow::Result<Histogram<u64>> {
        let mut late = crate::histogram::of_micros()?;
        let mut going: FuturesUnordered<Going<'_>> = FuturesUnordered::new();
        for id in from..to {
            let at = due_at(id - from, rate);
            wait_until(started + at, AWAKE);
            if at >= warm {
                let by = started.elapsed().saturating_sub(at);
                late.saturating_record(u64::try_from(by.as_micros()).unwrap_or(u64::MAX));
            }
            // Begun now, so that the next one is behind it.
            let mut append: Going<'_> = Box::pin(self.append(self.record(id)?));
            match futures::poll!(&mut append) {
                std::task::Poll::Ready(done) => done?,
                std::task::Poll::Pending => going.push(append),
            }
            tokio::task::yield_now().await;
            while let Some(Some(done)) = going.next().now_or_never() {
                done?;
            }
        }
        while let Some(done) = going.next().await {
            done?;
        }
        Ok(late)
    }

    async fn append(&self, record: Record) -> anyhow::Result<()> {
        self.log.append(vec![record]).await?;
        Ok(())
    }
}

type Going<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>>;
