//! What comes out: read from the topics, timed, and compared with what was put in.
//!
//! Invariant: a message counts as done when both its records are there, the routed one and the
//! decision; its time is that of the later one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use pipeline::Stored;
use pipeline::log::From;
use schemas::topics::Topic;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::feed::Feed;
use crate::records::{AUTO, DECISIONS, HUMAN, Said};

/// Confidences are the same when they differ by no more.
const DIFFERENCE_MAX: f64 = 1e-6;
/// Differences that are shown.
const SHOWN: usize = 5;
/// Share of the messages that must be decided alike.
const SAME_SHARE_MIN: f64 = 0.999;

/// What was seen of one message.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    routed: u32,
    decided: u32,
    done: Option<Instant>,
}

/// What was seen of all.
pub struct Outcome {
    seen: Vec<Seen>,
    last: HashMap<(Topic, u64), u64>,
    disordered: u64,
    unreadable: u64,
    different: u64,
    compared: u64,
    shown: Vec<String>,
    compares: bool,
}

impl Outcome {
    fn new(total: usize, compares: bool) -> Self {
        Self {
            seen: vec![Seen::default(); total],
            last: HashMap::new(),
            disordered: 0,
            unreadable: 0,
            different: 0,
            compared: 0,
            shown: Vec::new(),
            compares,
        }
    }

    /// Takes account of a record that arrived at `now`; whether its message is done by that.
    fn take(&mut self, feed: &Feed, record: &Stored, now: Instant) -> bool {
        let said: Option<Said> =
            record.value.as_deref().and_then(|value| serde_json::from_slice(value).ok());
        let Some(said) = said.filter(|said| at(said.id) < self.seen.len()) else {
            self.unreadable += 1;
            return false;
        };
        let order = (record.topic, feed.customer(said.id));
        let repeated = {
            let Some(seen) = self.seen.get_mut(at(said.id)) else { return false };
            let times =
                if record.topic == DECISIONS { &mut seen.decided } else { &mut seen.routed };
            *times += 1;
            *times > 1
        };
        if repeated {
            return false;
        }
        let before = self.last.insert(order, said.id);
        self.disordered += u64::from(before.is_some_and(|before| before > said.id));
        if self.compares {
            self.compare(feed, record.topic, &said);
        }
        let Some(seen) = self.seen.get_mut(at(said.id)) else { return false };
        let done = seen.routed > 0 && seen.decided > 0;
        if done {
            seen.done = Some(now);
        }
        done
    }

    fn compare(&mut self, feed: &Feed, topic: Topic, said: &Said) {
        let Some(text) = feed.text(said.id) else { return };
        self.compared += 1;
        let route = if text.answered { AUTO } else { HUMAN };
        let goes = said.route.as_deref().unwrap_or(topic.0);
        let near = (said.confidence - text.confidence).abs() <= DIFFERENCE_MAX;
        if said.intent == text.intent && near && goes == route.0 {
            return;
        }
        self.different += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(format!(
                "message {}: {} {:.9} to {goes}, expected {} {:.9} to {}",
                said.id, said.intent, said.confidence, text.intent, text.confidence, route.0
            ));
        }
    }

    /// When message `id` was done.
    pub fn done(&self, id: u64) -> Option<Instant> {
        self.seen.get(at(id))?.done
    }

    /// How many were lost, repeated, out of order, decided otherwise.
    pub fn counts(&self) -> Value {
        let lost = self.seen.iter().filter(|seen| seen.done.is_none()).count();
        let repeated: u32 = self
            .seen
            .iter()
            .map(|seen| seen.routed.saturating_sub(1) + seen.decided.saturating_sub(1))
            .sum();
        json!({
            "lost": lost, "repeated": repeated, "disordered": self.disordered,
            "unreadable": self.unreadable, "compared": self.compared,
            "different": self.different, "differences": self.shown,
        })
    }

    /// What is wrong; empty when nothing is.
    pub fn wrong(&self) -> Vec<String> {
        let counts = self.counts();
        let count = |what: &str| counts.get(what).and_then(Value::as_u64).unwrap_or_default();
        let mut wrong: Vec<String> = ["lost", "repeated", "disordered", "unreadable"]
            .into_iter()
            .filter(|what| count(what) > 0)
            .map(|what| format!("{} × {what}", count(what)))
            .collect();
        #[allow(clippy::cast_precision_loss)] // messages of a run
        let most = self.compared as f64 * (1.0 - SAME_SHARE_MIN);
        #[allow(clippy::cast_precision_loss)] // messages of a run
        let different = self.different as f64;
        if different > most {
            wrong.push(format!("{different} of {} records differ", self.compared));
        }
        wrong
    }
}

/// The place of a message among all.
fn at(id: u64) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

/// A reader at work.
pub struct Reader {
    /// What it has seen.
    pub outcome: Arc<Mutex<Outcome>>,
    /// How many messages are done.
    pub done: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Reader {
    /// Reads everything that comes out of messages `0..total`.
    pub async fn start(feed: Arc<Feed>, total: u64, compares: bool) -> anyhow::Result<Self> {
        let mut tail = feed.log.tail(&[AUTO, HUMAN, DECISIONS], From::Start).await?;
        let outcome = Outcome::new(usize::try_from(total)?, compares);
        let outcome = Arc::new(Mutex::new(outcome));
        let (tell, done) = watch::channel(0);
        let seen = Arc::clone(&outcome);
        let task = tokio::spawn(async move {
            let mut count = 0;
            loop {
                let records = match tail.next().await {
                    Ok(records) => records,
                    Err(error) => {
                        eprintln!("the reader ended: {error}");
                        return;
                    }
                };
                let now = Instant::now();
                let mut seen = seen.lock();
                for record in &records {
                    count += u64::from(seen.take(&feed, record, now));
                }
                drop(seen);
                tell.send_replace(count);
            }
        });
        Ok(Self { outcome, done, task })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use pipeline::log::memory::MemoryLog;

    use super::*;
    use crate::model::Text;

    fn feed() -> Feed {
        let text = Text {
            text: "oi".to_owned(),
            intent: "saudacao".to_owned(),
            confidence: 0.5,
            answered: true,
        };
        Feed { log: Arc::new(MemoryLog::new(4)), texts: Arc::new(vec![text]), customers: 1 }
    }

    fn record(topic: Topic, id: u64, confidence: f64) -> Stored {
        let route = (topic == DECISIONS).then_some("auto");
        let value = json!({ "id": id, "intent": "saudacao", "confidence": confidence,
            "route": route });
        Stored {
            topic,
            partition: 0,
            offset: 0,
            key: bytes_of("c0"),
            value: Some(bytes_of(&value.to_string())),
            headers: pipeline::Headers::default(),
            time_ms: 0,
        }
    }

    fn bytes_of<T: std::convert::From<Vec<u8>>>(text: &str) -> T {
        T::from(text.as_bytes().to_vec())
    }

    /// Both records of messages 0 to 2, except where the fault says otherwise.
    fn wrong_of(records: &[(Topic, u64, f64)]) -> Vec<String> {
        let feed = feed();
        let mut outcome = Outcome::new(3, true);
        for (topic, id, confidence) in records {
            outcome.take(&feed, &record(*topic, *id, *confidence), Instant::now());
        }
        outcome.wrong()
    }

    #[test]
    fn every_planted_fault_is_found() {
        let whole: Vec<(Topic, u64, f64)> =
            (0..3).flat_map(|id| [(AUTO, id, 0.5), (DECISIONS, id, 0.5)]).collect();
        assert_eq!(wrong_of(&whole), Vec::<String>::new());
        let mut lost = whole.clone();
        lost.remove(2);
        assert_eq!(wrong_of(&lost), ["1 × lost"]);
        let mut repeated = whole.clone();
        repeated.push((AUTO, 2, 0.5));
        assert_eq!(wrong_of(&repeated), ["1 × repeated"]);
        let mut disordered = whole.clone();
        disordered.swap(0, 2);
        assert_eq!(wrong_of(&disordered), ["1 × disordered"]);
        let mut different = whole.clone();
        different[1].2 = 0.6;
        assert_eq!(wrong_of(&different), ["1 of 6 records differ"]);
        let mut unknown = whole;
        unknown.push((AUTO, 9, 0.5));
        assert_eq!(wrong_of(&unknown), ["1 × unreadable"]);
    }
}
