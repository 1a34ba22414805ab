//! How both stores write values that their databases have no type for.

use schemas::conversation::Priority;
use schemas::sealed::SealedText;

/// Priorities in order of urgency, as numbers to sort by.
pub(super) fn rank(priority: Priority) -> i8 {
    match priority {
        Priority::Low => 0,
        Priority::Normal => 1,
        Priority::High => 2,
        Priority::Urgent => 3,
    }
}

/// Reads what [`rank`] wrote.
pub(super) fn priority(rank: i8) -> Priority {
    match rank {
        i8::MIN..=0 => Priority::Low,
        1 => Priority::Normal,
        2 => Priority::High,
        3..=i8::MAX => Priority::Urgent,
    }
}

/// Sealed text in one column: length of the key id, key id, nonce (12 bytes), ciphertext.
pub(super) fn sealed_to_bytes(sealed: &SealedText) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + sealed.key_id.len() + 12 + sealed.bytes.len());
    bytes.push(u8::try_from(sealed.key_id.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(sealed.key_id.as_bytes());
    bytes.extend_from_slice(&sealed.nonce);
    bytes.extend_from_slice(&sealed.bytes);
    bytes
}

/// Reads what [`sealed_to_bytes`] wrote.
pub(super) fn sealed_from_bytes(bytes: &[u8]) -> Option<SealedText> {
    let (length, rest) = bytes.split_first()?;
    let (key_id, rest) = rest.split_at_checked(usize::from(*length))?;
    let (nonce, bytes) = rest.split_at_checked(12)?;
    Some(SealedText {
        key_id: std::str::from_utf8(key_id).ok()?.to_owned(),
        nonce: nonce.to_vec(),
        bytes: bytes.to_vec(),
    })
}
