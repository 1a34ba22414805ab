//! How it was for the customer: asked once when a conversation is done, told by a form, a tap or a number.
//! Asked or answered, the conversation is as done as before.

use schemas::conversation::{
    ConversationEvent, ConversationState, CsatAnswered, CsatAsked, MessageReceived,
};
use schemas::line::{Received, Turn};
use schemas::message::{AnswerVia, Channel, Command, Direction, MessageHead, ReplyPurpose};
use schemas::sealed::SealedText;

use super::case::{Case, With};
use crate::settings::CsatAfter;

const SCORES: std::ops::RangeInclusive<i32> = 1..=5;
/// What ids of its buttons begin with.
const BUTTON: &str = "csat:";
/// Turns are counted from 1: what is written here is of none.
const NO_TURN: i64 = 0;
/// Longest text that is nothing but a score, in bytes.
const SCORE_BYTES_MAX: usize = 40;

/// Asks, unless this conversation was asked about before or the customer may not be written to.
pub(super) fn ask(case: &mut Case<'_>, by_people: bool) {
    let wanted = match case.settings.csat.after {
        CsatAfter::Never => false,
        CsatAfter::People => by_people,
        CsatAfter::Always => true,
    };
    let window = case.state.address.reply_window_until_ms;
    let closed = window.is_some_and(|until_ms| until_ms <= case.now_ms);
    let asked = case.state.csat_asked_ms.is_some();
    // Who called cannot answer where they were asked.
    let called = case.state.address.channel == Channel::Phone;
    if !wanted || asked || closed || called || !case.may_write(NO_TURN) {
        return;
    }
    case.state.csat_asked_ms = Some(case.now_ms);
    case.state.state = ConversationState::Csat;
    let with = told(case, 0);
    case.tell(ConversationEvent::CsatAsked(CsatAsked {}), with);
}

/// A web chat shows a form, and what came of it; elsewhere it is said.
fn told(case: &mut Case<'_>, part: i32) -> With {
    if case.state.address.channel == Channel::WebChat {
        return With { visible: true, ..With::default() };
    }
    case.note_written(NO_TURN);
    let due = case.due(ReplyPurpose::Csat, NO_TURN, part, AnswerVia::Channel, None);
    With { due: Some(due), ..With::default() }
}

/// What a message says of how it was, if it was asked for and the message says nothing else.
pub(super) fn said(case: &Case<'_>, head: &MessageHead) -> Option<i32> {
    let theirs = head.direction == Direction::Inbound && !head.auto_generated;
    score_of(head).filter(|_| theirs && is_open(case))
}

/// Takes a message that says nothing but how it was.
pub(super) fn received(case: &mut Case<'_>, received: Received, score: i32) {
    case.hear_from(&received.head);
    case.state.csat_message = Some(received.head.message_id);
    let event = MessageReceived { head: received.head };
    let visible = With { visible: true, ..With::default() };
    case.tell(ConversationEvent::MessageReceived(Box::new(event)), visible);
    answered(case, score, (None, None), None);
}

/// Whether a turn is nothing but the message that said how it was.
pub(super) fn is_of(case: &Case<'_>, turn: &Turn) -> bool {
    let said = case.state.csat_message;
    said.is_some() && turn.messages.iter().all(|message| Some(message.message_id) == said)
}

/// A form, a program or an agent says how it was.
pub(super) fn command(case: &mut Case<'_>, command: &Command) -> Result<(), &'static str> {
    let score = command.score.filter(|score| SCORES.contains(score)).ok_or("bad_score")?;
    if case.state.csat_score.is_some() {
        return Err("csat_answered");
    }
    if !is_open(case) {
        return Err("csat_not_asked");
    }
    let comment = (command.text_sealed.clone(), command.text_masked.clone());
    let by = Some(command.agent.clone()).filter(|agent| !agent.is_empty());
    answered(case, score, comment, by);
    Ok(())
}

/// Asked, and not answered.
fn is_open(case: &Case<'_>) -> bool {
    case.state.state == ConversationState::Csat && case.state.csat_score.is_none()
}

fn answered(
    case: &mut Case<'_>,
    score: i32,
    (comment_sealed, comment_masked): (Option<SealedText>, Option<String>),
    by: Option<String>,
) {
    case.state.csat_score = Some(score);
    let event = CsatAnswered { score, comment_sealed, comment_masked, by };
    let with = told(case, 1);
    case.tell(ConversationEvent::CsatAnswered(event), with);
}

/// The score a message says, if it says nothing else.
fn score_of(head: &MessageHead) -> Option<i32> {
    let tapped = head.choice.as_ref().and_then(|choice| choice.id.strip_prefix(BUTTON));
    let score = match tapped {
        Some(score) => score.parse().ok(),
        None => score_in(head.text_masked.as_deref()?),
    };
    score.filter(|score| SCORES.contains(score))
}

/// `5`, `nota 5`, `5/5`, `5 estrelas`, a button's title, or that many stars.
fn score_in(text: &str) -> Option<i32> {
    if text.len() > SCORE_BYTES_MAX {
        return None;
    }
    let stars = text.chars().filter(|c| matches!(c, '⭐' | '★')).count();
    if stars > 0 {
        let only = text.chars().all(|c| matches!(c, '⭐' | '★' | '\u{fe0f}') || c.is_whitespace());
        return i32::try_from(stars).ok().filter(|_| only);
    }
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    match words.as_slice() {
        ["nota" | "dou" | "avaliação", score]
        | ["dou" | "a", "nota", score]
        | [score]
        | [score, "5" | "estrela" | "estrelas" | "ótimo" | "regular" | "péssimo"]
        | ["nota", score, "de", "5"]
        | [score, "de", "5"] => score.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_score_only_by_itself() {
        for (text, score) in [
            ("5", Some(5)),
            (" 4. ", Some(4)),
            ("nota 5", Some(5)),
            ("Nota: 3!", Some(3)),
            ("dou nota 2", Some(2)),
            ("4/5", Some(4)),
            ("5 estrelas", Some(5)),
            ("nota 4 de 5", Some(4)),
            ("5 · Ótimo", Some(5)),
            ("⭐⭐⭐⭐", Some(4)),
            ("5 dias sem internet", None),
            ("já são 5", None),
            ("moro no 3", None),
            ("ótimo", None),
            ("⭐ obrigada", None),
            ("", None),
            ("nota 5 porque resolveram no mesmo dia, parabéns", None),
        ] {
            assert_eq!(score_in(text), score, "{text}");
        }
    }
}
