//! A turn that has ended, on its way to be classified.

use schemas::line::{Turn, TurnClosedBy, TurnMessage, TurnsBody};
use schemas::masking::mask;
use schemas::message::{AnswerVia, Choice, MessageHead};
use schemas::sealed::{SealError, TenantKeys};
use schemas::state::TurnsState;

use super::{Cx, claims, context, customer, is_understood, tell};

/// Bytes of text of one turn that are handed on; a model has no use for more.
pub(super) const TEXT_BYTES_MAX: usize = 64 << 10;

/// Ends the open turn and hands it on. `last` is the message that ended it, if one did.
pub(super) fn close(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    closed_by: TurnClosedBy,
    last: Option<&MessageHead>,
    keys: &TenantKeys,
) -> Result<(), SealError> {
    let Some(open) = state.open.take() else { return Ok(()) };
    let sealed = open.messages.iter().filter_map(|message| message.text_sealed.as_ref());
    let ended = Ended {
        texts: sealed.map(|sealed| keys.open_text(sealed)).collect::<Result<_, _>>()?,
        messages: open
            .messages
            .iter()
            .map(|message| TurnMessage { message_id: message.message_id, kind: message.kind })
            .collect(),
        closed_by,
        answer_via: last.map_or(AnswerVia::Channel, |head| head.answer_via),
        needs_person: open.messages.iter().any(|message| !is_understood(message.kind)),
        choice: last.and_then(|head| head.choice.clone()),
        auto_generated: last.is_some_and(|head| head.auto_generated),
        transcript_confidence: None,
    };
    hand_on(cx, state, ended, keys)
}

/// A turn that has ended, not yet numbered.
pub(super) struct Ended {
    pub(super) messages: Vec<TurnMessage>,
    pub(super) texts: Vec<String>,
    pub(super) closed_by: TurnClosedBy,
    pub(super) answer_via: AnswerVia,
    pub(super) needs_person: bool,
    pub(super) choice: Option<Choice>,
    pub(super) auto_generated: bool,
    pub(super) transcript_confidence: Option<f64>,
}

/// Hands a turn on, with what is known beside its words.
pub(super) fn hand_on(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    ended: Ended,
    keys: &TenantKeys,
) -> Result<(), SealError> {
    let text = joined(&ended.texts);
    let claims_sealed = match text.as_deref() {
        Some(text) => claims::sealed(text, keys)?,
        None => None,
    };
    state.last_turn += 1;
    let turn = Turn {
        turn: state.last_turn,
        messages: ended.messages,
        text_masked: text.as_deref().map(mask),
        text,
        closed_by: ended.closed_by,
        answer_via: ended.answer_via,
        needs_person: ended.needs_person,
        choice: ended.choice,
        auto_generated: ended.auto_generated,
        facts: context::facts(state),
        previous_intent: state.previous.as_ref().map(|previous| previous.intent.clone()),
        linked: customer::linked(state),
        elsewhere: state.elsewhere.iter().filter_map(|elsewhere| elsewhere.open.clone()).collect(),
        claims_sealed,
        transcript_confidence: ended.transcript_confidence,
    };
    tell(cx, TurnsBody::Turn(Box::new(turn)));
    Ok(())
}

/// The texts, a line each, cut where they are longer than anybody has use for.
fn joined(texts: &[String]) -> Option<String> {
    let mut all = String::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        if !all.is_empty() {
            all.push('\n');
        }
        all.push_str(text);
    }
    let mut end = all.len().min(TEXT_BYTES_MAX);
    while !all.is_char_boundary(end) {
        end -= 1;
    }
    all.truncate(end);
    (!all.is_empty()).then_some(all)
}
