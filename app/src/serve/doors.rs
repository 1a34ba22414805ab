//! The doors and the desk, put together.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use ingest::Door;
use ingest::channels::api::ApiSettings;
use ingest::channels::webhook::Webhooks;
use ingest::channels::{api, web_chat, webhook};
use ingest::door::{Caller, DoorSettings, Hub, body_limit};
use pipeline::Log;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use super::groups::Groups;
use super::history::StoredHistory;
use super::letters::Letters;
use super::look::Look;
use super::models;
use super::tenants::{self, Tenants};
use super::texts::{self, Texts};
use super::typing::{OfAgents, OfCustomers};
use crate::channels::{files, web_chats, webhooks};
use crate::config::Settings;
use crate::models::follow::Known;

/// Who tells doors and desk what happens on the line.
pub(super) struct Ears {
    pub(super) hub: Arc<Hub>,
    pub(super) floor: Arc<desk::Floor>,
    pub(super) groups: Arc<Groups>,
    pub(super) letters: Arc<Letters>,
}

/// What the doors have in common.
pub(super) fn door(backend: &Backend, settings: &Settings, ears: &Ears) -> Door {
    let history =
        StoredHistory { store: Arc::clone(&backend.store), clock: Arc::clone(&backend.clock) };
    Door::new(
        Arc::clone(&backend.log),
        Arc::clone(&backend.keyring),
        Arc::clone(&backend.clock),
        Arc::clone(&ears.hub),
        Arc::new(history),
        files::intake(settings, &backend.keyring),
        DoorSettings {
            wait: Duration::from_millis(settings.door.wait_ms),
            inactive: settings.inactive().map(str::to_owned).collect(),
        },
    )
}

/// The doors and the desk; `stop` ends their streams.
pub(super) fn routes(
    backend: &Backend,
    settings: &Settings,
    (ears, door): (&Ears, Door),
    (board, suggests, files): (Arc<desk::Board>, Arc<dyn desk::Suggests>, Arc<dyn desk::Files>),
    (texts, known): (Texts, watch::Receiver<Known>),
    stop: &CancellationToken,
) -> axum::Router {
    let log: Arc<dyn Log> = Arc::clone(&backend.log);
    let default_tenant = settings.default_tenant().to_owned();
    let desk = desk::Desk {
        log,
        store: Arc::clone(&backend.store),
        keyring: Arc::clone(&backend.keyring),
        clock: Arc::clone(&backend.clock),
        floor: Arc::clone(&ears.floor),
        suggests,
        files,
        board,
        dead_letters: Arc::clone(&ears.letters) as Arc<dyn desk::DeadLetters>,
        typing: Arc::new(OfAgents(Arc::clone(&ears.hub))),
        default_tenant: default_tenant.as_str().into(),
        stop: stop.clone(),
    };
    let of_customers = Arc::new(OfCustomers(Arc::clone(&ears.floor)));
    let look = Arc::new(Look(Arc::clone(&texts.inputs.catalogue)));
    let access = access(settings);
    let api_settings =
        ApiSettings { default_tenant: default_tenant.clone(), intent_group: texts.intent_group() };
    let programs = api::routes(door.clone(), api_settings);
    let for_programs = access.guard(programs.layer(middleware::from_fn(tell_caller)));
    let doors = for_programs
        .merge(webhook::routes(door.clone(), counted(webhooks(settings), backend)))
        .merge(web_chat::routes(door, web_chats(settings), (of_customers, look), stop.clone()))
        .merge(desk::routes(desk, &access));
    // A model is larger than any message.
    let models = access.guard_whole(models::routes(backend, settings, known));
    let groups = Arc::clone(&ears.groups);
    let tenants = access.guard(tenants::routes(Tenants { texts: texts.clone(), groups }));
    let texts = access.guard(texts::routes(texts));
    body_limit(doors.merge(texts).merge(tenants), settings.door.body_bytes_max).merge(models)
}

/// What providers tell operators is counted.
fn counted(webhooks: Webhooks, backend: &Backend) -> Webhooks {
    let help = "What providers told of accounts, by kind";
    let labels = ["provider", "account", "what"];
    match backend.metrics.counts("provider_notices_total", help, &labels) {
        Ok(counts) => webhooks.counting(counts),
        Err(error) => {
            tracing::error!(%error, "what providers tell of accounts is not counted");
            webhooks
        }
    }
}

/// Who may use the API and the desk.
fn access(settings: &Settings) -> desk::Access {
    let token = &settings.server.token;
    let all = if token.is_empty() { desk::Access::open() } else { desk::Access::token(token) };
    let own = settings.tenants.iter().filter(|(_, tenant)| !tenant.token.is_empty());
    own.fold(all, |access, (name, tenant)| access.with_tenant(name, &tenant.token))
}

/// Programs show the same tokens as agents.
async fn tell_caller(mut request: Request, next: Next) -> Response {
    if let Some(desk::Scope::Tenant(tenant)) = request.extensions().get().cloned() {
        request.extensions_mut().insert(Caller { tenant: Some(tenant) });
    }
    next.run(request).await
}
