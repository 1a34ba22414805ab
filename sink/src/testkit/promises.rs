//! Promises about what changes: states that go back, lines that come late, messages that come again.

use std::collections::BTreeSet;

use schemas::conversation::{
    Closed, Conversation, ConversationEvent, ConversationState, MessageReceived, Priority,
};
use schemas::ids::{ConversationId, MessageId};
use schemas::message::MessageKind;

use super::story::{Story, TENANT};
use crate::rows::Row;
use crate::store::{Filter, Order, Store};

fn queued(record: &mut Conversation) {
    record.state = ConversationState::Queued;
    record.queue = Some("suporte".to_owned());
    record.priority = Priority::High;
    record.sla_due_ms = Some(900_000);
}

fn assigned(record: &mut Conversation) {
    queued(record);
    record.state = ConversationState::Assigned;
    record.owner = Some("ana".to_owned());
}

fn closed(record: &mut Conversation) {
    record.state = ConversationState::Closed;
    record.event = ConversationEvent::Closed(Closed {});
}

async fn row(store: &dyn Store, story: &Story) -> crate::rows::ConversationRow {
    store.conversation(story.conversation_id()).await.unwrap().unwrap()
}

pub async fn what_is_taken_back_is_not_shown_any_more(store: &dyn Store) {
    let story = Story::new(1);
    store.apply(story.rows()).await.unwrap();
    let of_ana = Filter { owner: Some("ana".to_owned()), ..Filter::default() };
    let list = async || store.conversations(TENANT, &of_ana, Order::Recent, 9).await.unwrap();
    store.apply(vec![story.line(7, 7_000, assigned)]).await.unwrap();
    assert_eq!(list().await.len(), 1);
    assert_eq!(store.ahead_of(story.conversation_id()).await.unwrap(), None, "nobody waits");
    let queues = store.queues(TENANT, 0).await.unwrap();
    assert_eq!((queues[0].waiting, queues[0].assigned, queues[0].oldest_ms), (0, 1, None));
    store.apply(vec![story.line(8, 8_000, queued)]).await.unwrap();
    assert!(list().await.is_empty());
    assert_eq!(store.ahead_of(story.conversation_id()).await.unwrap(), Some(0));
    // What a decision does not tell is not that of an earlier one.
    let silent = story.line(9, 9_000, |record| {
        queued(record);
        record.event = Story::unclassified(3);
    });
    store.apply(vec![silent]).await.unwrap();
    let turn = row(store, &story).await.turn.unwrap();
    assert_eq!((turn.intent, turn.confidence, turn.sentiment), (None, None, None));
    store.apply(vec![story.line(10, 10_000, closed)]).await.unwrap();
    let over = row(store, &story).await;
    assert_eq!((over.owner, over.queue, over.sla_due_ms), (None, None, None));
    assert_eq!((over.state, over.priority), (ConversationState::Closed, Priority::Normal));
    assert!(
        over.contact_sealed.is_some() && over.last_text_sealed.is_some() && over.turn.is_some()
    );
    assert!(store.queues(TENANT, 0).await.unwrap().is_empty());
    let waits = Filter { states: vec![ConversationState::Queued], ..Filter::default() };
    assert!(store.conversations(TENANT, &waits, Order::Urgency, 9).await.unwrap().is_empty());
}

pub async fn a_late_line_changes_only_the_history(store: &dyn Store) {
    let story = Story::new(1);
    store.apply(story.rows()).await.unwrap();
    // Times do not go up with seq: a message's line carries the time of the door.
    store.apply(vec![story.line(9, 8_500, closed)]).await.unwrap();
    let before = row(store, &story).await;
    let late = |seq: i64| {
        story.line(seq, seq * 1_000, |record| {
            assigned(record);
            record.event = Story::unclassified(3);
        })
    };
    store.apply(vec![late(8)]).await.unwrap();
    store.apply(vec![late(7)]).await.unwrap();
    let after = row(store, &story).await;
    assert_eq!(after.turn.as_ref().unwrap().intent, None, "of the latest decision, late or not");
    assert_eq!(crate::rows::ConversationRow { turn: before.turn.clone(), ..after }, before);
    assert!(store.queues(TENANT, 0).await.unwrap().is_empty());
    let list = store.conversations(TENANT, &Filter::default(), Order::Recent, 9).await.unwrap();
    assert_eq!((list.len(), list[0].state), (1, ConversationState::Closed));
    let history = store.history(story.conversation_id(), 5, 9).await.unwrap();
    assert_eq!(history.iter().map(|(_, line)| line.seq).collect::<Vec<_>>(), [6, 7, 8, 9]);
}

pub async fn those_without_a_deadline_come_last(store: &dyn Store) {
    let wait = |n: u8, priority, sla_due_ms| {
        Story::new(n).line(1, 0, |record| {
            queued(record);
            (record.priority, record.sla_due_ms) = (priority, sla_due_ms);
        })
    };
    store
        .apply(vec![
            wait(1, Priority::Normal, None),
            wait(2, Priority::Urgent, None),
            wait(3, Priority::Low, Some(5_000)),
            wait(4, Priority::High, Some(5_000)),
        ])
        .await
        .unwrap();
    let waits = Filter { states: vec![ConversationState::Queued], ..Filter::default() };
    let rows = store.conversations(TENANT, &waits, Order::Urgency, 9).await.unwrap();
    let ids: Vec<ConversationId> = rows.iter().map(|row| row.conversation_id).collect();
    assert_eq!(ids, [4, 3, 2, 1].map(|n| Story::new(n).conversation_id()));
    for (at, id) in ids.into_iter().enumerate() {
        assert_eq!(store.ahead_of(id).await.unwrap(), Some(at as u64));
    }
    assert_eq!(store.queues(TENANT, 6_000).await.unwrap()[0].overdue, 2);
}

pub async fn a_message_that_comes_again_keeps_its_first_time(store: &dyn Store) {
    let story = Story::new(1);
    let id = story.messages()[0];
    let first = async || store.message(id).await.unwrap().unwrap().accepted;
    store.apply(vec![story.accepted(0, 90_000)]).await.unwrap();
    store.apply(vec![story.accepted(0, 1_000), story.accepted(0, 50_000)]).await.unwrap();
    let Row::Accepted(expected) = story.accepted(0, 1_000) else { panic!("a message") };
    assert_eq!(first().await, expected);
    store.apply(story.rows()).await.unwrap();
    store.apply(vec![story.accepted(0, 70_000)]).await.unwrap();
    let again = first().await;
    assert_eq!((again.accepted_at_ms, again.text_sealed), (expected.accepted_at_ms, None));
}

/// `inbound` is kept for days, the history for years: a store made anew has only the lines.
pub async fn a_line_tells_of_a_message_no_door_told_of(store: &dyn Store) {
    let story = Story::new(1);
    let rows = story.rows().into_iter().filter(|row| matches!(row, Row::Event(_)));
    store.apply(rows.collect()).await.unwrap();
    let message = store.message(story.messages()[1]).await.unwrap().unwrap();
    assert_eq!(message.line, Some((story.conversation_id(), 5)));
    assert_eq!(message.accepted.key, story.key);
    let Row::Accepted(told) = story.accepted(1, 5_000) else { panic!("a message") };
    assert_eq!(message.accepted.accepted_at_ms, told.accepted_at_ms);
    assert_eq!((message.accepted.channel, message.accepted.kind), (told.channel, told.kind));
}

pub async fn the_contacts_latest_conversation_opened_last(store: &dyn Store) {
    let story = Story::new(1);
    let next = ConversationId::new(story.key.contact, 7_200_000);
    let later = story.line(1, 7_140_000, |record| {
        record.conversation_id = next;
        record.opened_at_ms = 7_200_000;
    });
    store.apply(vec![later]).await.unwrap();
    store.apply(story.rows()).await.unwrap();
    assert_eq!(store.latest_of(&story.key).await.unwrap().unwrap().conversation_id, next);
}

pub async fn pages_show_each_conversation_once(store: &dyn Store) {
    for n in 1..=9 {
        store.apply(Story::new(n).rows()).await.unwrap();
        // Each is listed by its last change alone, hours after the first.
        let hours = i64::from(10 - n) * 3_600_000;
        store.apply(vec![Story::new(n).line(7, hours, closed)]).await.unwrap();
    }
    let mut filter = Filter::default();
    let (mut seen, mut times) = (BTreeSet::new(), Vec::new());
    loop {
        let page = store.conversations(TENANT, &filter, Order::Recent, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.updated_before_ms = Some(last.updated_at_ms);
        times.extend(page.iter().map(|row| row.updated_at_ms));
        seen.extend(page.iter().map(|row| row.conversation_id));
    }
    assert_eq!((seen.len(), times.len()), (9, 9));
    assert!(times.is_sorted_by(|a, b| a > b), "{times:?}");
}

/// What is to be looked at is that of the latest line that told, in whatever order lines come.
pub async fn what_is_to_be_looked_at_is_shown_until_it_was(store: &dyn Store) {
    let (one, other) = (Story::new(1), Story::new(2));
    let told = |story: &Story, seq: i64, turns: Vec<i64>| {
        story.told_line(seq, seq * 1_000, |record| record.to_check = Some(turns))
    };
    let shown = async |now_ms| {
        let rows = store.checks(TENANT, now_ms, 9).await.unwrap();
        rows.into_iter().map(|row| (row.conversation_id, row.turns)).collect::<Vec<_>>()
    };
    store.apply(told(&one, 6, vec![1, 2])).await.unwrap();
    store.apply(told(&one, 5, vec![1])).await.unwrap();
    store.apply(vec![one.line(7, 7_000, queued)]).await.unwrap();
    assert_eq!(shown(0).await, [(one.conversation_id(), vec![1, 2])]);
    store.apply(told(&other, 8, Vec::new())).await.unwrap();
    store.apply(told(&other, 7, vec![4])).await.unwrap();
    assert_eq!(shown(0).await.len(), 1, "a later line said that it was looked at");
    assert!(store.checks("other", 0, 9).await.unwrap().is_empty());
    let days_ms = (crate::store::CHECK_DAYS + 1) * 86_400_000;
    assert!(shown(days_ms).await.is_empty(), "nobody looks that far back");
    store.apply(told(&one, 9, Vec::new())).await.unwrap();
    assert!(shown(0).await.is_empty());
}

/// As when a backlog is worked off: many lines of one conversation, and of many.
pub async fn rows_of_one_call_may_be_many(store: &dyn Store) {
    let story = Story::new(1);
    let mut rows = story.rows();
    for seq in 7..=300 {
        let id = MessageId([u8::try_from(seq % 250).unwrap(); 16]);
        rows.push(story.line(seq, seq * 1_000, |record| {
            queued(record);
            if let Some(Row::Event(told)) = story.rows().get(3)
                && let Ok(line) = <Conversation as schemas::Avro>::from_bytes(&told.record)
                && let ConversationEvent::MessageReceived(mut received) = line.event
            {
                received.head.message_id = id;
                record.event = ConversationEvent::MessageReceived(Box::new(MessageReceived {
                    head: received.head,
                }));
            }
        }));
    }
    rows.extend((2..=60).flat_map(|n| Story::new(n).rows()));
    store.apply(rows).await.unwrap();
    assert_eq!(row(store, &story).await.seq, 300);
    let history = store.history(story.conversation_id(), 0, 1_000).await.unwrap();
    assert!(history.iter().map(|(_, line)| line.seq).eq(1..=300));
    assert_eq!(store.history(story.conversation_id(), 290, 4).await.unwrap().len(), 4);
    assert_eq!(store.queues(TENANT, 0).await.unwrap()[0].waiting, 60);
    let list = store.conversations(TENANT, &Filter::default(), Order::Recent, 1_000).await.unwrap();
    assert_eq!(list.len(), 60);
}

/// What a customer takes back is gone wherever it stood, and does not come again with the lines that told it.
pub async fn what_is_deleted_keeps_its_line_and_loses_its_text(store: &dyn Store) {
    let (story, other) = (Story::new(1), Story::new(2));
    store.apply(other.rows()).await.unwrap();
    let of_other = async || store.history(other.conversation_id(), 0, 100).await.unwrap();
    let untouched = of_other().await;
    let id = story.messages()[1];
    let edit = story.line(7, 7_000, |record| {
        queued(record);
        record.event = story.change(MessageKind::Edit, 40, id);
    });
    let words = story.line(8, 8_000, |record| {
        queued(record);
        record.event = Story::transcribed(id);
    });
    let deletion = story.told_line(9, 9_000, |record| {
        queued(record);
        record.event = story.change(MessageKind::Delete, 41, id);
    });
    let told: Vec<Row> = story.rows().into_iter().chain([edit, words]).collect();
    // In one call with what it takes back, then again in pieces, then all once more.
    store.apply(told.iter().cloned().chain(deletion.clone()).collect()).await.unwrap();
    for _ in 0..2 {
        let history = store.history(story.conversation_id(), 0, 100).await.unwrap();
        let texts: Vec<(i64, bool)> =
            history.iter().filter_map(|(_, line)| has_text(line)).collect();
        let expected = [(2, true), (5, false), (7, false), (8, false), (9, false)];
        assert_eq!(texts, expected, "of the first message nothing was taken back");
        assert!(history.iter().any(|(_, line)| is_deleted(line, id)), "its line says so");
        assert!(!history.iter().any(|(_, line)| explains(line, id)), "n-grams are words of it");
        assert_eq!(row(store, &story).await.last_text_sealed, None);
        let message = store.message(id).await.unwrap().unwrap();
        assert_eq!((message.accepted.text_sealed, message.line.map(|at| at.1)), (None, Some(5)));
        store.apply(told.clone()).await.unwrap();
        store.apply(deletion.clone()).await.unwrap();
        store.apply(vec![story.accepted(1, 5_000)]).await.unwrap();
    }
    assert_eq!(of_other().await, untouched);
    // What is written after it is shown as ever.
    store
        .apply(vec![story.line(10, 10_000, |record| record.event = story.says(42))])
        .await
        .unwrap();
    assert!(row(store, &story).await.last_text_sealed.is_some());
}

fn has_text(line: &Conversation) -> Option<(i64, bool)> {
    match &line.event {
        ConversationEvent::MessageReceived(told) => {
            Some((line.seq, told.head.text_sealed.is_some()))
        }
        ConversationEvent::Transcribed(told) => Some((line.seq, told.text_sealed.is_some())),
        _ => None,
    }
}

fn is_deleted(line: &Conversation, id: MessageId) -> bool {
    matches!(&line.event, ConversationEvent::MessageReceived(told)
        if told.head.message_id == id && told.head.deleted)
}

fn explains(line: &Conversation, id: MessageId) -> bool {
    matches!(&line.event, ConversationEvent::TurnDecided(told) if told.messages.contains(&id)
        && told.classification.as_ref().is_some_and(|c| !c.explanation.is_empty()))
}
