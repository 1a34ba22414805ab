//! What publishing and committing cost on a Kafka of one's own, one after the other:
//! `KAFKA_BOOTSTRAP=host:port cargo run --release -p pipeline --features kafka --example kafka_commit`.
#![allow(clippy::print_stdout, clippy::expect_used)] // shown to people, who see what went wrong

use std::time::{Duration, Instant};

use pipeline::log::kafka::{KafkaLog, Options};
use pipeline::log::{Event, Limit, PartitionUnit, StateRow, Unit};
use pipeline::{Log, Record, Setup};
use schemas::topics::{Retention, Topic, TopicSpec};

const IN: Topic = Topic("in");
const STATE: Topic = Topic("state");
const ROUNDS: usize = 200;

fn spec(topic: Topic, retention: Retention) -> TopicSpec {
    TopicSpec { topic, record: "", retention, public: false }
}

fn show(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |percent: usize| {
        let place = took.len() * percent / 100;
        took.get(place.min(took.len() - 1)).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    };
    println!("{what:<28} p50 {:7.2}  p95 {:7.2}  p99 {:7.2} ms", at(50), at(95), at(99));
}

#[tokio::main]
async fn main() {
    let bootstrap = std::env::var("KAFKA_BOOTSTRAP").expect("KAFKA_BOOTSTRAP=host:port");
    let mut options = Options::at(&bootstrap);
    options.prefix = format!("cost{}-", std::process::id());
    options.partitions = 4;
    let log = KafkaLog::open(options).expect("settings");
    log.ensure(&[spec(IN, Retention::Hours(1)), spec(STATE, Retention::Compacted)])
        .await
        .expect("topics");
    let group = Setup::stage_group("cost", IN, Some(STATE));
    let mut member = log.join(&group).await.expect("a member");
    let limit = Limit { records_max: 1, bytes_max: 1, wait: Duration::from_millis(50) };
    let mut leases = Vec::new();
    while leases.len() < 4 {
        if let Event::Assigned(given) = member.next(limit).await.expect("an event") {
            for lease in given {
                member.restore(lease).await.expect("restored");
                leases.push(lease);
            }
        }
    }
    let _ = member.next(limit).await;
    for pause_ms in [0, 20, 100] {
        let (mut published, mut committed) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let began = Instant::now();
            let record = Record::new(IN, format!("k{round}").into_bytes(), vec![7; 300], 1);
            member.publish(vec![record]).await.expect("published");
            published.push(began.elapsed());
            let changes = (0..20)
                .map(|key| {
                    let row = StateRow { value: vec![1; 400].into(), wake_at_ms: None };
                    (format!("k{key}").into_bytes().into(), Some(row))
                })
                .collect();
            let unit = PartitionUnit {
                lease: *leases.get(round % 4).expect("a lease"),
                position: 0,
                watermarks: pipeline::watermarks::Watermarks::default(),
                pins: bytes::Bytes::new(),
                changes,
            };
            let began = Instant::now();
            let unit = Unit { time_ms: 1, partitions: vec![unit] };
            member.commit(unit).await.expect("committed");
            committed.push(began.elapsed());
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
        println!("{pause_ms} ms between commits");
        show("  publish one record", published);
        show("  commit 20 states", committed);
    }
    member.leave().await;
}
