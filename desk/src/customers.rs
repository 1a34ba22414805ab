//! A customer as people see them: the contacts that are theirs, what they have said on all of them, and who
//! may be the same.
//!
//! Any of a customer's contacts names the customer, so a name stays good whatever is merged. Ids are masked;
//! whole texts are shown where one conversation is opened, and in an export.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, Query, State};
use schemas::conversation::{Conversation, ConversationState};
use schemas::ids::{ContactKey, ConversationId, LineKey};
use schemas::sealed::TenantKeys;
use serde::Deserialize;
use serde_json::{Value, json};
use sink::customers::{Customer, LinkAct, LinkRow, customer_of};
use sink::rows::ConversationRow;

use crate::access::Scope;
use crate::api::{Desk, HISTORY_LINES_MAX, OfTenant};
use crate::problem::Problem;
use crate::views::{self, Text};

/// Conversations of one contact looked at.
const CONVERSATIONS_MAX: usize = 200;
/// Contacts suggested for a merge.
const SUGGESTED_MAX: usize = 8;
/// Intents told in the short view.
const INTENTS_MAX: usize = 5;
/// Lines of a timeline shown at once.
const LINES_MAX: usize = 500;

/// A customer in hand, with the keys to what they have said.
pub(crate) struct Found<'a> {
    pub(crate) tenant: String,
    pub(crate) keys: &'a TenantKeys,
    pub(crate) customer: Customer,
}

/// The contact that `id` names: itself, or whose conversation it is.
pub(crate) fn contact_of(id: &str) -> Result<ContactKey, Problem> {
    let of_conversation = || id.parse::<ConversationId>().ok().map(|id| id.contact());
    let contact = id.parse::<ContactKey>().ok().or_else(of_conversation);
    contact.ok_or_else(|| Problem::not_found("customer"))
}

impl Desk {
    /// The customer that `id` names.
    pub(crate) async fn customer(
        &self,
        scope: &Scope,
        id: &str,
        tenant: Option<&str>,
    ) -> Result<Found<'_>, Problem> {
        let (keys, tenant) = self.keys(scope, tenant)?;
        let key = LineKey::new(&tenant, contact_of(id)?);
        let customer = customer_of(self.store.as_ref(), &key).await?;
        if customer.links.is_empty() && self.store.latest_of(&key).await?.is_none() {
            return Err(Problem::not_found("customer"));
        }
        Ok(Found { tenant, keys, customer })
    }

    /// What the customer has said on all contacts, those that opened last first.
    async fn conversations_of(&self, found: &Found<'_>) -> Result<Vec<ConversationRow>, Problem> {
        let mut rows = Vec::new();
        for contact in &found.customer.contacts {
            let key = LineKey::new(&found.tenant, *contact);
            rows.extend(self.store.conversations_of(&key, CONVERSATIONS_MAX).await?);
        }
        rows.sort_by_key(|row| (std::cmp::Reverse(row.opened_at_ms), row.conversation_id));
        Ok(rows)
    }
}

fn is_open(row: &ConversationRow) -> bool {
    use ConversationState::{Abandoned, Blocked, Closed};
    !row.state.is_done() && !matches!(row.state, Closed | Abandoned | Blocked)
}

fn contact(keys: &TenantKeys, contact: ContactKey, latest: &ConversationRow) -> Value {
    json!({
        "contact_id": contact,
        "channel": latest.channel,
        "customer": views::contact(keys, latest.contact_sealed.as_ref(), Text::Masked),
        "latest": {
            "conversation_id": latest.conversation_id,
            "state": latest.state,
            "updated_at_ms": latest.updated_at_ms,
        },
    })
}

fn link(keys: &TenantKeys, link: &LinkRow) -> Value {
    let act = |act: &Option<LinkAct>| {
        act.as_ref().map(|act| {
            json!({
                "at_ms": act.at_ms,
                "by": act.by,
                "reason": views::text(keys, act.reason_sealed.as_ref(), Text::Masked),
            })
        })
    };
    json!({
        "link_id": link.link_id,
        "contacts": [link.contact, link.other],
        "source": link.source,
        "holds": link.holds(),
        "made": act(&link.made),
        "undone": act(&link.undone),
    })
}

/// The customer in short.
pub(crate) async fn show(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
    Query(asked): Query<OfTenant>,
) -> Result<Json<Value>, Problem> {
    let found = desk.customer(&scope, &id, asked.tenant.as_deref()).await?;
    Ok(Json(in_short(&desk, &found).await?))
}

async fn in_short(desk: &Desk, found: &Found<'_>) -> Result<Value, Problem> {
    let Found { tenant, keys, customer } = found;
    let rows = desk.conversations_of(found).await?;
    let mut contacts = Vec::new();
    for key in &customer.contacts {
        // Not everything that is linked writes: the CRM's customer does not.
        let latest = rows.iter().find(|row| row.conversation_id.contact() == *key);
        let Some(latest) = latest else { continue };
        let mut shown = contact(keys, *key, latest);
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("confirmed".to_owned(), json!(customer.is_confirmed(*key)));
        }
        contacts.push(shown);
    }
    let open: Vec<Value> = rows
        .iter()
        .filter(|row| is_open(row))
        .map(|row| views::conversation(keys, row, Text::Masked))
        .collect();
    let mut intents: Vec<&str> = Vec::new();
    for intent in rows.iter().filter_map(|row| row.turn.as_ref()?.intent.as_deref()) {
        if !intents.contains(&intent) && intents.len() < INTENTS_MAX {
            intents.push(intent);
        }
    }
    Ok(json!({
        "customer_id": customer.id(),
        "tenant": tenant,
        "contacts": contacts,
        "links": customer.links.values().map(|row| link(keys, row)).collect::<Vec<_>>(),
        "open": open,
        "intents": intents,
        "suggestions": suggestions(desk, found).await?,
    }))
}

/// Contacts that go by the same phone, address or number, and are not the customer's: a suggestion, nothing
/// more. What people have undone is not suggested again.
async fn suggestions(desk: &Desk, found: &Found<'_>) -> Result<Vec<Value>, Problem> {
    let Found { tenant, keys, customer } = found;
    let mut alike = BTreeSet::new();
    for contact in &customer.contacts {
        let key = LineKey::new(tenant, *contact);
        alike.extend(desk.store.alike(&key, SUGGESTED_MAX).await?);
    }
    let parted = |other: &ContactKey| {
        customer.links.values().any(|link| link.contact == *other || link.other == *other)
    };
    let mut shown = Vec::new();
    for other in alike.iter().filter(|other| !customer.contacts.contains(other) && !parted(other)) {
        let latest = desk.store.latest_of(&LineKey::new(tenant, *other)).await?;
        shown.extend(latest.map(|latest| contact(keys, *other, &latest)));
        if shown.len() >= SUGGESTED_MAX {
            break;
        }
    }
    Ok(shown)
}

#[derive(Deserialize)]
pub(crate) struct Paged {
    tenant: Option<String>,
    limit: Option<usize>,
    before_ms: Option<i64>,
}

/// What the customer has said on all contacts.
pub(crate) async fn conversations(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
    Query(asked): Query<Paged>,
) -> Result<Json<Value>, Problem> {
    let found = desk.customer(&scope, &id, asked.tenant.as_deref()).await?;
    let limit = asked.limit.unwrap_or(50).clamp(1, CONVERSATIONS_MAX);
    let mut rows = desk.conversations_of(&found).await?;
    rows.retain(|row| asked.before_ms.is_none_or(|before_ms| row.opened_at_ms < before_ms));
    let is_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| is_more).map(|row| row.opened_at_ms);
    let shown: Vec<Value> =
        rows.iter().map(|row| views::conversation(found.keys, row, Text::Masked)).collect();
    Ok(Json(json!({ "conversations": shown, "next_before_ms": next })))
}

/// What happened on all contacts, latest first.
pub(crate) async fn timeline(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
    Query(asked): Query<Paged>,
) -> Result<Json<Value>, Problem> {
    let found = desk.customer(&scope, &id, asked.tenant.as_deref()).await?;
    let limit = asked.limit.unwrap_or(100).clamp(1, LINES_MAX);
    let before_ms = asked.before_ms.unwrap_or(i64::MAX);
    let mut rows = desk.conversations_of(&found).await?;
    rows.retain(|row| row.opened_at_ms < before_ms);
    rows.sort_by_key(|row| std::cmp::Reverse(row.updated_at_ms));
    let mut lines: Vec<(i64, Conversation)> = Vec::new();
    for row in rows {
        // Nothing of a conversation that ended before all that is shown is shown.
        let oldest_ms = lines.get(limit).map(|(at_ms, _)| *at_ms);
        if oldest_ms.is_some_and(|oldest_ms| row.updated_at_ms < oldest_ms) {
            break;
        }
        let of_one = desk.store.history(row.conversation_id, 0, HISTORY_LINES_MAX).await?;
        lines.extend(of_one.into_iter().filter(|(at_ms, _)| *at_ms < before_ms));
        lines.sort_by_key(|(at_ms, line)| std::cmp::Reverse((*at_ms, line.seq)));
    }
    let is_more = lines.len() > limit;
    lines.truncate(limit);
    let next = lines.last().filter(|_| is_more).map(|(at_ms, _)| *at_ms);
    let shown = views::history(found.keys, &lines, Text::Masked);
    Ok(Json(json!({ "lines": shown, "next_before_ms": next })))
}

/// Everything there is of the customer, whole: what a person may ask for by law (LGPD, art. 18).
pub(crate) async fn export(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
    Query(asked): Query<OfTenant>,
) -> Result<Json<Value>, Problem> {
    let found = desk.customer(&scope, &id, asked.tenant.as_deref()).await?;
    let mut conversations = Vec::new();
    for row in desk.conversations_of(&found).await? {
        let lines = desk.store.history(row.conversation_id, 0, HISTORY_LINES_MAX).await?;
        let history = views::history(found.keys, &lines, Text::Whole);
        let mut shown = views::conversation(found.keys, &row, Text::Whole);
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("history".to_owned(), Value::Array(history));
        }
        conversations.push(shown);
    }
    let customer = in_short(&desk, &found).await?;
    Ok(Json(json!({ "customer": customer, "conversations": conversations })))
}
