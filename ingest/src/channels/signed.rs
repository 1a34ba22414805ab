//! What most providers sign with, and we: HMAC-SHA-256.

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Whether `hex` signs `parts`, one after the other, with `secret`. Takes the same time for every wrong
/// signature; without a secret nothing is signed.
#[must_use]
pub(super) fn fits(secret: &str, parts: &[&[u8]], hex: &str) -> bool {
    let Ok(signature) = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()) else { return false };
    signs(secret.as_bytes(), parts, &signature)
}

/// The same of a signature in bytes.
#[must_use]
pub(super) fn signs(secret: &[u8], parts: &[&[u8]], signature: &[u8]) -> bool {
    !secret.is_empty() && mac(secret, parts).is_some_and(|mac| mac.verify_slice(signature).is_ok())
}

/// Signs `parts`, one after the other, with `secret`.
#[must_use]
pub(super) fn signature(secret: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    mac(secret, parts).map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default()
}

/// Always there: a key of any length is valid for HMAC.
fn mac(secret: &[u8], parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).ok()?;
    parts.iter().for_each(|part| mac.update(part));
    Some(mac)
}
