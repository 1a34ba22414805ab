//! The process under test: doors, two stages, an effect and a tail on one embedded log. Whatever the
//! log promised somebody is written into the file `told`, at once and in order.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pipeline::broadcast::Nothing;
use pipeline::clock::SystemClock;
use pipeline::ledger::{Claim, OnceKey, OnceLedger};
use pipeline::log::From;
use pipeline::log::embedded::{CheckpointPolicy, Durability, EmbeddedLog, Options, peek};
use pipeline::telemetry::metrics::Metrics;
use pipeline::{
    Context, Effect, EffectPolicy, Envelope, Group, Log, Offset, Outcome, Output, Policy, Record,
    Setup, Stage, Verdict,
};
use schemas::codec::Codec;
use schemas::topics::{Retention, Topic, TopicSpec};
use schemas::{Avro, CodecError, Input};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub const IN: Topic = Topic("cut-in");
pub const OUT: Topic = Topic("cut-out");
pub const SUM_STATE: Topic = Topic("cut-sum-state");
pub const SECOND_STATE: Topic = Topic("cut-second-state");
pub const PARTITIONS: u32 = 3;

const fn spec(topic: Topic, retention: Retention) -> TopicSpec {
    TopicSpec { topic, record: "Word", retention, public: false }
}

pub const IN_SPEC: TopicSpec = spec(IN, Retention::Hours(1));
pub const OUT_SPEC: TopicSpec = spec(OUT, Retention::Hours(1));
pub const TOPICS: &[TopicSpec] = &[
    IN_SPEC,
    OUT_SPEC,
    spec(SUM_STATE, Retention::Compacted),
    spec(SECOND_STATE, Retention::Compacted),
    spec(schemas::topics::DEAD_LETTERS, Retention::Hours(1)),
];

/// What is said under `key`, and what is remembered of it: its history folded into a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    pub key: String,
    /// The how manieth of its key.
    pub n: u64,
    pub digest: u64,
    pub padding: String,
}

/// JSON: a word has no `.avsc`.
impl Avro for Word {
    const NAME: &'static str = "Word";

    fn codec() -> &'static Codec {
        schemas::ops::Setting::codec()
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
        serde_json::to_writer(to, self).unwrap();
        Ok(())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        serde_json::from_slice(bytes).map_err(|_| CodecError::NotSingleObject)
    }
}

impl Input for Word {}

impl Output for Word {
    fn topic(&self) -> Topic {
        OUT
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
        Avro::write(self, to)
    }
}

fn mixed(mut n: u64) -> u64 {
    n = (n ^ (n >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (n ^ (n >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 1
}

/// The `n`th word a door says under `key`: any test can tell it from every other.
pub fn said(key: &str, n: u64) -> Word {
    let digest = mixed(key.bytes().fold(n, |sum, byte| mixed(sum + u64::from(byte))));
    let length = if n.is_multiple_of(7) { digest % 12_000 } else { digest % 900 };
    let padding = format!("{digest:016x}").repeat(usize::try_from(length / 16).unwrap());
    Word { key: key.to_owned(), n, digest, padding }
}

/// A key's memory after one more word.
fn after(memory: Option<&Word>, word: &Word) -> Word {
    let (n, digest) = memory.map_or((0, 7), |word| (word.n, word.digest));
    let digest = mixed(digest.wrapping_mul(31).wrapping_add(word.digest));
    Word { key: word.key.clone(), n: n + 1, digest, padding: String::new() }
}

/// What the first stage remembers and says after each of `count` words of `key`.
pub fn sums(key: &str, count: u64) -> Vec<Word> {
    (1..=count).fold(Vec::new(), |mut sums, n| {
        sums.push(after(sums.last(), &said(key, n)));
        sums
    })
}

/// What the second stage remembers after each of the first one's words.
pub fn second_sums(sums: &[Word]) -> Vec<Word> {
    sums.iter().fold(Vec::new(), |mut seconds, sum| {
        seconds.push(after(seconds.last(), sum));
        seconds
    })
}

pub struct Sum;

impl Stage for Sum {
    const NAME: &'static str = "sum";
    type In = Word;
    type State = Word;
    type Out = Word;
    type Broadcast = ();

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Word>) -> Verdict {
        let sum = after(cx.state.as_ref(), &input.body);
        cx.emit(sum.clone());
        cx.state = Some(sum);
        Verdict::Done
    }
}

pub struct Second;

impl Stage for Second {
    const NAME: &'static str = "second";
    type In = Word;
    type State = Word;
    type Out = Word;
    type Broadcast = ();

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Word>) -> Verdict {
        cx.state = Some(after(cx.state.as_ref(), &input.body));
        Verdict::Done
    }
}

pub fn sum_group() -> Group {
    Setup::stage_group(Sum::NAME, IN, Some(SUM_STATE))
}

pub fn second_group() -> Group {
    Setup::stage_group(Second::NAME, OUT, Some(SECOND_STATE))
}

pub fn clerk_group() -> Group {
    Setup::effect_group(Clerk::NAME, OUT)
}

/// Does once for every output what may be done once only.
struct Clerk {
    log: EmbeddedLog,
    told: Arc<File>,
}

#[async_trait]
impl Effect for Clerk {
    const NAME: &'static str = "clerk";
    type In = Word;

    async fn apply(&self, inputs: &[Envelope<Word>]) -> Vec<Outcome> {
        for input in inputs {
            // From here on the world may know of it.
            tell(&self.told, &seen(OUT, input.offset, &input.body));
            let name = format!("{}/{}", input.body.key, input.body.n);
            let key = OnceKey(name.clone());
            if self.log.claim(&key).await.unwrap() == Claim::Won {
                tell(&self.told, &format!("won {name}\n"));
            }
            self.log.settle(&key, input.body.digest.to_string().into_bytes()).await.unwrap();
            tell(&self.told, &format!("settled {name} {}\n", input.body.digest));
        }
        inputs.iter().map(|_| Outcome::Done(Vec::new())).collect()
    }
}

fn tell(told: &File, lines: &str) {
    let mut told = told;
    told.write_all(lines.as_bytes()).unwrap();
}

pub fn opened(directory: &Path, durability: Durability) -> Result<EmbeddedLog, String> {
    // Often, so that a short life has many.
    let checkpoints =
        CheckpointPolicy { beside_bytes: 128 << 10, beside_commits: 100, pages_max: 400 };
    let options =
        Options { partitions: PARTITIONS, durability, checkpoints, ..Options::at(directory) };
    EmbeddedLog::open(&options, Arc::new(Metrics::new().unwrap())).map_err(|e| e.to_string())
}

pub fn setup(log: &EmbeddedLog) -> Setup {
    let policy = Policy {
        batch_records_max: 40,
        commit_records: 60,
        commit_every: Duration::from_millis(4),
        idle_wait: Duration::from_millis(20),
        ..Policy::default()
    };
    Setup {
        log: Arc::new(log.clone()),
        clock: Arc::new(SystemClock),
        metrics: Arc::new(Metrics::new().unwrap()),
        ticks: None,
        policy,
        probe: None,
    }
}

/// How many words of each key there are.
pub fn counts(directory: &Path) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for record in peek(directory, &IN_SPEC, 0, usize::MAX).unwrap() {
        *counts.entry(String::from_utf8(record.key.to_vec()).unwrap()).or_default() += 1;
    }
    counts
}

/// Works until its doors have said `words` each, then ends in good order.
pub async fn work(directory: &Path, durability: Durability, words: u64) {
    let told = File::options().append(true).create(true).open(directory.join("told")).unwrap();
    let told = Arc::new(told);
    let log = opened(directory, durability).unwrap();
    log.ensure(TOPICS).await.unwrap();
    tell(&told, "open\n");
    let (stop, setup) = (CancellationToken::new(), setup(&log));
    let nothing = || Arc::new(Nothing::default());
    let policy = EffectPolicy { commit_every: Duration::from_millis(4), ..EffectPolicy::default() };
    let clerk = Arc::new(Clerk { log: log.clone(), told: Arc::clone(&told) });
    let runners = [
        pipeline::spawn_stage(Sum, sum_group(), setup.clone(), nothing(), stop.clone()).unwrap(),
        pipeline::spawn_stage(Second, second_group(), setup.clone(), nothing(), stop.clone())
            .unwrap(),
        pipeline::spawn_effect(clerk, clerk_group(), setup, policy, stop.clone()),
    ];
    let follower = tokio::spawn(follow(log.clone(), Arc::clone(&told)));
    let counts = counts(directory);
    let pause = Arc::new(tokio::sync::Barrier::new(3));
    let doors = (0..3).map(|door| {
        let (log, told, counts) = (log.clone(), Arc::clone(&told), counts.clone());
        tokio::spawn(stand_at_door(door, log, told, counts, words, Arc::clone(&pause)))
    });
    for door in doors.collect::<Vec<_>>() {
        door.await.unwrap();
    }
    stop.cancel();
    for runner in runners {
        runner.ended().await.unwrap();
    }
    follower.abort();
    let _ = follower.await;
}

/// Says words, a few at a time, and notes what is acknowledged. All doors pause together now and
/// then, so that the write-ahead log is sometimes copied back whole and begun anew.
async fn stand_at_door(
    door: u64,
    log: EmbeddedLog,
    told: Arc<File>,
    mut counts: BTreeMap<String, u64>,
    words: u64,
    pause: Arc<tokio::sync::Barrier>,
) {
    let (mut done, mut next_pause) = (0, 150);
    while done < words {
        let batch: Vec<(String, u64)> = (0..=mixed(done + door) % 4)
            .map(|at| {
                let key = format!("k{door}-{}", mixed(done + at) % 4);
                let n = counts.entry(key.clone()).or_default();
                *n += 1;
                (key, *n)
            })
            .collect();
        done += batch.len() as u64;
        let record = |(key, n): &(String, u64)| {
            Record::new(IN, key.clone().into_bytes(), said(key, *n).to_bytes().unwrap(), 1)
        };
        let placed = log.append(batch.iter().map(record).collect()).await.unwrap().0;
        let mut lines = String::new();
        for ((partition, offset), (key, n)) in placed.into_iter().zip(batch) {
            writeln!(lines, "acknowledged {partition} {offset} {key} {n}").unwrap();
        }
        tell(&told, &lines);
        if done >= next_pause && done < words {
            next_pause += 150;
            pause.wait().await;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

fn seen(topic: Topic, offset: Offset, word: &Word) -> String {
    format!("seen {topic} {offset} {} {} {}\n", word.key, word.n, word.digest)
}

/// Notes what a reader outside any group has seen.
async fn follow(log: EmbeddedLog, told: Arc<File>) {
    let mut tail = log.tail(&[IN, OUT], From::Now).await.unwrap();
    loop {
        let mut lines = String::new();
        for record in tail.next().await.unwrap() {
            let word = Word::from_bytes(&record.value.unwrap()).unwrap();
            lines += &seen(record.topic, record.offset, &word);
        }
        tell(&told, &lines);
    }
}
