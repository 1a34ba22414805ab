//! A customer as people see them: the contacts that are theirs, what they have said on all of them, and who
//! may be the same.
//!
//! Any of a customer's contacts names the customer, so a name stays good whatever is merged. Ids are masked;
//! whole texts are shown where one conversation is opened, and in an export.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, Query, State};
use schemas::conversation::ConversationState;
use schemas::ids::{ContactKey, ConversationId, LineKey};
use schemas::sealed::TenantKeys;
use serde::Deserialize;
use serde_json::{Value, json};
use sink::customers::{Customer, LinkAct, LinkRow, customer_of};
use sink::rows::ConversationRow;
use sink::timeline::{self, Place};

use crate::access::Scope;
use crate::api::{Desk, OfTenant};
use crate::problem::Problem;
use crate::views::{self, Text};

/// Conversations of a customer looked at, and on one page.
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
    let store = desk.store.as_ref();
    let latest = timeline::conversations(store, tenant, customer, None, CONVERSATIONS_MAX);
    let rows = latest.await?.shown;
    let mut contacts = Vec::new();
    for key in &customer.contacts {
        // Not everything that is linked writes: the CRM's customer does not.
        let latest = store.latest_of(&LineKey::new(tenant, *key)).await?;
        let Some(latest) = latest else { continue };
        let mut shown = contact(keys, *key, &latest);
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
    /// `next_before` of the page before.
    before: Option<String>,
}

impl Paged {
    fn before(&self) -> Result<Option<Place>, Problem> {
        let before = self.before.as_deref().map(str::parse).transpose();
        before.map_err(|_| Problem::invalid("bad_before", "before must be a page's next_before"))
    }
}

/// What the customer has said on all contacts.
pub(crate) async fn conversations(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
    Query(asked): Query<Paged>,
) -> Result<Json<Value>, Problem> {
    let Found { tenant, keys, customer } =
        desk.customer(&scope, &id, asked.tenant.as_deref()).await?;
    let limit = asked.limit.unwrap_or(50).clamp(1, CONVERSATIONS_MAX);
    let store = desk.store.as_ref();
    let page = timeline::conversations(store, &tenant, &customer, asked.before()?, limit).await?;
    let shown: Vec<Value> =
        page.shown.iter().map(|row| views::conversation(keys, row, Text::Masked)).collect();
    let next = page.next.map(|next| next.to_string());
    Ok(Json(json!({ "conversations": shown, "next_before": next })))
}

/// What happened on all contacts, latest first.
pub(crate) async fn timeline(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
    Query(asked): Query<Paged>,
) -> Result<Json<Value>, Problem> {
    let Found { tenant, keys, customer } =
        desk.customer(&scope, &id, asked.tenant.as_deref()).await?;
    let limit = asked.limit.unwrap_or(100).clamp(1, LINES_MAX);
    let store = desk.store.as_ref();
    let page = timeline::lines(store, &tenant, &customer, asked.before()?, limit).await?;
    let shown = views::history(keys, &page.shown, Text::Masked);
    let next = page.next.map(|next| next.to_string());
    Ok(Json(json!({ "lines": shown, "next_before": next })))
}

/// Everything there is of the customer, whole: what a person may ask for by law (LGPD, art. 18).
pub(crate) async fn export(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
    Query(asked): Query<OfTenant>,
) -> Result<Json<Value>, Problem> {
    let found = desk.customer(&scope, &id, asked.tenant.as_deref()).await?;
    let Found { tenant, keys, customer } = &found;
    let store = desk.store.as_ref();
    let mut conversations = Vec::new();
    for row in timeline::all_conversations(store, tenant, customer).await? {
        let mut lines = Vec::new();
        timeline::each_line(store, row.conversation_id, |at_ms, line| lines.push((at_ms, line)))
            .await?;
        let history = views::history(keys, &lines, Text::Whole);
        let mut shown = views::conversation(keys, &row, Text::Whole);
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("history".to_owned(), Value::Array(history));
        }
        conversations.push(shown);
    }
    let customer = in_short(&desk, &found).await?;
    Ok(Json(json!({ "customer": customer, "conversations": conversations })))
}
