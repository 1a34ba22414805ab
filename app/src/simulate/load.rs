//! `correnteza simulate`: a steady rate, and how the server bore it.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::client::{Client, Outgoing};
use super::texts::{Dice, Texts};
use crate::cli::Simulate;
use crate::commands::print;

const CHANNELS: [&str; 5] = ["whatsapp", "whatsapp", "whatsapp", "web_chat", "email"];

/// Times beyond this count as this, in microseconds.
const LONGEST_US: u64 = 120_000_000;

/// What came of a run; times in microseconds.
struct Tally {
    answered: Histogram<u64>,
    lateness: Histogram<u64>,
    statuses: std::collections::BTreeMap<u16, u64>,
    auto: u64,
    human: u64,
    errors: u64,
}

impl Tally {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            answered: Histogram::new_with_max(LONGEST_US, 3)?,
            lateness: Histogram::new_with_max(LONGEST_US, 3)?,
            statuses: std::collections::BTreeMap::new(),
            auto: 0,
            human: 0,
            errors: 0,
        })
    }

    fn note(
        &mut self,
        intended: Instant,
        sent: Instant,
        came: Result<(u16, Value), reqwest::Error>,
    ) {
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.lateness.saturating_record(micros(sent - intended));
        match came {
            Ok((status, body)) => {
                self.answered.saturating_record(micros(intended.elapsed()));
                *self.statuses.entry(status).or_default() += 1;
                match body.get("route").and_then(Value::as_str) {
                    Some("auto") => self.auto += 1,
                    Some(_) => self.human += 1,
                    None => {}
                }
            }
            Err(_) => self.errors += 1,
        }
    }

    fn view(&self, sent: u64) -> Value {
        #[allow(clippy::cast_precision_loss)] // microseconds of a run
        let ms =
            |histogram: &Histogram<u64>, at: f64| histogram.value_at_quantile(at) as f64 / 1000.0;
        json!({
            "sent": sent,
            "statuses": self.statuses,
            "errors": self.errors,
            "auto": self.auto,
            "human": self.human,
            "answered_ms": {
                "p50": ms(&self.answered, 0.50),
                "p95": ms(&self.answered, 0.95),
                "p99": ms(&self.answered, 0.99),
                "max": ms(&self.answered, 1.0),
            },
            "generator_late_ms": { "p99": ms(&self.lateness, 0.99), "max": ms(&self.lateness, 1.0) },
        })
    }
}

/// Sends what is asked and tells what came of it.
pub async fn run(asked: &Simulate) -> anyhow::Result<()> {
    anyhow::ensure!(asked.rate > 0.0 && asked.rate <= 50_000.0, "--rate must be 0 to 50000");
    anyhow::ensure!(asked.seconds <= 86_400, "--seconds must be at most 86400");
    let client = Client::new(&asked.url, &asked.token)?;
    let texts = Arc::new(Texts::load()?);
    let tally = Arc::new(Mutex::new(Tally::new()?));
    let sent = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut dice = Dice::new(asked.seed);
    let mut tasks = JoinSet::new();
    let mut next_note = Duration::from_secs(5);
    let mut n = 0u32;
    loop {
        let at = Duration::from_secs_f64(f64::from(n) / asked.rate);
        if at >= Duration::from_secs(asked.seconds) {
            break;
        }
        let intended = started + at;
        sleep_until(intended).await;
        let customer = dice.below(asked.customers.max(1));
        let text = texts.pick(&mut dice).to_owned();
        let channel = CHANNELS.get(usize::try_from(dice.below(5)).unwrap_or_default());
        let channel = channel.copied().unwrap_or("api");
        let key = format!("sim-{}-{}-{n}", asked.seed, std::process::id());
        let twice = dice.happens(asked.duplicates);
        let (client, tally, counted, wait) =
            (client.clone(), Arc::clone(&tally), Arc::clone(&sent), asked.wait);
        tasks.spawn(async move {
            for _ in 0..=u8::from(twice) {
                let began = Instant::now();
                let message = Outgoing { channel, customer, text: &text, key: &key, wait };
                let came = client.send(&message).await;
                counted.fetch_add(1, Ordering::Relaxed);
                tally.lock().note(if twice { began } else { intended }, began, came);
            }
        });
        while tasks.try_join_next().is_some() {}
        n += 1;
        if !asked.json && started.elapsed() >= next_note {
            next_note += Duration::from_secs(5);
            let sent = sent.load(Ordering::Relaxed);
            let _ = writeln!(std::io::stderr(), "  {sent} answered after {:?}", started.elapsed());
        }
    }
    while tasks.join_next().await.is_some() {}
    let view = tally.lock().view(sent.load(Ordering::Relaxed));
    if asked.json { print(&view.to_string()) } else { print(&serde_json::to_string_pretty(&view)?) }
}
