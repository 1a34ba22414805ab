//! Probes: customers who write once, at a steady pace, and look when they are decided. What they see
//! says how long things take, and what a door answers while a server is down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;
use tokio::task::JoinSet;

use crate::api::Api;
use crate::chaos::customers::Journal;
use crate::chaos::facts::Written;

/// Pause between probes, between tries, and between looks.
const EVERY: Duration = Duration::from_millis(200);
const AGAIN: Duration = Duration::from_millis(100);
/// How long an answer is waited for: longer than any door keeps anybody waiting.
const ANSWERED: Duration = Duration::from_secs(70);
/// How long a probe is followed.
const FOLLOWED: Duration = Duration::from_secs(240);
/// What every probe says.
const TEXT: &str = "quero a segunda via do boleto";

/// One try to be heard.
#[derive(Debug, Clone, Copy)]
pub struct Try {
    /// When.
    pub begun: Instant,
    /// How long the answer took.
    pub took: Duration,
    /// The answer; nothing when there was none.
    pub status: Option<u16>,
}

/// What became of one probe.
#[derive(Debug, Clone)]
pub struct Probe {
    /// When it was begun.
    pub begun: Instant,
    /// Its tries, the last of which was acknowledged.
    pub tries: Vec<Try>,
    /// What was acknowledged.
    pub written: Option<Written>,
    /// From its beginning to its decision being seen.
    pub decided: Option<Duration>,
}

type Seen = Arc<Mutex<Vec<Probe>>>;

/// Probes under way.
pub struct Probes {
    seen: Seen,
    stop: Arc<AtomicBool>,
    sending: tokio::task::JoinHandle<()>,
}

impl Probes {
    /// Begins to send probes to the server at `url`; `tag` tells their customers from others.
    #[must_use]
    pub fn start(url: &str, tag: String) -> Self {
        let (seen, stop) = (Seen::default(), Arc::new(AtomicBool::new(false)));
        let (into, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        let api = Api::patient(url, ANSWERED);
        let sending = tokio::spawn(async move {
            let mut following = JoinSet::new();
            let mut at = tokio::time::interval(EVERY);
            for n in 0u64.. {
                at.tick().await;
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let place = {
                    let mut seen = into.lock();
                    seen.push(Probe {
                        begun: Instant::now(),
                        tries: Vec::new(),
                        written: None,
                        decided: None,
                    });
                    seen.len() - 1
                };
                following.spawn(follow(
                    api.clone(),
                    format!("{tag}-{n}"),
                    Arc::clone(&into),
                    place,
                ));
            }
            while following.join_next().await.is_some() {}
        });
        Self { seen, stop, sending }
    }

    /// What is known by now.
    #[must_use]
    pub fn seen(&self) -> Vec<Probe> {
        self.seen.lock().clone()
    }

    /// No more are sent; those under way are followed to their end.
    ///
    /// # Errors
    /// When following them broke down.
    pub async fn finish(self) -> anyhow::Result<Vec<Probe>> {
        self.stop.store(true, Ordering::Relaxed);
        self.sending.await?;
        Ok(std::mem::take(&mut *self.seen.lock()))
    }
}

/// What probes have in writing.
#[must_use]
pub fn journal(probes: &[Probe]) -> Journal {
    let written = probes.iter().filter_map(|probe| probe.written.clone());
    written.map(|written| (written.customer.clone(), vec![written])).collect()
}

/// The 95th percentile of how long probes begun from `from` to `to` took; one without a decision
/// counts with the time it has waited. Nothing when there are too few.
#[must_use]
pub fn p95(probes: &[Probe], from: Instant, to: Instant) -> Option<Duration> {
    let inside = probes.iter().filter(|probe| probe.begun >= from && probe.begun < to);
    let mut took: Vec<Duration> =
        inside.map(|one| one.decided.unwrap_or_else(|| one.begun.elapsed())).collect();
    took.sort_unstable();
    (took.len() >= 10).then(|| took.get(took.len() * 95 / 100).copied())?
}

async fn follow(api: Api, customer: String, seen: Seen, place: usize) {
    let begun = Instant::now();
    let note = |change: &dyn Fn(&mut Probe)| {
        if let Some(probe) = seen.lock().get_mut(place) {
            change(probe);
        }
    };
    let body = json!({ "channel": "api", "customer": { "id": customer }, "text": TEXT });
    let bytes = body.to_string().into_bytes();
    let headers = [("content-type", "application/json"), ("idempotency-key", customer.as_str())];
    let id = loop {
        let tried = Instant::now();
        // Whoever waits is not kept for what might still be written.
        let path = "/v1/messages?wait=decision";
        let answer = api.post_raw(path, &headers, bytes.clone()).await.ok();
        let one = Try {
            begun: tried,
            took: tried.elapsed(),
            status: answer.as_ref().map(|answer| answer.status),
        };
        note(&|probe| probe.tries.push(one));
        match answer {
            Some(answer) if answer.status == 200 || answer.status == 202 => {
                let message_id = answer.str("/message_id").to_owned();
                let written =
                    Written { message_id, customer: customer.clone(), text: TEXT.to_owned() };
                let decided = (!answer.str("/route").is_empty()).then(|| begun.elapsed());
                note(&|probe| {
                    probe.written = Some(written.clone());
                    probe.decided = decided;
                });
                if decided.is_some() {
                    return;
                }
                break written.message_id;
            }
            _ if begun.elapsed() > FOLLOWED => return,
            _ => tokio::time::sleep(AGAIN).await,
        }
    };
    while begun.elapsed() < FOLLOWED {
        let told = api.get(&format!("/v1/messages/{id}")).await;
        if told.is_ok_and(|told| !told.str("/route").is_empty()) {
            return note(&|probe| probe.decided = Some(begun.elapsed()));
        }
        tokio::time::sleep(AGAIN).await;
    }
}
