//! What the CQL store adds to the driver: each kind of write beside a plain prepared INSERT of the
//! same record, in turn, in one run. Only the ratio says something; machines and neighbours differ.
//!
//! ```text
//! CQL_CONTACT=127.0.0.1:9042 cargo run -p sink --features scylla --example cql_latency
//! ```
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use std::time::{Duration, Instant};

use schemas::ids::{ContactKey, ConversationId, MessageId};
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Consistency;
use sink::Store;
use sink::rows::{EventRow, Row};
use sink::store::cql::{CqlOptions, CqlStore};
use sink::testkit::Story;

const WARM_UP: usize = 500;
const ROUNDS: usize = 4_000;
/// Rows of one call when a backlog is worked off.
const MANY: usize = 100;

/// Contacts that write, in turn: a conversation has some dozens of lines.
const CONTACTS: usize = 200;

/// The rows of one message: as accepted, its line, a decision's line.
fn rows_of(n: usize) -> (Row, Row, Row) {
    let unique = |n: usize| {
        let n = u64::try_from(n).unwrap().to_be_bytes();
        let mut bytes = [7; 16];
        bytes[..8].copy_from_slice(&n.map(|byte| byte.wrapping_mul(151)));
        bytes[8..].copy_from_slice(&n);
        bytes
    };
    let (contact, message_id) = (unique(n % CONTACTS), MessageId(unique(n)));
    let id = ConversationId::new(ContactKey(contact), 1_795_000_000_000);
    let story = Story::new(1);
    let mut rows = story.rows().into_iter();
    let Some(Row::Accepted(mut accepted)) = rows.next() else { unreachable!() };
    accepted.message_id = message_id;
    accepted.key.contact = ContactKey(contact);
    let mut of_conversation = |message| {
        let found = rows.find_map(|row| match row {
            Row::Event(row) if row.message.is_some() == message && row.conversation.seq > 1 => {
                Some(row)
            }
            _ => None,
        });
        let mut row: Box<EventRow> = found.unwrap();
        row.key.contact = ContactKey(contact);
        row.conversation.conversation_id = id;
        row.conversation.seq = i64::try_from(n / CONTACTS * 2).unwrap() + 2 - i64::from(message);
        row.message = row.message.map(|(_, kind)| (message_id, kind));
        Row::Event(row)
    };
    let (message, decision) = (of_conversation(true), of_conversation(false));
    (Row::Accepted(accepted), message, decision)
}

fn told(name: &str, mut times: Vec<Duration>, raw_p95: Option<f64>) -> f64 {
    times.sort();
    let at = |share: f64| {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss
        )]
        let at = (times.len() as f64 * share) as usize;
        times[at.min(times.len() - 1)].as_secs_f64() * 1e3
    };
    let ratio = raw_p95.map(|raw| format!("  p95 {:.2} x raw", at(0.95) / raw)).unwrap_or_default();
    println!("{name:36} p50 {:7.3} ms  p95 {:7.3} ms{ratio}", at(0.5), at(0.95));
    at(0.95)
}

#[tokio::main]
async fn main() {
    let Ok(contact) = std::env::var("CQL_CONTACT") else {
        println!("no Cassandra; set CQL_CONTACT to a node's host:port");
        return;
    };
    let options = CqlOptions::at(&contact, &format!("latency_{}", std::process::id()));
    CqlStore::migrate(&options).await.unwrap();
    let store = CqlStore::open(&options).await.unwrap();
    let raw = SessionBuilder::new()
        .known_node(&contact)
        .use_keyspace(&options.keyspace, false)
        .build()
        .await
        .unwrap();
    let table = "CREATE TABLE raw_lines (conversation blob, seq bigint, at_ms bigint, record blob, \
                 PRIMARY KEY (conversation, seq))";
    raw.query_unpaged(table, ()).await.unwrap();
    let insert = "INSERT INTO raw_lines (conversation, seq, at_ms, record) VALUES (?, ?, ?, ?)";
    let mut insert = raw.prepare(insert).await.unwrap();
    insert.set_consistency(Consistency::LocalQuorum);

    let mut times: [Vec<Duration>; 5] = Default::default();
    for n in 0..WARM_UP + ROUNDS {
        let (accepted, message, decision) = rows_of(n);
        let Row::Event(line) = &message else { unreachable!() };
        let id = line.conversation.conversation_id;
        let values = (id.as_bytes(), line.conversation.seq, line.at_ms, line.record.as_slice());
        let mut calls = [None, Some(accepted), Some(message.clone()), Some(decision), None];
        // Another one goes first each time.
        for at in (0..5).map(|at| (at + n) % 5) {
            let many =
                || (0..MANY / 3).flat_map(|m| <[Row; 3]>::from(rows_of(5_000 + n / 20 * 33 + m)));
            let rows: Vec<Row> = match at {
                4 if n % 20 == 0 => many().collect(),
                4 => continue,
                _ => calls[at].take().into_iter().collect(),
            };
            let (count, began) = (rows.len().max(1), Instant::now());
            if at == 0 {
                raw.execute_unpaged(&insert, values).await.unwrap();
            } else {
                store.apply(rows).await.unwrap();
            }
            if n >= WARM_UP {
                times[at].push(began.elapsed() / u32::try_from(count).unwrap());
            }
        }
    }
    let [insert, accepted, message, decision, many] = times;
    let raw_p95 = told("raw prepared INSERT", insert, None);
    let each = [&accepted, &message, &decision].into_iter().flatten().copied().collect();
    told("apply: one row, each of these kinds", each, Some(raw_p95));
    told("  a message as accepted", accepted, Some(raw_p95));
    told("  a line without a message", decision, Some(raw_p95));
    told("  a line with its message", message, Some(raw_p95));
    told("apply: a row of a call with 99 rows", many, Some(raw_p95));
}
