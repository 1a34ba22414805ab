//! Promises about customers: links made and undone, names, and what a customer's contacts have said.

use pipeline::{Envelope, Headers};
use schemas::customers::{ContactNamed, CustomerBody, CustomerLink, CustomerRecord, LinkSource};
use schemas::ids::{Alias, CommandId, ContactKey, ConversationId, LineKey};
use schemas::message::Channel;
use schemas::sealed::SealedText;
use schemas::topics::CUSTOMERS;

use super::story::{Story, TENANT};
use crate::customers::{Customer, customer_of, of_customer};
use crate::rows::Row;
use crate::store::Store;
use crate::timeline::{self, Place};

fn rows(body: CustomerBody) -> Vec<Row> {
    of_customer(&Envelope {
        key: "k".into(),
        topic: CUSTOMERS,
        partition: 0,
        offset: 0,
        time_ms: 0,
        headers: Headers::default(),
        body: CustomerRecord { body },
    })
}

fn contact(n: u8) -> ContactKey {
    ContactKey([n; 16])
}

fn at(n: u8) -> LineKey {
    LineKey::new(TENANT, contact(n))
}

/// The link `id` from contact `a` to contact `b`.
fn link(id: u8, a: u8, b: u8, undone: bool) -> Vec<Row> {
    rows(CustomerBody::CustomerLink(CustomerLink {
        tenant: TENANT.to_owned(),
        link_id: CommandId([id; 16]),
        command_id: CommandId([if undone { id + 100 } else { id }; 16]),
        contact: contact(a),
        other: contact(b),
        undone,
        source: LinkSource::Agent,
        by: Some(if undone { "Bruno" } else { "Ana" }.to_owned()),
        reason_sealed: Some(SealedText {
            key_id: "1".to_owned(),
            nonce: vec![id; 12],
            bytes: vec![id],
        }),
        at_ms: i64::from(id) * 1_000 + i64::from(undone),
    }))
}

fn named(n: u8, tenant: &str, names: &[u8]) -> Vec<Row> {
    rows(CustomerBody::ContactNamed(ContactNamed {
        tenant: tenant.to_owned(),
        contact: contact(n),
        channel: Channel::Sms,
        aliases: names.iter().map(|name| Alias([*name; 16])).collect(),
        at_ms: 1_000,
    }))
}

async fn customer(store: &dyn Store, n: u8) -> Customer {
    customer_of(store, &at(n)).await.unwrap()
}

fn keys(contacts: &[u8]) -> Vec<ContactKey> {
    contacts.iter().map(|n| contact(*n)).collect()
}

pub async fn links_hold_until_they_are_undone_in_whatever_order_they_come(store: &dyn Store) {
    let (made, undone) = (link(5, 1, 2, false), link(5, 1, 2, true));
    store.apply(undone.clone()).await.unwrap();
    let found = store.links_of(&at(1)).await.unwrap();
    assert_eq!((found.len(), found[0].holds()), (1, false), "half a link connects nothing");
    store.apply(made.clone()).await.unwrap();
    store.apply(made).await.unwrap();
    for (n, other, is_first) in [(1, 2, true), (2, 1, false)] {
        let found = store.links_of(&at(n)).await.unwrap();
        let [link] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            (link.contact, link.other, link.is_first),
            (contact(n), contact(other), is_first)
        );
        let (made, undone) = (link.made.as_ref().unwrap(), link.undone.as_ref().unwrap());
        assert_eq!((made.by.as_deref(), made.at_ms), (Some("Ana"), 5_000));
        assert_eq!((undone.by.as_deref(), undone.at_ms), (Some("Bruno"), 5_001));
        assert!(made.reason_sealed.is_some() && !link.holds());
    }
    // A further link is not touched by what became of the first.
    store.apply(link(6, 2, 1, false)).await.unwrap();
    assert_eq!(customer(store, 1).await.contacts.len(), 2);
    assert!(store.links_of(&LineKey::new("other", contact(1))).await.unwrap().is_empty());
}

pub async fn a_customer_is_whatever_links_connect(store: &dyn Store) {
    // A circle with a tail, and a stranger; made at once by several, in no order.
    for (id, a, b) in [(8, 4, 3), (5, 2, 1), (7, 3, 1), (6, 2, 3), (9, 10, 11)] {
        store.apply(link(id, a, b, false)).await.unwrap();
    }
    let all = customer(store, 4).await;
    assert_eq!(all.contacts.iter().copied().collect::<Vec<_>>(), keys(&[1, 2, 3, 4]));
    assert_eq!(all.id(), Some(contact(1)));
    for n in 1..=3 {
        assert_eq!(customer(store, n).await, all, "whichever contact is asked");
    }
    assert_eq!(customer(store, 12).await.contacts.len(), 1);
    store.apply(link(7, 3, 1, true)).await.unwrap();
    assert_eq!(customer(store, 1).await.contacts.len(), 4, "they are connected another way");
    store.apply(link(6, 2, 3, true)).await.unwrap();
    let split = customer(store, 1).await;
    assert_eq!(split.contacts.iter().copied().collect::<Vec<_>>(), keys(&[1, 2]));
    assert_eq!(split.links.len(), 3, "what was undone is still told");
    let rest = customer(store, 4).await;
    assert_eq!(rest.contacts.iter().copied().collect::<Vec<_>>(), keys(&[3, 4]));
}

pub async fn a_merge_rewrites_nothing_and_shows_all_conversations(store: &dyn Store) {
    let (one, other) = (Story::new(1), Story::new(2));
    let ids = async |story: &Story| {
        let rows = store.conversations_of(&story.key, None, 10).await.unwrap();
        rows.into_iter().map(|row| row.conversation_id).collect::<Vec<_>>()
    };
    store.apply(one.rows()).await.unwrap();
    store.apply(other.rows()).await.unwrap();
    assert_eq!(ids(&one).await, [one.conversation_id()]);
    let before = store.conversation(one.conversation_id()).await.unwrap();
    let merge = CustomerLink {
        tenant: TENANT.to_owned(),
        link_id: CommandId([5; 16]),
        command_id: CommandId([5; 16]),
        contact: one.key.contact,
        other: other.key.contact,
        undone: false,
        source: LinkSource::Agent,
        by: Some("Ana".to_owned()),
        reason_sealed: None,
        at_ms: 1,
    };
    store.apply(rows(CustomerBody::CustomerLink(merge))).await.unwrap();
    assert_eq!(store.conversation(one.conversation_id()).await.unwrap(), before);
    let found = customer_of(store, &other.key).await.unwrap();
    let mut all = Vec::new();
    for contact in &found.contacts {
        let key = LineKey::new(TENANT, *contact);
        all.extend(store.conversations_of(&key, None, 10).await.unwrap());
    }
    assert_eq!(all.len(), 2);
}

pub async fn contacts_of_one_name_are_alike_within_a_tenant(store: &dyn Store) {
    for (n, names) in [(3, vec![7, 8]), (1, vec![7]), (2, vec![8]), (4, vec![9])] {
        store.apply(named(n, TENANT, &names)).await.unwrap();
    }
    store.apply(named(5, "other", &[7])).await.unwrap();
    store.apply(named(1, TENANT, &[7])).await.unwrap();
    assert_eq!(store.alike(&at(3), 9).await.unwrap(), keys(&[1, 2]));
    assert_eq!(store.alike(&at(3), 1).await.unwrap(), keys(&[1]));
    assert_eq!(store.alike(&at(1), 9).await.unwrap(), keys(&[3]));
    assert!(store.alike(&at(4), 9).await.unwrap().is_empty());
    assert!(customer(store, 3).await.links.is_empty(), "alike is not the same");
}

/// The conversation that contact `n` opened at `opened_at_ms`: `lines`, all of that millisecond.
async fn opened(store: &dyn Store, n: u8, opened_at_ms: i64, lines: i64) -> ConversationId {
    let id = ConversationId::new(contact(n), opened_at_ms);
    let story = Story::new(n);
    let line = |seq| {
        // A story's lines are told by how long after its opening they come.
        let after_ms = opened_at_ms - i64::from(n) * 60_000;
        story.line(seq, after_ms, |record| {
            (record.conversation_id, record.opened_at_ms) = (id, opened_at_ms);
        })
    };
    store.apply((1..=lines).map(line).collect()).await.unwrap();
    id
}

/// Two contacts of one customer: a conversation longer than what is read at once, one of the other contact
/// that is of the very same millisecond, and many more.
async fn talkative(store: &dyn Store) -> (Customer, Vec<ConversationId>) {
    store.apply(link(5, 1, 2, false)).await.unwrap();
    let mut ids = vec![opened(store, 1, 9_000_000, 1_203).await];
    ids.push(opened(store, 2, 9_000_000, 3).await);
    for n in 1..=210 {
        ids.push(opened(store, 2, n * 1_000, 1).await);
    }
    (customer(store, 1).await, ids)
}

pub async fn pages_of_a_customers_lines_hold_each_once(store: &dyn Store) {
    let (customer, ids) = talkative(store).await;
    let all_lines = 1_203 + 3 + 210;
    let mut seen: Vec<Place> = Vec::new();
    let mut before = None;
    loop {
        let page = timeline::lines(store, TENANT, &customer, before, 500).await.unwrap();
        seen.extend(page.shown.iter().map(|(at_ms, line)| Place {
            at_ms: *at_ms,
            conversation: line.conversation_id,
            seq: line.seq,
        }));
        before = page.next;
        if before.is_none() {
            break;
        }
        assert_eq!(page.shown.len(), 500);
        assert_eq!(before, seen.last().copied());
    }
    assert_eq!(seen.len(), all_lines);
    assert!(seen.is_sorted_by(|a, b| a > b), "latest first, each once");
    for (id, lines) in [(ids[0], 1_203), (ids[1], 3), (ids[2], 1)] {
        assert_eq!(seen.iter().filter(|place| place.conversation == id).count(), lines);
    }
    let mut told = Vec::new();
    timeline::each_line(store, ids[0], |_, line| told.push(line.seq)).await.unwrap();
    assert!(told.into_iter().eq(1..=1_203), "a history is told whole");
}

pub async fn pages_of_a_customers_conversations_hold_each_once(store: &dyn Store) {
    let (customer, mut ids) = talkative(store).await;
    let all = timeline::all_conversations(store, TENANT, &customer).await.unwrap();
    let all: Vec<_> = all.into_iter().map(|row| row.conversation_id).collect();
    for limit in [1, 7, 100] {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let page =
                timeline::conversations(store, TENANT, &customer, before, limit).await.unwrap();
            seen.extend(page.shown.iter().map(|row| row.conversation_id));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen, all, "pages of {limit}");
    }
    let mut sorted = all;
    sorted.sort_unstable();
    ids.sort_unstable();
    assert_eq!(sorted, ids);
}
