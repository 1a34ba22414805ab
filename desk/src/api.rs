//! The desk's HTTP API.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use pipeline::Log;
use pipeline::clock::Clock;
use schemas::conversation::ConversationState;
use schemas::ids::ConversationId;
use schemas::message::CommandAction;
use schemas::sealed::{Keyring, TenantKeys};
use serde::Deserialize;
use serde_json::{Value, json};
use sink::Store;
use sink::store::{Filter, Order};
use tokio_util::sync::CancellationToken;

use crate::access::{Access, Scope};
use crate::board::Board;
use crate::commands::asking;
use crate::dead_letters::{self, DeadLetters};
use crate::files::{self, Files};
use crate::floor::Floor;
use crate::problem::Problem;
use crate::suggestions::{self, Suggests};
use crate::typing::{self, TypingTold};
use crate::views::{self, Text};
use crate::{customers, labels, links, live, metrics, page};

/// Lines of a history shown at once.
pub(crate) const HISTORY_LINES_MAX: usize = 1_000;
/// Conversations listed at once.
const LIST_MAX: usize = 200;

/// What the desk works with.
#[derive(Clone)]
pub struct Desk {
    /// Where commands go.
    pub log: Arc<dyn Log>,
    /// What is shown.
    pub store: Arc<dyn Store>,
    /// Opens what is sealed.
    pub keyring: Arc<Keyring>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What happens now.
    pub floor: Arc<Floor>,
    /// The files customers sent.
    pub files: Arc<dyn Files>,
    /// What the machine would say.
    pub suggests: Arc<dyn Suggests>,
    /// How the models do.
    pub board: Arc<Board>,
    /// What no stage could use.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Tells customers that agents are writing.
    pub typing: Arc<dyn TypingTold>,
    /// Whose desk it is when nobody says.
    pub default_tenant: Arc<str>,
    /// Ends streams.
    pub stop: CancellationToken,
}

/// The routes; `access` guards all but the page itself, which holds nothing.
pub fn routes(desk: Desk, access: &Access) -> Router {
    let guarded = Router::new()
        .route("/v1/queues", get(queues))
        .route("/v1/conversations", get(list))
        .route("/v1/conversations/{id}", get(show))
        .route("/v1/conversations/{id}/events", get(history))
        .route("/v1/conversations/{id}/claim", asking(CommandAction::Claim))
        .route("/v1/conversations/{id}/release", asking(CommandAction::Release))
        .route("/v1/conversations/{id}/reply", asking(CommandAction::Reply))
        .route("/v1/conversations/{id}/resolve", asking(CommandAction::Resolve))
        .route("/v1/conversations/{id}/transfer", asking(CommandAction::Transfer))
        .route("/v1/conversations/{id}/note", asking(CommandAction::Note))
        .route("/v1/conversations/{id}/snooze", asking(CommandAction::Snooze))
        .route("/v1/conversations/{id}/csat", asking(CommandAction::Csat))
        .route("/v1/conversations/{id}/typing", post(typing::typing))
        .route("/v1/conversations/{id}/files/{sha256}", get(files::file))
        .route("/v1/conversations/{id}/suggestion", get(suggestions::suggestion))
        .route("/v1/conversations/{id}/templates", get(suggestions::templates))
        .route("/v1/conversations/{id}/label", post(labels::label))
        .route("/v1/customers/{id}", get(customers::show))
        .route("/v1/customers/{id}/conversations", get(customers::conversations))
        .route("/v1/customers/{id}/timeline", get(customers::timeline))
        .route("/v1/customers/{id}/export", get(customers::export))
        .route("/v1/customers/{id}/merge", post(links::merge))
        .route("/v1/customers/{id}/unmerge", post(links::unmerge))
        .route("/v1/checks", get(labels::checks))
        .route("/v1/metrics/summary", get(summary))
        .route("/v1/metrics/model", get(labels::model))
        .route("/v1/intents/{intent}/reopen", post(labels::reopen))
        .with_state(desk.clone());
    // What no stage could use is the installation's, whoever's it was.
    let letters = Router::new()
        .route("/v1/dead-letters", get(dead_letters::list))
        .route("/v1/dead-letters/replay", post(dead_letters::replay))
        .with_state(desk.clone());
    let streamed = Router::new().route("/v1/stream", get(live::live)).with_state(desk);
    page::routes()
        .merge(access.guard(guarded))
        .merge(access.guard_whole(letters))
        .merge(access.guard_stream(streamed))
}

#[derive(Deserialize)]
pub(crate) struct OfTenant {
    pub(crate) tenant: Option<String>,
}

impl Desk {
    /// The tenant that is asked for, if whoever asks may see it.
    pub(crate) fn keys(
        &self,
        scope: &Scope,
        tenant: Option<&str>,
    ) -> Result<(&TenantKeys, String), Problem> {
        let tenant = scope.meant(tenant, &self.default_tenant);
        if !scope.admits(tenant) {
            return Err(Problem::not_found("tenant"));
        }
        Ok((self.keyring.of(tenant)?, tenant.to_owned()))
    }

    /// A conversation, if whoever asks may see it.
    pub(crate) async fn row(
        &self,
        scope: &Scope,
        id: &str,
    ) -> Result<sink::rows::ConversationRow, Problem> {
        let id: ConversationId = id.parse().map_err(|_| Problem::not_found("conversation"))?;
        let row = self.store.conversation(id).await?;
        row.filter(|row| scope.admits(&row.tenant))
            .ok_or_else(|| Problem::not_found("conversation"))
    }
}

async fn queues(
    State(desk): State<Desk>,
    scope: Scope,
    Query(asked): Query<OfTenant>,
) -> Result<Json<Value>, Problem> {
    let (_, tenant) = desk.keys(&scope, asked.tenant.as_deref())?;
    let now_ms = desk.clock.now_ms();
    let rows = desk.store.queues(&tenant, now_ms).await?;
    let queues: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "queue": row.queue,
                "waiting": row.waiting,
                "assigned": row.assigned,
                "overdue": row.overdue,
                "oldest_s": row.oldest_ms.map(|oldest_ms| (now_ms - oldest_ms).max(0) / 1000),
            })
        })
        .collect();
    Ok(Json(json!({ "queues": queues })))
}

#[derive(Deserialize)]
struct Listed {
    tenant: Option<String>,
    /// `queued`, `open`, `resolved`, or a state.
    state: Option<String>,
    queue: Option<String>,
    owner: Option<String>,
    limit: Option<usize>,
    before_ms: Option<i64>,
}

async fn list(
    State(desk): State<Desk>,
    scope: Scope,
    Query(asked): Query<Listed>,
) -> Result<Json<Value>, Problem> {
    let (keys, tenant) = desk.keys(&scope, asked.tenant.as_deref())?;
    let (states, order) = states(asked.state.as_deref())?;
    let filter = Filter {
        states,
        queue: asked.queue,
        owner: asked.owner,
        updated_before_ms: asked.before_ms,
    };
    let limit = asked.limit.unwrap_or(50).clamp(1, LIST_MAX);
    let rows = desk.store.conversations(&tenant, &filter, order, limit).await?;
    let next = (rows.len() == limit && order == Order::Recent)
        .then(|| rows.last().map(|row| row.updated_at_ms))
        .flatten();
    let shown: Vec<Value> =
        rows.iter().map(|row| views::conversation(keys, row, Text::Masked)).collect();
    Ok(Json(json!({ "conversations": shown, "next_before_ms": next })))
}

/// States by what people call them, and the order they are looked at in.
fn states(asked: Option<&str>) -> Result<(Vec<ConversationState>, Order), Problem> {
    use ConversationState::{Assigned, BotAnswered, Queued, Triage, WaitingCustomer};
    Ok(match asked {
        None => (Vec::new(), Order::Recent),
        Some("queued") => (vec![Queued], Order::Urgency),
        Some("open") => {
            (vec![Triage, BotAnswered, Queued, Assigned, WaitingCustomer], Order::Recent)
        }
        Some("mine") => (vec![Assigned, WaitingCustomer], Order::Recent),
        // Asked how it was, they are as done as before.
        Some("resolved") => {
            (vec![ConversationState::Resolved, ConversationState::Csat], Order::Recent)
        }
        Some(name) => {
            let state = ConversationState::named(name).ok_or_else(|| {
                Problem::invalid(
                    "unknown_state",
                    "state must be queued, open, mine or a state's name",
                )
            })?;
            (vec![state], Order::Recent)
        }
    })
}

async fn show(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let row = desk.row(&scope, &id).await?;
    let (keys, _) = desk.keys(&scope, Some(&row.tenant))?;
    let lines = desk.store.history(row.conversation_id, 0, HISTORY_LINES_MAX).await?;
    let ahead = desk.store.ahead_of(row.conversation_id).await?;
    let mut shown = views::conversation(keys, &row, Text::Whole);
    if let Some(shown) = shown.as_object_mut() {
        let history = views::history(keys, &lines, Text::Whole);
        shown.insert("history".to_owned(), Value::Array(history));
        shown.insert("queue_position".to_owned(), json!(ahead.map(|ahead| ahead + 1)));
    }
    Ok(Json(shown))
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: i64,
}

/// The history behind a line, for a page that has the rest.
async fn history(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
    Query(after): Query<After>,
) -> Result<Json<Value>, Problem> {
    let row = desk.row(&scope, &id).await?;
    let (keys, _) = desk.keys(&scope, Some(&row.tenant))?;
    let lines = desk.store.history(row.conversation_id, after.after, HISTORY_LINES_MAX).await?;
    Ok(Json(json!({ "events": views::history(keys, &lines, Text::Whole) })))
}

#[derive(Deserialize)]
struct Window {
    tenant: Option<String>,
    minutes: Option<i64>,
}

async fn summary(
    State(desk): State<Desk>,
    scope: Scope,
    Query(asked): Query<Window>,
) -> Result<Json<Value>, Problem> {
    let (_, tenant) = desk.keys(&scope, asked.tenant.as_deref())?;
    let minutes = asked.minutes.unwrap_or(60).clamp(1, 7 * 24 * 60);
    let to = desk.clock.now_ms().div_euclid(60_000) + 1;
    let found = desk.store.minutes(&tenant, to - minutes, to).await?;
    Ok(Json(metrics::summary(&found, to - minutes, to)))
}
