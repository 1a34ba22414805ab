//! Customers, open loop: messages are sent at times fixed in advance, whatever becomes of those before.
//!
//! A thread of its own keeps the time; a request is a task. Most callers wait for the decision, which
//! closes their turn at once; every tenth does not, and shows what an acknowledgement takes by itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use benches::draw::mix;
use benches::pace::{self, due_at, go_first, wait_until};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Every such message is of a caller that does not wait.
const UNWAITED_EVERY: u64 = 10;
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is sent.
#[derive(Debug, Clone)]
pub struct Load {
    /// Messages a second.
    pub rate: f64,
    /// How many messages.
    pub count: u64,
    /// How many customers write.
    pub customers: u64,
    /// Told apart from every other run's by this.
    pub run: String,
}

/// A message and what came back; times in microseconds since 1970.
#[derive(Debug, Clone)]
pub struct Shot {
    /// Its place in the run.
    pub n: u64,
    /// Who wrote.
    pub customer: u64,
    /// When it should have been sent.
    pub intended_us: u64,
    /// When it was.
    pub sent_us: u64,
    /// When the answer was in hand.
    pub answered_us: u64,
    /// Whether the caller waited for the decision.
    pub waited: bool,
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// The message's id, if it was accepted.
    pub message: Option<String>,
}

impl Shot {
    /// Whether it came to what its caller wanted.
    pub fn went_well(&self) -> bool {
        self.status == if self.waited { 200 } else { 202 } && self.message.is_some()
    }
}

/// The time, in microseconds since 1970.
pub fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Writes to one installation.
pub struct Generator {
    http: reqwest::Client,
    url: String,
    texts: Vec<String>,
}

impl Generator {
    /// Of the doors at `url`, with the ordinary texts of the corpus.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .pool_max_idle_per_host(4096)
            .tcp_nodelay(true)
            .build()?;
        let rows = classifier::corpus::training()?;
        let texts = rows.into_iter().filter(|row| !row.hard).map(|row| row.text).collect();
        Ok(Self { http, url: format!("{url}/v1/messages"), texts })
    }

    fn text(&self, n: u64) -> &str {
        let at = mix(n ^ 0x5eed) % self.texts.len().max(1) as u64;
        usize::try_from(at).ok().and_then(|at| self.texts.get(at)).map_or("oi", String::as_str)
    }

    async fn shoot(&self, load: &Load, n: u64, intended_us: u64) -> Shot {
        let sent_us = now_us();
        let (waited, customer) =
            (!n.is_multiple_of(UNWAITED_EVERY), mix(n) % load.customers.max(1));
        let body = json!({
            "channel": "whatsapp",
            "customer": { "id": format!("C{customer}"), "name": format!("Cliente {customer}") },
            "text": self.text(n),
        });
        let request = self
            .http
            .post(if waited { format!("{}?wait=decision", self.url) } else { self.url.clone() })
            .header("idempotency-key", format!("{}-{n}", load.run))
            .json(&body);
        let (status, message) = match answer(request).await {
            Ok((status, body)) => {
                let id = body.get("message_id").and_then(Value::as_str).map(str::to_owned);
                (status, id)
            }
            Err(_) => (0, None),
        };
        let answered_us = now_us();
        Shot { n, customer, intended_us, sent_us, answered_us, waited, status, message }
    }

    /// Sends everything; gives what came of it, in the order of the intended times.
    pub async fn run(self: &Arc<Self>, load: &Load) -> anyhow::Result<Vec<Shot>> {
        let (generator, load) = (Arc::clone(self), Arc::new(load.clone()));
        let mut all = pace::apart(move || generator.keep_time(&load)).await??;
        all.sort_by_key(|shot| shot.n);
        Ok(all)
    }

    fn keep_time(self: &Arc<Self>, load: &Arc<Load>) -> anyhow::Result<Vec<Shot>> {
        let mut building = tokio::runtime::Builder::new_multi_thread();
        building.worker_threads(1).enable_all().on_thread_start(go_first);
        let (runtime, mut shots) = (building.build()?, JoinSet::new());
        let (began, began_us) = (Instant::now(), now_us());
        for n in 0..load.count {
            let at = due_at(n, load.rate);
            wait_until(began + at, Duration::ZERO);
            let intended_us = began_us + u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
            let (generator, load) = (Arc::clone(self), Arc::clone(load));
            let shot = async move { generator.shoot(&load, n, intended_us).await };
            shots.spawn_on(shot, runtime.handle());
        }
        Ok(runtime.block_on(shots.join_all()))
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<(u16, Value), reqwest::Error> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let bytes = response.bytes().await?;
    Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
}

/// Of every customer, the messages whose answer was in hand before the next was sent: those have an
/// order to keep.
pub fn ordered_pairs(shots: &[Shot]) -> Vec<(&Shot, &Shot)> {
    let mut last: HashMap<u64, &Shot> = HashMap::new();
    let mut pairs = Vec::new();
    for shot in shots {
        if let Some(before) = last.insert(shot.customer, shot)
            && before.answered_us < shot.sent_us
        {
            pairs.push((before, shot));
        }
    }
    pairs
}
