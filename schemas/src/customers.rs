//! Who is one customer. A contact is one channel identity and keeps its key for ever; customers are links
//! between contacts, and nothing else: who is one customer is whatever the links that hold connect.
//!
//! Invariant: a link is made once and undone once, each by a record of its own, so whoever has read the
//! same records knows the same customers, in whatever order they came.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codec::avro;
use crate::ids::{Alias, CommandId, ContactKey, ConversationId};
use crate::message::Channel;
use crate::names::named;
use crate::sealed::SealedText;

named! {
    /// Who says that two contacts are one customer.
    LinkSource default Unknown {
        /// Of a later release.
        Unknown = "unknown",
        /// A person at the desk.
        Agent = "agent",
        /// The CRM confirmed who the contact is; the other end is its customer.
        Crm = "crm",
        /// The provider names one account by two names.
        Provider = "provider",
    }
}

/// Two contacts are one customer, or are not any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerLink {
    /// Whose customer.
    pub tenant: String,
    /// The command it was made with; of a link a machine made, a hash of what it links.
    pub link_id: CommandId,
    /// The command that makes or undoes it.
    pub command_id: CommandId,
    /// The end that is told first.
    pub contact: ContactKey,
    /// The other end; a customer of the CRM where the CRM is the source.
    pub other: ContactKey,
    /// It does not hold any more.
    pub undone: bool,
    /// Who says so.
    pub source: LinkSource,
    /// The agent; absent where a machine made it.
    pub by: Option<String>,
    /// Why, in the agent's words, sealed.
    pub reason_sealed: Option<SealedText>,
    /// When (Unix, ms).
    pub at_ms: i64,
}

impl CustomerLink {
    /// The end that is not `contact`.
    #[must_use]
    pub fn other_than(&self, contact: ContactKey) -> ContactKey {
        if contact == self.contact { self.other } else { self.contact }
    }
}

/// What a contact goes by now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are the documentation
pub struct ContactNamed {
    pub tenant: String,
    pub contact: ContactKey,
    pub channel: Channel,
    pub aliases: Vec<Alias>,
    pub at_ms: i64,
}

/// What the log says of customers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerRecord {
    /// What it says.
    pub body: CustomerBody,
}

/// What the log says of customers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // each is documented at its type
pub enum CustomerBody {
    CustomerLink(CustomerLink),
    ContactNamed(ContactNamed),
}

impl CustomerRecord {
    /// Key in the topic: making and undoing keep apart, so neither takes the other's place.
    #[must_use]
    pub fn key(&self) -> String {
        match &self.body {
            CustomerBody::CustomerLink(link) => {
                let what = if link.undone { "undone" } else { "made" };
                format!("{}|{}|{what}", link.tenant, link.link_id)
            }
            CustomerBody::ContactNamed(named) => {
                format!("{}|{}|names", named.tenant, named.contact)
            }
        }
    }
}

/// A conversation of the same customer, on another contact, that people have or that waits for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are the documentation
pub struct OpenElsewhere {
    pub conversation_id: ConversationId,
    pub channel: Channel,
    pub queue: Option<String>,
    pub owner: Option<String>,
}

/// What happens on one contact of a customer, as the others are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerNews {
    /// Where it happened.
    pub about: ContactKey,
    /// Who passed it on.
    pub via: ContactKey,
    /// When the conversation began it is from (Unix, ms). With `seq`: later news replaces earlier.
    pub opened_at_ms: i64,
    /// Of that conversation's last line.
    pub seq: i64,
    /// When (Unix, ms).
    pub at_ms: i64,
    /// That conversation, while people have it or it waits for them.
    pub open: Option<OpenElsewhere>,
    /// What the CRM told there, by name.
    #[serde(default)]
    pub facts: BTreeMap<String, bool>,
    /// What the customer was told something about there.
    pub intent: Option<String>,
    /// Whom the router passes it on to.
    #[serde(default)]
    pub to: Vec<ContactKey>,
}

/// Another contact of the same customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are the documentation
pub struct LinkedContact {
    pub link_id: CommandId,
    pub contact: ContactKey,
}

/// The latest news of another contact of the same customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // as in `CustomerNews`
pub struct Elsewhere {
    pub about: ContactKey,
    pub opened_at_ms: i64,
    pub seq: i64,
    pub at_ms: i64,
    pub open: Option<OpenElsewhere>,
}

/// The contact was linked to another one, or is not any more, as the history tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked {
    /// Which link.
    pub link_id: CommandId,
    /// The other contact.
    pub contact: ContactKey,
    /// It does not hold any more.
    pub undone: bool,
    /// Who says so.
    pub source: LinkSource,
    /// The agent; absent where a machine made it.
    pub by: Option<String>,
}

avro!(CustomerRecord);
