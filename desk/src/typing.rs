//! Who is writing: customers, to the page; agents, to the customer. Told to whoever looks, kept by nobody.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemas::ids::{ConversationId, LineKey};
use serde::Deserialize;

use crate::access::Scope;
use crate::api::Desk;
use crate::commands::agent_name;
use crate::problem::Problem;

/// Who is told that agents are writing.
pub trait TypingTold: Send + Sync {
    /// An agent is writing to `contact`, or no more.
    fn agent_types(&self, contact: &LineKey, on: bool);
}

/// A customer is writing, or no more.
#[derive(Debug, Clone)]
pub(crate) struct CustomerTypes {
    pub(crate) tenant: String,
    pub(crate) conversation: ConversationId,
    pub(crate) on: bool,
}

#[derive(Deserialize)]
pub(crate) struct Typing {
    agent: String,
    on: bool,
}

/// `POST /v1/conversations/{id}/typing`. Whoever does not have the conversation writes to nobody.
pub(crate) async fn typing(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
    Json(typing): Json<Typing>,
) -> Result<StatusCode, Problem> {
    let row = desk.row(&scope, &id).await?;
    if row.owner == Some(agent_name(&typing.agent)?) {
        let contact = LineKey::new(&row.tenant, row.conversation_id.contact());
        desk.typing.agent_types(&contact, typing.on);
    }
    Ok(StatusCode::NO_CONTENT)
}
