//! The doors and the desk, put together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ingest::Door;
use ingest::channels::api::ApiSettings;
use ingest::channels::{api, web_chat, whatsapp_cloud};
use ingest::door::{DoorSettings, Hub, body_limit};
use pipeline::Log;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use super::history::StoredHistory;
use super::models;
use crate::config::Settings;
use crate::models::follow::Known;

/// Who tells doors and desk what happens on the line.
pub(super) struct Ears {
    pub(super) hub: Arc<Hub>,
    pub(super) floor: Arc<desk::Floor>,
}

/// The doors and the desk; `stop` ends their streams.
pub(super) fn routes(
    backend: &Backend,
    settings: &Settings,
    ears: &Ears,
    (board, suggests): (Arc<desk::Board>, Arc<dyn desk::Suggests>),
    (intent_groups, known): (BTreeMap<String, String>, watch::Receiver<Known>),
    stop: &CancellationToken,
) -> axum::Router {
    let log: Arc<dyn Log> = Arc::clone(&backend.log);
    let default_tenant = settings.default_tenant().to_owned();
    let history =
        StoredHistory { store: Arc::clone(&backend.store), clock: Arc::clone(&backend.clock) };
    let door_settings = DoorSettings { wait: Duration::from_millis(settings.door.wait_ms) };
    let door = Door::new(
        Arc::clone(&log),
        Arc::clone(&backend.keyring),
        Arc::clone(&backend.clock),
        Arc::clone(&ears.hub),
        Arc::new(history),
        door_settings,
    );
    let desk = desk::Desk {
        log,
        store: Arc::clone(&backend.store),
        keyring: Arc::clone(&backend.keyring),
        clock: Arc::clone(&backend.clock),
        floor: Arc::clone(&ears.floor),
        suggests,
        board,
        default_tenant: default_tenant.as_str().into(),
        stop: stop.clone(),
    };
    let token = &settings.server.token;
    let access = if token.is_empty() { desk::Access::open() } else { desk::Access::token(token) };
    let api_settings = ApiSettings { default_tenant: default_tenant.clone(), intent_groups };
    let for_programs = access.guard(api::routes(door.clone(), api_settings));
    let doors = for_programs
        .merge(whatsapp_cloud::routes(door.clone(), accounts(settings)))
        .merge(web_chat::routes(door, &default_tenant, stop.clone()))
        .merge(desk::routes(desk, &access));
    // A model is larger than any message.
    let models = access.guard(models::routes(backend, settings, known));
    body_limit(doors, settings.door.body_bytes_max).merge(models)
}

fn accounts(settings: &Settings) -> HashMap<String, whatsapp_cloud::Account> {
    let configured = settings.channels.whatsapp_cloud.iter();
    configured
        .map(|(name, account)| {
            let account = whatsapp_cloud::Account {
                tenant: account.tenant.clone(),
                app_secret: account.app_secret.clone(),
                verify_token: account.verify_token.clone(),
            };
            (name.clone(), account)
        })
        .collect()
}
