//! What agents ask of conversations: appended as commands, answered with what the router made of them.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use pipeline::Record;
use schemas::Avro;
use schemas::conversation::ConversationEvent;
use schemas::ids::{CommandId, LineKey};
use schemas::line::{Inbound, InboundBody};
use schemas::masking::mask;
use schemas::message::{Command, CommandAction};
use schemas::sealed::TenantKeys;
use schemas::topics::INBOUND;
use serde::Deserialize;
use serde_json::json;

use crate::access::Scope;
use crate::api::Desk;
use crate::floor::Line;
use crate::problem::Problem;
use crate::suggestions::text_of_template;
use crate::views::{self, Text};

/// How long an agent waits for what comes of a command.
const COMMAND_WITHIN: Duration = Duration::from_secs(3);
/// Longest agent names and texts, in bytes.
const AGENT_BYTES_MAX: usize = 80;
const TEXT_BYTES_MAX: usize = 16 << 10;

#[derive(Deserialize)]
pub(crate) struct Asked {
    agent: String,
    /// Of a reply or a note; of a transfer what colleagues are to know; of a csat the comment.
    text: Option<String>,
    /// Instead of a reply's text: an answer of the catalogue that providers have approved.
    template: Option<String>,
    /// Where a transfer goes: a queue, or an agent.
    queue: Option<String>,
    to_agent: Option<String>,
    /// Until when it is put aside (Unix, ms).
    until_ms: Option<i64>,
    /// 1 to 5, of a csat.
    score: Option<i32>,
    /// The program's own id of the command: asked again, it is the same command.
    command_id: Option<String>,
}

/// The route of one action.
pub(crate) fn asking(action: CommandAction) -> MethodRouter<Desk> {
    post(move |desk: State<Desk>, scope: Scope, id: Path<String>, asked: Json<Asked>| {
        command(desk, scope, id, asked, action)
    })
}

/// Appends what an agent asks and answers with what the router made of it.
async fn command(
    State(desk): State<Desk>,
    scope: Scope,
    Path(id): Path<String>,
    Json(asked): Json<Asked>,
    action: CommandAction,
) -> Result<Response, Problem> {
    let row = desk.row(&scope, &id).await?;
    let (keys, tenant) = desk.keys(&scope, Some(&row.tenant))?;
    let agent = agent_name(&asked.agent)?;
    let template = asked.template.filter(|_| action == CommandAction::Reply);
    let text = match &template {
        Some(answer_id) => Some(text_of_template(&desk, &row, answer_id).await?),
        None => text_of(action, asked.text)?,
    };
    let to_agent = asked.to_agent.as_deref().map(agent_name).transpose()?;
    let command_id = command_id(asked.command_id.as_deref())?;
    let sealed = text.as_ref().map(|text| keys.seal(command_id.as_bytes(), text.as_bytes()));
    let command = Command {
        command_id,
        conversation_id: row.conversation_id,
        agent,
        action,
        text_sealed: sealed.transpose()?,
        text_masked: text.as_deref().map(mask),
        label: None,
        queue: asked.queue,
        to_agent,
        until_ms: asked.until_ms,
        answer_id: template,
        score: asked.score,
    };
    append_command(&desk, keys, &tenant, command).await
}

/// The text that goes with a command: some need one, some may have one.
fn text_of(action: CommandAction, text: Option<String>) -> Result<Option<String>, Problem> {
    let text = text.filter(|text| !text.trim().is_empty());
    let needs = matches!(action, CommandAction::Reply | CommandAction::Note);
    if !needs && !matches!(action, CommandAction::Transfer | CommandAction::Csat) {
        return Ok(None);
    }
    if needs && text.is_none() || text.as_ref().is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
        return Err(Problem::invalid("bad_text", "text must be 1 to 16384 bytes"));
    }
    Ok(text)
}

/// The name of an agent, as it is kept.
pub(crate) fn agent_name(asked: &str) -> Result<String, Problem> {
    let agent = asked.trim();
    if agent.is_empty() || agent.len() > AGENT_BYTES_MAX {
        return Err(Problem::invalid("bad_agent", "agent must be 1 to 80 bytes"));
    }
    Ok(agent.to_owned())
}

/// The program's own id of a command, or a new one.
pub(crate) fn command_id(asked: Option<&str>) -> Result<CommandId, Problem> {
    match asked {
        Some(id) => id.parse().map_err(|_| {
            Problem::invalid("bad_command_id", "command_id must be of the form cmd_…")
        }),
        None => Ok(CommandId(random()?)),
    }
}

/// Durable, and nothing is known of it yet.
pub(crate) fn accepted(command_id: CommandId) -> Response {
    let later = json!({ "command_id": command_id, "status": "accepted" });
    (StatusCode::ACCEPTED, Json(later)).into_response()
}

/// Appends what an agent asks and waits for the line it becomes; `None`: none yet.
pub(crate) async fn heard(
    desk: &Desk,
    key: &LineKey,
    body: InboundBody,
    command_id: CommandId,
) -> Result<Option<Line>, Problem> {
    let value = Inbound { body }
        .to_bytes()
        .map_err(|error| Problem::invalid("unwritable", error.to_string()))?;
    let told = desk.floor.expect(command_id);
    desk.log.append(vec![Record::new(INBOUND, key.to_bytes(), value, desk.clock.now_ms())]).await?;
    if let Ok(Ok(line)) = tokio::time::timeout(COMMAND_WITHIN, told).await {
        return Ok(Some(line));
    }
    desk.floor.forget(command_id);
    Ok(None)
}

/// Appends a command and waits for what the router makes of it.
pub(crate) async fn append_command(
    desk: &Desk,
    keys: &TenantKeys,
    tenant: &str,
    command: Command,
) -> Result<Response, Problem> {
    let command_id = command.command_id;
    let key = LineKey::new(tenant, command.conversation_id.contact());
    let Some(line) = heard(desk, &key, InboundBody::Command(command), command_id).await? else {
        return Ok(accepted(command_id));
    };
    let (at_ms, record) = line.as_ref();
    if let ConversationEvent::Refused(refused) = &record.event {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            &refused.reason,
            why(&refused.reason, record.owner.as_deref()),
        ));
    }
    let mut shown = views::line(keys, *at_ms, record, Text::Whole);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("command_id".to_owned(), json!(command_id));
    }
    Ok(Json(shown).into_response())
}

/// A refusal in words an agent reads.
fn why(reason: &str, owner: Option<&str>) -> String {
    match reason {
        "owned_by_another" => {
            format!("a conversa está com {}", owner.unwrap_or("outra pessoa"))
        }
        "not_claimed" => "assuma a conversa primeiro".to_owned(),
        "resolved" => "a conversa já foi resolvida".to_owned(),
        "not_open" => "a conversa já foi encerrada".to_owned(),
        "empty_text" => "escreva uma resposta".to_owned(),
        "bad_transfer" => "escolha uma fila ou um atendente".to_owned(),
        "unknown_queue" => "essa fila não existe".to_owned(),
        "has_it_already" => "a conversa já está com essa pessoa".to_owned(),
        "bad_time" => "escolha um horário nos próximos 30 dias".to_owned(),
        "bad_intent" => "escolha uma intenção".to_owned(),
        "bad_score" => "a nota vai de 1 a 5".to_owned(),
        "csat_not_asked" => "o cliente não foi perguntado, ou voltou a escrever".to_owned(),
        "csat_answered" => "o cliente já deu a nota".to_owned(),
        _ => "não é possível agora".to_owned(),
    }
}

fn random<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_randomness", error.to_string())
    })?;
    Ok(bytes)
}
