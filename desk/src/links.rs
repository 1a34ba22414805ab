//! Contacts made one customer, and parted again, by people: who, when and why is kept for as long as the
//! log. No conversation moves by it.
//!
//! Appends links to `inbound`, in the order of the end that is told first; that end tells the other.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemas::customers::{CustomerLink, LinkSource};
use schemas::ids::{CommandId, LineKey};
use schemas::line::InboundBody;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Scope;
use crate::api::{Desk, OfTenant};
use crate::commands::{accepted, agent_name, command_id, heard};
use crate::customers::{Found, contact_of};
use crate::problem::Problem;

/// Longest reason, in bytes.
const REASON_BYTES_MAX: usize = 1_000;

#[derive(Deserialize)]
pub(crate) struct Merging {
    agent: String,
    reason: String,
    /// The other customer, by a contact or a conversation of theirs.
    with: String,
    /// The program's own id of the command: asked again, it is the same link.
    command_id: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Parting {
    agent: String,
    reason: String,
    /// The contact that is somebody else's.
    contact: String,
}

fn conflict(code: &str, detail: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, code, detail)
}

fn reason_of(asked: &str) -> Result<&str, Problem> {
    let reason = asked.trim();
    if reason.is_empty() || reason.len() > REASON_BYTES_MAX {
        return Err(Problem::invalid("bad_reason", "reason must be 1 to 1000 bytes"));
    }
    Ok(reason)
}

/// Two customers are one.
pub(crate) async fn merge(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
    Query(of): Query<OfTenant>,
    Json(asked): Json<Merging>,
) -> Result<Response, Problem> {
    let (agent, reason) = (agent_name(&asked.agent)?, reason_of(&asked.reason)?);
    let found = desk.customer(&scope, &id, of.tenant.as_deref()).await?;
    let with = desk.customer(&scope, &asked.with, of.tenant.as_deref()).await?;
    let (contact, other) = (contact_of(&id)?, contact_of(&asked.with)?);
    let command_id = command_id(asked.command_id.as_deref())?;
    let repeated = found.customer.links.contains_key(&command_id);
    if with.customer.contacts.contains(&contact) && !repeated {
        return Err(conflict("already_merged", "os contatos já são do mesmo cliente"));
    }
    let link = CustomerLink {
        tenant: found.tenant.clone(),
        link_id: command_id,
        command_id,
        contact,
        other,
        undone: false,
        source: LinkSource::Agent,
        by: Some(agent),
        reason_sealed: Some(found.keys.seal(command_id.as_bytes(), reason.as_bytes())?),
        at_ms: desk.clock.now_ms(),
    };
    let shown = json!({ "link_id": command_id, "contacts": [contact, other] });
    if append(&desk, &found, link).await? {
        return Ok(Json(shown).into_response());
    }
    Ok(accepted(command_id))
}

/// A contact is not the customer's: every link that holds at it is undone.
pub(crate) async fn unmerge(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
    Query(of): Query<OfTenant>,
    Json(asked): Json<Parting>,
) -> Result<Response, Problem> {
    let (agent, reason) = (agent_name(&asked.agent)?, reason_of(&asked.reason)?);
    let found = desk.customer(&scope, &id, of.tenant.as_deref()).await?;
    let contact = contact_of(&asked.contact)?;
    if !found.customer.contacts.contains(&contact) || found.customer.contacts.len() < 2 {
        return Err(conflict("not_merged", "esse contato não está ligado a este cliente"));
    }
    let (mut undone, mut all_heard): (Vec<Value>, bool) = (Vec::new(), true);
    for link in found.customer.links_at(contact) {
        let command_id = command_id(None)?;
        let link = CustomerLink {
            tenant: found.tenant.clone(),
            link_id: link.link_id,
            command_id,
            contact: link.contact,
            other: link.other,
            undone: true,
            source: link.source,
            by: Some(agent.clone()),
            reason_sealed: Some(found.keys.seal(command_id.as_bytes(), reason.as_bytes())?),
            at_ms: desk.clock.now_ms(),
        };
        undone.push(json!(link.link_id));
        all_heard &= append(&desk, &found, link).await?;
    }
    let status = if all_heard { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(json!({ "undone": undone }))).into_response())
}

/// Appends a link; whether it was heard of in time.
async fn append(desk: &Desk, found: &Found<'_>, link: CustomerLink) -> Result<bool, Problem> {
    let key = LineKey::new(&found.tenant, link.contact);
    let command_id: CommandId = link.command_id;
    let body = InboundBody::CustomerLink(Box::new(link));
    Ok(heard(desk, &key, body, command_id).await?.is_some())
}
