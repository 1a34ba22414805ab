//! Brokers that do not answer: a broker of the test's own that stands still for a while. Runs where
//! `KAFKA_BOOTSTRAP` says that there is Kafka on this machine.
#![cfg(feature = "kafka")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)] // a test fails loudly

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pipeline::log::kafka::{KafkaLog, Options};
use pipeline::log::{AppendError, From};
use pipeline::{Log, Record, Setup};
use schemas::topics::{SETTINGS, TopicSpec};
use tokio::task::JoinSet;

/// How long the broker stands still: not so long that it loses its session with itself.
const STILL: Duration = Duration::from_secs(6);
/// How long it may take until appends are taken again.
const TAKEN_AGAIN_WITHIN: Duration = Duration::from_secs(60);
/// How long an append may take whatever happens, and how long a refusal.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
const REFUSED_WITHIN: Duration = Duration::from_millis(250);
/// After so long of silence appends are refused at once.
const SILENCE_KNOWN: Duration = Duration::from_millis(2_500);

/// A broker of our own.
struct Broker {
    work: tempfile::TempDir,
    address: String,
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/services/kafka").join(name)
}

impl Broker {
    fn start() -> Option<Self> {
        if std::env::var("KAFKA_BOOTSTRAP").is_err() {
            println!("SKIPPED: no Kafka here to start one of our own; set KAFKA_BOOTSTRAP");
            return None;
        }
        let work = tempfile::tempdir().unwrap();
        let said = Command::new(script("start.sh")).arg(work.path()).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let address = String::from_utf8(said.stdout).unwrap().trim().to_owned();
        Some(Self { work, address })
    }

    fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.work.path().join("pid")).unwrap();
        assert!(Command::new("kill").args([name, pid.trim()]).status().unwrap().success());
    }

    async fn log(&self) -> KafkaLog {
        let mut options = Options::at(&self.address);
        options.partitions = 1;
        let log = KafkaLog::open(options).unwrap();
        log.ensure(&topics()).await.unwrap();
        log
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.signal("-CONT");
        let _ = Command::new(script("stop.sh")).arg(self.work.path()).status();
    }
}

fn topics() -> Vec<TopicSpec> {
    vec![*schemas::topics::named(SETTINGS.0).unwrap()]
}

fn record(value: String) -> Record {
    Record::new(SETTINGS, "k", value, 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_brokers_are_told_at_once_and_taken_up_again_and_outputs_keep_their_order() {
    let Some(broker) = Broker::start() else { return };
    let log = broker.log().await;
    log.append(vec![record("before".to_owned())]).await.unwrap();
    let group = Setup::stage_group("g", SETTINGS, None);
    let mut member = log.join(&group).await.unwrap();
    member.publish(vec![record("o-first".to_owned())]).await.unwrap();

    broker.signal("-STOP");
    let still = Instant::now();
    let publishing = tokio::spawn(async move {
        for n in 0..20 {
            let two = (0..2).map(|m| record(format!("o-{:02}", n * 2 + m))).collect();
            member.publish(two).await.unwrap();
        }
        member
    });
    let mut appends = JoinSet::new();
    while still.elapsed() < STILL {
        let log = log.clone();
        appends.spawn(async move {
            let (begun, started) = (still.elapsed(), Instant::now());
            let done = log.append(vec![record("during".to_owned())]).await;
            (begun, started.elapsed(), done)
        });
        tokio::time::sleep(Duration::from_millis(20)).await; // the pace of callers
    }
    let mut waited = 0;
    while let Some(ended) = appends.join_next().await {
        let (begun, took, done) = ended.unwrap();
        assert!(took < ANSWERED_WITHIN, "begun after {begun:?} and answered after {took:?}");
        match done {
            Err(AppendError::Busy { .. }) => assert!(took < REFUSED_WITHIN, "{took:?}"),
            Err(AppendError::Failed(_)) if begun < SILENCE_KNOWN => {}
            // One at a time tries whether somebody is there again.
            Err(AppendError::Failed(_)) => waited += 1,
            other => panic!("begun after {begun:?}: {other:?}"),
        }
    }
    assert!(waited <= 3, "{waited} waited although the brokers were silent");

    broker.signal("-CONT");
    let again = Instant::now();
    while log.append(vec![record("after".to_owned())]).await.is_err() {
        assert!(again.elapsed() < TAKEN_AGAIN_WITHIN, "appends are not taken up again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("appends were taken up again after {:?}", again.elapsed());
    publishing.await.unwrap().leave().await;
    let mut outputs = Vec::new();
    let mut tail = log.tail(&[SETTINGS], From::Start).await.unwrap();
    while outputs.last().is_none_or(|last| last != "o-39") {
        let read = tail.next().await.unwrap();
        let values = read.into_iter().filter_map(|record| record.value);
        let texts = values.map(|value| String::from_utf8(value.to_vec()).unwrap());
        outputs.extend(texts.filter(|text| text.starts_with("o-") && text != "o-first"));
    }
    let all: Vec<String> = (0..40).map(|n| format!("o-{n:02}")).collect();
    assert_eq!(outputs, all);
}
