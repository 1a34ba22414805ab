//! The doors and the desk, put together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ingest::Door;
use ingest::channels::api::ApiSettings;
use ingest::channels::{api, web_chat, webhook};
use ingest::door::{DoorSettings, Hub, body_limit};
use pipeline::Log;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use super::history::StoredHistory;
use super::models;
use crate::channels::webhooks;
use crate::config::Settings;
use crate::models::follow::Known;

/// Who tells doors and desk what happens on the line.
pub(super) struct Ears {
    pub(super) hub: Arc<Hub>,
    pub(super) floor: Arc<desk::Floor>,
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
        DoorSettings { wait: Duration::from_millis(settings.door.wait_ms) },
    )
}

/// The doors and the desk; `stop` ends their streams.
pub(super) fn routes(
    backend: &Backend,
    settings: &Settings,
    (ears, door): (&Ears, Door),
    (board, suggests, files): (Arc<desk::Board>, Arc<dyn desk::Suggests>, Arc<dyn desk::Files>),
    (intent_groups, known): (BTreeMap<String, String>, watch::Receiver<Known>),
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
        default_tenant: default_tenant.as_str().into(),
        stop: stop.clone(),
    };
    let token = &settings.server.token;
    let access = if token.is_empty() { desk::Access::open() } else { desk::Access::token(token) };
    let api_settings = ApiSettings { default_tenant: default_tenant.clone(), intent_groups };
    let for_programs = access.guard(api::routes(door.clone(), api_settings));
    let doors = for_programs
        .merge(webhook::routes(door.clone(), webhooks(settings)))
        .merge(web_chat::routes(door, &default_tenant, stop.clone()))
        .merge(desk::routes(desk, &access));
    // A model is larger than any message.
    let models = access.guard(models::routes(backend, settings, known));
    body_limit(doors, settings.door.body_bytes_max).merge(models)
}
