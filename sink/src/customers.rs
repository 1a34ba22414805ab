//! Who is one customer: rows of links and names, and the customer a contact belongs to. The rows are pure.
//!
//! Invariant: a customer is what the links that hold connect, and is called by the least key of its
//! contacts; so whoever knows the same links knows the same customers. A merge rewrites nothing: what a
//! customer has said is asked of each of the contacts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pipeline::Envelope;
use schemas::customers::{CustomerBody, CustomerLink, CustomerRecord, LinkSource};
use schemas::ids::{Alias, CommandId, ContactKey, LineKey};
use schemas::message::Channel;
use schemas::sealed::SealedText;

use crate::rows::Row;
use crate::store::{Store, StoreError};

/// Contacts of one customer looked at; nobody has so many, a robot that links everything might.
pub const CONTACTS_MAX: usize = 64;

/// A link, seen from one of its ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// Whose customer.
    pub tenant: String,
    /// The end it is seen from.
    pub contact: ContactKey,
    /// Which link.
    pub link_id: CommandId,
    /// The other end.
    pub other: ContactKey,
    /// The end that is told first, of the two.
    pub is_first: bool,
    /// Who says so.
    pub source: LinkSource,
    /// How it was made; absent until the store has heard of it.
    pub made: Option<LinkAct>,
    /// How it was undone, if it was.
    pub undone: Option<LinkAct>,
}

/// Who made or undid a link, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkAct {
    /// When (Unix, ms).
    pub at_ms: i64,
    /// The agent; absent where a machine did.
    pub by: Option<String>,
    /// In the agent's words, sealed.
    pub reason_sealed: Option<SealedText>,
}

impl LinkRow {
    /// Whether it connects its ends.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.made.is_some() && self.undone.is_none()
    }
}

/// A name a contact goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasRow {
    /// Whose customer.
    pub tenant: String,
    /// The name, as a digest.
    pub alias: Alias,
    /// Who goes by it.
    pub contact: ContactKey,
    /// On which channel.
    pub channel: Channel,
    /// When it was told (Unix, ms).
    pub at_ms: i64,
}

/// Rows of a record of `customers`.
#[must_use]
pub fn of_customer(input: &Envelope<CustomerRecord>) -> Vec<Row> {
    match &input.body.body {
        CustomerBody::CustomerLink(link) => {
            let ends = [(link.contact, link.other, true), (link.other, link.contact, false)];
            ends.map(|ends| Row::Link(Box::new(link_row(link, ends)))).into()
        }
        CustomerBody::ContactNamed(named) => named
            .aliases
            .iter()
            .map(|alias| {
                Row::Alias(AliasRow {
                    tenant: named.tenant.clone(),
                    alias: *alias,
                    contact: named.contact,
                    channel: named.channel,
                    at_ms: named.at_ms,
                })
            })
            .collect(),
    }
}

fn link_row(
    link: &CustomerLink,
    (contact, other, is_first): (ContactKey, ContactKey, bool),
) -> LinkRow {
    let (by, reason_sealed) = (link.by.clone(), link.reason_sealed.clone());
    let act = LinkAct { at_ms: link.at_ms, by, reason_sealed };
    let (made, undone) = if link.undone { (None, Some(act)) } else { (Some(act), None) };
    LinkRow {
        tenant: link.tenant.clone(),
        contact,
        link_id: link.link_id,
        other,
        is_first,
        source: link.source,
        made,
        undone,
    }
}

/// A customer: contacts, and the links that were ever made between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The contacts, least key first; the CRM's own name for the customer is one that never writes.
    pub contacts: BTreeSet<ContactKey>,
    /// Each link once, seen from the end that was told first, also those that hold no longer.
    pub links: BTreeMap<CommandId, LinkRow>,
}

impl Customer {
    /// What the customer is called.
    #[must_use]
    pub fn id(&self) -> Option<ContactKey> {
        self.contacts.first().copied()
    }

    /// The links that hold at `contact`.
    pub fn links_at(&self, contact: ContactKey) -> impl Iterator<Item = &LinkRow> {
        self.links
            .values()
            .filter(move |link| link.holds() && (link.contact == contact || link.other == contact))
    }

    /// The CRM has confirmed who `contact` is. Nothing follows from it for the others.
    #[must_use]
    pub fn is_confirmed(&self, contact: ContactKey) -> bool {
        self.links_at(contact).any(|link| link.source == LinkSource::Crm && link.contact == contact)
    }

    /// Takes a link of `contact`; gives the other end when it belongs to the customer, too.
    fn take(&mut self, link: LinkRow) -> Option<ContactKey> {
        let (holds, other) = (link.holds(), link.other);
        if link.is_first || !self.links.contains_key(&link.link_id) {
            self.links.insert(link.link_id, link);
        }
        holds.then_some(other)
    }
}

/// The customer `contact` belongs to: whatever links connect, breadth first.
///
/// # Errors
/// [`StoreError`].
pub async fn customer_of(store: &dyn Store, contact: &LineKey) -> Result<Customer, StoreError> {
    let mut customer =
        Customer { contacts: BTreeSet::from([contact.contact]), links: BTreeMap::new() };
    let mut to_ask = VecDeque::from([contact.contact]);
    while let Some(asked) = to_ask.pop_front() {
        for link in store.links_of(&LineKey::new(&contact.tenant, asked)).await? {
            let Some(other) = customer.take(link) else { continue };
            if customer.contacts.len() < CONTACTS_MAX && customer.contacts.insert(other) {
                to_ask.push_back(other);
            }
        }
    }
    Ok(customer)
}
