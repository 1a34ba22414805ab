//! The one call of an earlier system, for its clients:
//! `POST /api/v1/conversations/message {channel, customer_identifier, message}`.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::adapt::ApiMessage;
use super::{Api, accepted, idempotency_key, wait_for};
use crate::door::{Caller, JsonBody, Problem};

/// What those clients send.
#[derive(Deserialize)]
pub(super) struct LegacyMessage {
    channel: String,
    customer_identifier: String,
    message: String,
}

/// Answers in their words; its `intent` is the coarse kind, ours is beside it.
pub(super) async fn message(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    JsonBody(body): JsonBody<LegacyMessage>,
) -> Result<Response, Problem> {
    let message = ApiMessage::new(body.channel, body.customer_identifier, body.message);
    let tenant = caller.speaks_for(None, &api.settings.default_tenant)?;
    let (id, decision) =
        wait_for(&api.door, &tenant, message.heard(idempotency_key(&headers)?, true)?).await?;
    let Some(decision) = decision else { return Ok(accepted(id)) };
    let intent_id = decision.intent.as_deref().unwrap_or("fora_escopo");
    let group = (api.settings.intent_group)(&tenant, intent_id);
    let taken: Vec<&str> = decision.actions.iter().map(|taken| taken.action.as_str()).collect();
    let automated = decision.route == "auto";
    Ok(Json(json!({
        "intent": group,
        "intent_id": intent_id,
        "confidence": decision.confidence,
        "sentiment": decision.sentiment,
        "resolution_type": if automated { "ai_automated" } else { "human_routing" },
        "actions_taken": taken,
        "response": decision.reply.as_ref().map(|reply| &reply.text),
        "processing_time_ms": decision.processing_time_ms,
        "protocol": decision.protocol,
        "conversation_id": decision.conversation_id,
        "message_id": decision.message_id,
    }))
    .into_response())
}
