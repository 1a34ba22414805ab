//! People on the models' work: what a turn was about, which answers are to be looked at, how the models
//! do, and whether an intent gets its automatic path back.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use pipeline::{Record, partition};
use schemas::Avro;
use schemas::conversation::{Conversation, ConversationEvent, TurnDecided};
use schemas::ids::ConversationId;
use schemas::labels::{AutomaticPath, LabelGiven};
use schemas::line::Sentiment;
use schemas::masking::mask;
use schemas::message::{Channel, Command, CommandAction, ReplyPurpose};
use schemas::sealed::{SealedText, TenantKeys};
use schemas::topics::AUTOMATIC_PATHS;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Scope;
use crate::api::{Desk, HISTORY_LINES_MAX, OfTenant};
use crate::commands::{agent_name, append_command, command_id};
use crate::problem::Problem;
use crate::views::{self, Text};

/// Answers to be looked at that are shown at once.
const CHECKS_MAX: usize = 50;
/// Longest name of an intent, in bytes.
const INTENT_BYTES_MAX: usize = 60;
/// How far back figures of the models go, in hours.
const HOURS_MAX: i64 = 14 * 24;

/// A turn as the history tells it.
struct Told<'a> {
    at_ms: i64,
    decided: &'a TurnDecided,
    texts: Vec<&'a SealedText>,
    answer: Option<&'a SealedText>,
}

/// Finds a turn in the history of its conversation.
fn told(lines: &[(i64, Conversation)], turn: i64) -> Option<Told<'_>> {
    let (at_ms, decided) = lines.iter().find_map(|(at_ms, line)| match &line.event {
        ConversationEvent::TurnDecided(decided) if decided.turn == turn => Some((*at_ms, decided)),
        _ => None,
    })?;
    let texts = lines
        .iter()
        .filter_map(|(_, line)| match &line.event {
            ConversationEvent::MessageReceived(received) => Some(&received.head),
            _ => None,
        })
        .filter(|head| decided.messages.contains(&head.message_id))
        .filter_map(|head| head.text_sealed.as_ref())
        .collect();
    let answer = lines.iter().find_map(|(_, line)| match &line.event {
        ConversationEvent::ReplySent(sent)
            if sent.turn == turn && sent.purpose == ReplyPurpose::Answer =>
        {
            sent.text_sealed.as_ref()
        }
        _ => None,
    });
    Some(Told { at_ms, decided, texts, answer })
}

/// All that was written in a turn, a line each, masked; `None` when nothing of it can be read any more.
fn text_masked(keys: &TenantKeys, texts: &[&SealedText]) -> Option<String> {
    let texts: Vec<String> = texts.iter().filter_map(|text| keys.open_text(text).ok()).collect();
    (!texts.is_empty()).then(|| mask(&texts.join("\n")))
}

#[derive(Deserialize)]
pub(crate) struct Labeling {
    agent: String,
    turn: i64,
    /// What it was about; left out, what the machine took it for was right.
    intent: Option<String>,
    sentiment: Option<Sentiment>,
    command_id: Option<String>,
}

/// A name models can be trained with.
fn is_intent(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    !name.is_empty() && name.len() <= INTENT_BYTES_MAX && name.chars().all(plain)
}

/// An agent says what a turn was about.
pub(crate) async fn label(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
    Json(asked): Json<Labeling>,
) -> Result<Response, Problem> {
    let row = desk.row(&scope, &id).await?;
    let (keys, tenant) = desk.keys(&scope, Some(&row.tenant))?;
    let agent = agent_name(&asked.agent)?;
    let lines = desk.store.history(row.conversation_id, 0, HISTORY_LINES_MAX).await?;
    let told = told(&lines, asked.turn).ok_or_else(|| Problem::not_found("turn"))?;
    let Some(c) = &told.decided.classification else {
        return Err(Problem::invalid("not_classified", "the turn had no text to classify"));
    };
    let text = text_masked(keys, &told.texts).ok_or_else(|| {
        Problem::invalid("no_text", "nothing of the turn can be read: there is nothing to label")
    })?;
    let predicted = c.intent().unwrap_or_default().to_owned();
    let intent = asked.intent.unwrap_or_else(|| predicted.clone());
    if !is_intent(&intent) {
        let detail = "intent must be 1 to 60 lower-case letters, digits and underscores";
        return Err(Problem::invalid("bad_intent", detail));
    }
    let label = LabelGiven {
        turn: asked.turn,
        messages: told.decided.messages.clone(),
        intent,
        sentiment: asked.sentiment,
        model_version: c.model_version.clone(),
        predicted,
        confidence: c.confidence,
        predicted_sentiment: c.sentiment,
        route: told.decided.route,
    };
    let command = Command {
        command_id: command_id(asked.command_id.as_deref())?,
        conversation_id: row.conversation_id,
        agent,
        action: CommandAction::Label,
        text_sealed: None,
        text_masked: Some(text),
        label: Some(label),
        queue: None,
        to_agent: None,
        until_ms: None,
        answer_id: None,
        score: None,
    };
    append_command(&desk, keys, &tenant, command).await
}

/// Automatic answers picked by chance that nobody has looked at yet.
pub(crate) async fn checks(
    State(desk): State<Desk>,
    scope: Scope,
    Query(asked): Query<OfTenant>,
) -> Result<Json<Value>, Problem> {
    let (keys, tenant) = desk.keys(&scope, asked.tenant.as_deref())?;
    let rows = desk.store.checks(&tenant, desk.clock.now_ms(), CHECKS_MAX).await?;
    let mut shown = Vec::new();
    for row in rows {
        let lines = desk.store.history(row.conversation_id, 0, HISTORY_LINES_MAX).await?;
        let channel = lines.first().map(|(_, line)| line.channel);
        for turn in row.turns {
            let Some(told) = told(&lines, turn) else { continue };
            shown.push(check(keys, row.conversation_id, &told, turn, channel));
        }
    }
    Ok(Json(json!({ "checks": shown })))
}

fn check(
    keys: &TenantKeys,
    id: ConversationId,
    told: &Told<'_>,
    turn: i64,
    channel: Option<Channel>,
) -> Value {
    json!({
        "conversation_id": id,
        "turn": turn,
        "at_ms": told.at_ms,
        "channel": channel,
        "text": text_masked(keys, &told.texts),
        "answer": views::text(keys, told.answer, Text::Masked),
        "classification": told.decided.classification,
    })
}

#[derive(Deserialize)]
pub(crate) struct Since {
    tenant: Option<String>,
    hours: Option<i64>,
}

/// How the models do, and which intents have lost their automatic path.
pub(crate) async fn model(
    State(desk): State<Desk>,
    scope: Scope,
    Query(asked): Query<Since>,
) -> Result<Json<Value>, Problem> {
    let (_, tenant) = desk.keys(&scope, asked.tenant.as_deref())?;
    let hours = asked.hours.unwrap_or(24).clamp(1, HOURS_MAX);
    let from_hour = desk.clock.now_ms().div_euclid(3_600_000) + 1 - hours;
    let watch = desk.board.watch_of(&tenant);
    let model = watch.version().map(|version| watch.report(version, from_hour));
    let closed: Vec<Value> = desk.board.closed_of(&tenant).iter().map(closed_path).collect();
    Ok(Json(json!({ "from_hour": from_hour, "model": model, "closed": closed })))
}

fn closed_path(path: &AutomaticPath) -> Value {
    json!({
        "intent": path.intent,
        "at_ms": path.at_ms,
        "model_version": path.model_version,
        "checked": path.checked,
        "overridden": path.overridden,
        "override_rate_min": path.override_rate_min,
    })
}

#[derive(Deserialize)]
pub(crate) struct Reopening {
    agent: String,
}

/// Gives an intent its automatic path back; what was checked until now counts no more.
pub(crate) async fn reopen(
    State(desk): State<Desk>,
    scope: Scope,
    Path(intent): Path<String>,
    Query(asked): Query<OfTenant>,
    Json(by): Json<Reopening>,
) -> Result<Json<Value>, Problem> {
    let (_, tenant) = desk.keys(&scope, asked.tenant.as_deref())?;
    let agent = agent_name(&by.agent)?;
    let closed = desk.board.closed_of(&tenant);
    let Some(closed) = closed.into_iter().find(|path| path.intent == intent) else {
        let detail = "o caminho automático desta intenção não está fechado";
        return Err(Problem::new(StatusCode::CONFLICT, "not_closed", detail));
    };
    let now_ms = desk.clock.now_ms();
    let path =
        AutomaticPath { open: true, at_ms: now_ms.max(closed.at_ms), by: Some(agent), ..closed };
    let value =
        path.to_bytes().map_err(|error| Problem::invalid("unwritable", error.to_string()))?;
    let within = partition::of(AutomaticPath::PARTITIONED_BY, desk.log.partitions());
    let record = Record::new(AUTOMATIC_PATHS, path.key().into_bytes(), value, now_ms);
    desk.log.append(vec![Record { partition: Some(within), ..record }]).await?;
    Ok(Json(json!({ "intent": intent, "open": true, "at_ms": path.at_ms })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intents_have_plain_names() {
        for good in ["pix", "portabilidade_numero", "planos_5g"] {
            assert!(is_intent(good), "{good}");
        }
        for bad in ["", "Pix", "meu cpf é", "a/b", "ção", &"a".repeat(61)] {
            assert!(!is_intent(bad), "{bad}");
        }
    }
}
