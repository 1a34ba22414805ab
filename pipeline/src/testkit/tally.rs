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
use crate::stage::{Context, DropReason, Envelope, Output, Stage, Verdict};

pub(super) const IN: Topic = Topic("conformance-in");
pub(super) const OUT: Topic = Topic("conformance-out");
pub(super) const STATE: Topic = Topic("conformance-state");
pub(super) const SECOND_OUT: Topic = Topic("conformance-second-out");
pub(super) const SECOND_STATE: Topic = Topic("conformance-second-state");
pub(super) const CHAIN_STATE: Topic = Topic("conformance-chain-state");

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
    spec(SECOND_OUT, "Setting", Retention::History),
    spec(SECOND_STATE, "Setting", Retention::Compacted),
    spec(CHAIN_STATE, "Setting", Retention::Compacted),
    spec(schemas::topics::DEAD_LETTERS, "DeadLetter", Retention::History),
];

/// What the tally is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Told {
    Add(u64),
    /// Emits so many outputs.
    Emit(u32),
    /// Emits under this key.
    EmitFor(String),
    WakeAt(i64),
    Forget,
    Reject,
    Panic,
    Tick(Tick),
    /// Hands it on.
    Next(Then),
}

/// What the second is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Then {
    WakeAt(i64),
    Forget,
    Reject,
    Panic,
    Tick(Tick),
}

/// What the tally tells: its key's history folded into one number.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Total {
    pub(super) count: u64,
    pub(super) digest: u64,
    pub(super) version: u64,
    pub(super) ticks: u64,
    /// What whoever reads it is to do; never part of a state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) then: Option<Then>,
}

impl Total {
    /// A tick on its way: a repeat of it says nothing.
    pub(super) fn is_tick(&self) -> bool {
        matches!(self.then, Some(Then::Tick(_)))
    }
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

impl Input for Total {
    fn tick(&self) -> Option<&Tick> {
        match &self.then {
            Some(Then::Tick(tick)) => Some(tick),
            _ => None,
        }
    }
}

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
        let mut total = cx.state.clone().unwrap_or_default();
        total.version = version;
        if let Told::Tick(tick) = &input.body
            && tick.stage != Self::NAME
        {
            cx.emit(Total { then: Some(Then::Tick(tick.clone())), ..total });
            return Verdict::Done;
        }
        total.count += 1;
        let mut outputs = 1;
        let mut then = None;
        match input.body {
            Told::Add(n) => total.digest = fold(total.digest, n),
            Told::Emit(n) => outputs = n,
            Told::EmitFor(key) => cx.emit_for(key.into(), total.clone()),
            Told::WakeAt(at) => cx.wake_at(Some(at)),
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
            Told::Next(next) => then = Some(next),
        }
        for _ in 0..outputs {
            total.digest = fold(total.digest, 1);
            cx.emit(Total { then: then.clone(), ..total.clone() });
        }
        cx.state = Some(total);
        Verdict::Done
    }
}

/// What the second tells.
pub(super) struct SecondOut(Total);

impl Output for SecondOut {
    fn topic(&self) -> Topic {
        SECOND_OUT
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
        Avro::write(&self.0, to)
    }
}

/// Reads the tally's outputs and tallies them again: sees a repeat or a loss that the first one
/// would hide.
pub(super) struct Second;

impl Stage for Second {
    const NAME: &'static str = "second";
    type In = Total;
    type State = Total;
    type Out = SecondOut;
    type Broadcast = u64;

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Total>) -> Verdict {
        let mut total = cx.state.clone().unwrap_or_default();
        total.count += 1;
        total.version = *cx.broadcast();
        total.digest = fold(total.digest, input.body.digest);
        match input.body.then {
            None => {}
            Some(Then::WakeAt(at)) => cx.wake_at(Some(at)),
            Some(Then::Tick(_)) => total.ticks += 1,
            Some(Then::Forget) => {
                cx.state = None;
                return Verdict::Done;
            }
            Some(Then::Reject) => {
                cx.state = None;
                cx.emit(SecondOut(total));
                return Verdict::Reject("told to".to_owned());
            }
            Some(Then::Panic) => {
                cx.state = None;
                cx.emit(SecondOut(total));
                panic!("the customer is {}", std::hint::black_box(WRITTEN));
            }
        }
        cx.emit(SecondOut(total.clone()));
        cx.state = Some(total);
        Verdict::Done
    }
}

/// Reads what either of them wrote, and tells nobody.
pub(super) struct Reader;

impl Stage for Reader {
    const NAME: &'static str = "reader";
    type In = Total;
    type State = Total;
    type Out = Total;
    type Broadcast = ();

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Total>) -> Verdict {
        if input.body.is_tick() {
            return Verdict::Drop(DropReason::Irrelevant);
        }
        let mut total = cx.state.clone().unwrap_or_default();
        total.count += 1;
        total.digest = fold(total.digest, input.body.digest);
        cx.state = Some(total);
        Verdict::Done
    }
}
