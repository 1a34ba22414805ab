//! WhatsApp Cloud API: the provider's verification and its webhooks.
//!
//! Bytes are verified as received, kept in `raw` for 72 h, adapted, and acknowledged once durable:
//! classification is not waited for.

mod adapt;
mod signature;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use pipeline::Record;
use schemas::Avro;
use schemas::ops::RawRequest;
use schemas::topics::RAW;
use serde::Deserialize;
use subtle::ConstantTimeEq;

pub use adapt::{Event, adapt};
pub use signature::verify;

use crate::door::{Door, Problem, RawBody};

/// Name of the adapter.
pub const PROVIDER: &str = "whatsapp_cloud";

/// One app at the provider, whose webhooks come to `/v1/channels/whatsapp_cloud/{account}`.
#[derive(Clone)]
pub struct Account {
    /// Whose customers write.
    pub tenant: String,
    /// Signs the provider's requests.
    pub app_secret: String,
    /// Echoed by the provider when it verifies the address.
    pub verify_token: String,
}

#[derive(Clone)]
struct Webhook {
    door: Door,
    accounts: Arc<HashMap<String, Account>>,
}

/// The routes.
pub fn routes(door: Door, accounts: HashMap<String, Account>) -> Router {
    Router::new()
        .route("/v1/channels/whatsapp_cloud/{account}", get(verification).post(event))
        .with_state(Webhook { door, accounts: Arc::new(accounts) })
}

impl Webhook {
    fn account(&self, name: &str) -> Result<&Account, Problem> {
        self.accounts.get(name).ok_or_else(|| {
            Problem::not_found(format!(
                "no WhatsApp account '{name}': add channels.whatsapp_cloud.{name} to the configuration"
            ))
        })
    }
}

#[derive(Deserialize)]
struct Verification {
    #[serde(rename = "hub.mode")]
    mode: Option<String>,
    #[serde(rename = "hub.verify_token")]
    token: Option<String>,
    #[serde(rename = "hub.challenge")]
    challenge: Option<String>,
}

/// The provider asks whether the address is ours.
async fn verification(
    State(webhook): State<Webhook>,
    Path(account): Path<String>,
    Query(asked): Query<Verification>,
) -> Result<Response, Problem> {
    let account = webhook.account(&account)?;
    let token = asked.token.unwrap_or_default();
    let ours = account.verify_token.as_bytes();
    let right = !ours.is_empty() && bool::from(token.as_bytes().ct_eq(ours));
    match (asked.mode.as_deref(), right, asked.challenge) {
        (Some("subscribe"), true, Some(challenge)) => Ok(challenge.into_response()),
        _ => {
            Err(Problem::new(StatusCode::FORBIDDEN, "wrong_token", "the verify token is not ours"))
        }
    }
}

/// The provider tells what happened.
async fn event(
    State(webhook): State<Webhook>,
    Path(name): Path<String>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    let account = webhook.account(&name)?;
    let signature = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    if !verify(&account.app_secret, &body, signature) {
        let detail = "X-Hub-Signature-256 does not fit the body";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "bad_signature", detail));
    }
    let events =
        adapt(&body).map_err(|why| Problem::new(StatusCode::BAD_REQUEST, "malformed_json", why))?;
    let mut records = vec![raw(&webhook.door, &name, signature, &body)?];
    for event in events {
        records.push(match event {
            Event::Message(message) => webhook.door.seal(&account.tenant, *message)?.2,
            Event::Status(status) => webhook.door.seal_status(&account.tenant, *status)?,
        });
    }
    webhook.door.append(records).await?;
    Ok(StatusCode::OK.into_response())
}

/// The request as it came, for audit and for trying the adapter again.
fn raw(
    door: &Door,
    account: &str,
    signature: Option<&str>,
    body: &Bytes,
) -> Result<Record, Problem> {
    let now_ms = door.now_ms();
    let headers = signature.map(|value| ("x-hub-signature-256".to_owned(), value.to_owned()));
    let request = RawRequest {
        provider: PROVIDER.to_owned(),
        account: account.to_owned(),
        received_at_ms: now_ms,
        headers: BTreeMap::from_iter(headers),
        body: body.to_vec(),
    };
    let bytes = request
        .to_bytes()
        .map_err(|error| Problem::unavailable("unwritable", error.to_string(), 5))?;
    Ok(Record::new(RAW, account.as_bytes().to_vec(), bytes, now_ms))
}
