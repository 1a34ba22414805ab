//! Recordings wait for what was said in them, each a turn of its own; texts go on being grouped beside them.
//! What is told of files goes on once.

use schemas::ids::MessageId;
use schemas::line::{TurnClosedBy, TurnMessage, TurnsBody};
use schemas::media::{MediaFetched, MediaResult, Transcribed};
use schemas::message::{MessageHead, MessageKind};
use schemas::sealed::{SealError, TenantKeys};
use schemas::state::{ToldMedia, TurnsState, WaitingAudio};

use super::ended::{Ended, hand_on};
use super::{Cx, Grouping, Settings, tell};
use crate::media::is_sound;

/// What is remembered to have been told of one contact's files.
const TOLD_MAX: usize = 200;

/// Whether the turn of a message waits until somebody has written down what was said. A person who has the
/// conversation listens, and a caller who waits is not kept.
pub(super) fn waits(
    state: &TurnsState,
    (head, flush): (&MessageHead, bool),
    settings: &Settings,
    grouping: &Grouping,
) -> bool {
    settings.transcript_wait_ms > 0
        && head.kind == MessageKind::Audio
        && head.attachments.len() == 1
        && !head.auto_generated
        && !flush
        && !state.owned
        && state.waiting.len() < grouping.messages_max
}

/// The message's turn waits.
pub(super) fn begin(state: &mut TurnsState, head: &MessageHead, until_ms: i64) {
    state.waiting.push(WaitingAudio {
        message_id: head.message_id,
        text_sealed: head.text_sealed.clone(),
        until_ms,
        answer_via: head.answer_via,
    });
}

/// Notes what is told of a file; `false`: it was told before.
pub(super) fn note(state: &mut TurnsState, told: ToldMedia, forget_before_ms: i64) -> bool {
    state.media_told.retain(|known| known.at_ms >= forget_before_ms);
    let same = |known: &ToldMedia| ToldMedia { at_ms: told.at_ms, ..*known } == told;
    if state.media_told.iter().any(same) {
        return false;
    }
    if state.media_told.len() >= TOLD_MAX {
        state.media_told.remove(0);
    }
    state.media_told.push(told);
    true
}

/// A file was fetched, or was not: then nobody will know what was said in it.
pub(super) fn fetched(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    fetched: MediaFetched,
    keys: &TenantKeys,
) -> Result<(), SealError> {
    let message_id = fetched.message_id;
    let speaks =
        fetched.result == MediaResult::Stored && fetched.mime.as_deref().is_some_and(is_sound);
    tell(cx, TurnsBody::MediaFetched(fetched));
    match take(state, message_id) {
        Some(audio) if speaks => state.waiting.push(audio),
        Some(audio) => close(cx, state, &audio, None, keys)?,
        None => {}
    }
    Ok(())
}

/// What was said is known, or that nobody knows.
pub(super) fn transcribed(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    transcribed: &Transcribed,
    keys: &TenantKeys,
) -> Result<(), SealError> {
    tell(cx, TurnsBody::Transcribed(transcribed.clone()));
    match take(state, transcribed.message_id) {
        Some(audio) => close(cx, state, &audio, Some(transcribed), keys),
        None => Ok(()), // it had waited for too long, or a person listens
    }
}

/// Ends the turns of recordings that have waited until `now_ms`.
pub(super) fn overdue(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    keys: &TenantKeys,
    now_ms: i64,
) -> Result<(), SealError> {
    let (due, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut state.waiting)
        .into_iter()
        .partition(|audio: &WaitingAudio| audio.until_ms <= now_ms);
    state.waiting = waiting;
    due.iter().try_for_each(|audio| close(cx, state, audio, None, keys))
}

/// Ends the turns of all recordings: a person has the conversation, and listens.
pub(super) fn taken(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    keys: &TenantKeys,
) -> Result<(), SealError> {
    overdue(cx, state, keys, i64::MAX)
}

/// When the first of them has waited long enough.
pub(super) fn deadline(state: &TurnsState) -> Option<i64> {
    state.waiting.iter().map(|audio| audio.until_ms).min()
}

fn take(state: &mut TurnsState, message_id: MessageId) -> Option<WaitingAudio> {
    let at = state.waiting.iter().position(|audio| audio.message_id == message_id)?;
    Some(state.waiting.remove(at))
}

/// Ends the turn of a recording, with what was said if that is known.
fn close(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    audio: &WaitingAudio,
    heard: Option<&Transcribed>,
    keys: &TenantKeys,
) -> Result<(), SealError> {
    let said = heard.filter(|heard| heard.text_sealed.is_some());
    let sealed = audio.text_sealed.iter().chain(said.and_then(|said| said.text_sealed.as_ref()));
    let texts: Vec<String> =
        sealed.map(|sealed| keys.open_text(sealed)).collect::<Result<_, _>>()?;
    let ended = Ended {
        messages: vec![TurnMessage { message_id: audio.message_id, kind: MessageKind::Audio }],
        texts,
        closed_by: if said.is_some() { TurnClosedBy::Transcript } else { TurnClosedBy::Media },
        answer_via: audio.answer_via,
        needs_person: said.is_none(),
        choice: None,
        auto_generated: false,
        transcript_confidence: said.map(|said| said.confidence),
    };
    hand_on(cx, state, ended, keys)
}
