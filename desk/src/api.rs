//! The desk's HTTP API.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::stream::{self, Stream};
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
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::board::Board;
use crate::commands::asking;
use crate::files::{self, Files};
use crate::floor::Floor;
use crate::problem::Problem;
use crate::suggestions::{self, Suggests};
use crate::views::{self, Text};
use crate::{labels, metrics, page};

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
        .route("/v1/conversations/{id}/files/{sha256}", get(files::file))
        .route("/v1/conversations/{id}/suggestion", get(suggestions::suggestion))
        .route("/v1/conversations/{id}/label", post(labels::label))
        .route("/v1/checks", get(labels::checks))
        .route("/v1/metrics/summary", get(summary))
        .route("/v1/metrics/model", get(labels::model))
        .route("/v1/intents/{intent}/reopen", post(labels::reopen))
        .with_state(desk.clone());
    let streamed = Router::new().route("/v1/stream", get(live)).with_state(desk);
    page::routes().merge(access.guard(guarded)).merge(access.guard_stream(streamed))
}

#[derive(Deserialize)]
pub(crate) struct OfTenant {
    pub(crate) tenant: Option<String>,
}

impl Desk {
    pub(crate) fn keys(&self, tenant: Option<&str>) -> Result<(&TenantKeys, String), Problem> {
        let tenant = tenant.unwrap_or(&self.default_tenant);
        Ok((self.keyring.of(tenant)?, tenant.to_owned()))
    }

    pub(crate) async fn row(&self, id: &str) -> Result<sink::rows::ConversationRow, Problem> {
        let id: ConversationId = id.parse().map_err(|_| Problem::not_found("conversation"))?;
        self.store.conversation(id).await?.ok_or_else(|| Problem::not_found("conversation"))
    }
}

async fn queues(
    State(desk): State<Desk>,
    Query(asked): Query<OfTenant>,
) -> Result<Json<Value>, Problem> {
    let (_, tenant) = desk.keys(asked.tenant.as_deref())?;
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
    Query(asked): Query<Listed>,
) -> Result<Json<Value>, Problem> {
    let (keys, tenant) = desk.keys(asked.tenant.as_deref())?;
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

async fn show(State(desk): State<Desk>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let row = desk.row(&id).await?;
    let (keys, _) = desk.keys(Some(&row.tenant))?;
    let lines = desk.store.history(row.conversation_id, 0, HISTORY_LINES_MAX).await?;
    let ahead = desk.store.ahead_of(row.conversation_id).await?;
    let mut shown = views::conversation(keys, &row, Text::Whole);
    if let Some(shown) = shown.as_object_mut() {
        let history: Vec<Value> = lines
            .iter()
            .map(|(at_ms, record)| views::line(keys, *at_ms, record, Text::Whole))
            .collect();
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
    Path(id): Path<String>,
    Query(after): Query<After>,
) -> Result<Json<Value>, Problem> {
    let row = desk.row(&id).await?;
    let (keys, _) = desk.keys(Some(&row.tenant))?;
    let lines = desk.store.history(row.conversation_id, after.after, HISTORY_LINES_MAX).await?;
    let shown: Vec<Value> = lines
        .iter()
        .map(|(at_ms, record)| views::line(keys, *at_ms, record, Text::Whole))
        .collect();
    Ok(Json(json!({ "events": shown })))
}

#[derive(Deserialize)]
struct Window {
    tenant: Option<String>,
    minutes: Option<i64>,
}

async fn summary(
    State(desk): State<Desk>,
    Query(asked): Query<Window>,
) -> Result<Json<Value>, Problem> {
    let (_, tenant) = desk.keys(asked.tenant.as_deref())?;
    let minutes = asked.minutes.unwrap_or(60).clamp(1, 7 * 24 * 60);
    let to = desk.clock.now_ms().div_euclid(60_000) + 1;
    let found = desk.store.minutes(&tenant, to - minutes, to).await?;
    Ok(Json(metrics::summary(&found, to - minutes, to)))
}

/// What happens, as it happens: a line of a conversation an event, personal numbers masked.
async fn live(
    State(desk): State<Desk>,
    Query(asked): Query<OfTenant>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let (_, tenant) = desk.keys(asked.tenant.as_deref())?;
    let lines = desk.floor.follow();
    let stream = stream::unfold((desk, lines, tenant), |(desk, mut lines, tenant)| async move {
        loop {
            let line = tokio::select! {
                () = desk.stop.cancelled() => return None,
                line = lines.recv() => line,
            };
            match line {
                Ok(line) if line.1.tenant == tenant => {
                    let keys = desk.keyring.of(&tenant).ok()?;
                    let shown = views::line(keys, line.0, &line.1, Text::Masked);
                    let event = Event::default().event("line").data(shown.to_string());
                    return Some((Ok(event), (desk, lines, tenant)));
                }
                Ok(_) => {}
                // The page has missed something: it is told to begin anew, not fed on.
                Err(RecvError::Lagged(_)) => {
                    let event = Event::default().event("lagged").data("{}");
                    return Some((Ok(event), (desk, lines, tenant)));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}
