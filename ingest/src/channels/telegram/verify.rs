//! `X-Telegram-Bot-Api-Secret-Token`: the secret given to `setWebhook`, compared in constant time.

use subtle::ConstantTimeEq;

/// Whether `header` is `secret`.
#[must_use]
pub(super) fn is_ours(secret: &str, header: Option<&str>) -> bool {
    !secret.is_empty() && bool::from(header.unwrap_or_default().as_bytes().ct_eq(secret.as_bytes()))
}
