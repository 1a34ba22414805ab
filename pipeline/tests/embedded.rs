//! What the embedded log promises beyond what every log does: room in its queue, and old records
//! that go.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test fails loudly

use std::path::Path;
use std::sync::Arc;

use pipeline::log::embedded::{EmbeddedLog, Options, peek};
use pipeline::log::{AppendError, Event, Limit, LogError, PartitionUnit, Unit};
use pipeline::telemetry::metrics::Metrics;
use pipeline::watermarks::Watermarks;
use pipeline::{Group, Log, Offset, Record, Setup};
use schemas::topics::{Retention, Topic, TopicSpec};

const SPEC: TopicSpec =
    TopicSpec { topic: Topic("in"), record: "x", retention: Retention::Hours(1), public: false };

async fn opened(directory: &Path, queued_bytes_max: usize) -> EmbeddedLog {
    let options = Options { partitions: 2, queued_bytes_max, ..Options::at(directory) };
    let log = EmbeddedLog::open(&options, Arc::new(Metrics::new().unwrap())).unwrap();
    log.ensure(&[SPEC]).await.unwrap();
    log
}

fn record(n: i64, bytes: usize) -> Record {
    let partition = Some(u32::try_from(n % 2).unwrap());
    Record { partition, ..Record::new(SPEC.topic, n.to_string().into_bytes(), vec![7; bytes], n) }
}

fn offsets(directory: &Path) -> Vec<Offset> {
    let records = peek(directory, &SPEC, 0, usize::MAX).unwrap();
    records.iter().map(|record| record.offset).collect()
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_again_and_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let log = opened(directory.path(), 10_000).await;
    assert!(log.append(vec![record(0, 50_000)]).await.is_ok(), "the first goes through, whatever");
    let appends = (1..200).map(|n| log.append(vec![record(n, 1_000)]));
    let (mut taken, mut refused) = (Vec::new(), 0);
    for answer in futures::future::join_all(appends).await {
        match answer {
            Ok(durable) => taken.push(durable.0[0].1),
            Err(AppendError::Busy { retry_after }) => {
                assert!(!retry_after.is_zero());
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0, "199 kB do not fit into a queue of 10");
    assert_eq!(offsets(directory.path()).len(), 1 + taken.len(), "what was refused is not there");
    assert!(log.append(vec![record(1, 1_000)]).await.is_ok(), "the queue's room is given back");
}

/// A reader that saw what follows would take what failed for a repeat when it is published again.
#[tokio::test]
async fn nothing_is_written_behind_a_publication_that_failed() {
    let directory = tempfile::tempdir().unwrap();
    let log = opened(directory.path(), 10_000).await;
    let mut member = log.join(&Setup::stage_group("g", SPEC.topic, None)).await.unwrap();
    let nowhere = Record { topic: Topic("nowhere"), ..record(0, 1) };
    let failed = member.hand_over(vec![nowhere]).await.unwrap().await;
    assert!(matches!(failed, Err(LogError::Redeliver(_))), "{failed:?}");
    let behind = member.hand_over(vec![record(1, 1)]).await.unwrap().await;
    assert!(matches!(behind, Err(LogError::Redeliver(_))), "{behind:?}");
    assert_eq!(offsets(directory.path()), Vec::<Offset>::new());
    let mut successor = log.join(&Setup::stage_group("g", SPEC.topic, None)).await.unwrap();
    successor.publish(vec![record(1, 1)]).await.unwrap();
    assert_eq!(offsets(directory.path()).len(), 1, "who begins again is heard");
}

/// Commits `group`'s position in both partitions.
async fn pass(log: &EmbeddedLog, group: &Group, position: Offset) {
    let mut member = log.join(group).await.unwrap();
    let limit = Limit { records_max: 1, bytes_max: 1, wait: std::time::Duration::from_secs(9) };
    let Event::Assigned(leases) = member.next(limit).await.unwrap() else { panic!("no lease") };
    let part = |lease| PartitionUnit {
        lease,
        position,
        watermarks: Watermarks::default(),
        pins: bytes::Bytes::new(),
        changes: Vec::new(),
    };
    let partitions = leases.into_iter().map(part).collect();
    member.commit(Unit { time_ms: 1, partitions }).await.unwrap();
}

#[tokio::test]
async fn old_records_go_once_everybody_is_past_them() {
    let directory = tempfile::tempdir().unwrap();
    let log = opened(directory.path(), 1 << 20).await;
    log.append((0..10).map(|n| record(n, 10)).collect()).await.unwrap();
    let (a, b) = (Setup::effect_group("a", SPEC.topic), Setup::effect_group("b", SPEC.topic));
    pass(&log, &a, 8).await;
    pass(&log, &b, 3).await;
    assert_eq!(log.forget(SPEC.topic, 100, 100).await.unwrap(), 3, "b is at 3");
    assert_eq!(offsets(directory.path()), (3..10).collect::<Vec<_>>());
    pass(&log, &b, 10).await;
    assert_eq!(log.forget(SPEC.topic, 5, 100).await.unwrap(), 2, "what is younger stays");
    assert_eq!(log.forget(SPEC.topic, 100, 2).await.unwrap(), 2, "no more than was asked");
    pass(&log, &a, 10).await;
    assert_eq!(log.forget(SPEC.topic, 100, 100).await.unwrap(), 2, "the newest stays");
    assert_eq!(offsets(directory.path()), [9]);
    drop(log);
    let log = opened(directory.path(), 1 << 20).await;
    assert_eq!(log.append(vec![record(10, 10)]).await.unwrap().0[0].1, 10);
}

#[tokio::test]
async fn what_is_read_from_the_disk_fits_the_limit_too() {
    let directory = tempfile::tempdir().unwrap();
    let log = opened(directory.path(), 1 << 20).await;
    log.append((0..6).map(|n| record(n, 1_000)).collect()).await.unwrap();
    drop(log);
    // Opened again, nothing of it is in memory.
    let log = opened(directory.path(), 1 << 20).await;
    let mut member = log.join(&Setup::effect_group("a", SPEC.topic)).await.unwrap();
    for (bytes_max, expected) in [(2_500, vec![0, 1]), (1, vec![2]), (1 << 20, vec![3, 4, 5])] {
        let wait = std::time::Duration::from_secs(9);
        let limit = Limit { records_max: 100, bytes_max, wait };
        let records = loop {
            match member.next(limit).await.unwrap() {
                Event::Assigned(_) => {}
                Event::Records(records) => break records,
                event => panic!("{event:?}"),
            }
        };
        let offsets: Vec<Offset> = records.iter().map(|record| record.offset).collect();
        assert_eq!(offsets, expected, "{bytes_max} bytes");
    }
}
