//! Records framed for a schema registry, on a real broker: `KAFKA_BOOTSTRAP=host:port`; the registry is
//! a fake one over real HTTP, or for one test the one at `SCHEMA_REGISTRY_URL`, whose certificate
//! `SCHEMA_REGISTRY_CA` has signed.
#![cfg(feature = "kafka")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)] // a test fails loudly

use std::sync::Arc;
use std::time::{Duration, Instant};

use pipeline::broadcast::Nothing;
use pipeline::clock::ManualClock;
use pipeline::log::From;
use pipeline::log::kafka::{KafkaLog, Options, RegistryOptions};
use pipeline::runner::StageRunner;
use pipeline::telemetry::metrics::Metrics;
use pipeline::{Context, Envelope, Log, Output, Policy, Record, Setup, Stage, Stored, Verdict};
use schemas::ops::{DeadLetter, DeadLetterReason, Setting};
use schemas::state::MinuteMetrics;
use schemas::topics::{DEAD_LETTERS, METRICS_STATE, SETTINGS, TOPICS, Topic, TopicSpec};
use schemas::{Avro, CodecError};
use tokio_util::sync::CancellationToken;

#[allow(dead_code)] // one file for several tests
mod fake_registry;

use fake_registry::{FakeRegistry, Mood};

const PATIENCE: Duration = Duration::from_secs(30);

fn options(name: &str, registry: &str) -> Option<Options> {
    let Ok(bootstrap) = std::env::var("KAFKA_BOOTSTRAP") else {
        println!("SKIPPED: no Kafka; set KAFKA_BOOTSTRAP to a broker's host:port");
        return None;
    };
    let mut options = Options::at(&bootstrap);
    options.prefix = format!("registry-{}-{name}-", std::process::id());
    options.partitions = 2;
    let mut registry = RegistryOptions::at(registry);
    registry.within = Duration::from_secs(2);
    registry.ca_file = std::env::var_os("SCHEMA_REGISTRY_CA").map(Into::into);
    options.registry = Some(registry);
    Some(options)
}

fn specs() -> Vec<TopicSpec> {
    // Kept for ever: the records' times are of 1970.
    let kept =
        |spec: &TopicSpec| TopicSpec { retention: schemas::topics::Retention::History, ..*spec };
    let used = [SETTINGS, DEAD_LETTERS, METRICS_STATE];
    TOPICS.iter().filter(|spec| used.contains(&spec.topic)).map(kept).collect()
}

async fn opened(options: Options) -> KafkaLog {
    let log = KafkaLog::open(options).unwrap();
    log.ensure(&specs()).await.unwrap();
    log
}

fn setting(n: u8) -> Vec<u8> {
    Setting { name: format!("n{n}"), version: "v".to_owned(), content: vec![n] }.to_bytes().unwrap()
}

fn record(partition: u32, value: impl Into<bytes::Bytes>) -> Record {
    Record { partition: Some(partition), ..Record::new(SETTINGS, "k", value, 1) }
}

/// The first `count` records of `topic`, read with `log`.
async fn all(log: &KafkaLog, topic: Topic, count: usize) -> Vec<Stored> {
    let mut tail = log.tail(&[topic], From::Start).await.unwrap();
    let mut found = Vec::new();
    while found.len() < count {
        let next = tokio::time::timeout(PATIENCE, tail.next()).await;
        found.extend(next.expect("not all came").unwrap());
    }
    found
}

fn values(records: &[Stored]) -> Vec<&[u8]> {
    records.iter().map(|record| record.value.as_deref().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wire_is_a_registrys_and_the_stages_see_fingerprints() {
    let fake = FakeRegistry::start();
    let url = std::env::var("SCHEMA_REGISTRY_URL").unwrap_or_else(|_| fake.url());
    let Some(options) = options("wire", &url) else { return };
    let log = opened(options.clone()).await;
    let written = [setting(1), b"raw".to_vec(), setting(2)];
    log.append(written.iter().map(|value| record(0, value.clone())).collect()).await.unwrap();
    // As anybody else sees it.
    let bare = KafkaLog::open(Options { registry: None, ..options.clone() }).unwrap();
    let seen = all(&bare, SETTINGS, 3).await;
    let wire = values(&seen);
    assert_eq!((wire[0][0], &wire[0][5..]), (0, &written[0][10..]));
    assert_eq!((&wire[0][..5], wire[1]), (&wire[2][..5], &b"raw"[..]));
    // As stages see it: also what was written before there was a registry, and by one who comes anew.
    bare.append(vec![record(0, setting(3))]).await.unwrap();
    let read = all(&opened(options).await, SETTINGS, 4).await;
    assert_eq!(values(&read), [&written[0][..], b"raw", &written[2], &setting(3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_holds_up_only_what_nobody_has_seen_yet() {
    let fake = FakeRegistry::start();
    let Some(mut options) = options("outage", &fake.url()) else { return };
    let dir = tempfile::tempdir().unwrap();
    options.state_dir = Some(dir.path().to_owned());
    let log = opened(options.clone()).await;
    log.append(vec![record(0, setting(1))]).await.unwrap();
    // Somebody else's schema: the next release's, say.
    let schema = serde_json::json!({"type": "record", "name": "Later", "fields": []});
    let mut later = vec![0];
    later.extend(fake.has("elsewhere", &schema).to_be_bytes());

    for mood in [Mood::Down, Mood::Says(503)] {
        fake.feels(mood);
        // It starts without the registry, writes and reads what it knows.
        let log = opened(options.clone()).await;
        let mut tail = log.tail(&[SETTINGS], From::Now).await.unwrap();
        let sent = [record(0, later.clone()), record(0, setting(2)), record(1, setting(3))];
        log.append(sent.to_vec()).await.unwrap();
        let other = tokio::time::timeout(PATIENCE, tail.next()).await.unwrap().unwrap();
        assert_eq!(values(&other), [&setting(3)[..]], "the other partition goes on");
        fake.feels(Mood::Well);
        let mut held = Vec::new();
        while held.len() < 2 {
            held.extend(tokio::time::timeout(PATIENCE, tail.next()).await.unwrap().unwrap());
        }
        assert_eq!(held[1].value.as_deref(), Some(&setting(2)[..]), "{mood:?}: in order");
        let error = Setting::from_bytes(held[0].value.as_ref().unwrap()).unwrap_err();
        assert!(matches!(error, CodecError::UnknownSchema { .. }), "{error}");
        // Known now; another mood needs another schema.
        let name = format!("Later{}", later.len());
        let schema = serde_json::json!({"type": "record", "name": name, "fields": []});
        later = vec![0];
        later.extend(fake.has("elsewhere", &schema).to_be_bytes());
        later.push(0);
    }
}

/// Tallies nothing: what it cannot read is what matters.
struct Reader;

enum Never {}

impl Output for Never {
    fn topic(&self) -> Topic {
        match *self {}
    }

    fn write(&self, _: &mut Vec<u8>) -> Result<(), CodecError> {
        match *self {}
    }
}

impl Stage for Reader {
    const NAME: &'static str = "reader";
    type In = MinuteMetrics;
    type State = pipeline::Stateless;
    type Out = Never;
    type Broadcast = ();

    fn process(&self, _: &mut Context<'_, Self>, _: Envelope<MinuteMetrics>) -> Verdict {
        Verdict::Done
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_registry_does_not_know_becomes_a_dead_letter_whole() {
    let fake = FakeRegistry::start();
    let Some(options) = options("letters", &fake.url()) else { return };
    let log = opened(options).await;
    let strange = b"\0\0\0\x27\x0f and whatever it is".to_vec();
    let value = strange.clone();
    log.append(vec![Record::new(METRICS_STATE, "k", value, 1)]).await.unwrap();
    let log: Arc<dyn Log> = Arc::new(log);
    let setup = Setup {
        log: Arc::clone(&log),
        clock: Arc::new(ManualClock::at(1)),
        metrics: Arc::new(Metrics::new().unwrap()),
        ticks: None,
        policy: Policy { commit_every: Duration::ZERO, ..Policy::default() },
        probe: None,
    };
    let group = Setup::stage_group("reader", METRICS_STATE, None);
    let nothing = Arc::new(Nothing::default());
    let mut runner =
        StageRunner::join(Reader, &group, setup, nothing, CancellationToken::new()).await.unwrap();
    let began = Instant::now();
    let mut tail = log.tail(&[DEAD_LETTERS], From::Start).await.unwrap();
    let letter = loop {
        assert!(began.elapsed() < PATIENCE, "no dead letter came");
        runner.step(Duration::from_millis(20)).await.unwrap();
        let next = tokio::time::timeout(Duration::from_millis(20), tail.next()).await;
        if let Some(found) = next.ok().and_then(|next| next.unwrap().into_iter().next()) {
            break DeadLetter::from_bytes(found.value.as_ref().unwrap()).unwrap();
        }
    };
    assert_eq!(letter.value.as_deref(), Some(&strange[..]));
    assert_eq!(letter.reason, DeadLetterReason::Undecodable);
}
