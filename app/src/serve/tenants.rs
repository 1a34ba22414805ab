//! Tenants over HTTP: which there are, what is in use of each, and how their messages are grouped just
//! now. Grouping is switched, and open groups are ended, here.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use desk::Scope;
use ingest::turns::Grouping;
use pipeline::Record;
use pipeline::broadcast::Broadcasts;
use schemas::Avro;
use schemas::ids::{CommandId, ContactKey, ConversationId, LineKey};
use schemas::line::{Inbound, InboundBody};
use schemas::message::{Command, CommandAction};
use schemas::topics::INBOUND;
use serde::Deserialize;
use serde_json::{Value, json};

use super::groups::{Group, Groups};
use super::problem::Problem;
use super::texts::Texts;
use crate::config::OwnGrouping;
use crate::inputs::{Kind, Refused};

/// Open groups shown at once.
const SHOWN_MAX: usize = 200;

/// What the routes work with.
#[derive(Clone)]
pub(super) struct Tenants {
    pub(super) texts: Texts,
    pub(super) groups: Arc<Groups>,
}

type Answer = Result<Response, Problem>;

impl Tenants {
    /// Lets through who may see `tenant`.
    fn may_see(&self, scope: &Scope, tenant: &str) -> Result<(), Problem> {
        let known = self.texts.settings.tenants.contains_key(tenant);
        if known && scope.admits(tenant) {
            return Ok(());
        }
        Err(Refused::NoTenant(tenant.to_owned()).into())
    }

    fn shown(&self, name: &str) -> Value {
        let settings = &self.texts.settings;
        let accounts: Vec<Value> = settings
            .channels
            .accounts()
            .filter(|(_, _, tenant)| *tenant == name)
            .map(|(channel, account, _)| json!({ "channel": channel, "account": account }))
            .collect();
        let version = |kind| {
            let in_use = self.texts.apply().shown(kind, Some(name)).ok()?;
            Some(json!({
                "version": in_use.version, "inherited": in_use.inherited,
                "configured": in_use.configured, "by": in_use.by, "at_ms": in_use.at_ms,
            }))
        };
        let tenant = settings.tenants.get(name);
        json!({
            "tenant": name,
            "active": tenant.is_some_and(|tenant| tenant.active),
            "utc_offset_minutes": tenant.map(|tenant| tenant.utc_offset_minutes),
            "accounts": accounts,
            "answers": version(Kind::Answers),
            "policy": version(Kind::Policy),
            "grouping": self.grouping(name),
        })
    }

    /// How the tenant's messages are grouped, and what is open.
    fn grouping(&self, name: &str) -> Value {
        let now_ms = self.texts.clock.now_ms();
        let latest = self.texts.inputs.grouping.latest();
        let Grouping { enabled, window_ms, age_ms_max, messages_max, .. } = latest.content.of(name);
        let own = self.texts.inputs.known.read();
        let own = own.own(Kind::Grouping, name).filter(|own| !own.version.is_empty());
        let open = self.groups.of(name);
        let shown = |group: &Group| {
            json!({
                "contact": group.key.contact.to_string(),
                "opened_at_ms": group.opened_at_ms,
                "age_ms": (now_ms - group.opened_at_ms).max(0),
                "closes_in_ms": (group.closes_at_ms - now_ms).max(0),
                "messages": group.messages,
            })
        };
        json!({
            "enabled": enabled,
            "window_ms": window_ms,
            "age_ms_max": age_ms_max,
            "messages_max": messages_max,
            "inherited": own.is_none(),
            "open_count": open.len(),
            "open_messages": open.iter().map(|group| group.messages).sum::<usize>(),
            "oldest_age_ms": open.first().map(|group| (now_ms - group.opened_at_ms).max(0)),
            "open": open.iter().take(SHOWN_MAX).map(shown).collect::<Vec<_>>(),
        })
    }

    /// What ends the groups of `contacts`.
    fn ending(&self, tenant: &str, contacts: &[ContactKey]) -> anyhow::Result<Vec<Record>> {
        let now_ms = self.texts.clock.now_ms();
        let command = |contact: &ContactKey| {
            let mut id = [0; 16];
            getrandom::fill(&mut id)?;
            let command = Command {
                command_id: CommandId(id),
                // Of the contact, whichever conversation it has: only the group is meant.
                conversation_id: ConversationId::new(*contact, now_ms),
                agent: String::new(),
                action: CommandAction::Flush,
                text_sealed: None,
                text_masked: None,
                label: None,
                queue: None,
                to_agent: None,
                until_ms: None,
                answer_id: None,
                score: None,
            };
            let key = LineKey::new(tenant, *contact).to_bytes();
            let body = Inbound { body: InboundBody::Command(command) };
            Ok(Record::new(INBOUND, key, body.to_bytes()?, now_ms))
        };
        contacts.iter().map(command).collect()
    }
}

async fn list(State(tenants): State<Tenants>, scope: Scope) -> Json<Value> {
    let names = tenants.texts.settings.tenants.keys().filter(|name| scope.admits(name));
    let shown: Vec<Value> = names.map(|name| tenants.shown(name)).collect();
    Json(json!({ "tenants": shown }))
}

async fn show(State(tenants): State<Tenants>, scope: Scope, Path(name): Path<String>) -> Answer {
    tenants.may_see(&scope, &name)?;
    Ok(Json(tenants.shown(&name)).into_response())
}

async fn grouping(
    State(tenants): State<Tenants>,
    scope: Scope,
    Path(name): Path<String>,
) -> Answer {
    tenants.may_see(&scope, &name)?;
    Ok(Json(tenants.grouping(&name)).into_response())
}

/// Changes how a tenant's messages are grouped; what is left out stays as it is.
async fn regroup(
    State(tenants): State<Tenants>,
    scope: Scope,
    Path(name): Path<String>,
    Json(own): Json<OwnGrouping>,
) -> Answer {
    tenants.may_see(&scope, &name)?;
    let now = tenants.texts.inputs.grouping.latest().content.of(&name).clone();
    let text =
        toml::to_string(&own.over(now)).map_err(|error| Problem::unavailable(&error.into()))?;
    let by = ("API", tenants.texts.clock.now_ms());
    let apply = tenants.texts.apply();
    let put = apply.apply(Kind::Grouping, Some(&name), &text, by).await?;
    let status = tenants.texts.clone().hears(Kind::Grouping, &put).await;
    Ok((status, Json(tenants.grouping(&name))).into_response())
}

/// Puts what the configuration says into use again.
async fn reset(State(tenants): State<Tenants>, scope: Scope, Path(name): Path<String>) -> Answer {
    tenants.may_see(&scope, &name)?;
    let by = ("API", tenants.texts.clock.now_ms());
    let apply = tenants.texts.apply();
    let put = apply.reset(Kind::Grouping, Some(&name), by).await?;
    let status = tenants.texts.clone().hears(Kind::Grouping, &put).await;
    Ok((status, Json(tenants.grouping(&name))).into_response())
}

/// Whose groups are to end; left out, all of the tenant's that are known.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Whose {
    contact: Option<String>,
    conversation: Option<String>,
}

/// Ends open groups: a command for each contact, in its place in the order.
async fn flush(
    State(tenants): State<Tenants>,
    scope: Scope,
    Path(name): Path<String>,
    whose: Option<Json<Whose>>,
) -> Answer {
    tenants.may_see(&scope, &name)?;
    let Json(whose) = whose.unwrap_or_default();
    let contacts = match whose {
        Whose { contact: None, conversation: None } => {
            tenants.groups.of(&name).into_iter().map(|group| group.key.contact).collect()
        }
        Whose { contact: Some(contact), .. } => {
            vec![contact.parse().map_err(|_| Problem::not_found("contact"))?]
        }
        Whose { conversation: Some(id), .. } => {
            let id: ConversationId = id.parse().map_err(|_| Problem::not_found("conversation"))?;
            vec![id.contact()]
        }
    };
    let records = tenants.ending(&name, &contacts);
    let records = records.map_err(|error| Problem::unavailable(&error))?;
    if !records.is_empty() {
        let appended = tenants.texts.log.append(records).await;
        appended.map_err(|error| Problem::unavailable(&error.into()))?;
    }
    let told = json!({ "asked": contacts.len() });
    Ok((StatusCode::ACCEPTED, Json(told)).into_response())
}

/// The routes, for those who have a token.
pub(super) fn routes(of: Tenants) -> Router {
    Router::new()
        .route("/v1/tenants", get(list))
        .route("/v1/tenants/{slug}", get(show))
        .route("/v1/tenants/{slug}/grouping", get(grouping).put(regroup).delete(reset))
        .route("/v1/tenants/{slug}/grouping/flush", post(flush))
        .with_state(of)
}
