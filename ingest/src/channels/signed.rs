//! What most providers sign with: HMAC-SHA-256, in hexadecimal.

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Whether `hex` signs `parts`, one after the other, with `secret`. Takes the same time for every wrong
/// signature; without a secret nothing is signed.
#[must_use]
pub(super) fn fits(secret: &str, parts: &[&[u8]], hex: &str) -> bool {
    let Ok(signature) = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()) else { return false };
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()) else {
        return false;
    };
    parts.iter().for_each(|part| mac.update(part));
    !secret.is_empty() && mac.verify_slice(&signature).is_ok()
}
