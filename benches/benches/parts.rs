//! The parts every message goes through, one by one.
#![allow(missing_docs, clippy::unwrap_used)] // a benchmark fails loudly

#[path = "../../schemas/tests/samples/mod.rs"]
#[allow(clippy::wildcard_imports, clippy::too_many_lines)] // as it is where it belongs
mod samples;

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use classifier::{Head, Models, Scratch, Task, train_bundled};
use criterion::{BatchSize, Criterion};
use pipeline::log::embedded::{EmbeddedLog, Options};
use pipeline::log::{Event, Limit, PartitionUnit, StateRow, Unit};
use pipeline::telemetry::metrics::Metrics;
use pipeline::testkit::Driver;
use pipeline::{Log, Record, Setup};
use router::{Router, Settings};
use schemas::Avro;
use schemas::conversation::Conversation;
use schemas::ids::{ContactKey, LineKey};
use schemas::line::{Classified, ClassifiedBody, Inbound, Turns};
use schemas::masking::mask;
use schemas::sealed::{Keyring, TenantKeys};
use schemas::state::RouterState;
use schemas::topics::{INBOUND, ROUTER_STATE, TOPICS};
use schemas::work::{ActionRequest, Reply};
use sink::Store;
use sink::store::sqlite::SqliteStore;
use sink::testkit::Story;

/// Set in the child that trains, whose library talks: where to.
const TRAIN_INTO: &str = "PARTS_TRAIN_INTO";
const TEXT: &str = "oi boa tarde, minha internet caiu desde ontem, meu cpf é 529.982.247-25 e meu \
                    fone (11) 98765-4321";
const START_MS: i64 = 1_795_262_400_000;
/// Records of one append.
const GROUP: usize = 256;

fn main() {
    if let Some(dir) = std::env::var_os(TRAIN_INTO) {
        train_bundled(Path::new(&dir), &mut |_| {}).unwrap();
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    let c = &mut criterion;
    text(c);
    record::<Inbound>(c);
    record::<Turns>(c);
    record::<Classified>(c);
    record::<Conversation>(c);
    record::<Reply>(c);
    record::<ActionRequest>(c);
    scoring(c);
    state_machine(c);
    log(c);
    commit(c);
    store(c);
    criterion.final_summary();
}

fn text(c: &mut Criterion) {
    c.bench_function("mask", |b| b.iter(|| mask(black_box(TEXT))));
    let keys = TenantKeys::derive("bench", "k1", &[7; 32]);
    c.bench_function("seal", |b| b.iter(|| keys.seal(b"id", black_box(TEXT.as_bytes())).unwrap()));
    let sealed = keys.seal(b"id", TEXT.as_bytes()).unwrap();
    c.bench_function("open", |b| b.iter(|| keys.open_text(black_box(&sealed)).unwrap()));
}

/// The largest sample of a type.
fn sample<T: Avro>() -> T {
    let all = samples::all().into_iter().filter(|(name, _)| *name == T::NAME);
    let (_, bytes) = all.max_by_key(|(_, bytes)| bytes.len()).unwrap();
    T::from_bytes(&bytes).unwrap()
}

fn record<T: Avro>(c: &mut Criterion) {
    let value = sample::<T>();
    let bytes = value.to_bytes().unwrap();
    let mut group = c.benchmark_group(format!("codec {} ({} bytes)", T::NAME, bytes.len()));
    let mut to = Vec::new();
    group.bench_function("encode", |b| {
        b.iter(|| {
            to.clear();
            black_box(&value).write(&mut to).unwrap();
        });
    });
    group.bench_function("decode", |b| b.iter(|| T::from_bytes(black_box(&bytes)).unwrap()));
}

/// Text to decision; and the part of it that is neither normalising nor finding n-grams.
fn scoring(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .env(TRAIN_INTO, dir.path())
        .stderr(Stdio::null())
        .status();
    assert!(child.unwrap().success(), "training failed");
    let models = Models::open(dir.path()).unwrap();
    let head = Head::open(&dir.path().join(Task::Intent.file_name())).unwrap();
    let mut scratch = Scratch::new();
    let mut group = c.benchmark_group("classifier");
    group.bench_function("classify, all heads", |b| {
        b.iter(|| models.classify(black_box(TEXT), &mut scratch).confidence);
    });
    group.bench_function("normalise, n-grams and score, intent", |b| {
        b.iter(|| head.scores(black_box(TEXT), &mut scratch).len());
    });
    group.bench_function("score alone, intent", |b| b.iter(|| head.rescore(&mut scratch).len()));
}

/// One classified turn, its state read and written as over a commit.
fn state_machine(c: &mut Criterion) {
    let keyring = Arc::new(Keyring::new([TenantKeys::derive("demo", "1", &[7; 32])]));
    let tick = |tick| Classified { body: ClassifiedBody::Tick(tick) };
    let settings = Settings::built_in().unwrap();
    let mut driver = Driver::new(Router::new(keyring), settings.into(), tick);
    let turns = samples::all().into_iter().filter(|(name, _)| *name == Classified::NAME);
    let turn = turns
        .map(|(_, bytes)| Classified::from_bytes(&bytes).unwrap())
        .find(|classified| matches!(classified.body, ClassifiedBody::ClassifiedTurn(_)))
        .unwrap();
    let mut contact = 0u128;
    c.bench_function("state machine, a turn of a new contact", |b| {
        b.iter_batched(
            || {
                contact += 1;
                let key = LineKey::new("demo", ContactKey(contact.to_be_bytes()));
                (key.to_bytes(), turn.clone())
            },
            |(key, turn)| driver.feed(&key, START_MS, turn),
            BatchSize::SmallInput,
        );
    });
}

/// A group of records until they are durable, the disk included.
fn log(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let options = Options::at(dir.path());
    let log = EmbeddedLog::open(&options, Arc::new(Metrics::new().unwrap())).unwrap();
    runtime.block_on(log.ensure(TOPICS)).unwrap();
    let bytes = sample::<Inbound>().to_bytes().unwrap();
    let group: Vec<Record> = (0..GROUP)
        .map(|n| Record::new(INBOUND, format!("demo:{n}"), bytes.clone(), START_MS))
        .collect();
    c.bench_function("embedded log, append of 256 until durable", |b| {
        b.iter_batched(
            || group.clone(),
            |group| runtime.block_on(log.append(group)).unwrap(),
            BatchSize::SmallInput,
        );
    });
}

/// What a stage has done with a group of records: its position and a state of each, visible.
fn commit(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let options = Options { partitions: 1, ..Options::at(dir.path()) };
    let log = EmbeddedLog::open(&options, Arc::new(Metrics::new().unwrap())).unwrap();
    runtime.block_on(log.ensure(TOPICS)).unwrap();
    let group = Setup::stage_group("bench", INBOUND, Some(ROUTER_STATE));
    let mut member = runtime.block_on(log.join(&group)).unwrap();
    let limit = Limit { records_max: 1, bytes_max: 1, wait: Duration::from_secs(10) };
    let Event::Assigned(leases) = runtime.block_on(member.next(limit)).unwrap() else { return };
    let lease = *leases.first().unwrap();
    runtime.block_on(member.restore(lease)).unwrap();
    let value = Bytes::from(sample::<RouterState>().to_bytes().unwrap());
    let mut position = 0;
    c.bench_function("embedded log, commit of 256 states", |b| {
        b.iter_batched(
            || {
                position += 1;
                let row = StateRow { value: value.clone(), wake_at_ms: None };
                let change = |n| (Bytes::from(format!("demo:{n}")), Some(row.clone()));
                let changes = (0..GROUP).map(change).collect();
                let (watermarks, pins) = Default::default();
                let part = PartitionUnit { lease, position, watermarks, pins, changes };
                Unit { time_ms: START_MS, partitions: vec![part] }
            },
            |unit| runtime.block_on(member.commit(unit)).unwrap(),
            BatchSize::SmallInput,
        );
    });
}

/// The rows of a conversation, new and again.
fn store(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&dir.path().join("store.db")).unwrap();
    let stories: Vec<_> = (0..=u8::MAX).map(|n| Story::told_again(n, 0).rows()).collect();
    let rows: Vec<_> = stories.into_iter().flatten().take(GROUP).collect();
    c.bench_function("embedded store, apply of 256 rows", |b| {
        b.iter_batched(
            || rows.clone(),
            |rows| runtime.block_on(store.apply(rows)).unwrap(),
            BatchSize::SmallInput,
        );
    });
}
