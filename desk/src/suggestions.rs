//! What the machine would have answered, offered to the person who answers.

use axum::Json;
use axum::extract::{Path, State};
use schemas::conversation::Conversation;
use serde_json::{Value, json};

use crate::access::Scope;
use crate::api::{Desk, HISTORY_LINES_MAX};
use crate::problem::Problem;

/// A text to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Which answer of the catalogue.
    pub answer_id: String,
    /// What it says.
    pub text: String,
    /// What the customer wants, as the models see it.
    pub intent: String,
}

/// Who knows what the machine would say.
pub trait Suggests: Send + Sync {
    /// What it would say to the last turn of a conversation, if anything.
    fn suggest(&self, lines: &[(i64, Conversation)], now_ms: i64) -> Option<Suggestion>;
}

/// A suggestion, or null.
pub(crate) async fn suggestion(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let row = desk.row(&scope, &id).await?;
    let lines = desk.store.history(row.conversation_id, 0, HISTORY_LINES_MAX).await?;
    let found = desk.suggests.suggest(&lines, desk.clock.now_ms());
    let shown = found.map(|Suggestion { answer_id, text, intent }| {
        json!({ "answer_id": answer_id, "text": text, "intent": intent })
    });
    Ok(Json(json!({ "suggestion": shown })))
}
