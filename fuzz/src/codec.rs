//! What stands in topics, read by whoever finds it: records and keys. The first byte says as what.

use schemas::Avro;
use schemas::conversation::Conversation;
use schemas::ids::{ConversationId, LineKey};
use schemas::line::{Classified, Inbound, Turns};
use schemas::ops::{DeadLetter, RawRequest};
use schemas::state::{RouterState, TurnsState};
use schemas::work::{ActionRequest, Handoff, Reply};

use crate::Target;

/// What is read can be written, and is the same when it is read again.
fn round<T: Avro>(bytes: &[u8]) {
    let Ok(record) = T::from_bytes(bytes) else { return };
    let Ok(written) = record.to_bytes() else { panic!("what was read cannot be written") };
    let Ok(again) = T::from_bytes(&written) else { panic!("what was written cannot be read") };
    let Ok(rewritten) = again.to_bytes() else { panic!("what was read cannot be written") };
    assert!(written == rewritten, "written twice, it differs");
}

fn record(bytes: &[u8]) {
    let Some((as_what, rest)) = bytes.split_first() else { return };
    match as_what % 11 {
        0 => schema::<Inbound>(rest),
        1 => schema::<Turns>(rest),
        2 => schema::<Classified>(rest),
        3 => schema::<Conversation>(rest),
        4 => schema::<Reply>(rest),
        5 => schema::<ActionRequest>(rest),
        6 => schema::<Handoff>(rest),
        7 => schema::<RawRequest>(rest),
        8 => schema::<DeadLetter>(rest),
        9 => schema::<RouterState>(rest),
        _ => schema::<TurnsState>(rest),
    }
}

/// Behind the header of the schema as it is now: nobody guesses a fingerprint.
fn schema<T: Avro>(bytes: &[u8]) {
    round::<T>(bytes);
    let mut framed = vec![0xC3, 0x01];
    framed.extend_from_slice(&T::codec().fingerprint().to_le_bytes());
    framed.extend_from_slice(bytes);
    round::<T>(&framed);
}

fn key(bytes: &[u8]) {
    if let Some(key) = LineKey::parse(bytes) {
        assert!(LineKey::parse(&key.to_bytes()).is_some(), "a key of ours is a key");
    }
    if let Ok(Ok(id)) = std::str::from_utf8(bytes).map(str::parse::<ConversationId>) {
        assert!(id.to_string().parse() == Ok(id), "an id of ours is an id");
    }
}

pub(crate) fn targets() -> Vec<Target> {
    vec![
        Target { name: "records", seeds: &[b"\x00", b"\x03\x02\x04", b"\x09"], read: record },
        Target { name: "keys", seeds: &[b"demo:0123456789abcdef"], read: key },
    ]
}
