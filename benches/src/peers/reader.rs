//! What comes out: read from the topics, timed, and compared with what was put in.
//!
//! Invariant: a message counts as done when both its records are there, the routed one and the
//! decision; its time is that of the later one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use pipeline::Stored;
use pipeline::log::From;
use pipeline::watermarks::Watermarks;
use schemas::topics::Topic;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::peers::feed::Feed;
use crate::peers::records::{AUTO, DECISIONS, HUMAN, Said};

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

/// What is checked besides that nothing is lost, repeated or out of order.
#[derive(Debug, Clone, Copy)]
pub struct Checks {
    /// What is said must be what the product says.
    pub compares: bool,
    /// Repeats are dropped by origin, as the product's readers do; they are counted, and no fault.
    pub by_origin: bool,
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
    checks: Checks,
    /// By topic and partition read.
    origins: HashMap<(Topic, u32), Watermarks>,
    dropped: u64,
    /// How many decisions came out of each partition, and when the last one.
    decided: BTreeMap<u32, (u64, Instant)>,
}

impl Outcome {
    fn new(total: usize, checks: Checks) -> Self {
        Self {
            seen: vec![Seen::default(); total],
            last: HashMap::new(),
            disordered: 0,
            unreadable: 0,
            different: 0,
            compared: 0,
            shown: Vec::new(),
            checks,
            origins: HashMap::new(),
            dropped: 0,
            decided: BTreeMap::new(),
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
        if self.checks.by_origin && self.came_before(record) {
            self.dropped += 1;
            return false;
        }
        if record.topic == DECISIONS {
            let (count, latest) = self.decided.entry(record.partition).or_insert((0, now));
            *count += 1;
            *latest = now;
        }
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
        if self.checks.compares {
            self.compare(feed, record.topic, &said);
        }
        let Some(seen) = self.seen.get_mut(at(said.id)) else { return false };
        let done = seen.routed > 0 && seen.decided > 0;
        if done {
            seen.done = Some(now);
        }
        done
    }

    /// Whether its origin has been seen, or a later one.
    fn came_before(&mut self, record: &Stored) -> bool {
        let marks = self.origins.entry((record.topic, record.partition)).or_default();
        record.headers.origin.as_ref().is_some_and(|origin| !marks.advance(origin))
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

    /// Out of how many partitions something came since `since`.
    #[must_use]
    pub fn partitions_since(&self, since: Instant) -> usize {
        self.decided.values().filter(|(_, latest)| *latest >= since).count()
    }

    /// How many decisions came out of each partition by now.
    #[must_use]
    pub fn decided(&self) -> BTreeMap<u32, u64> {
        self.decided.iter().map(|(partition, (count, _))| (*partition, *count)).collect()
    }

    /// When each message was done, in their order; `None`: it is not.
    #[must_use]
    pub fn all_done(&self) -> Vec<Option<Instant>> {
        self.seen.iter().map(|seen| seen.done).collect()
    }

    /// How many were lost, repeated, out of order, decided otherwise.
    #[must_use]
    pub fn counts(&self) -> Value {
        let lost = self.seen.iter().filter(|seen| seen.done.is_none()).count();
        let repeated: u32 = self
            .seen
            .iter()
            .map(|seen| seen.routed.saturating_sub(1) + seen.decided.saturating_sub(1))
            .sum();
        json!({
            "lost": lost, "repeated": repeated, "disordered": self.disordered,
            "unreadable": self.unreadable, "dropped_by_origin": self.dropped, "compared": self.compared,
            "different": self.different, "differences": self.shown,
        })
    }

    /// What is wrong; empty when nothing is.
    #[must_use]
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
    ///
    /// # Errors
    /// The topics cannot be read.
    pub async fn start(feed: Arc<Feed>, total: u64, checks: Checks) -> anyhow::Result<Self> {
        let mut tail = feed.log.tail(&[AUTO, HUMAN, DECISIONS], From::Start).await?;
        let outcome = Outcome::new(usize::try_from(total)?, checks);
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
    use crate::peers::model::Text;

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
        let mut outcome = Outcome::new(3, Checks { compares: true, by_origin: false });
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

    #[test]
    fn repeats_of_an_origin_are_dropped_and_no_fault() {
        let feed = feed();
        let mut outcome = Outcome::new(1, Checks { compares: true, by_origin: true });
        for (offset, topic) in [(4, AUTO), (4, DECISIONS), (4, AUTO), (5, AUTO)] {
            let mut record = record(topic, 0, 0.5);
            let stage = "score".into();
            record.headers.origin =
                Some(pipeline::Origin { stage, partition: 0, offset, index: 0 });
            outcome.take(&feed, &record, Instant::now());
        }
        assert_eq!(outcome.counts()["dropped_by_origin"], 1);
        // The last one says the same of another origin: that is done twice.
        assert_eq!(outcome.wrong(), ["1 × repeated"]);
    }
}
