//! What a restore costs on a Kafka of one's own:
//! `cargo run --release -p pipeline --features kafka --example kafka_restore -- HOST:PORT [KEYS]`.
//!
//! A member commits KEYS states (a million, of 300 bytes) through its changelog, as a stage does. Then
//! members restore every partition one after the other, as a runner does: without a cache on this
//! machine, and again with the one that left behind. Progress is logged while a changelog is read.
#![allow(clippy::print_stdout, clippy::expect_used)] // shown to people, who see what went wrong

use std::path::Path;
use std::time::{Duration, Instant};

use pipeline::log::kafka::{KafkaLog, Options};
use pipeline::log::{Event, Group, Lease, Limit, Member, PartitionUnit, StateRow, Unit};
use pipeline::{Log, Setup};
use schemas::topics::{Retention, Topic, TopicSpec};

const IN: Topic = Topic("in");
const STATE: Topic = Topic("state");
const PARTITIONS: usize = 12;
/// States of one commit.
const COMMIT_KEYS: usize = 2_000;
const STATE_BYTES: usize = 300;

fn spec(topic: Topic, retention: Retention) -> TopicSpec {
    TopicSpec { topic, record: "", retention, public: false }
}

fn log(bootstrap: &str, states: &Path) -> KafkaLog {
    let options = Options {
        prefix: format!("restore{}-", std::process::id()),
        state_dir: Some(states.to_owned()),
        ..Options::at(bootstrap)
    };
    KafkaLog::open(options).expect("settings")
}

fn group() -> Group {
    Setup::stage_group("restoring", IN, Some(STATE))
}

/// Joins and restores every partition; gives what was waited for the group, and the restores' time.
async fn restored(log: &KafkaLog) -> (Box<dyn Member>, Vec<Lease>, Duration, Duration) {
    let began = Instant::now();
    let mut member = log.join(&group()).await.expect("a member");
    let limit = Limit { records_max: 1, bytes_max: 1, wait: Duration::from_millis(50) };
    let (mut leases, mut spent) = (Vec::new(), Duration::ZERO);
    while leases.len() < PARTITIONS {
        if let Event::Assigned(given) = member.next(limit).await.expect("an event") {
            let restoring = Instant::now();
            for lease in given {
                // The runner asks for the deadlines of everything it restores.
                let restored = member.restore(lease).await.expect("restored");
                let _ = restored.state.deadlines().expect("deadlines");
                leases.push(lease);
            }
            spent += restoring.elapsed();
        }
    }
    (member, leases, began.elapsed().saturating_sub(spent), spent)
}

async fn fill(member: &mut Box<dyn Member>, leases: &[Lease], keys: usize) {
    for (round, first) in (0..keys).step_by(COMMIT_KEYS).enumerate() {
        let row = StateRow { value: vec![1; STATE_BYTES].into(), wake_at_ms: None };
        let keys = first..(first + COMMIT_KEYS).min(keys);
        let changes = keys.map(|key| (format!("demo:{key:026}").into(), Some(row.clone())));
        let unit = PartitionUnit {
            lease: *leases.get(round % leases.len()).expect("a lease"),
            position: 0,
            watermarks: pipeline::watermarks::Watermarks::default(),
            pins: bytes::Bytes::new(),
            changes: changes.collect(),
        };
        member.commit(Unit { time_ms: 1, partitions: vec![unit] }).await.expect("committed");
    }
}

#[tokio::main]
async fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let Some(bootstrap) = asked.first() else {
        println!("kafka_restore HOST:PORT [KEYS]");
        return;
    };
    let keys: usize = asked.get(1).map_or(1_000_000, |keys| keys.parse().expect("KEYS: a number"));
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter("warn,pipeline=info")
        .init();
    let (first, second) = (tempfile::tempdir().expect("room"), tempfile::tempdir().expect("room"));
    let opened = log(bootstrap, first.path());
    opened
        .ensure(&[spec(IN, Retention::Hours(1)), spec(STATE, Retention::Compacted)])
        .await
        .expect("topics");
    let (mut member, leases, ..) = restored(&opened).await;
    let began = Instant::now();
    fill(&mut member, &leases, keys).await;
    member.leave().await;
    println!(
        "{keys} states of {STATE_BYTES} bytes committed in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    for (what, states) in [("cold", &second), ("warm", &second)] {
        let (member, _, joining, restoring) = restored(&log(bootstrap, states.path())).await;
        #[allow(clippy::cast_precision_loss)] // keys of a run
        let by_million = restoring.as_secs_f64() * 1e6 / keys as f64;
        println!(
            "{what}: {:.2} s to restore {PARTITIONS} partitions ({by_million:.2} s a million keys), \
             {:.2} s in the group before",
            restoring.as_secs_f64(),
            joining.as_secs_f64()
        );
        member.leave().await;
    }
}
