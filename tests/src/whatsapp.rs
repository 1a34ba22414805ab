//! What the provider of WhatsApp Cloud does: it signs what it sends.

use anyhow::Context;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::api::Api;
use crate::server::Options;

/// The value of `X-Hub-Signature-256` for `body`, by Meta's documentation of webhooks.
///
/// # Errors
/// When the secret cannot be a key.
pub fn signature(secret: &str, body: &[u8]) -> anyhow::Result<String> {
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes());
    let mut mac = mac.ok().context("the secret cannot be a key")?;
    mac.update(body);
    Ok(format!("sha256={}", HEXLOWER.encode(&mac.finalize().into_bytes())))
}

/// Where the account of [`account`] hears.
pub const PATH: &str = "/v1/channels/whatsapp_cloud/principal";
const SECRET: &str = "app_secret";

/// A server with one account, which answers by the provider at `provider`.
#[must_use]
pub fn account(options: Options, provider: &str) -> Options {
    let settings = [
        ("TENANT", "demo"),
        ("APP_SECRET", SECRET),
        ("VERIFY_TOKEN", "T"),
        ("ACCESS_TOKEN", "token"),
        ("API_URL", provider),
    ];
    settings.into_iter().fold(options, |options, (key, value)| {
        options.with(&format!("CHANNELS__WHATSAPP_CLOUD__PRINCIPAL__{key}"), value)
    })
}

/// The body that tells one message: `kind`, and the part of that name.
#[must_use]
pub fn written(from: &str, id: &str, kind: &str, part: Value) -> Value {
    let mut message = serde_json::Map::from_iter([
        ("from".to_owned(), json!(from)),
        ("id".to_owned(), json!(id)),
        ("type".to_owned(), json!(kind)),
    ]);
    message.insert(kind.to_owned(), part);
    json!({ "metadata": { "phone_number_id": "111" }, "messages": [message] })
}

/// The body that tells what happened, and its signature.
///
/// # Errors
/// When the secret cannot be a key.
pub fn signed(value: &Value) -> anyhow::Result<(String, String)> {
    let body = json!({ "entry": [{ "changes": [{ "value": value }] }] }).to_string();
    let signature = signature(SECRET, body.as_bytes())?;
    Ok((body, signature))
}

/// Posts what happened as the provider does; gives the status.
///
/// # Errors
/// When no answer comes.
pub async fn post(api: &Api, value: &Value) -> anyhow::Result<u16> {
    let (body, _) = signed(value)?;
    post_body(api, body.as_bytes()).await
}

/// Posts a body, signed.
///
/// # Errors
/// When no answer comes.
pub async fn post_body(api: &Api, body: &[u8]) -> anyhow::Result<u16> {
    let signature = signature(SECRET, body)?;
    let headers =
        [("content-type", "application/json"), ("x-hub-signature-256", signature.as_str())];
    Ok(api.post_raw(PATH, &headers, body.to_vec()).await?.status)
}
