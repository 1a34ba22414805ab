//! The HTTP API for programs: messages in, decisions out.

mod adapt;
mod legacy;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use schemas::ids::{LineKey, MessageId};
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use self::adapt::ApiMessage;
use crate::door::{
    AcceptError, Caller, Decision, Door, HeardMessage, Identity, JsonBody, Problem, Progress, Trace,
};

/// Longest Idempotency-Key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// A message that has not been decided for so long may be a repeat.
const LOOK_AFTER: Duration = Duration::from_millis(40);

/// What earlier clients call the kind of a tenant's intent: technical, financial, commercial …
pub type IntentGroup = dyn Fn(&str, &str) -> &'static str + Send + Sync;

/// How the API behaves.
#[derive(Clone)]
pub struct ApiSettings {
    /// Whose messages those without a tenant are.
    pub default_tenant: String,
    /// By tenant and intent.
    pub intent_group: Arc<IntentGroup>,
}

#[derive(Clone)]
struct Api {
    door: Door,
    settings: Arc<ApiSettings>,
}

/// The routes.
pub fn routes(door: Door, settings: ApiSettings) -> Router {
    Router::new()
        .route("/v1/messages", post(accept))
        .route("/v1/messages/{id}", get(show))
        .route("/api/v1/conversations/message", post(legacy::message))
        .with_state(Api { door, settings: Arc::new(settings) })
}

#[derive(Deserialize)]
struct Wait {
    wait: Option<String>,
}

/// `POST /v1/messages`.
async fn accept(
    State(api): State<Api>,
    Query(wait): Query<Wait>,
    caller: Caller,
    headers: HeaderMap,
    JsonBody(message): JsonBody<ApiMessage>,
) -> Result<Response, Problem> {
    let waits = match wait.wait.as_deref() {
        None => false,
        Some("decision") => true,
        Some(other) => {
            let detail = format!("wait={other} is not known; use wait=decision or leave it out");
            return Err(Problem::new(StatusCode::BAD_REQUEST, "unknown_wait", detail));
        }
    };
    let key = idempotency_key(&headers)?;
    let tenant = caller.speaks_for(message.tenant(), &api.settings.default_tenant)?;
    let heard = message.heard(key, waits)?;
    if waits {
        decide(&api.door, &tenant, heard).await
    } else {
        let (id, _, record) = api.door.seal(&tenant, heard)?;
        api.door.append(vec![record]).await?;
        Ok(accepted(id))
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let bad = || {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_idempotency_key",
            format!("Idempotency-Key must be 1 to {KEY_BYTES_MAX} visible ASCII characters"),
        )
    };
    let key = value.to_str().map_err(|_| bad())?;
    if key.is_empty() || key.len() > KEY_BYTES_MAX { Err(bad()) } else { Ok(Some(key.to_owned())) }
}

/// 202: durable, not decided yet.
fn accepted(id: MessageId) -> Response {
    let body = json!({ "message_id": id, "status": "accepted", "status_url": format!("/v1/messages/{id}") });
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

/// Appends, and answers with the decision if it comes in time.
async fn decide(door: &Door, tenant: &str, heard: HeardMessage) -> Result<Response, Problem> {
    match wait_for(door, tenant, heard).await? {
        (_, Some(decision)) => Ok(Json(decision).into_response()),
        (id, None) => Ok(accepted(id)),
    }
}

/// Appends, and waits for the decision for as long as callers are kept waiting.
async fn wait_for(
    door: &Door,
    tenant: &str,
    heard: HeardMessage,
) -> Result<(MessageId, Option<Decision>), Problem> {
    let until = Instant::now() + door.settings().wait;
    let accepted_at_ms = door.now_ms();
    let repeatable = heard.identity != Identity::None;
    let (id, key, record) = door.seal(tenant, heard)?;
    let keys = door.keyring().of(tenant)?;
    let mut watch = door.watch(&key);
    door.append(vec![record]).await.map_err(AcceptError::from)?;
    let mut progress = Progress::of(id);
    // A repeat is not decided again: it gets what the first one got, from the store. That is asked
    // when nothing comes, so that no first message pays for it.
    let mut look_at = repeatable.then(|| Instant::now() + LOOK_AFTER);
    loop {
        match timeout_at(look_at.unwrap_or(until).min(until), watch.next()).await {
            Ok(Some(heard)) => {
                progress.hear(&heard);
                if progress.is_complete() {
                    let now_ms = door.now_ms();
                    return Ok((id, progress.decision(keys, accepted_at_ms, Some(now_ms))));
                }
            }
            Err(_) if look_at.take().is_some() && Instant::now() < until => {
                // Under load the store may be slow: the caller is not kept longer for it.
                if let Some(found) = known_by(until, door, &key, id).await {
                    return Ok((id, Some(found)));
                }
            }
            Ok(None) | Err(_) => break,
        }
    }
    if !repeatable {
        return Ok((id, None));
    }
    // A repeat of one decided just before: the store has it by now.
    let last = Instant::now() + LOOK_AFTER;
    Ok((id, known_by(last, door, &key, id).await))
}

/// The decision, if the store tells of one in time. The message is kept whether or not the store
/// answers: refused now, it would be sent again for nothing.
async fn known_by(until: Instant, door: &Door, key: &LineKey, id: MessageId) -> Option<Decision> {
    timeout_at(until, decided(door, key, id)).await.ok()?.ok()?
}

/// The decision the store holds of a message of this contact, if it holds one.
async fn decided(door: &Door, key: &LineKey, id: MessageId) -> Result<Option<Decision>, Problem> {
    match door.history().trace(id).await? {
        Some(trace) if trace.key == *key => decision_in(door, &trace, id),
        _ => Ok(None),
    }
}

/// The decision a message's trace tells of, if it tells of one.
fn decision_in(door: &Door, trace: &Trace, id: MessageId) -> Result<Option<Decision>, Problem> {
    let mut progress = Progress::of(id);
    trace.history.iter().for_each(|(at_ms, record)| progress.line(*at_ms, record));
    let keys = door.keyring().of(&trace.key.tenant)?;
    Ok(progress
        .is_complete()
        .then(|| progress.decision(keys, trace.accepted_at_ms, None))
        .flatten())
}

/// `GET /v1/messages/{id}`.
async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: MessageId =
        id.parse().map_err(|error| Problem::not_found(format!("no such message: {error}")))?;
    let trace = api.door.history().trace(id).await?;
    let Some(trace) = trace.filter(|trace| caller.may_see(&trace.key.tenant)) else {
        return Err(Problem::not_found(
            "no such message; one accepted a moment ago may take a second",
        ));
    };
    match decision_in(&api.door, &trace, id)? {
        Some(decision) => Ok(Json(decision).into_response()),
        None => Ok(accepted(id)),
    }
}

/// Takes bytes as what a program posts and lets go what comes of it: for those who try what upsets it (`fuzz/`).
pub fn take_bytes(bytes: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<ApiMessage>(bytes) {
        let _ = message.heard(None, bytes.len().is_multiple_of(2));
    }
}
