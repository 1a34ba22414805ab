//! What a commit torn in two would leave behind, made with the client library alone: states without
//! the offset, and the offset without states. On a real broker: `KAFKA_BOOTSTRAP=host:port`.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use schemas::topics::{INBOUND, Retention, TURNS_STATE, TopicSpec};

use super::changelog::{LEFT, Left, left_key};
use super::*;
use crate::log::{Limit, PartitionUnit, StateRow, Unit};
use crate::runner::Setup;
use crate::testkit::conformance::restored;

const WAIT: Limit = Limit { records_max: 1, bytes_max: 1, wait: Duration::from_millis(20) };

fn group() -> Group {
    Setup::stage_group("torn", INBOUND, Some(TURNS_STATE))
}

/// A log of one partition in which the group has committed position 3 and a state.
async fn committed(name: &str) -> Option<KafkaLog> {
    let Ok(bootstrap) = std::env::var("KAFKA_BOOTSTRAP") else {
        println!("SKIPPED: no Kafka; set KAFKA_BOOTSTRAP to a broker's host:port");
        return None;
    };
    let prefix = format!("torn-{}-{name}-", std::process::id());
    let log = KafkaLog::open(Options { prefix, partitions: 1, ..Options::at(&bootstrap) }).unwrap();
    let spec = |topic, retention| TopicSpec { topic, record: "Setting", retention, public: false };
    let specs = [spec(INBOUND, Retention::History), spec(TURNS_STATE, Retention::Compacted)];
    apply::ensure(&log.shared, &specs).await.unwrap();
    log.append((0..10).map(|n| Record::new(INBOUND, "k", vec![n], 1)).collect()).await.unwrap();
    let mut member = log.join(&group()).await.unwrap();
    let lease = loop {
        if let crate::log::Event::Assigned(leases) = member.next(WAIT).await.unwrap() {
            break leases[0];
        }
    };
    let before = member.restore(lease).await.unwrap();
    assert_eq!(before.position, 0);
    let state = StateRow { value: "three".into(), wake_at_ms: None };
    let part = PartitionUnit {
        lease,
        position: 3,
        watermarks: before.watermarks,
        pins: "v1".into(),
        changes: vec![("k".into(), Some(state))],
    };
    member.commit(Unit { time_ms: 1, partitions: vec![part] }).await.unwrap();
    member.leave().await;
    Some(log)
}

/// What the next member finds.
async fn found(log: &KafkaLog) -> (u64, bytes::Bytes, bytes::Bytes) {
    let mut member = log.join(&group()).await.unwrap();
    let restored = restored(member.as_mut(), 0).await;
    let state = restored.state.get(b"k").unwrap().unwrap();
    (restored.position, restored.pins, state.value)
}

fn three() -> (u64, bytes::Bytes, bytes::Bytes) {
    (3, "v1".into(), "three".into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offset_without_its_states_is_not_believed() {
    let Some(log) = committed("offset").await else { return };
    let clients = Arc::clone(&log.shared);
    tokio::task::spawn_blocking(move || {
        let anybody: BaseConsumer = clients.clients.observer(&group()).unwrap();
        let mut list = TopicPartitionList::new();
        let input = clients.clients.topic_name(INBOUND);
        list.add_partition_offset(&input, 0, KafkaOffset::Offset(9)).unwrap();
        anybody.commit(&list, CommitMode::Sync).unwrap();
    })
    .await
    .unwrap();
    assert_eq!(log.lag(&group()).await.unwrap(), 1, "the offset does say so");
    assert_eq!(found(&log).await, three());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_without_their_offset_are_not_there() {
    let Some(log) = committed("states").await else { return };
    let shared = Arc::clone(&log.shared);
    tokio::task::spawn_blocking(move || {
        let producer: BaseProducer = shared.clients.committer(&group(), "dies").create().unwrap();
        producer.init_transactions(Duration::from_secs(15)).unwrap();
        producer.begin_transaction().unwrap();
        let topic = shared.clients.topic_name(TURNS_STATE);
        let left = Left { position: 6, ..Left::default() }.to_bytes();
        let left_key = left_key(&group());
        let state = BaseRecord::to(&topic).partition(0).key("k").payload(&b"six"[..]);
        producer.send(state).unwrap();
        let marked = OwnedHeaders::new().insert(Header { key: LEFT, value: Some("1") });
        let record = BaseRecord::to(&topic).partition(0).key(left_key.as_str()).payload(&left[..]);
        producer.send(record.headers(marked)).unwrap();
        let until = Instant::now() + Duration::from_secs(15);
        while producer.in_flight_count() > 0 && Instant::now() < until {
            producer.poll(Duration::from_millis(1));
        }
        assert_eq!(producer.in_flight_count(), 0, "both are on the broker");
        // It dies here: nobody ends the transaction.
        drop(producer);
    })
    .await
    .unwrap();
    assert_eq!(found(&log).await, three());
}
