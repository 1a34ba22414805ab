//! A copy that does no work: what the brokers' client costs by itself, under a load of others.
//! `kafka_copy HOST:PORT PREFIX` reads the topic `PREFIX` + `in` as a group and writes each record to
//! `auto` and to `decisions` of the same prefix (idempotent, acks=all, linger 0), until it is ended.
//! Positions are committed every 500 ms, behind what was delivered.
#![allow(clippy::print_stdout, clippy::expect_used)] // shown to people, who see what went wrong

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

const COMMIT_EVERY: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_micros(200);

type Sender = ThreadedProducer<DefaultProducerContext>;

fn send(producer: &Sender, topic: &str, partition: i32, key: &[u8], payload: &[u8]) {
    let mut record = BaseRecord::to(topic).partition(partition).key(key).payload(payload);
    while let Err((error, back)) = producer.send(record) {
        let full = matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
        assert!(full, "the brokers do not take it: {error}");
        std::thread::sleep(PAUSE);
        record = back;
    }
}

/// Waits for what is on its way, then commits behind it. Not `flush`, which waits out 100 ms.
fn commit(consumer: &BaseConsumer, producer: &Sender, topic: &str, next: &HashMap<i32, i64>) {
    while producer.in_flight_count() > 0 {
        std::thread::sleep(PAUSE);
    }
    let mut list = TopicPartitionList::new();
    for (partition, offset) in next {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).expect("a place");
    }
    consumer.commit(&list, CommitMode::Async).expect("committed");
}

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, prefix] = asked.as_slice() else {
        println!("kafka_copy HOST:PORT PREFIX");
        return;
    };
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", format!("{prefix}copy"))
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "2")
        .create()
        .expect("a consumer");
    let producer: Sender = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "0")
        .create()
        .expect("a producer");
    let [from, auto, decisions] = ["in", "auto", "decisions"].map(|name| format!("{prefix}{name}"));
    consumer.subscribe(&[from.as_str()]).expect("subscribed");
    let (mut next, mut committed) = (HashMap::new(), Instant::now());
    loop {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            let (key, payload) =
                (message.key().unwrap_or_default(), message.payload().unwrap_or_default());
            for to in [&auto, &decisions] {
                send(&producer, to, message.partition(), key, payload);
            }
            next.insert(message.partition(), message.offset() + 1);
        }
        if committed.elapsed() >= COMMIT_EVERY && !next.is_empty() {
            commit(&consumer, &producer, &from, &next);
            next.clear();
            committed = Instant::now();
        }
    }
}
