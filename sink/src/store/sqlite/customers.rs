//! Links between contacts, what contacts go by, and what a contact has said.

use rusqlite::{Connection, Row as SqlRow, Transaction, params};
use schemas::customers::LinkSource;
use schemas::ids::{CommandId, ContactKey, LineKey};

use super::tables::{sealed_from_bytes, unreadable};
use crate::customers::{AliasRow, LinkAct, LinkRow};
use crate::store::columns::sealed_to_bytes;

/// The latest word on each half of a link holds, in whatever order they come.
fn half(columns: &str) -> String {
    format!(
        "INSERT INTO links (tenant, contact, link, other, is_first, source, \
         {columns}_at_ms, {columns}_by, {columns}_reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
         ON CONFLICT DO UPDATE SET {columns}_at_ms = excluded.{columns}_at_ms, \
         {columns}_by = excluded.{columns}_by, {columns}_reason = excluded.{columns}_reason \
         WHERE {columns}_at_ms IS NULL OR excluded.{columns}_at_ms > {columns}_at_ms"
    )
}

pub(super) fn link(transaction: &Transaction<'_>, row: &LinkRow) -> rusqlite::Result<()> {
    for (columns, act) in [("made", &row.made), ("undone", &row.undone)] {
        let Some(act) = act else { continue };
        transaction.prepare_cached(&half(columns))?.execute(params![
            row.tenant,
            row.contact.as_bytes(),
            row.link_id.as_bytes(),
            row.other.as_bytes(),
            row.is_first,
            row.source.as_str(),
            act.at_ms,
            act.by,
            act.reason_sealed.as_ref().map(sealed_to_bytes),
        ])?;
    }
    Ok(())
}

pub(super) fn alias(transaction: &Transaction<'_>, row: &AliasRow) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO aliases (tenant, alias, contact, channel) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            row.tenant,
            row.alias.as_bytes(),
            row.contact.as_bytes(),
            row.channel.as_str()
        ])?;
    Ok(())
}

fn contact_of(bytes: &[u8]) -> rusqlite::Result<ContactKey> {
    ContactKey::from_slice(bytes).ok_or_else(|| unreadable("contact"))
}

fn act(row: &SqlRow<'_>, at: usize) -> rusqlite::Result<Option<LinkAct>> {
    let Some(at_ms) = row.get(at)? else { return Ok(None) };
    let reason: Option<Vec<u8>> = row.get(at + 2)?;
    let reason_sealed = reason.map(|bytes| sealed_from_bytes(&bytes)).transpose()?;
    Ok(Some(LinkAct { at_ms, by: row.get(at + 1)?, reason_sealed }))
}

pub(super) fn links_of(connection: &Connection, key: &LineKey) -> rusqlite::Result<Vec<LinkRow>> {
    connection
        .prepare_cached(
            "SELECT link, other, is_first, source, made_at_ms, made_by, made_reason, undone_at_ms, \
             undone_by, undone_reason FROM links WHERE tenant = ?1 AND contact = ?2 ORDER BY link",
        )?
        .query_map(params![key.tenant, key.contact.as_bytes()], |row| {
            let (link, other): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let source: String = row.get(3)?;
            Ok(LinkRow {
                tenant: key.tenant.clone(),
                contact: key.contact,
                link_id: CommandId::from_slice(&link).ok_or_else(|| unreadable("link"))?,
                other: contact_of(&other)?,
                is_first: row.get(2)?,
                source: LinkSource::named(&source).unwrap_or_default(),
                made: act(row, 4)?,
                undone: act(row, 7)?,
            })
        })?
        .collect()
}

pub(super) fn alike(
    connection: &Connection,
    key: &LineKey,
    limit: usize,
) -> rusqlite::Result<Vec<ContactKey>> {
    // CROSS JOIN keeps the order: left to itself the planner goes through all names of the tenant.
    connection
        .prepare_cached(
            "SELECT DISTINCT other.contact FROM aliases mine CROSS JOIN aliases other \
             ON other.tenant = mine.tenant AND other.alias = mine.alias \
             WHERE mine.tenant = ?1 AND mine.contact = ?2 AND other.contact != ?2 \
             ORDER BY other.contact LIMIT ?3",
        )?
        .query_map(
            params![key.tenant, key.contact.as_bytes(), i64::try_from(limit).unwrap_or(i64::MAX)],
            |row| contact_of(&row.get::<_, Vec<u8>>(0)?),
        )?
        .collect()
}
