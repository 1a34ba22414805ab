//! One customer on several contacts: links are written down and told to both ends, and what happens on one
//! contact is told to the others.
//!
//! Invariants: a link moves no conversation and changes no key, owner or state; what one contact was
//! confirmed to be says nothing of another.

use std::collections::BTreeMap;

use schemas::conversation::{ConversationEvent, ConversationState, Linked};
use schemas::customers::{
    ContactNamed, CustomerBody, CustomerLink, CustomerNews, CustomerRecord, OpenElsewhere,
};
use schemas::ids::{ContactKey, ConversationId, LineKey};
use schemas::line::{ClassifiedBody, Inbound, InboundBody, Received};
use schemas::message::Channel;
use schemas::state::RouterState;

use super::case::{Case, With};
use super::commands;
use crate::out::RouterOut;

/// What leaves the contact, whether it has a conversation or not.
pub(super) fn outward(key: &LineKey, body: &ClassifiedBody, now_ms: i64) -> Vec<RouterOut> {
    match body {
        ClassifiedBody::Received(received) => named(key, received, now_ms).into_iter().collect(),
        // The end that was told first writes it down and tells the other one.
        ClassifiedBody::CustomerLink(link) if link.contact == key.contact => vec![
            written(CustomerBody::CustomerLink((**link).clone())),
            tell(key, link.other, InboundBody::CustomerLink(link.clone())),
        ],
        ClassifiedBody::CustomerNews(news) => {
            let passed_on = CustomerNews { to: Vec::new(), ..(**news).clone() };
            let body = || InboundBody::CustomerNews(Box::new(passed_on.clone()));
            news.to.iter().map(|to| tell(key, *to, body())).collect()
        }
        _ => Vec::new(),
    }
}

fn written(body: CustomerBody) -> RouterOut {
    RouterOut::Customer(Box::new(CustomerRecord { body }))
}

fn tell(key: &LineKey, to: ContactKey, body: InboundBody) -> RouterOut {
    RouterOut::Told(LineKey::new(&key.tenant, to), Box::new(Inbound { body }))
}

fn named(key: &LineKey, received: &Received, now_ms: i64) -> Option<RouterOut> {
    let aliases = Some(&received.aliases).filter(|aliases| !aliases.is_empty())?;
    Some(written(CustomerBody::ContactNamed(ContactNamed {
        tenant: key.tenant.clone(),
        contact: key.contact,
        channel: received.head.channel,
        aliases: aliases.clone(),
        at_ms: now_ms,
    })))
}

/// The contact of the open conversation was linked to another one, or is not any more.
pub(super) fn linked(case: &mut Case<'_>, me: ContactKey, link: &CustomerLink) {
    if commands::is_known(case, link.command_id) {
        return;
    }
    let other = link.other_than(me);
    case.state.linked.retain(|known| *known != other);
    if !link.undone {
        case.state.linked.push(other);
    }
    case.command_id = Some(link.command_id);
    case.tell(ConversationEvent::Linked(event(link, other)), With::default());
    case.command_id = None;
}

fn event(link: &CustomerLink, other: ContactKey) -> Linked {
    Linked {
        link_id: link.link_id,
        contact: other,
        undone: link.undone,
        source: link.source,
        by: link.by.clone(),
    }
}

/// Told to the agent who asked, where no conversation is open that could tell it: a line of no history.
pub(super) fn answered(key: &LineKey, link: &CustomerLink, now_ms: i64) -> Option<RouterOut> {
    let asked = link.by.is_some() && link.contact == key.contact;
    asked.then(|| {
        let event = ConversationEvent::Linked(event(link, link.other));
        let id = ConversationId::new(key.contact, now_ms);
        commands::told_outside(
            &key.tenant,
            id,
            Some(link.command_id),
            (Channel::Other, event),
            now_ms,
        )
    })
}

/// What of a record is news for the customer's other contacts.
#[derive(Default)]
pub(super) struct Shared {
    facts: BTreeMap<String, bool>,
    intent: Option<String>,
    /// Somebody new hears it all.
    all: bool,
}

impl Shared {
    pub(super) fn of(body: &ClassifiedBody) -> Self {
        match body {
            ClassifiedBody::ActionOutcome(outcome) => {
                Self { facts: outcome.facts.clone(), ..Self::default() }
            }
            ClassifiedBody::DeliveryOutcome(outcome) => {
                Self { intent: outcome.intent.clone(), ..Self::default() }
            }
            ClassifiedBody::CustomerLink(link) => Self { all: !link.undone, ..Self::default() },
            _ => Self::default(),
        }
    }
}

/// The conversation as the customer's other contacts know it: while people have it, or it waits for them.
pub(super) fn open(state: &RouterState) -> Option<OpenElsewhere> {
    let with_people = matches!(
        state.state,
        ConversationState::Queued
            | ConversationState::Assigned
            | ConversationState::WaitingCustomer
    );
    with_people.then(|| OpenElsewhere {
        conversation_id: state.conversation_id,
        channel: state.channel,
        queue: state.queue.clone(),
        owner: state.owner.clone(),
    })
}

/// Tells the customer's other contacts what happened here, if anything did that concerns them.
pub(super) fn spread(
    key: &LineKey,
    case: &mut Case<'_>,
    before: Option<&OpenElsewhere>,
    shared: Shared,
) {
    let now = open(&case.state);
    let is_news = now.as_ref() != before
        || (shared.all && now.is_some())
        || !shared.facts.is_empty()
        || shared.intent.is_some();
    if !is_news || case.state.linked.is_empty() {
        return;
    }
    let news = CustomerNews {
        about: key.contact,
        via: key.contact,
        opened_at_ms: case.state.opened_at_ms,
        seq: case.state.seq,
        at_ms: case.now_ms,
        open: now,
        facts: shared.facts,
        intent: shared.intent,
        to: Vec::new(),
    };
    for to in &case.state.linked {
        let news = InboundBody::CustomerNews(Box::new(news.clone()));
        case.out.push(tell(key, *to, news));
    }
}
