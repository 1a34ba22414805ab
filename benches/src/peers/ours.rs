//! Our side: one stage on the product's runner and log, which scores by the product's classifier.
//!
//! Reads `in`; writes `auto` or `human`, and `decisions`. At least once with repeats told by origin;
//! position and watermarks are committed beside the path, as in the product; with `counted`, a state a
//! customer too.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use classifier::{Head, Scratch};
use pipeline::broadcast::Nothing;
use pipeline::clock::SystemClock;
use pipeline::log::kafka::{Delivery, KafkaLog, Options};
use pipeline::telemetry::metrics::Metrics;
use pipeline::{
    Chain, Context, Envelope, Keyed, Output, Setup, Stage, Stateless, Step, Verdict, runner,
    spawn_chain,
};
use schemas::CodecError;
use schemas::topics::Topic;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::peers::model;
use crate::peers::records::{AUTO, DECISIONS, HUMAN, IN, Message, PARTITIONS, write_json};

/// The changelog of the counted stage.
pub const STATE: Topic = Topic("count-state");

/// What is kept of a customer: how many messages there were.
#[derive(Debug, Clone, Copy)]
struct Count(u64);

impl Keyed for Count {
    fn encode(&self) -> Result<Vec<u8>, CodecError> {
        Ok(self.0.to_le_bytes().to_vec())
    }

    fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let corrupt = |_| CodecError::Corrupt { name: "a count", detail: "not eight bytes".into() };
        Ok(Self(u64::from_le_bytes(bytes.try_into().map_err(corrupt)?)))
    }
}

/// What the two stages differ in.
trait Remembering: Keyed {
    fn next(before: Option<Self>) -> Option<Self>;
}

impl Remembering for Stateless {
    fn next(_: Option<Self>) -> Option<Self> {
        None
    }
}

impl Remembering for Count {
    fn next(before: Option<Self>) -> Option<Self> {
        Some(Self(before.map_or(0, |count| count.0) + 1))
    }
}

#[derive(Serialize)]
struct Routed {
    id: u64,
    intent: String,
    confidence: f64,
    text: String,
}

#[derive(Serialize)]
struct Decision {
    id: u64,
    intent: String,
    confidence: f64,
    in_scope: f64,
    route: &'static str,
}

enum Told {
    Routed(Topic, Routed),
    Decision(Decision),
}

impl Output for Told {
    fn topic(&self) -> Topic {
        match self {
            Self::Routed(topic, _) => *topic,
            Self::Decision(_) => DECISIONS,
        }
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
        match self {
            Self::Routed(_, routed) => write_json(routed, to),
            Self::Decision(decision) => write_json(decision, to),
        }
    }
}

struct Score<K> {
    head: Head,
    scratch: Mutex<Scratch>,
    remembers: std::marker::PhantomData<fn() -> K>,
}

impl<K: Remembering> Score<K> {
    fn open(dir: &Path) -> anyhow::Result<Self> {
        let (head, scratch) = (model::open(dir)?, Mutex::default());
        Ok(Self { head, scratch, remembers: std::marker::PhantomData })
    }
}

impl<K: Remembering> Stage for Score<K> {
    const NAME: &'static str = "score";
    type In = Message;
    type State = K;
    type Out = Told;
    type Broadcast = ();

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Message>) -> Verdict {
        cx.state = K::next(cx.state.take());
        let Message { id, text } = input.body;
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let said = self.head.predict(&text, &mut scratch);
        let (intent, confidence) = (said.label.to_owned(), said.confidence);
        let topic = if said.would_answer { AUTO } else { HUMAN };
        let in_scope = said.in_scope_probability;
        let decision =
            Decision { id, intent: intent.clone(), confidence, in_scope, route: topic.0 };
        cx.emit(Told::Routed(topic, Routed { id, intent, confidence, text }));
        cx.emit(Told::Decision(decision));
        Verdict::Done
    }
}

/// How the log of the comparison is spoken to.
#[must_use]
pub fn options(kafka: &str, prefix: &str) -> Options {
    Options { prefix: prefix.to_owned(), partitions: PARTITIONS, ..Options::at(kafka) }
}

/// Longer than any run.
const NEVER: Duration = Duration::from_secs(24 * 3600);
/// More records than any run has.
const MORE_THAN_ANY: usize = 1 << 40;
/// What the process says when it takes its first records: it holds partitions now.
pub const TAKES: &str = "takes records";

/// When position, watermarks and state are committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Commits {
    /// As shipped: beside the path.
    #[default]
    Beside,
    /// Not before the end.
    Never,
    /// Outputs become visible with them.
    Transactional,
}

impl Commits {
    fn delivery(self) -> Delivery {
        match self {
            Self::Beside | Self::Never => Delivery::AtOnce,
            Self::Transactional => Delivery::Transactional,
        }
    }

    /// A commit is due by time or by records, and comes without being due when partitions are given up
    /// or side inputs change; a worker alone without side inputs has neither.
    fn policy(self) -> runner::Policy {
        let shipped = runner::Policy::default();
        match self {
            Self::Never => {
                runner::Policy { commit_every: NEVER, commit_records: MORE_THAN_ANY, ..shipped }
            }
            _ => runner::Policy { commit_every: self.delivery().commit_every(), ..shipped },
        }
    }
}

/// What the stage is to do.
#[derive(Debug, clap::Args)]
pub struct Asked {
    kafka: String,
    prefix: String,
    model: PathBuf,
    /// Keeps a state a customer.
    #[arg(long)]
    counted: bool,
    /// When it is committed.
    #[arg(long, value_enum, default_value_t)]
    commits: Commits,
}

/// Says once that records are taken; ends nothing.
fn tells_once() -> impl Fn(&str, Step) -> bool + Send + Sync {
    let told = AtomicBool::new(false);
    move |_, step| {
        if step == Step::Taken && !told.swap(true, Ordering::Relaxed) {
            println!("{TAKES}");
        }
        false
    }
}

/// Runs the stage until told to stop.
///
/// # Errors
/// What ended it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let delivery = asked.commits.delivery();
    let options = Options { delivery, ..options(&asked.kafka, &asked.prefix) };
    let setup = Setup {
        log: Arc::new(KafkaLog::open(options)?),
        clock: Arc::new(SystemClock),
        metrics: Arc::new(Metrics::new()?),
        ticks: None,
        policy: asked.commits.policy(),
        probe: Some(Arc::new(tells_once())),
    };
    let dir = asked.model.as_path();
    let nothing = Arc::new(Nothing::default());
    let stop = CancellationToken::new();
    let (chain, state) = if asked.counted {
        (Chain::of(IN, Score::<Count>::open(dir)?, nothing), Some(STATE))
    } else {
        (Chain::of(IN, Score::<Stateless>::open(dir)?, nothing), None)
    };
    let running = spawn_chain(chain, Setup::stage_group("score", IN, state), setup, stop.clone())?;
    let mut told = signal(SignalKind::terminate()).context("SIGTERM cannot be waited for")?;
    let ended = running.ended();
    tokio::pin!(ended);
    tokio::select! {
        _ = told.recv() => {
            stop.cancel();
            ended.await.context("the stage ended")
        }
        end = &mut ended => end.context("the stage ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_differ_in_nothing_but_when_they_commit() {
        let shipped = runner::Policy::default();
        for commits in [Commits::Beside, Commits::Never, Commits::Transactional] {
            let policy = commits.policy();
            let (commit_every, commit_records) = (shipped.commit_every, shipped.commit_records);
            assert_eq!(runner::Policy { commit_every, commit_records, ..policy }, shipped);
        }
        assert_eq!(Commits::Beside.policy().commit_every, Duration::from_millis(500));
        assert!(Commits::Never.policy().commit_records > 1_000_000_000);
    }
}
