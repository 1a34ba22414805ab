//! Links between contacts, what contacts go by, and what a contact has said. Each read is one partition; a
//! link is written at both of its ends, so a customer is found from any of the contacts.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use futures::stream::{self, StreamExt};
use schemas::customers::LinkSource;
use schemas::ids::{CommandId, ContactKey, ConversationId, LineKey};
use scylla::client::session::Session;
use scylla::statement::prepared::PreparedStatement;

use super::connect::{Profiles, unreadable};
use super::queries::{READS_MAX, conversation};
use super::statements::{insert, prepared};
use super::{Shared, stamps};
use crate::customers::{AliasRow, LinkAct, LinkRow};
use crate::rows::{ConversationRow, EventRow};
use crate::store::StoreError;
use crate::store::columns::{sealed_from_bytes, sealed_to_bytes};

const LINK: &str = "tenant, contact, link, other, is_first, source";

const LINKS_OF: &str = "SELECT link, other, is_first, source, made_at_ms, made_by, made_reason, \
    undone_at_ms, undone_by, undone_reason FROM links WHERE tenant = ? AND contact = ?";

const OPENED_OF: &str = "SELECT conversation FROM contact_conversations \
    WHERE tenant = ? AND contact = ? AND conversation < ? LIMIT ?";

/// Behind every id of a conversation.
const BEHIND_ALL: [u8; 21] = [0xff; 21];

/// The statements about customers.
pub(super) struct CustomerStatements {
    link_made: PreparedStatement,
    link_undone: PreparedStatement,
    alias: PreparedStatement,
    alias_of: PreparedStatement,
    opened: PreparedStatement,
    links_of: PreparedStatement,
    aliases_of: PreparedStatement,
    named_so: PreparedStatement,
    opened_of: PreparedStatement,
}

impl CustomerStatements {
    pub(super) async fn prepare(
        session: &Session,
        profiles: &Profiles,
    ) -> Result<Self, StoreError> {
        let write = async |table, columns: &str| {
            prepared(session, &insert(table, columns), &profiles.write).await
        };
        let read = async |text: &str| prepared(session, text, &profiles.read).await;
        Ok(Self {
            link_made: write("links", &format!("{LINK}, made_at_ms, made_by, made_reason")).await?,
            link_undone: write("links", &format!("{LINK}, undone_at_ms, undone_by, undone_reason"))
                .await?,
            alias: write("aliases", "tenant, alias, contact, channel").await?,
            alias_of: write("contact_aliases", "tenant, contact, alias").await?,
            opened: write("contact_conversations", "tenant, contact, conversation").await?,
            links_of: read(LINKS_OF).await?,
            aliases_of: read("SELECT alias FROM contact_aliases WHERE tenant = ? AND contact = ?")
                .await?,
            named_so: read("SELECT contact FROM aliases WHERE tenant = ? AND alias = ?").await?,
            opened_of: read(OPENED_OF).await?,
        })
    }
}

/// Each half of a link has columns of its own, so neither waits for the other.
pub(super) async fn link(shared: &Shared, row: &LinkRow, ttl_s: i32) -> Result<(), StoreError> {
    let statements = &shared.statements.customers;
    for (statement, act) in
        [(&statements.link_made, &row.made), (&statements.link_undone, &row.undone)]
    {
        let Some(act) = act else { continue };
        let cells = (
            &row.tenant,
            row.contact.as_bytes(),
            row.link_id.as_bytes(),
            row.other.as_bytes(),
            row.is_first,
            row.source.as_str(),
            act.at_ms,
            act.by.as_deref().unwrap_or_default(),
            act.reason_sealed.as_ref().map(sealed_to_bytes).unwrap_or_default(),
            stamps::told(act.at_ms),
            ttl_s,
        );
        shared.execute(statement, cells).await?;
    }
    Ok(())
}

/// Who goes by the name, and which names the contact goes by.
pub(super) async fn alias(shared: &Shared, row: &AliasRow, ttl_s: i32) -> Result<(), StoreError> {
    let (alias, contact) = (row.alias.as_bytes(), row.contact.as_bytes());
    let stamp = stamps::told(row.at_ms);
    let by_name = (&row.tenant, alias, contact, row.channel.as_str(), stamp, ttl_s);
    shared.execute(&shared.statements.customers.alias, by_name).await?;
    let by_contact = (&row.tenant, contact, alias, stamp, ttl_s);
    shared.execute(&shared.statements.customers.alias_of, by_contact).await
}

/// One of the contact's conversations.
pub(super) async fn opened(shared: &Shared, row: &EventRow, ttl_s: i32) -> Result<(), StoreError> {
    let id = row.conversation.conversation_id;
    let cells =
        (&row.key.tenant, row.key.contact.as_bytes(), id.as_bytes(), stamps::opened(id), ttl_s);
    shared.execute(&shared.statements.customers.opened, cells).await
}

#[derive(scylla::DeserializeRow)]
pub(super) struct LinkCells {
    link: Vec<u8>,
    other: Option<Vec<u8>>,
    is_first: Option<bool>,
    source: Option<String>,
    made_at_ms: Option<i64>,
    made_by: Option<String>,
    made_reason: Option<Vec<u8>>,
    undone_at_ms: Option<i64>,
    undone_by: Option<String>,
    undone_reason: Option<Vec<u8>>,
}

fn act(
    at_ms: Option<i64>,
    by: Option<String>,
    reason: Option<Vec<u8>>,
) -> Result<Option<LinkAct>, StoreError> {
    let Some(at_ms) = at_ms else { return Ok(None) };
    let reason = reason.filter(|bytes| !bytes.is_empty());
    let read = |bytes: Vec<u8>| {
        sealed_from_bytes(&bytes).ok_or_else(|| unreadable(&"a sealed text is cut off"))
    };
    let reason_sealed = reason.map(read).transpose()?;
    Ok(Some(LinkAct { at_ms, by: by.filter(|by| !by.is_empty()), reason_sealed }))
}

fn contact_of(bytes: &[u8]) -> Result<ContactKey, StoreError> {
    ContactKey::from_slice(bytes).ok_or_else(|| unreadable(&"a contact's key"))
}

pub(super) async fn links_of(shared: &Shared, key: &LineKey) -> Result<Vec<LinkRow>, StoreError> {
    let place = (&key.tenant, key.contact.as_bytes());
    let found: Vec<LinkCells> = shared.rows(&shared.statements.customers.links_of, place).await?;
    let mut links = Vec::with_capacity(found.len());
    for cells in found {
        links.push(LinkRow {
            tenant: key.tenant.clone(),
            contact: key.contact,
            link_id: CommandId::from_slice(&cells.link)
                .ok_or_else(|| unreadable(&"a link's id"))?,
            other: contact_of(&cells.other.unwrap_or_default())?,
            is_first: cells.is_first.unwrap_or_default(),
            source: cells.source.as_deref().and_then(LinkSource::named).unwrap_or_default(),
            made: act(cells.made_at_ms, cells.made_by, cells.made_reason)?,
            undone: act(cells.undone_at_ms, cells.undone_by, cells.undone_reason)?,
        });
    }
    Ok(links)
}

pub(super) async fn alike(
    shared: &Shared,
    key: &LineKey,
    limit: usize,
) -> Result<Vec<ContactKey>, StoreError> {
    let place = (&key.tenant, key.contact.as_bytes());
    let names: Vec<(Vec<u8>,)> =
        shared.rows(&shared.statements.customers.aliases_of, place).await?;
    let mut alike = BTreeSet::new();
    for (name,) in names {
        let place = (&key.tenant, name);
        let found: Vec<(Vec<u8>,)> =
            shared.rows(&shared.statements.customers.named_so, place).await?;
        for (contact,) in found {
            alike.insert(contact_of(&contact)?);
        }
    }
    alike.remove(&key.contact);
    Ok(alike.into_iter().take(limit).collect())
}

pub(super) async fn conversations_of(
    shared: &Shared,
    key: &LineKey,
    behind: Option<ConversationId>,
    limit: usize,
) -> Result<Vec<ConversationRow>, StoreError> {
    let rows = i32::try_from(limit).unwrap_or(i32::MAX);
    let behind = behind.as_ref().map_or(BEHIND_ALL.as_slice(), |id| &id.0[..]);
    let place = (&key.tenant, key.contact.as_bytes(), behind, rows);
    let found: Vec<(Vec<u8>,)> = shared.rows(&shared.statements.customers.opened_of, place).await?;
    let ids: Vec<ConversationId> =
        found.iter().filter_map(|(id,)| ConversationId::from_slice(id)).collect();
    let rows: Vec<Option<ConversationRow>> = stream::iter(ids)
        .map(|id| conversation(shared, id))
        .buffered(READS_MAX)
        .try_collect()
        .await?;
    Ok(rows.into_iter().flatten().collect())
}
