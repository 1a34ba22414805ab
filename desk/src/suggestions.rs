//! What the machine would have answered, offered to the person who answers.

use axum::Json;
use axum::extract::{Path, State};
use schemas::conversation::{Conversation, ConversationEvent};
use serde_json::{Value, json};
use sink::rows::ConversationRow;

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

/// A text that the providers have approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateText {
    /// Which answer of the catalogue.
    pub answer_id: String,
    /// What it says.
    pub text: String,
}

/// Who knows what the machine would say.
pub trait Suggests: Send + Sync {
    /// What may be said in a conversation whose channel takes no free text any more.
    fn templates(&self, lines: &[(i64, Conversation)], now_ms: i64) -> Vec<TemplateText>;

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

/// Until when the channel takes free texts, and what may be said after.
pub(crate) async fn templates(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let row = desk.row(&scope, &id).await?;
    let lines = desk.store.history(row.conversation_id, 0, HISTORY_LINES_MAX).await?;
    let now_ms = desk.clock.now_ms();
    let until_ms = window_until_ms(&lines);
    let offered = desk.suggests.templates(&lines, now_ms);
    let shown: Vec<Value> = offered
        .into_iter()
        .map(|TemplateText { answer_id, text }| json!({ "answer_id": answer_id, "text": text }))
        .collect();
    Ok(Json(json!({
        "window_until_ms": until_ms,
        "window_open": until_ms.is_none_or(|until_ms| now_ms < until_ms),
        "templates": shown,
    })))
}

/// What the customer's last message left.
fn window_until_ms(lines: &[(i64, Conversation)]) -> Option<i64> {
    lines.iter().rev().find_map(|(_, line)| match &line.event {
        ConversationEvent::MessageReceived(message) => Some(message.head.reply_window_until_ms),
        _ => None,
    })?
}

/// The text of a template, for whoever asks by its id.
pub(crate) async fn text_of_template(
    desk: &Desk,
    row: &ConversationRow,
    answer_id: &str,
) -> Result<String, Problem> {
    let lines = desk.store.history(row.conversation_id, 0, HISTORY_LINES_MAX).await?;
    let offered = desk.suggests.templates(&lines, desk.clock.now_ms());
    let found = offered.into_iter().find(|offered| offered.answer_id == answer_id);
    let unknown = || {
        Problem::invalid(
            "unknown_template",
            "this conversation offers no such template: ask for its templates",
        )
    };
    Ok(found.ok_or_else(unknown)?.text)
}
