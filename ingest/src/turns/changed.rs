//! The customer edits or deletes what they wrote. History tells it; a turn that still grows is classified as
//! it reads now; one that was decided is not decided again.
//!
//! Invariant: behind a deletion nothing goes on that the message said: not the message itself, if it comes
//! later than its deletion, nor an edit of it, nor what was heard in its recording. So what keeps the history has
//! to look back, never ahead.

use schemas::ids::{LineKey, MessageId};
use schemas::line::{Received, TurnsBody};
use schemas::media::{MediaFetched, Transcribed};
use schemas::message::{Direction, Message, MessageHead, MessageKind};
use schemas::sealed::TenantKeys;
use schemas::state::{SeenMessage, TurnsState};

use super::{Cx, SEEN_MAX, tell};
use crate::door::provider_message;

/// An edit or a deletion came.
pub(super) fn message_changed(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    message: Message,
    (keys, key): (&TenantKeys, &LineKey),
    (now_ms, forget_before_ms): (i64, i64),
) {
    let mut head = message.head;
    head.changes = head
        .reply_to
        .as_deref()
        .map(|about| provider_message(keys, &head.provider, &head.account, key, about));
    if let Some(id) = head.changes {
        if head.kind == MessageKind::Delete {
            note_deleted(state, id, now_ms, forget_before_ms);
        }
        if is_deleted(state, id) {
            head.take_back();
        }
        if head.direction == Direction::Inbound {
            reword(state, id, &head);
        }
    }
    tell(cx, TurnsBody::Received(Box::new(Received { head, aliases: Vec::new() })));
}

/// A message in a turn that still grows says something else now, or nothing.
fn reword(state: &mut TurnsState, id: MessageId, change: &MessageHead) {
    let growing = state.open.iter_mut().flat_map(|open| open.messages.iter_mut());
    for changed in growing.filter(|open| open.message_id == id) {
        changed.text_sealed.clone_from(&change.text_sealed);
    }
    let waiting = state.waiting.iter_mut().filter(|audio| audio.message_id == id);
    for changed in waiting.filter(|_| change.deleted) {
        changed.text_sealed = None;
    }
}

fn note_deleted(state: &mut TurnsState, id: MessageId, now_ms: i64, forget_before_ms: i64) {
    state.deleted.retain(|known| known.at_ms >= forget_before_ms && known.message_id != id);
    if state.deleted.len() >= SEEN_MAX {
        state.deleted.remove(0);
    }
    state.deleted.push(SeenMessage { message_id: id, at_ms: now_ms });
}

fn is_deleted(state: &TurnsState, id: MessageId) -> bool {
    state.deleted.iter().any(|known| known.message_id == id)
}

/// A message that was taken back before it came says nothing.
pub(super) fn without_deleted(state: &TurnsState, message: &mut Message) {
    if is_deleted(state, message.head.message_id) {
        message.head.take_back();
        message.text = None;
    }
}

/// Nor is a file of such a message anybody's to have.
pub(super) fn without_file(state: &TurnsState, fetched: &mut MediaFetched) {
    if is_deleted(state, fetched.message_id) {
        fetched.take_back();
    }
}

/// Nor what was said in it.
pub(super) fn without_words(state: &TurnsState, transcribed: &mut Transcribed) {
    if is_deleted(state, transcribed.message_id) {
        transcribed.take_back();
    }
}
