//! A forward that does no work, on a Kafka of one's own: what brokers and client cost by themselves.
//! `cargo run --release -p pipeline --features kafka --example kafka_forward -- HOST:PORT HOPS RATE SECONDS`
//!
//! Records of 300 bytes are produced at times fixed in advance, copied from topic to topic HOPS times
//! by idempotent producers (acks=all, linger 0), a thread each, and read at the end. A latency counts
//! from when its record should have been sent. One line of JSON tells what came of it.
#![allow(clippy::print_stdout, clippy::expect_used)] // shown to people, who see what went wrong

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use pipeline::Log;
use pipeline::log::kafka::{KafkaLog, Options};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use schemas::topics::{Retention, Topic, TopicSpec};

const TOPICS: [Topic; 5] = [Topic("0"), Topic("1"), Topic("2"), Topic("3"), Topic("4")];
const PARTITIONS: u64 = 12;
const BYTES: usize = 300;
/// What is sent before counting begins.
const WARM: Duration = Duration::from_secs(3);
/// How long the reader puts up with silence.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How long before its time the sender of a record is awake.
const AWAKE: Duration = Duration::from_micros(150);
const LONGEST_US: u64 = 120_000_000;

/// Where and how it runs.
#[derive(Clone)]
struct Run {
    bootstrap: String,
    prefix: String,
    started: Instant,
}

impl Run {
    fn consumer(&self, topic: Topic) -> BaseConsumer {
        let name = format!("{}{topic}", self.prefix);
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .set("group.id", &name)
            .set("auto.offset.reset", "earliest")
            .set("fetch.queue.backoff.ms", "2")
            .create()
            .expect("a consumer");
        let mut list = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            let partition = i32::try_from(partition).expect("a small number");
            list.add_partition_offset(&name, partition, Offset::Beginning).expect("a place");
        }
        consumer.assign(&list).expect("assigned");
        consumer
    }

    fn producer(&self) -> ThreadedProducer<DefaultProducerContext> {
        ClientConfig::new()
            .set("bootstrap.servers", &self.bootstrap)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "0")
            .create()
            .expect("a producer")
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LONGEST_US, 3).expect("a histogram")
}

fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
    partition: i32,
    payload: &[u8],
) {
    let mut record: BaseRecord<'_, (), [u8]> =
        BaseRecord::to(topic).partition(partition).payload(payload);
    while let Err((error, back)) = producer.send(record) {
        let full = matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
        assert!(full, "the brokers do not take it: {error}");
        std::thread::sleep(Duration::from_millis(1));
        record = back;
    }
}

/// Copies until told to stop.
fn forward(run: &Run, from: Topic, to: Topic, stop: &AtomicBool) {
    let (consumer, producer) = (run.consumer(from), run.producer());
    let to = format!("{}{to}", run.prefix);
    while !stop.load(Ordering::Relaxed) {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            let payload = message.payload().unwrap_or_default();
            send(&producer, &to, message.partition(), payload);
        }
    }
}

/// Sleeps, and watches the clock at the end: a wake-up alone is late by a tenth of what is measured.
fn wait_until(at: Instant) {
    std::thread::sleep(at.saturating_duration_since(Instant::now() + AWAKE));
    while Instant::now() < at {
        std::hint::spin_loop();
    }
}

/// Sends record `n` at `n / rate`; gives how late each was, those of the warm-up left out.
fn produce(run: &Run, rate: f64, count: u64) -> Histogram<u64> {
    let producer = run.producer();
    let topic = format!("{}{}", run.prefix, TOPICS.first().expect("the first topic"));
    let mut late = histogram();
    for n in 0..count {
        #[allow(clippy::cast_precision_loss)] // records of a run
        let intended = Duration::from_secs_f64(n as f64 / rate);
        wait_until(run.started + intended);
        let intended_us = u64::try_from(intended.as_micros()).unwrap_or(u64::MAX);
        if intended >= WARM {
            late.saturating_record(run.micros().saturating_sub(intended_us));
        }
        let mut payload = [7; BYTES];
        for (to, from) in payload.iter_mut().zip([n, intended_us].map(u64::to_le_bytes).concat()) {
            *to = from;
        }
        send(&producer, &topic, i32::try_from(n % PARTITIONS).expect("a small number"), &payload);
    }
    producer.flush(Duration::from_secs(30)).expect("all are delivered");
    late
}

/// What came out at the end.
struct Read {
    latency: Histogram<u64>,
    lost: usize,
    repeated: u64,
    disordered: u64,
}

fn read(run: &Run, topic: Topic, count: u64) -> Read {
    let consumer = run.consumer(topic);
    let mut seen = vec![false; usize::try_from(count).expect("a count")];
    let mut last = vec![0; usize::try_from(PARTITIONS).expect("a small number")];
    let mut read = Read { latency: histogram(), lost: 0, repeated: 0, disordered: 0 };
    let (mut left, mut heard) = (count, Instant::now());
    while left > 0 && heard.elapsed() < SILENCE_MAX {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        let now_us = run.micros();
        heard = Instant::now();
        let mut numbers = message.payload().unwrap_or_default().chunks_exact(8);
        let mut next = || u64::from_le_bytes(numbers.next()?.try_into().ok()?).into();
        let (Some(n), Some(intended_us)): (Option<u64>, Option<u64>) = (next(), next()) else {
            continue;
        };
        let Some(seen) = usize::try_from(n).ok().and_then(|n| seen.get_mut(n)) else { continue };
        if std::mem::replace(seen, true) {
            read.repeated += 1;
            continue;
        }
        left -= 1;
        let last = usize::try_from(message.partition()).ok().and_then(|at| last.get_mut(at));
        if let Some(last) = last {
            read.disordered += u64::from(n < *last);
            *last = n;
        }
        if Duration::from_micros(intended_us) >= WARM {
            read.latency.saturating_record(now_us.saturating_sub(intended_us));
        }
    }
    read.lost = seen.iter().filter(|seen| !**seen).count();
    read
}

/// The figures of a histogram of microseconds, in milliseconds.
fn figures(histogram: &Histogram<u64>) -> serde_json::Value {
    #[allow(clippy::cast_precision_loss)] // microseconds of a run
    let ms = |share: f64| histogram.value_at_quantile(share) as f64 / 1000.0;
    serde_json::json!({
        "count": histogram.len(), "p50": ms(0.5), "p95": ms(0.95), "p99": ms(0.99),
        "p999": ms(0.999), "max": ms(1.0),
    })
}

/// CPU time of this process, in seconds: user and system ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

#[tokio::main]
async fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, hops, rate, seconds] = asked.as_slice() else {
        println!("kafka_forward HOST:PORT HOPS RATE SECONDS");
        return;
    };
    let hops: usize = hops.parse().expect("HOPS: 1 to 4");
    let rate: f64 = rate.parse().expect("RATE: records a second");
    let seconds: f64 = seconds.parse().expect("SECONDS");
    let prefix = format!("forward{}-", std::process::id());
    let options = Options { prefix: prefix.clone(), ..Options::at(bootstrap) };
    let spec = |topic: &Topic| {
        let retention = Retention::Hours(1);
        TopicSpec { topic: *topic, record: "", retention, public: false }
    };
    let topics: Vec<TopicSpec> = TOPICS.iter().take(hops + 1).map(spec).collect();
    KafkaLog::open(options).expect("settings").ensure(&topics).await.expect("topics");
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // records of a run
    let count = ((seconds + WARM.as_secs_f64()) * rate) as u64;
    let run = Run { bootstrap: bootstrap.clone(), prefix, started: Instant::now() };
    let stop = Arc::new(AtomicBool::new(false));
    let mut copying = Vec::new();
    for pair in TOPICS.windows(2).take(hops) {
        let [from, to] = pair else { continue };
        let (run, from, to, stop) = (run.clone(), *from, *to, Arc::clone(&stop));
        copying.push(std::thread::spawn(move || forward(&run, from, to, &stop)));
    }
    let (reader, end) = (run.clone(), *TOPICS.get(hops).expect("HOPS: 1 to 4"));
    let reading = std::thread::spawn(move || read(&reader, end, count));
    let before = cpu_seconds();
    let source = run.clone();
    let late = std::thread::spawn(move || produce(&source, rate, count)).join().expect("produced");
    let found = reading.join().expect("read");
    #[allow(clippy::cast_precision_loss)] // records of a run
    let cpu_us = (cpu_seconds() - before) * 1e6 / count as f64;
    stop.store(true, Ordering::Relaxed);
    copying.into_iter().for_each(|thread| thread.join().expect("copied"));
    let told = serde_json::json!({
        "hops": hops, "rate": rate, "sent": count, "lost": found.lost,
        "repeated": found.repeated, "disordered": found.disordered, "cpu_us": cpu_us,
        "late_ms": figures(&late), "latency_ms": figures(&found.latency),
    });
    println!("{told}");
}
