//! What comes back: from the CRM, from the channels, from the providers.

use schemas::conversation::{
    ActionDone, ConversationEvent, ConversationState, Reopened, ReplySent, Resolved, Route,
    RouteReason, Settlement, StatusChanged,
};
use schemas::message::{
    ActionOutcome, ActionResult, DeliveryOutcome, DeliveryResult, ProviderStatus,
    ProviderStatusKind, ReplyPurpose,
};
use schemas::state::{AskedIdentity, PendingTurn, SentReply, ToldStatus};

use super::case::{Case, With};
use super::checks;
use super::csat;
use pipeline::{DropReason, Verdict};

fn settle(pending: &PendingTurn, route: Route, reason: RouteReason) -> Vec<Settlement> {
    vec![Settlement { turn: pending.turn, route, reason, messages: pending.messages }]
}

/// Takes a turn off the list of those that wait.
fn take(case: &mut Case<'_>, turn: i64, answered: bool) -> Option<PendingTurn> {
    let pending = &mut case.state.pending;
    let at = pending.iter().position(|p| p.turn == turn && p.answered == answered)?;
    Some(pending.remove(at))
}

/// The CRM answered.
pub(super) fn action(case: &mut Case<'_>, outcome: ActionOutcome) -> Verdict {
    let asked = |p: &PendingTurn| {
        p.turn == outcome.turn && !p.answered && p.action.as_deref() == Some(&outcome.action)
    };
    if !case.state.pending.iter().any(asked) {
        return Verdict::Drop(DropReason::Irrelevant); // nobody waits for it any more
    }
    let Some(mut pending) = take(case, outcome.turn, false) else {
        return Verdict::Drop(DropReason::Irrelevant);
    };
    let done = ActionDone {
        turn: outcome.turn,
        intent: pending.intent.clone(),
        sentiment: pending.sentiment,
        action: outcome.action,
        result: outcome.result,
        finding: outcome.finding.clone(),
        fields_sealed: outcome.fields_sealed,
    };
    if case.is_taken() {
        let settled = settle(&pending, Route::Owned, RouteReason::Owned);
        case.tell(ConversationEvent::ActionDone(done), With { settled, ..With::default() });
        return Verdict::Done;
    }
    if matches!(outcome.result, ActionResult::Failed | ActionResult::Uncertain) {
        let settled = settle(&pending, Route::Human, RouteReason::ActionFailed);
        case.tell(ConversationEvent::ActionDone(done), With::default());
        let via = Some(pending.via);
        case.hand_over(Some(pending.turn), RouteReason::ActionFailed, settled, via);
        return Verdict::Done;
    }
    case.state.asked = None;
    // Asked once who they are, customers get a person: whoever cannot tell must not be asked for ever.
    let is_missing = outcome.result == ActionResult::IdentityRequired;
    if is_missing && std::mem::replace(&mut case.state.identity_asked, true) {
        let settled = settle(&pending, Route::Human, RouteReason::IdentityMissing);
        case.tell(ConversationEvent::ActionDone(done), With::default());
        let via = Some(pending.via);
        case.hand_over(Some(pending.turn), RouteReason::IdentityMissing, settled, via);
        return Verdict::Done;
    }
    if is_missing {
        let (intent, action) = (pending.intent.clone(), done.action.clone());
        case.state.asked = Some(AskedIdentity { intent, action });
    }
    let times = &case.settings.times;
    pending.answered = true;
    pending.action_deadline_ms =
        Some(case.now_ms + (times.reply_age_s_max + times.delivery_s) * 1000);
    // Who waits for a person goes on waiting, whatever the machine has found out meanwhile.
    if case.state.state != ConversationState::Queued {
        case.state.state = ConversationState::BotAnswered;
    }
    case.state.bot_answers += 1;
    let due =
        case.due(ReplyPurpose::Answer, pending.turn, 0, pending.via, Some(pending.intent.clone()));
    let turn = pending.turn;
    case.state.pending.push(pending);
    case.tell(ConversationEvent::ActionDone(done), With { due: Some(due), ..With::default() });
    // Some findings are told to the customer and still need a person: a cut fibre, say.
    if let Some(people) = case.settings.findings.get(&outcome.finding) {
        let (queue, priority) = (people.queue.clone(), people.priority);
        case.state.priority = case.state.priority.max(priority);
        case.state.queue = Some(queue);
        case.hand_over(Some(turn), RouteReason::Policy, Vec::new(), None);
    }
    Verdict::Done
}

/// A reply reached its end.
pub(super) fn delivery(case: &mut Case<'_>, outcome: DeliveryOutcome) -> Verdict {
    if !case.note_reply(outcome.turn, outcome.purpose, outcome.part) {
        return Verdict::Drop(DropReason::Duplicate);
    }
    note_sent(case, &outcome);
    let arrived = matches!(outcome.result, DeliveryResult::Sent | DeliveryResult::ReturnedToCaller);
    let (turn, purpose) = (outcome.turn, outcome.purpose);
    // An answer in several texts has arrived with the last of them, and failed with the first that did.
    let is_end = !arrived || outcome.part + 1 >= outcome.parts;
    let answers = purpose == ReplyPurpose::Answer && is_end;
    let pending = if answers { take(case, turn, true) } else { None };
    let sent = ConversationEvent::ReplySent(Box::new(ReplySent {
        turn,
        purpose,
        part: outcome.part,
        since_ms: pending.as_ref().map(|pending| pending.since_ms),
        agent: outcome.agent,
        answer_id: outcome.answer_id,
        result: outcome.result,
        provider_message_id: outcome.provider_message_id,
        text_sealed: outcome.text_sealed,
        text_masked: outcome.text_masked,
        buttons: outcome.buttons,
    }));
    let with = |settled| With { visible: arrived, settled, ..With::default() };
    let Some(pending) = pending else {
        case.tell(sent, with(Vec::new()));
        return Verdict::Done;
    };
    if arrived {
        case.state.changed_at_ms = case.now_ms;
        let settled = settle(&pending, Route::Auto, RouteReason::Confident);
        let checks = checks::pick(case, turn);
        case.tell(sent, With { checks, ..with(settled) });
        let ends = case.settings.intents.get(&pending.intent).is_some_and(|policy| policy.ends);
        if ends && case.state.state == ConversationState::BotAnswered {
            resolve(case, None);
        }
    } else if case.is_taken() {
        case.tell(sent, with(settle(&pending, Route::Owned, RouteReason::Owned)));
    } else {
        case.tell(sent, With::default());
        let settled = settle(&pending, Route::Human, RouteReason::Undeliverable);
        case.hand_over(Some(turn), RouteReason::Undeliverable, settled, None);
    }
    Verdict::Done
}

/// The conversation is considered done.
pub(super) fn resolve(case: &mut Case<'_>, by: Option<String>) {
    case.state.state = ConversationState::Resolved;
    case.state.resolved_at_ms = Some(case.now_ms);
    case.state.changed_at_ms = case.now_ms;
    case.stop_clocks();
    let by_people = by.is_some();
    let event = ConversationEvent::Resolved(Resolved { by });
    case.tell(event, With { visible: true, ..With::default() });
    csat::ask(case, by_people);
}

/// Messages of ours whose last status is remembered.
const STATUSES_MAX: usize = 32;

/// A provider told what became of a message of ours. Statuses come in any order: what has been read is not
/// told as delivered afterwards.
pub(super) fn status(case: &mut Case<'_>, status: ProviderStatus) -> Verdict {
    let ProviderStatus { provider_message_id, status, error_code, callback, .. } = status;
    let ours = format!("{}/", case.state.conversation_id);
    let reply = callback.as_deref().and_then(|id| id.strip_prefix(&ours)).map(str::to_owned);
    if callback.is_some() && reply.is_none() {
        return Verdict::Drop(DropReason::Irrelevant); // of an earlier conversation
    }
    let statuses = &mut case.state.statuses;
    let known = statuses.iter().position(|told| told.provider_message_id == provider_message_id);
    let before = known.map(|at| statuses.remove(at).status);
    let is_news = before.is_none_or(|before| status.is_news_after(before));
    if statuses.len() >= STATUSES_MAX {
        statuses.remove(0);
    }
    statuses.push(ToldStatus {
        provider_message_id: provider_message_id.clone(),
        status: before.filter(|_| !is_news).unwrap_or(status),
    });
    if !is_news {
        return Verdict::Drop(DropReason::Duplicate);
    }
    let failed = (status == ProviderStatusKind::Failed)
        .then(|| sent_as(case, &provider_message_id, reply.as_deref()))
        .flatten();
    if failed.is_some_and(|(_, purpose)| purpose == ReplyPurpose::AgentReply) {
        not_waited_for(case);
    }
    let changed = StatusChanged { provider_message_id, status, error_code, reply };
    case.tell(ConversationEvent::StatusChanged(changed), With::default());
    if let Some((turn, ReplyPurpose::Answer)) = failed {
        unanswered(case, turn);
    }
    Verdict::Done
}

/// Which reply of this conversation a provider means: by our id where it comes back, else by its own.
fn sent_as(case: &Case<'_>, provider_id: &str, reply: Option<&str>) -> Option<(i64, ReplyPurpose)> {
    let named = |sent: &&SentReply| match reply {
        Some(reply) => reply == format!("{}/{}/{}", sent.turn, sent.purpose.as_str(), sent.part),
        None => sent.provider_message_id == provider_id,
    };
    case.state.sent.iter().find(named).map(|sent| (sent.turn, sent.purpose))
}

/// An answer that was taken did not arrive: a number that cannot be reached and a window that had closed are told
/// so, minutes after a provider took the message.
fn unanswered(case: &mut Case<'_>, turn: i64) {
    if case.state.owner.is_some() || case.waits() {
        return; // people see it
    }
    if case.state.state.is_done() {
        case.state.resolved_at_ms = None;
        case.tell(ConversationEvent::Reopened(Reopened {}), With::default());
    }
    // A notice would go the same way.
    case.hand_over(Some(turn), RouteReason::Undeliverable, Vec::new(), None);
}

/// What an agent wrote did not arrive: it is the agent who has to find another way.
fn not_waited_for(case: &mut Case<'_>) {
    if case.state.state == ConversationState::WaitingCustomer {
        case.state.state = ConversationState::Assigned;
        case.state.changed_at_ms = case.now_ms;
        case.resume_resolution();
    }
}

/// Replies that providers may still tell of.
const SENT_MAX: usize = 16;

/// Notes what a provider calls a reply it has taken.
fn note_sent(case: &mut Case<'_>, outcome: &DeliveryOutcome) {
    let Some(provider_message_id) = outcome.provider_message_id.clone() else { return };
    let sent = &mut case.state.sent;
    if sent.len() >= SENT_MAX {
        sent.remove(0);
    }
    let (turn, purpose, part) = (outcome.turn, outcome.purpose, outcome.part);
    sent.push(SentReply { provider_message_id, turn, purpose, part });
}

/// A turn has waited for its answer for too long.
pub(super) fn overdue(case: &mut Case<'_>, pending: &PendingTurn) {
    if case.is_taken() {
        let settled = settle(pending, Route::Owned, RouteReason::Owned);
        let queued =
            schemas::conversation::Queued { turn: Some(pending.turn), reason: RouteReason::Owned };
        // Nothing changes hands; the line only says how the turn ended.
        case.tell(ConversationEvent::Queued(queued), With { settled, ..With::default() });
        return;
    }
    let reason = if pending.answered { RouteReason::NoAnswer } else { RouteReason::ActionFailed };
    let settled = settle(pending, Route::Human, reason);
    // By e-mail the answer may have gone out all the same, and nothing is written twice.
    let silent = pending.answered && case.state.address.thread_key.is_some();
    case.hand_over(Some(pending.turn), reason, settled, (!silent).then_some(pending.via));
}
