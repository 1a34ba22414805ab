//! What the provider of WhatsApp Cloud does: it signs what it sends.

use anyhow::Context;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

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
