//! The CQL store keeps every promise of a store, on a real Cassandra.
//!
//! With `CQL_CONTACT=host:port` (`tests/services/cassandra/start.sh` prints it); without, each test
//! says that it was skipped.
#![cfg(feature = "scylla")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)] // a test fails loudly

mod support;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use pipeline::clock::ManualClock;
use proptest::prelude::*;
use schemas::Avro;
use schemas::conversation::{Conversation, ConversationState};
use schemas::topics::CONVERSATIONS;
use sink::rows::Row;
use sink::store::cql::{CqlOptions, CqlStore};
use sink::store::sqlite::SqliteStore;
use sink::store::view::tail_behind;
use sink::store::{Filter, Order};
use sink::testkit::{Story, TENANT, shown};
use sink::{Store, StoreError};
use support::Keyspace;

/// Hours after the stories.
const NOW_MS: i64 = 40_000_000;

fn keyspace() -> Option<Keyspace> {
    let mut keyspace = Keyspace::fresh()?;
    keyspace.options.clock = Arc::new(ManualClock::at(NOW_MS));
    Some(keyspace)
}

async fn opened(options: &CqlOptions) -> CqlStore {
    CqlStore::migrate(options).await.unwrap();
    CqlStore::open(options).await.unwrap()
}

/// A store that takes its keyspace with it.
struct Fresh {
    store: CqlStore,
    _keyspace: Keyspace,
}

impl Deref for Fresh {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &self.store
    }
}

async fn fresh() -> Option<Fresh> {
    let keyspace = keyspace()?;
    Some(Fresh { store: opened(&keyspace.options).await, _keyspace: keyspace })
}

sink::store_suite!(match fresh().await {
    Some(store) => store,
    None => return,
});

#[tokio::test]
async fn migrating_twice_changes_nothing_and_a_schema_behind_is_refused() {
    let Some(keyspace) = keyspace() else { return };
    let options = &keyspace.options;
    let refused = async || match CqlStore::open(options).await {
        Err(StoreError::Broken(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it opened"),
    };
    assert!(refused().await.contains("correnteza store migrate"));
    assert_eq!(CqlStore::migrate(options).await.unwrap(), [1, 2, 3, 4]);
    let store = CqlStore::open(options).await.unwrap();
    store.apply(Story::new(1).rows()).await.unwrap();
    let before = shown(&store, &[Story::new(1)]).await;
    assert!(CqlStore::migrate(options).await.unwrap().is_empty());
    let again = CqlStore::open(options).await.unwrap();
    assert_eq!(shown(&again, &[Story::new(1)]).await, before);
    keyspace.raw("DELETE FROM {}.schema_version WHERE one = 1 AND version = 4").await;
    let why = refused().await;
    assert!(why.contains("correnteza store migrate") && why.contains("version 3"), "{why}");
    assert_eq!(CqlStore::migrate(options).await.unwrap(), [4], "what was run halfway is run again");
    keyspace.raw("INSERT INTO {}.schema_version (one, version) VALUES (1, 99)").await;
    assert!(refused().await.contains("later release"));
}

#[tokio::test]
async fn no_node_is_unavailable_not_broken() {
    let mut options = CqlOptions::at("127.0.0.1:1", "nowhere");
    options.request_timeout = Duration::from_secs(2);
    let Err(error) = CqlStore::open(&options).await else { panic!("it opened") };
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn what_has_been_kept_long_enough_goes() {
    let Some(mut keyspace) = keyspace() else { return };
    let options = &mut keyspace.options;
    options.retention = Some(Duration::from_secs(3_600));
    let store = opened(options).await;
    let story = Story::new(1);
    let clock = Arc::new(ManualClock::at(NOW_MS));
    options.clock = Arc::clone(&clock) as _;
    let store_of_now = CqlStore::open(options).await.unwrap();
    // Older than an hour: not written at all.
    store.apply(story.rows()).await.unwrap();
    assert_eq!(store.conversation(story.conversation_id()).await.unwrap(), None);
    // The first lines have seconds left, the last ones two more.
    clock.set(60_000 + 3_600_000 - 6_000);
    store_of_now.apply(story.rows()).await.unwrap();
    assert!(store_of_now.conversation(story.conversation_id()).await.unwrap().is_some());
    let left = keyspace.raw("SELECT count(*) FROM {}.changes").await;
    assert_eq!(left, 1);
    tokio::time::sleep(Duration::from_secs(14)).await;
    assert_eq!(store_of_now.conversation(story.conversation_id()).await.unwrap(), None);
    assert!(store_of_now.history(story.conversation_id(), 0, 99).await.unwrap().is_empty());
    assert_eq!(store_of_now.latest_of(&story.key).await.unwrap(), None);
    assert_eq!(store_of_now.message(story.messages()[0]).await.unwrap(), None);
    for table in ["conversations", "contacts", "messages", "changes", "slots"] {
        assert_eq!(keyspace.raw(&format!("SELECT count(*) FROM {{}}.{table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_long_history_spans_partitions() {
    let Some(keyspace) = keyspace() else { return };
    let options = &keyspace.options;
    let store = opened(options).await;
    let story = Story::new(1);
    let line = |seq: i64| {
        story.line(seq, seq, |record| {
            record.state = ConversationState::Queued;
            record.queue = Some("suporte".to_owned());
        })
    };
    store.apply((1..=4_200).map(line).collect()).await.unwrap();
    let row = store.conversation(story.conversation_id()).await.unwrap().unwrap();
    assert_eq!((row.seq, row.updated_at_ms), (4_200, 60_000 + 4_200));
    let seqs = async |after, limit| -> Vec<i64> {
        let lines = store.history(story.conversation_id(), after, limit).await.unwrap();
        lines.iter().map(|(_, line)| line.seq).collect()
    };
    assert!(seqs(0, 10_000).await.into_iter().eq(1..=4_200));
    assert_eq!(seqs(4_093, 4).await, [4_094, 4_095, 4_096, 4_097]);
    assert_eq!(seqs(4_095, 1).await, [4_096]);
    assert_eq!(seqs(4_199, 9).await, [4_200]);
    assert!(seqs(4_200, 9).await.is_empty());
    // A line of the first block that comes late sets nothing back.
    store.apply(vec![line(12)]).await.unwrap();
    assert_eq!(store.conversation(story.conversation_id()).await.unwrap().unwrap(), row);
}

/// Where people's queries are answered by another process than writes.
#[tokio::test]
async fn a_reader_that_follows_the_log_shows_what_another_process_writes() {
    let Some(keyspace) = keyspace() else { return };
    let options = &keyspace.options;
    let (writer, reader) = (opened(options).await, CqlStore::open(options).await.unwrap());
    writer.apply(Story::new(1).rows()).await.unwrap();
    writer.pass(CONVERSATIONS, &[(0, 0), (1, 7)]).await.unwrap();
    let positions = reader.positions(CONVERSATIONS).await.unwrap().unwrap();
    let behind = tail_behind(&positions);
    assert_eq!(behind.into_iter().collect::<Vec<_>>(), [((CONVERSATIONS, 1), 6)]);
    let waiting = async || reader.queues(TENANT, 0).await.unwrap().first().map(|row| row.waiting);
    // Followed before the first question, not in the database yet.
    let (second, third) = (Story::new(2), Story::new(3));
    follow(&reader, &second);
    assert_eq!(waiting().await, Some(2), "what was there, and what the log told");
    writer.apply(third.rows()).await.unwrap();
    assert_eq!(waiting().await, Some(2), "nobody told it");
    follow(&reader, &third);
    follow(&reader, &Story::new(1)); // a repeat
    assert_eq!(waiting().await, Some(3));
    let list = async || {
        let rows =
            reader.conversations(TENANT, &Filter::default(), Order::Recent, 9).await.unwrap();
        rows.iter().map(|row| row.conversation_id).collect::<Vec<_>>()
    };
    let [first, third] = [1, 3].map(|n| Story::new(n).conversation_id());
    assert_eq!(list().await, [third, first], "the second is shown when its row is whole");
    writer.apply(second.rows()).await.unwrap();
    assert_eq!(list().await, [third, second.conversation_id(), first]);
    assert_eq!(reader.ahead_of(first).await.unwrap(), Some(2));
    // The log is ahead of the database: where it stands is the log's word.
    let closed =
        Story::new(1).line(7, 9_000_000, |record| record.state = ConversationState::Closed);
    let Row::Event(closed) = closed else { panic!("a line") };
    let line = Conversation::from_bytes(&closed.record).unwrap();
    reader.view().follow(&line, closed.at_ms);
    let rows = reader.conversations(TENANT, &Filter::default(), Order::Recent, 1).await.unwrap();
    assert_eq!((rows[0].conversation_id, rows[0].seq), (first, 7));
    assert!(rows[0].contact_sealed.is_some());
    // The tail ended and began again: what it had told is in the database by then.
    writer.apply(vec![Row::Event(closed)]).await.unwrap();
    reader.view().forget();
    assert_eq!(waiting().await, Some(2));
}

fn follow(reader: &CqlStore, story: &Story) {
    for row in story.rows() {
        if let Row::Event(row) = row {
            let line = Conversation::from_bytes(&row.record).unwrap();
            reader.view().follow(&line, row.at_ms);
        }
    }
}

/// Older than what the view looks back at: searched in the database, page by page.
#[tokio::test]
async fn lists_go_on_beyond_the_view() {
    let Some(mut keyspace) = keyspace() else { return };
    let options = &mut keyspace.options;
    options.open_max = Duration::from_secs(3_600);
    let writer = opened(options).await;
    let all: Vec<Story> = (1..=9).map(Story::new).collect();
    for story in &all {
        let mut rows = story.rows();
        if story.conversation_id() > Story::new(6).conversation_id() {
            rows.push(story.line(7, NOW_MS - 100_000, |_| {}));
        }
        writer.apply(rows).await.unwrap();
    }
    let reader = CqlStore::open(options).await.unwrap();
    let rows = reader.conversations(TENANT, &Filter::default(), Order::Recent, 99).await.unwrap();
    let listed: Vec<u8> = rows.iter().map(|row| row.conversation_id.0[0]).collect();
    assert_eq!(listed, [9, 8, 7, 6, 5, 4, 3, 2, 1]);
    let (mut paged, mut filter) = (Vec::new(), Filter::default());
    loop {
        let page = reader.conversations(TENANT, &filter, Order::Recent, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.updated_before_ms = Some(last.updated_at_ms);
        paged.extend(page.iter().map(|row| row.conversation_id.0[0]));
    }
    assert_eq!(paged, listed);
}

static TELLING: AtomicU8 = AtomicU8::new(0);

/// Rows of three conversations: each at least once, some again, in any order and any portions.
fn any_application() -> impl Strategy<Value = Vec<Vec<usize>>> {
    const ROWS: usize = 3 * 8;
    prop::collection::vec(0..ROWS, 0..20)
        .prop_map(|again| (0..ROWS).chain(again).collect::<Vec<_>>())
        .prop_shuffle()
        .prop_flat_map(|order| {
            let cuts = prop::collection::vec(any::<bool>(), order.len());
            (Just(order), cuts)
        })
        .prop_map(|(order, cuts)| {
            let mut portions = vec![Vec::new()];
            for (at, cut) in order.into_iter().zip(cuts) {
                portions.last_mut().unwrap().push(at);
                if cut {
                    portions.push(Vec::new());
                }
            }
            portions
        })
}

/// Out of order and repeated here, in order and once on SQLite: the same answers.
#[test]
fn any_order_and_any_repetition_give_the_same_answers() {
    let Some(keyspace) = keyspace() else { return };
    let options = &keyspace.options;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(opened(options));
    let config = ProptestConfig { cases: 24, max_shrink_iters: 40, ..ProptestConfig::default() };
    proptest!(config, |(portions in any_application())| {
        let telling = TELLING.fetch_add(1, Ordering::Relaxed) + 1;
        let stories: Vec<Story> = (1..=3).map(|n| Story::told_again(n, telling)).collect();
        let rows: Vec<Row> = stories.iter().flat_map(Story::rows).collect();
        let folder = tempfile::tempdir().unwrap();
        let in_order = SqliteStore::open(&folder.path().join("store.db")).unwrap();
        let (expected, found) = runtime.block_on(async {
            in_order.apply(rows.clone()).await.unwrap();
            for (at, portion) in portions.iter().enumerate() {
                let portion = portion.iter().map(|at| rows[*at].clone()).collect();
                store.apply(portion).await.unwrap();
                if at == portions.len() / 2 {
                    // The view is loaded from half the rows and kept current by the rest.
                    store.queues(&stories[0].key.tenant, 0).await.unwrap();
                }
            }
            (shown(&in_order, &stories).await, shown(&store, &stories).await)
        });
        prop_assert_eq!(expected, found);
    });
}
