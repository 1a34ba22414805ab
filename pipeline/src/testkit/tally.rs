//! The stages and records of the conformance suite: a tally that shows a record lost, repeated or
//! out of order in its sum.

use bytes::Bytes;
use schemas::codec::Codec;
use schemas::message::Tick;
use schemas::ops::Setting;
use schemas::topics::{Retention, Topic, TopicSpec};
use schemas::{Avro, CodecError, Input};
use serde::{Deserialize, Serialize};

use crate::record::Record;
use crate::stage::{Context, Envelope, Output, Stage, Verdict};

pub(super) const IN: Topic = Topic("conformance-in");
pub(super) const OUT: Topic = Topic("conformance-out");
pub(super) const STATE: Topic = Topic("conformance-state");
pub(super) const SECOND_STATE: Topic = Topic("conformance-second-state");

/// What a customer wrote, as far as a dead letter may not tell it.
pub(super) const WRITTEN: &str = "529.982.247-25";

const fn spec(topic: Topic, record: &'static str, retention: Retention) -> TopicSpec {
    TopicSpec { topic, record, retention, public: false }
}

pub(super) const TOPICS: &[TopicSpec] = &[
    // The tests' clock stands near 1970: a real broker would drop anything kept by the hour.
    spec(IN, "Setting", Retention::History),
    spec(OUT, "Setting", Retention::History),
    spec(STATE, "Setting", Retention::Compacted),
    spec(SECOND_STATE, "Setting", Retention::Compacted),
    spec(schemas::topics::DEAD_LETTERS, "DeadLetter", Retention::History),
];

/// What the tally is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Told {
    Add(u64),
    /// Emits so many outputs.
    Emit(u32),
    WakeAt(i64),
    Forget,
    Reject,
    Panic,
    Tick(Tick),
}

/// What the tally tells: its key's history folded into one number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Total {
    pub(super) count: u64,
    pub(super) digest: u64,
    pub(super) version: u64,
    pub(super) ticks: u64,
}

/// Types of the suite have no `.avsc`: they are JSON within a record that has one, so that a log that
/// handles schemas has some to handle.
macro_rules! json {
    ($($name:ident),+) => {$(
        impl Avro for $name {
            const NAME: &'static str = stringify!($name);

            fn codec() -> &'static Codec {
                Setting::codec()
            }

            fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
                let content = serde_json::to_vec(self).unwrap();
                let (name, version) = (Self::NAME.to_owned(), String::new());
                Setting { name, version, content }.write(to)
            }

            fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
                let content = Setting::from_bytes(bytes)?.content;
                serde_json::from_slice(&content).map_err(|_| CodecError::NotSingleObject)
            }
        }
    )+};
}

json!(Told, Total);

impl Input for Told {
    fn tick(&self) -> Option<&Tick> {
        match self {
            Self::Tick(tick) => Some(tick),
            _ => None,
        }
    }
}

impl Input for Total {}

impl Output for Total {
    fn topic(&self) -> Topic {
        OUT
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
        Avro::write(self, to)
    }
}

pub(super) fn told(key: &str, told: &Told, time_ms: i64) -> Record {
    Record::new(IN, key.as_bytes().to_vec(), told.to_bytes().unwrap(), time_ms)
}

#[allow(clippy::unnecessary_wraps)] // the runner's signature
pub(super) fn tick_record(
    stage: &'static str,
    key: &Bytes,
    deadline_ms: i64,
    now_ms: i64,
) -> Option<Record> {
    let tick = Tick { stage: stage.to_owned(), state_key: key.to_vec(), deadline_ms };
    Some(Record::new(IN, key.clone(), Told::Tick(tick).to_bytes().unwrap(), now_ms))
}

/// Folds what it is told into one number a key, whose value depends on every input and their order.
pub(super) struct Tally;

fn fold(digest: u64, n: u64) -> u64 {
    (digest ^ n).wrapping_mul(0x100_0000_01b3).rotate_left(7)
}

impl Stage for Tally {
    const NAME: &'static str = "tally";
    type In = Told;
    type State = Total;
    type Out = Total;
    type Broadcast = u64;

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Told>) -> Verdict {
        let version = *cx.broadcast();
        let mut total =
            cx.state.clone().unwrap_or(Total { count: 0, digest: 0, version, ticks: 0 });
        total.count += 1;
        total.version = version;
        let mut outputs = 1;
        match &input.body {
            Told::Add(n) => total.digest = fold(total.digest, *n),
            Told::Emit(n) => outputs = *n,
            Told::WakeAt(at) => cx.wake_at(Some(*at)),
            Told::Tick(tick) => {
                total.ticks += 1;
                total.digest = fold(total.digest, tick.deadline_ms.unsigned_abs());
            }
            Told::Forget => {
                cx.state = None;
                return Verdict::Done;
            }
            Told::Reject => {
                cx.state = None;
                cx.emit(total);
                return Verdict::Reject("told to".to_owned());
            }
            Told::Panic => {
                cx.state = None;
                panic!("the customer is {}", std::hint::black_box(WRITTEN));
            }
        }
        for _ in 0..outputs {
            total.digest = fold(total.digest, 1);
            cx.emit(total.clone());
        }
        cx.state = Some(total);
        Verdict::Done
    }
}

/// Reads the tally's outputs and tallies them again: sees a repeat or a loss that the first one
/// would hide.
pub(super) struct Second;

impl Stage for Second {
    const NAME: &'static str = "second";
    type In = Total;
    type State = Total;
    type Out = Total;
    type Broadcast = ();

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Total>) -> Verdict {
        let mut total =
            cx.state.clone().unwrap_or(Total { count: 0, digest: 0, version: 0, ticks: 0 });
        total.count += 1;
        total.digest = fold(total.digest, input.body.digest);
        cx.state = Some(total);
        Verdict::Done
    }
}
