//! Answers and routing policies over HTTP: what is in use, and putting a new version into use. What
//! `correnteza answers` and `correnteza policy` ask of a running server.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};
use desk::Scope;
use ingest::channels::api::IntentGroup;
use pipeline::Log;
use pipeline::broadcast::Broadcasts;
use pipeline::clock::Clock;
use schemas::ops::SettingInUse;
use serde::Deserialize;
use tokio::sync::watch;

use super::backend::Backend;
use super::problem::Problem;
use crate::config::Settings;
use crate::inputs::{Apply, Inputs, Kind, Refused, group};

/// How long this process may take to hear of what it has written.
const HEARD_WITHIN: Duration = Duration::from_secs(20);
/// Longest names of those who ask, in bytes.
const BY_BYTES_MAX: usize = 80;

/// What the routes work with.
#[derive(Clone)]
pub(super) struct Texts {
    pub(super) log: Arc<dyn Log>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: Arc<Settings>,
    pub(super) inputs: Inputs,
    heard: watch::Receiver<u64>,
}

/// Whose, and who asks.
#[derive(Deserialize)]
struct Asked {
    tenant: Option<String>,
    #[serde(default)]
    by: String,
}

impl Asked {
    fn by(&self) -> Result<&str, Problem> {
        match self.by.as_str() {
            "" => Ok("API"),
            // What the configuration says is told by that name, and gives way to it.
            by if by.len() <= BY_BYTES_MAX && !by.starts_with("configuration") => Ok(by),
            _ => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                let told = "by must be 1 to 80 bytes, and not begin with \"configuration\"";
                Err(Problem::new(status, "bad_by", told))
            }
        }
    }
}

impl Texts {
    pub(super) fn new(
        backend: &Backend,
        settings: &Settings,
        inputs: Inputs,
        heard: watch::Receiver<u64>,
    ) -> Self {
        Self {
            log: Arc::clone(&backend.log),
            clock: Arc::clone(&backend.clock),
            settings: Arc::new(settings.clone()),
            inputs,
            heard,
        }
    }

    pub(super) fn apply(&self) -> Apply<'_> {
        Apply { log: &*self.log, settings: &self.settings, known: &self.inputs.known }
    }

    /// Whose text is asked for. A tenant's own token speaks of that tenant's.
    fn tenant<'a>(scope: &'a Scope, asked: &'a Asked) -> Result<Option<&'a str>, Problem> {
        match (scope, asked.tenant.as_deref()) {
            (Scope::All, asked) => Ok(asked),
            (Scope::Tenant(own), None) => Ok(Some(own)),
            (Scope::Tenant(own), Some(asked)) if **own == *asked => Ok(Some(asked)),
            (_, Some(asked)) => Err(Refused::NoTenant(asked.to_owned()).into()),
        }
    }

    /// What earlier clients call the kind of an intent, by the policies in use.
    pub(super) fn intent_group(&self) -> Arc<IntentGroup> {
        let policies = Arc::clone(&self.inputs.policy);
        Arc::new(move |tenant, intent| group(policies.latest().content.of(tenant), intent))
    }

    /// Waits until this process has heard of what it wrote: durable in any case, other processes may be
    /// ahead of this one.
    pub(super) async fn hears(mut self, kind: Kind, put: &SettingInUse) -> StatusCode {
        let known = Arc::clone(&self.inputs.known);
        let inputs = self.inputs.clone();
        // What is known is handed to the stages a moment later.
        let waiting = self.heard.wait_for(|_| {
            let heard =
                known.read().own(kind, &put.tenant).is_some_and(|own| own.at_ms >= put.at_ms);
            heard && inputs.are_handed_on(kind)
        });
        match tokio::time::timeout(HEARD_WITHIN, waiting).await {
            Ok(Ok(_)) => StatusCode::OK,
            _ => StatusCode::ACCEPTED,
        }
    }

    /// What is in use, once this process has heard of what it wrote.
    async fn heard(
        self,
        kind: Kind,
        tenant: Option<&str>,
        put: &SettingInUse,
    ) -> Result<Response, Problem> {
        let status = self.clone().hears(kind, put).await;
        let shown = self.apply().shown(kind, tenant)?;
        Ok((status, Json(shown)).into_response())
    }
}

/// The routes of one kind.
fn texts(kind: Kind) -> MethodRouter<Texts> {
    let show = move |State(of): State<Texts>, scope: Scope, Query(asked): Query<Asked>| async move {
        let tenant = Texts::tenant(&scope, &asked)?;
        Ok::<_, Problem>(Json(of.apply().shown(kind, tenant)?))
    };
    let put = move |State(of): State<Texts>,
                    scope: Scope,
                    Query(asked): Query<Asked>,
                    text: String| async move {
        let (tenant, by) = (Texts::tenant(&scope, &asked)?, (asked.by()?, of.clock.now_ms()));
        let put = of.apply().apply(kind, tenant, &text, by).await?;
        of.clone().heard(kind, tenant, &put).await
    };
    let reset = move |State(of): State<Texts>, scope: Scope, Query(asked): Query<Asked>| async move {
        let (tenant, by) = (Texts::tenant(&scope, &asked)?, (asked.by()?, of.clock.now_ms()));
        let put = of.apply().reset(kind, tenant, by).await?;
        of.clone().heard(kind, tenant, &put).await
    };
    get(show).put(put).delete(reset)
}

/// The routes, for those who have the token.
pub(super) fn routes(of: Texts) -> Router {
    Router::new()
        .route("/v1/answers", texts(Kind::Answers))
        .route("/v1/policy", texts(Kind::Policy))
        .with_state(of)
}
