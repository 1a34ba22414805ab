//! What customers do: messages come, turns are decided.

use schemas::conversation::{
    ConversationEvent, ConversationState, MessageReceived, Reopened, Route, RouteReason,
    Settlement, TurnDecided,
};
use schemas::ids::{ConversationId, LineKey};
use schemas::line::{Classification, ClassifiedTurn, Received, Sentiment, Turn};
use schemas::message::{AnswerVia, MessageHead, MessageKind, ReplyPurpose};
use schemas::state::PendingTurn;
use schemas::work::ActionRequest;

use super::case::{Case, With};
use super::commands::told_outside;
use super::csat;
use crate::decide::{Decision, decide};
use crate::out::RouterOut;
use crate::settings::Settings;

/// A deletion of a contact without an open conversation: the store takes the text from where it stands.
pub(super) fn deleted_late(key: &LineKey, head: &MessageHead, now_ms: i64) -> Option<RouterOut> {
    (head.kind == MessageKind::Delete && head.changes.is_some()).then(|| {
        let event = MessageReceived { head: head.clone() };
        let event = ConversationEvent::MessageReceived(Box::new(event));
        let id = ConversationId::new(key.contact, now_ms);
        told_outside(&key.tenant, id, None, (head.channel, event), now_ms)
    })
}

/// A message came. Of an edit or a deletion history tells, and nothing else follows from it.
pub(super) fn received(case: &mut Case<'_>, received: Received) {
    if received.head.changes_another() {
        let event = MessageReceived { head: received.head };
        let with = With { visible: true, ..With::default() };
        case.tell(ConversationEvent::MessageReceived(Box::new(event)), with);
        return;
    }
    if let Some(score) = csat::said(case, &received.head) {
        csat::received(case, received, score);
        return;
    }
    // What a machine wrote is noted, and wakes nobody.
    if case.state.state.is_done() && !received.head.auto_generated {
        case.state.state = ConversationState::Triage;
        case.state.resolved_at_ms = None;
        case.state.owner = None;
        case.tell(ConversationEvent::Reopened(Reopened {}), With::default());
    }
    if !received.head.auto_generated {
        case.hear_from(&received.head);
    }
    let event = MessageReceived { head: received.head };
    case.tell(
        ConversationEvent::MessageReceived(Box::new(event)),
        With { visible: true, ..With::default() },
    );
}

/// A turn is to be decided.
pub(super) fn decided(case: &mut Case<'_>, classified: ClassifiedTurn) {
    let ClassifiedTurn { turn, classification } = classified;
    case.state.linked.clone_from(&turn.linked);
    if turn.claims_sealed.is_some() {
        case.state.claims_sealed.clone_from(&turn.claims_sealed);
    }
    let decision = decision(case, &turn, classification.as_ref());
    let messages = i32::try_from(turn.messages.len()).unwrap_or(i32::MAX);
    let policy_version = case.settings.version.clone();
    let event = |route, reason, action, classification| {
        ConversationEvent::TurnDecided(Box::new(TurnDecided {
            turn: turn.turn,
            messages: turn.messages.iter().map(|message| message.message_id).collect(),
            closed_by: turn.closed_by,
            route,
            reason,
            classification,
            action,
            policy_version: policy_version.clone(),
            transcript_confidence: turn.transcript_confidence,
        }))
    };
    let settled = |route, reason| vec![Settlement { turn: turn.turn, route, reason, messages }];
    match decision {
        Decision::Drop(reason) => {
            let with = With { settled: settled(Route::Dropped, reason), ..With::default() };
            case.tell(event(Route::Dropped, reason, None, classification), with);
        }
        Decision::Owned => {
            case.state.state = ConversationState::Assigned;
            case.state.snoozed_until_ms = None;
            case.resume_resolution();
            case.expect_agent();
            let reason = RouteReason::Owned;
            let with = With { settled: settled(Route::Owned, reason), ..With::default() };
            case.tell(event(Route::Owned, reason, None, classification), with);
        }
        Decision::Human { reason, queue, priority } => {
            let news = reason != RouteReason::AlreadyQueued;
            let queue = if news { queue } else { case.state.queue.clone().unwrap_or(queue) };
            case.enqueue(queue, priority);
            let about = likely(case.settings, classification.as_ref());
            let due = news.then(|| case.notice(turn.turn, turn.answer_via, about)).flatten();
            let settled = settled(Route::Human, reason);
            let with = With { visible: news, settled, due, ..With::default() };
            case.tell(event(Route::Human, reason, None, classification.clone()), with);
            if news {
                let text = turn.text_masked.clone();
                case.ask_people(Some(turn.turn), reason, classification.as_ref(), text);
            }
        }
        Decision::Auto { intent, action, choice } => {
            let sentiment = classification.as_ref().map(|c| c.sentiment).unwrap_or_default();
            let due = pend(case, turn.turn, messages, turn.answer_via, &intent, sentiment, &action);
            let with = With { due, ..With::default() };
            let reason = RouteReason::Confident;
            case.tell(event(Route::Auto, reason, action.clone(), classification), with);
            if let Some(action) = action {
                ask(case, turn.turn, &intent, (action, choice));
            }
        }
    }
}

fn decision(case: &Case<'_>, turn: &Turn, classification: Option<&Classification>) -> Decision {
    if csat::is_of(case, turn) {
        return Decision::Drop(RouteReason::Rated);
    }
    let asked = (turn, case.may_write(turn.turn));
    decide(case.settings, case.tenant, &case.state, asked, classification)
}

/// What the turn is about, unless the models hardly know.
fn likely(settings: &Settings, classification: Option<&Classification>) -> Option<String> {
    let sure =
        |c: &&Classification| c.in_scope && c.confidence >= settings.limits.queue_confidence_min;
    classification.filter(sure).and_then(|c| c.intent()).map(str::to_owned)
}

/// Remembers a turn the machine answers; the answer is due at once unless the CRM is asked first.
fn pend(
    case: &mut Case<'_>,
    turn: i64,
    messages: i32,
    via: AnswerVia,
    intent: &str,
    sentiment: Sentiment,
    action: &Option<String>,
) -> Option<schemas::conversation::AnswerDue> {
    note_intent(case, intent);
    case.note_written(turn);
    let times = &case.settings.times;
    let wait_s =
        if action.is_some() { times.action_s } else { times.reply_age_s_max + times.delivery_s };
    case.state.pending.push(PendingTurn {
        turn,
        since_ms: case.now_ms,
        messages,
        via,
        intent: intent.to_owned(),
        sentiment,
        action: action.clone(),
        action_deadline_ms: Some(case.now_ms + wait_s * 1000),
        answered: action.is_none(),
    });
    if action.is_some() {
        case.state.state = ConversationState::Triage;
        return None;
    }
    case.state.state = ConversationState::BotAnswered;
    case.state.bot_answers += 1;
    Some(case.due(ReplyPurpose::Answer, turn, 0, via, Some(intent.to_owned())))
}

/// Counts answers on the same wish in a row.
fn note_intent(case: &mut Case<'_>, intent: &str) {
    let state = &mut case.state;
    if state.last_intent.as_deref() == Some(intent) {
        state.last_intent_answers += 1;
    } else {
        state.last_intent = Some(intent.to_owned());
        state.last_intent_answers = 1;
    }
}

fn ask(case: &mut Case<'_>, turn: i64, intent: &str, (action, choice): (String, Option<String>)) {
    let request = ActionRequest {
        conversation_id: case.state.conversation_id,
        turn,
        action,
        intent: intent.to_owned(),
        contact_sealed: case.state.address.contact_sealed.clone(),
        verified: case.state.verified,
        expires_at_ms: case.now_ms + case.settings.times.action_s * 1000,
        claims_sealed: case.state.claims_sealed.clone(),
        choice,
    };
    case.out.push(RouterOut::Action(Box::new(request)));
}
