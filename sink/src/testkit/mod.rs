//! What every store must do. A backend's tests call each of these with an empty store, best through
//! [`crate::store_suite`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)] // test code behind a feature: it fails loudly

mod customers;
mod promises;
mod story;

use std::collections::BTreeMap;

use schemas::conversation::{ConversationState, Priority};
use schemas::ids::{ConversationId, MessageId};
use schemas::state::MinuteMetrics;
use schemas::topics::{CONVERSATIONS, INBOUND};

pub use customers::*;
pub use promises::*;
pub use story::{Story, TENANT};

use crate::rows::Row;
use crate::store::{Filter, Order, Store};

/// Everything a store shows of stories of one tenant, to compare stores by.
pub async fn shown(store: &dyn Store, stories: &[Story]) -> String {
    let mut shown = String::new();
    let tenant = stories.first().map_or(TENANT, |story| story.key.tenant.as_str());
    for story in stories {
        let id = story.conversation_id();
        shown += &format!("{:#?}\n", store.conversation(id).await.unwrap());
        shown += &format!("{:#?}\n", store.history(id, 0, 1_000).await.unwrap());
        shown += &format!("{:#?}\n", store.latest_of(&story.key).await.unwrap());
        shown += &format!("{:?}\n", store.ahead_of(id).await.unwrap());
        for message in story.messages() {
            shown += &format!("{:#?}\n", store.message(message).await.unwrap());
        }
    }
    for order in [Order::Recent, Order::Urgency] {
        let rows = store.conversations(tenant, &Filter::default(), order, 1_000).await.unwrap();
        let listed = rows.iter().map(|row| (row.conversation_id, row.seq, row.updated_at_ms));
        shown += &format!("{order:?} {:?}\n", listed.collect::<Vec<_>>());
    }
    shown += &format!("{:#?}\n", store.queues(tenant, 10_000_000).await.unwrap());
    shown += &format!("{:#?}\n", store.minutes(tenant, 0, 1_000).await.unwrap());
    shown
}

fn stories() -> Vec<Story> {
    (1..=6).map(Story::new).collect()
}

pub async fn what_is_applied_is_shown(store: &dyn Store) {
    let story = Story::new(1);
    store.apply(story.rows()).await.unwrap();
    let row = store.conversation(story.conversation_id()).await.unwrap().unwrap();
    assert_eq!(row.state, ConversationState::Queued);
    assert_eq!((row.queue.as_deref(), row.priority), (Some("suporte"), Priority::High));
    assert_eq!(row.seq, story.records());
    assert_eq!(row.turn.as_ref().unwrap().intent.as_deref(), Some("sem_conexao"));
    assert!(row.contact_sealed.is_some() && row.last_text_sealed.is_some());
    let history = store.history(row.conversation_id, 0, 1_000).await.unwrap();
    let seqs: Vec<i64> = history.iter().map(|(_, record)| record.seq).collect();
    assert_eq!(seqs, (1..=story.records()).collect::<Vec<_>>());
    let rest = store.history(row.conversation_id, 2, 1).await.unwrap();
    assert_eq!(rest[0].1.seq, 3);
    assert_eq!(rest.len(), 1);
    let message = store.message(story.messages()[0]).await.unwrap().unwrap();
    assert_eq!(message.line, Some((row.conversation_id, 2)));
    assert_eq!(message.accepted.text_sealed, None, "the history holds it now");
    assert_eq!(store.latest_of(&story.key).await.unwrap(), Some(row));
    assert_eq!(store.conversation(ConversationId([9; 20])).await.unwrap(), None);
    assert_eq!(store.message(MessageId([9; 16])).await.unwrap(), None);
}

pub async fn applying_twice_changes_nothing(store: &dyn Store) {
    let stories = stories();
    for story in &stories {
        store.apply(story.rows()).await.unwrap();
    }
    let once = shown(store, &stories).await;
    for story in &stories {
        store.apply(story.rows()).await.unwrap();
        store.apply(story.rows()[..3].to_vec()).await.unwrap();
    }
    assert_eq!(shown(store, &stories).await, once);
}

/// Rows of several batches arrive in any order after a crash; the store ends up the same.
pub async fn the_order_of_arrival_does_not_matter(store: &dyn Store, other: &dyn Store) {
    let stories = stories();
    let mut rows: Vec<Row> = stories.iter().flat_map(Story::rows).collect();
    store.apply(rows.clone()).await.unwrap();
    // A fixed shuffle (Fisher–Yates over a linear congruence): the same every time.
    let mut seed = 7u64;
    for at in (1..rows.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        rows.swap(at, usize::try_from(seed >> 33).unwrap() % (at + 1));
    }
    for row in rows {
        other.apply(vec![row]).await.unwrap();
    }
    assert_eq!(shown(store, &stories).await, shown(other, &stories).await);
}

pub async fn a_message_is_shown_before_anybody_looked_at_it(store: &dyn Store) {
    let story = Story::new(1);
    let accepted: Vec<Row> =
        story.rows().into_iter().filter(|row| matches!(row, Row::Accepted(_))).collect();
    store.apply(accepted).await.unwrap();
    let message = store.message(story.messages()[0]).await.unwrap().unwrap();
    assert_eq!(message.line, None);
    assert!(message.accepted.text_sealed.is_some());
}

pub async fn lists_are_filtered_and_in_order(store: &dyn Store) {
    let stories = stories();
    for story in &stories {
        store.apply(story.rows()).await.unwrap();
    }
    let queued = Filter {
        states: vec![ConversationState::Queued],
        queue: Some("suporte".to_owned()),
        ..Filter::default()
    };
    let rows = store.conversations(TENANT, &queued, Order::Urgency, 10).await.unwrap();
    assert_eq!(rows.len(), 6);
    let due: Vec<_> = rows.iter().map(|row| row.sla_due_ms.unwrap()).collect();
    assert!(due.is_sorted(), "{due:?}");
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(store.ahead_of(row.conversation_id).await.unwrap(), Some(at as u64));
    }
    let recent = store.conversations(TENANT, &Filter::default(), Order::Recent, 2).await.unwrap();
    assert_eq!(recent.len(), 2);
    assert!(recent[0].updated_at_ms >= recent[1].updated_at_ms);
    let before = Filter { updated_before_ms: Some(recent[1].updated_at_ms), ..Filter::default() };
    let next = store.conversations(TENANT, &before, Order::Recent, 10).await.unwrap();
    assert_eq!(next.len(), 4, "the next page");
    let nobody = Filter { owner: Some("ninguém".to_owned()), ..Filter::default() };
    assert!(store.conversations(TENANT, &nobody, Order::Recent, 9).await.unwrap().is_empty());
    assert!(store.conversations("other", &queued, Order::Recent, 9).await.unwrap().is_empty());
    let queues = store.queues(TENANT, due[2] + 1).await.unwrap();
    assert_eq!(queues.len(), 1);
    assert_eq!((queues[0].waiting, queues[0].overdue), (6, 3));
    assert!(store.queues("other", 0).await.unwrap().is_empty());
}

pub async fn positions_are_remembered(store: &dyn Store) {
    let Some(none) = store.positions(INBOUND).await.unwrap() else { return };
    assert!(none.is_empty());
    store.pass(INBOUND, &[(0, 10), (3, 7)]).await.unwrap();
    store.pass(INBOUND, &[(0, 12)]).await.unwrap();
    store.pass(CONVERSATIONS, &[(0, 99)]).await.unwrap();
    let mut positions = store.positions(INBOUND).await.unwrap().unwrap();
    positions.sort_unstable();
    assert_eq!(positions, [(0, 12), (3, 7)]);
}

pub async fn minutes_are_absolute_and_summed_over_partitions(store: &dyn Store) {
    let minute = |minute, source_partition, value| {
        Row::Minute(MinuteMetrics {
            tenant: TENANT.to_owned(),
            minute,
            source_partition,
            values: BTreeMap::from([("settled/auto".to_owned(), value)]),
        })
    };
    store.apply(vec![minute(5, 0, 3), minute(5, 1, 4), minute(6, 0, 1)]).await.unwrap();
    // A later total replaces an earlier one; an earlier one that comes late does not.
    store.apply(vec![minute(5, 0, 7), minute(5, 0, 3), minute(5, 1, 4)]).await.unwrap();
    let found = store.minutes(TENANT, 5, 7).await.unwrap();
    let values: Vec<_> = found.iter().map(|m| (m.minute, m.values["settled/auto"])).collect();
    assert_eq!(values, [(5, 11), (6, 1)]);
    assert_eq!(store.minutes(TENANT, 6, 7).await.unwrap().len(), 1);
    assert!(store.minutes("other", 0, 99).await.unwrap().is_empty());
}

/// Declares a test for each promise of a store: `store_suite!(expression of an empty store)`.
#[macro_export]
macro_rules! store_suite {
    ($store:expr) => {
        $crate::store_suite!(
            $store,
            what_is_applied_is_shown,
            applying_twice_changes_nothing,
            a_message_is_shown_before_anybody_looked_at_it,
            lists_are_filtered_and_in_order,
            positions_are_remembered,
            what_is_taken_back_is_not_shown_any_more,
            a_late_line_changes_only_the_history,
            those_without_a_deadline_come_last,
            a_message_that_comes_again_keeps_its_first_time,
            a_line_tells_of_a_message_no_door_told_of,
            the_contacts_latest_conversation_opened_last,
            pages_show_each_conversation_once,
            what_is_to_be_looked_at_is_shown_until_it_was,
            rows_of_one_call_may_be_many,
            what_is_deleted_keeps_its_line_and_loses_its_text,
            links_hold_until_they_are_undone_in_whatever_order_they_come,
            a_customer_is_whatever_links_connect,
            a_merge_rewrites_nothing_and_shows_all_conversations,
            contacts_of_one_name_are_alike_within_a_tenant,
            pages_of_a_customers_lines_hold_each_once,
            pages_of_a_customers_conversations_hold_each_once,
            minutes_are_absolute_and_summed_over_partitions
        );

        #[tokio::test]
        async fn the_order_of_arrival_does_not_matter() {
            let (store, other) = ($store, $store);
            $crate::testkit::the_order_of_arrival_does_not_matter(&*store, &*other).await;
        }
    };
    ($store:expr, $($name:ident),+) => {$(
        #[tokio::test]
        async fn $name() {
            let store = $store;
            $crate::testkit::$name(&*store).await;
        }
    )+};
}
