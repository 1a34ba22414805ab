//! What the contact is to others: the names it goes by, the contacts it is linked to, and what happens
//! there.
//!
//! Links a machine knows of are made here, where both words come by: the provider's in a message, the
//! CRM's in an outcome. Invariant: what people have undone no machine makes again.

use schemas::customers::{CustomerLink, CustomerNews, Elsewhere, LinkSource, LinkedContact};
use schemas::ids::{Alias, ContactKey, LineKey};
use schemas::line::{InboundBody, TurnsBody};
use schemas::message::{Channel, Contact, ContactId, ContactIdKind, MessageHead};
use schemas::sealed::TenantKeys;
use schemas::state::TurnsState;

use super::context;
use crate::channels::whatsapp_cloud::NEW_NUMBER;
use crate::door::{key_of, phone_number};

/// Contacts a contact is told of and tells; links beyond hold all the same.
const LINKED_MAX: usize = 32;
/// Undone links remembered.
const UNDONE_MAX: usize = 32;
/// Other contacts whose latest news is remembered.
const ELSEWHERE_MAX: usize = 16;
/// Digits of a number that may be somebody's; shorter ones are services'.
const PHONE_DIGITS_MIN: usize = 8;

/// What a message says of its contact that was not known.
#[derive(Default)]
pub(super) struct Named {
    /// What the contact goes by, as digests.
    pub(super) aliases: Vec<Alias>,
    /// The contact the provider says it is, too.
    pub(super) also: Option<ContactKey>,
}

/// Looks at who wrote, where that is not who wrote last: the seal of the same contact is the same.
pub(super) fn named(
    state: &mut TurnsState,
    head: &MessageHead,
    keys: &TenantKeys,
    key: &LineKey,
) -> Named {
    if head.contact_sealed.nonce == state.contact_nonce {
        return Named::default();
    }
    state.contact_nonce.clone_from(&head.contact_sealed.nonce);
    // Who cannot be read goes by no name; the message is one all the same.
    let Ok(contact) = keys.open_contact(&head.contact_sealed) else { return Named::default() };
    let aliases = contact.ids.iter().filter_map(|id| alias(keys, id, head.verified)).collect();
    Named { aliases, also: also(keys, key, head.channel, &contact) }
}

/// A name that means the same on every channel. What a visitor claims to be called at the CRM is none.
fn alias(keys: &TenantKeys, id: &ContactId, verified: bool) -> Option<Alias> {
    let (kind, name) = match id.kind {
        ContactIdKind::WaPhone | ContactIdKind::E164 => ("phone", phone_number(&id.value)),
        ContactIdKind::Email => ("email", id.value.trim().to_lowercase()),
        ContactIdKind::Crm if verified => ("crm", id.value.trim().to_owned()),
        ContactIdKind::Contract if verified => ("contract", id.value.trim().to_owned()),
        _ => return None,
    };
    let is_one = !name.is_empty() && (kind != "phone" || name.len() > PHONE_DIGITS_MIN);
    is_one.then(|| keys.alias(kind, &name))
}

/// Who goes by a business-scoped id on WhatsApp, and by a number: what was written under the number alone,
/// before there were such ids or through another provider, is the same account's. And whoever has another number
/// now is who they were.
fn also(
    keys: &TenantKeys,
    key: &LineKey,
    channel: Channel,
    contact: &Contact,
) -> Option<ContactKey> {
    let goes_by_id = contact.ids.first().is_some_and(|id| id.kind == ContactIdKind::Bsuid);
    let is_number = |id: &&ContactId| id.kind == ContactIdKind::WaPhone;
    let is_new = |id: &&ContactId| is_number(id) && id.scope.as_deref() == Some(NEW_NUMBER);
    let number = contact
        .ids
        .iter()
        .find(is_new)
        .or_else(|| contact.ids.iter().find(|id| goes_by_id && is_number(id)))?;
    if channel != Channel::Whatsapp {
        return None;
    }
    let plain = ContactId { scope: None, ..number.clone() };
    let by_number = Contact { ids: vec![plain], name: None };
    Some(key_of(keys, &key.tenant, channel, &by_number).contact)
}

/// Makes a link a machine knows of, unless there is one or people have undone it.
pub(super) fn join(
    state: &mut TurnsState,
    keys: &TenantKeys,
    key: &LineKey,
    other: ContactKey,
    (source, at_ms): (LinkSource, i64),
) -> Option<CustomerLink> {
    let link_id = keys.link(key.contact, other);
    let is_there = state.linked.iter().any(|known| known.link_id == link_id);
    if is_there || state.undone_links.contains(&link_id) || other == key.contact {
        return None;
    }
    let link = CustomerLink {
        tenant: key.tenant.clone(),
        link_id,
        command_id: link_id,
        contact: key.contact,
        other,
        undone: false,
        source,
        by: None,
        reason_sealed: None,
        at_ms,
    };
    take(state, key.contact, &link);
    Some(link)
}

/// Whether the link is the contact's, and one at all.
pub(super) fn is_of(link: &CustomerLink, key: &LineKey) -> bool {
    link.tenant == key.tenant
        && link.contact != link.other
        && (link.contact == key.contact || link.other == key.contact)
}

/// Takes note of a link that was made, or undone.
pub(super) fn take(state: &mut TurnsState, contact: ContactKey, link: &CustomerLink) {
    if link.undone {
        state.linked.retain(|known| known.link_id != link.link_id);
        if state.undone_links.len() >= UNDONE_MAX {
            state.undone_links.remove(0);
        }
        state.undone_links.push(link.link_id);
        // What may have been known by the link is not known any more; one's own comes again with the
        // next look-up.
        state.elsewhere.clear();
        state.facts.clear();
        return;
    }
    let is_known = state.linked.iter().any(|known| known.link_id == link.link_id);
    let is_undone = state.undone_links.contains(&link.link_id);
    if !is_known && !is_undone && state.linked.len() < LINKED_MAX {
        let contact = link.other_than(contact);
        state.linked.push(LinkedContact { link_id: link.link_id, contact });
    }
}

/// Takes news of another contact of the same customer, and says whom it is passed on to; `None` when it is
/// none: known, one's own come back, or from one the contact is not linked to any more.
pub(super) fn hear(
    state: &mut TurnsState,
    me: ContactKey,
    mut news: CustomerNews,
) -> Option<CustomerNews> {
    let is_linked = state.linked.iter().any(|known| known.contact == news.via);
    let known = state.elsewhere.iter().position(|known| known.about == news.about);
    let before = known.and_then(|at| state.elsewhere.get(at));
    let is_news = before
        .is_none_or(|before| (before.opened_at_ms, before.seq) < (news.opened_at_ms, news.seq));
    if !is_linked || !is_news || news.about == me {
        return None;
    }
    if let Some(at) = known {
        state.elsewhere.remove(at);
    } else if state.elsewhere.len() >= ELSEWHERE_MAX {
        state.elsewhere.remove(0);
    }
    state.elsewhere.push(Elsewhere {
        about: news.about,
        opened_at_ms: news.opened_at_ms,
        seq: news.seq,
        at_ms: news.at_ms,
        open: news.open.clone(),
    });
    context::learn(state, &news.facts, news.at_ms);
    context::talked_of(state, news.intent.as_deref(), news.at_ms);
    news.to = linked(state);
    news.to.retain(|to| *to != news.via && *to != news.about);
    news.via = me;
    Some(news)
}

/// The contacts the contact is linked to, each once.
pub(super) fn linked(state: &TurnsState) -> Vec<ContactKey> {
    let mut contacts: Vec<ContactKey> = state.linked.iter().map(|known| known.contact).collect();
    contacts.sort_unstable();
    contacts.dedup();
    contacts
}

/// What is said of customers, as it is passed on; `None` when it is not.
pub(super) fn told(
    state: &mut TurnsState,
    key: &LineKey,
    body: InboundBody,
) -> Result<Option<TurnsBody>, &'static str> {
    match body {
        InboundBody::CustomerLink(link) if !is_of(&link, key) => {
            Err("a link that does not end at its key")
        }
        InboundBody::CustomerLink(link) => {
            take(state, key.contact, &link);
            Ok(Some(TurnsBody::CustomerLink(link)))
        }
        InboundBody::CustomerNews(news) => {
            let news = hear(state, key.contact, *news);
            Ok(news.map(|news| TurnsBody::CustomerNews(Box::new(news))))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests;
