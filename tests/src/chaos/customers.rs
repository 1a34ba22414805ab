//! Customers who write at a steady rate, whatever becomes of the server.
//!
//! The rate is of the run as a whole and does not wait for answers (an open loop); each customer
//! writes the next message only when the one before is acknowledged, so that there is an order to
//! keep. A message that is not acknowledged is sent again under the same key, as the API asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::facts::Written;
use crate::api::Api;

/// What was acknowledged, by customer, in order.
pub type Journal = BTreeMap<String, Vec<Written>>;

/// How customers write.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Messages a second, of all together.
    pub rate: f64,
    /// How many there are.
    pub customers: usize,
    /// The same seed gives the same texts to the same customers.
    pub seed: u64,
}

/// How long a message may stay without acknowledgement, restarts included.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(120);

/// Customers at work.
pub struct Customers {
    journal: Arc<Mutex<Journal>>,
    writing: JoinSet<anyhow::Result<()>>,
    pacing: tokio::task::JoinHandle<Pace>,
    stop: Arc<std::sync::atomic::AtomicBool>,
}

/// How well the rate was kept.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// Messages begun.
    pub begun: u64,
    /// The latest a message was begun after its time.
    pub late_max: Duration,
}

/// Numbers that look random (SplitMix64, Steele et al. 2014).
pub(super) fn mix(n: u64) -> u64 {
    let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

pub(super) fn pick<T>(from: &[T], dice: u64) -> Option<&T> {
    let length = u64::try_from(from.len()).ok()?;
    from.get(usize::try_from(dice.checked_rem(length)?).ok()?)
}

impl Customers {
    /// They begin to write to the server at `url`.
    ///
    /// # Errors
    /// When the corpus cannot be read.
    pub fn start(url: &str, load: Load) -> anyhow::Result<Self> {
        let texts: Vec<String> =
            classifier::corpus::training()?.into_iter().map(|row| row.text).collect();
        let journal = Arc::new(Mutex::new(Journal::new()));
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let mut writing = JoinSet::new();
        let mut inboxes = Vec::new();
        let api = Api::new(url);
        for n in 0..load.customers {
            let (inbox, texts) = mpsc::unbounded_channel();
            inboxes.push(inbox);
            let (api, journal) = (api.clone(), Arc::clone(&journal));
            writing.spawn(write(api, format!("C{}-{n}", load.seed), texts, journal));
        }
        let stopped = Arc::clone(&stop);
        let pacing = tokio::spawn(async move { pace(load, &texts, &inboxes, &stopped).await });
        Ok(Self { journal, writing, pacing, stop })
    }

    /// They stop, and every message begun is acknowledged.
    ///
    /// # Errors
    /// When one is not.
    pub async fn finish(mut self) -> anyhow::Result<(Journal, Pace)> {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let pace = self.pacing.await?;
        while let Some(ended) = self.writing.join_next().await {
            ended??;
        }
        let journal = std::mem::take(&mut *self.journal.lock());
        Ok((journal, pace))
    }
}

/// Gives texts to customers at the rate until `stop`; then the inboxes close.
async fn pace(
    load: Load,
    texts: &[String],
    inboxes: &[mpsc::UnboundedSender<String>],
    stop: &std::sync::atomic::AtomicBool,
) -> Pace {
    let started = Instant::now();
    let mut pace = Pace::default();
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        #[allow(clippy::cast_precision_loss)] // counts of a run
        let at = started + Duration::from_secs_f64(pace.begun as f64 / load.rate);
        tokio::time::sleep_until(at.into()).await;
        pace.late_max = pace.late_max.max(at.elapsed());
        let dice = mix(load.seed.wrapping_mul(1_000_003).wrapping_add(pace.begun));
        let (text, inbox) = (pick(texts, dice), pick(inboxes, mix(dice)));
        if let (Some(text), Some(inbox)) = (text, inbox) {
            // The number makes each message one of a kind, so that a change of text shows.
            let _ = inbox.send(format!("{text} ({})", pace.begun));
        }
        pace.begun += 1;
    }
    pace
}

async fn write(
    api: Api,
    customer: String,
    mut texts: mpsc::UnboundedReceiver<String>,
    journal: Arc<Mutex<Journal>>,
) -> anyhow::Result<()> {
    let mut n = 0u64;
    while let Some(text) = texts.recv().await {
        let body = json!({ "channel": "api", "customer": { "id": customer }, "text": text });
        let until = Instant::now() + ACKNOWLEDGED_WITHIN;
        let message_id = api
            .insist(&format!("{customer}-{n}"), &body, until)
            .await
            .with_context(|| format!("message {n} of {customer}"))?;
        let written = Written { message_id, customer: customer.clone(), text };
        journal.lock().entry(customer.clone()).or_default().push(written);
        n += 1;
    }
    Ok(())
}
