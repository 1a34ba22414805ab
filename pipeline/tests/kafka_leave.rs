//! Members that are dropped without a word: `KAFKA_BOOTSTRAP=host:port`.
#![cfg(feature = "kafka")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss
)] // a test fails loudly

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pipeline::log::kafka::{KafkaLog, Options, Protocol};
use pipeline::log::{Event, Limit, Member};
use pipeline::{Log, Setup};
use schemas::topics::SETTINGS;

/// How many members come and go, and how long the longest of them stays.
const VISITS: u64 = 12;
const STAY_MAX: Duration = Duration::from_millis(600);
/// A member that comes later has all partitions within this: below the session time-out.
const HELD_WITHIN: Duration = Duration::from_secs(4);
/// Threads of members that left are gone within this.
const GONE_WITHIN: Duration = Duration::from_secs(15);
const PARTITIONS: u32 = 4;

fn limit(wait: Duration) -> Limit {
    Limit { records_max: 10, bytes_max: 1 << 20, wait }
}

/// Takes whatever comes for so long; gives the partitions it was given.
async fn listen(member: &mut dyn Member, until: Instant) -> BTreeSet<u32> {
    let mut held = BTreeSet::new();
    while Instant::now() < until && held.len() < PARTITIONS as usize {
        if let Event::Assigned(leases) =
            member.next(limit(Duration::from_millis(20))).await.unwrap()
        {
            held.extend(leases.iter().map(|lease| lease.partition));
        }
    }
    held
}

/// Threads that read for members of `group`.
fn reading(group: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.trim() == format!("{group}-consume")).count()
}

async fn members_let_go(protocol: Protocol, name: &'static str) {
    let Ok(bootstrap) = std::env::var("KAFKA_BOOTSTRAP") else {
        println!("SKIPPED: no Kafka; set KAFKA_BOOTSTRAP to a broker's host:port");
        return;
    };
    let mut options = Options::at(&bootstrap);
    options.prefix = format!("leave-{}-{name}-", std::process::id());
    options.partitions = PARTITIONS;
    options.protocol = protocol;
    let log = KafkaLog::open(options).unwrap();
    log.ensure(&[*schemas::topics::named(SETTINGS.0).unwrap()]).await.unwrap();
    let group = Setup::stage_group(name, SETTINGS, None);
    for visit in 0..VISITS {
        let mut member = log.join(&group).await.unwrap();
        // From not at all to long enough for an assignment; some while one is under way.
        let stay = STAY_MAX.mul_f64(visit as f64 / VISITS as f64);
        let _ = listen(member.as_mut(), Instant::now() + stay).await;
        drop(member);
    }
    let began = Instant::now();
    let mut last = log.join(&group).await.unwrap();
    let held = listen(last.as_mut(), began + HELD_WITHIN).await;
    assert_eq!(held.len(), PARTITIONS as usize, "others hold the rest after {HELD_WITHIN:?}");
    println!("{name}: all partitions after {:?}", began.elapsed());
    drop(last);
    while reading(name) > 0 {
        assert!(began.elapsed() < GONE_WITHIN, "{} members never left", reading(name));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn classic_members_let_go_at_once() {
    members_let_go(Protocol::Classic, "old").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_assigned_by_brokers_let_go_at_once() {
    members_let_go(Protocol::Consumer, "new").await;
}
