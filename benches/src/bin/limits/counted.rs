//! A stage that counts each customer's records and hands them on, on the embedded log: the runner's
//! loop, the codec, a state and a commit as the product's stages have them, and no domain.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use benches::draw::mix;
use bytes::Bytes;
use pipeline::broadcast::Nothing;
use pipeline::clock::SystemClock;
use pipeline::log::AppendError;
use pipeline::log::embedded::{EmbeddedLog, Options};
use pipeline::telemetry::metrics::Metrics;
use pipeline::{
    Chain, Context, Envelope, Keyed, Log, Output, Policy, Record, Running, Setup, Stage, Verdict,
    spawn_chain,
};
use schemas::ids::{ContactKey, LineKey};
use schemas::line::Inbound;
use schemas::topics::{Retention, Topic, TopicSpec};
use schemas::{Avro, CodecError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::made;

/// What the stage reads.
pub const IN: Topic = Topic("in");
/// What it writes.
pub const OUT: Topic = Topic("out");
/// What it remembers.
pub const STATE: Topic = Topic("count-state");
/// Bytes of a state: about a conversation the router holds.
const STATE_BYTES: usize = 400;
/// Records of one append.
pub const GROUP: usize = 256;
/// Records that may be written and not yet counted.
const AHEAD_MAX: u64 = 20_000;

/// The topics, kept as `inbound` and a state are.
pub fn topics() -> [TopicSpec; 3] {
    let spec = |topic, retention| TopicSpec { topic, record: "", retention, public: false };
    let days = Retention::Hours(KEPT_HOURS);
    [spec(IN, days), spec(OUT, days), spec(STATE, Retention::Compacted)]
}

/// How long records are kept, in the records' time: as `inbound`.
pub const KEPT_HOURS: u32 = 7 * 24;

/// How many records a customer has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    records: u64,
    /// The rest of a state.
    rest: Vec<u8>,
}

impl Keyed for Count {
    fn encode(&self) -> Result<Vec<u8>, CodecError> {
        Ok([&self.records.to_le_bytes()[..], &self.rest].concat())
    }

    fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let (records, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| {
            CodecError::Corrupt { name: "a count", detail: "less than eight bytes".to_owned() }
        })?;
        Ok(Self { records: u64::from_le_bytes(*records), rest: rest.to_vec() })
    }
}

/// The record as it was.
pub struct Passed(Inbound);

impl Output for Passed {
    fn topic(&self) -> Topic {
        OUT
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
        self.0.write(to)
    }
}

struct Counted {
    seen: watch::Sender<u64>,
}

impl Stage for Counted {
    const NAME: &'static str = "counted";
    type In = Inbound;
    type State = Count;
    type Out = Passed;
    type Broadcast = ();

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Inbound>) -> Verdict {
        let count =
            cx.state.get_or_insert_with(|| Count { records: 0, rest: vec![7; STATE_BYTES - 8] });
        count.records += 1;
        cx.emit(Passed(input.body));
        self.seen.send_modify(|seen| *seen += 1);
        Verdict::Done
    }
}

/// The stage at work on a log of its own.
pub struct Line {
    /// The log.
    pub log: EmbeddedLog,
    running: Running,
    stop: CancellationToken,
    seen: watch::Receiver<u64>,
    written: u64,
    /// What every message says: the same bytes, so that making them costs nothing.
    body: Bytes,
}

impl Line {
    /// Opens the log in `dir`, divided into `partitions`, and starts the stage.
    pub async fn open(dir: &Path, partitions: u32) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::new()?);
        let options = Options { partitions, ..Options::at(dir) };
        let log = EmbeddedLog::open(&options, Arc::clone(&metrics))?;
        log.ensure(&topics()).await?;
        let setup = Setup {
            log: Arc::new(log.clone()),
            clock: Arc::new(SystemClock),
            metrics,
            ticks: None,
            policy: Policy::default(),
            probe: None,
        };
        let (sender, seen) = watch::channel(0);
        let chain = Chain::of(IN, Counted { seen: sender }, Arc::new(Nothing::default()));
        let stop = CancellationToken::new();
        let group = Setup::stage_group(Counted::NAME, IN, Some(STATE));
        let running = spawn_chain(chain, group, setup, stop.clone())?;
        Ok(Self { log, running, stop, seen, written: 0, body: made::inbound_bytes()?.into() })
    }

    /// Writes `messages`: of message n the customer and the time (Unix, ms) that `of` says. Waits when
    /// the stage is far behind, and at the end until it has counted all.
    pub async fn feed(
        &mut self,
        messages: u64,
        mut of: impl FnMut(u64) -> (u64, i64),
    ) -> anyhow::Result<()> {
        let mut next = 0;
        while next < messages {
            let end = messages.min(next + GROUP as u64);
            let record = |n| {
                let (customer, time_ms) = of(n);
                Record::new(IN, key(customer), self.body.clone(), time_ms)
            };
            let records: Vec<Record> = (next..end).map(record).collect();
            append(&self.log, records).await?;
            self.written += end - next;
            next = end;
            self.until(self.written.saturating_sub(AHEAD_MAX)).await?;
        }
        self.until(self.written).await
    }

    async fn until(&mut self, counted: u64) -> anyhow::Result<()> {
        self.seen.wait_for(|seen| *seen >= counted).await.context("the stage ended")?;
        Ok(())
    }

    /// Stops the stage behind its last commit, and gives the log back.
    pub async fn stop(self) -> anyhow::Result<EmbeddedLog> {
        self.stop.cancel();
        self.running.ended().await?;
        Ok(self.log)
    }
}

/// Appends until durable, however often the log is too busy.
pub async fn append(log: &EmbeddedLog, records: Vec<Record>) -> anyhow::Result<()> {
    loop {
        match log.append(records.clone()).await {
            Ok(_) => return Ok(()),
            Err(AppendError::Busy { retry_after }) => tokio::time::sleep(retry_after).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// The key of a customer's records.
pub fn key(customer: u64) -> Vec<u8> {
    LineKey::new("norte", ContactKey(u128::from(mix(customer)).to_be_bytes())).to_bytes()
}
