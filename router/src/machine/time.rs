//! What happens when nothing happens: deadlines, and what follows when they pass.

use schemas::conversation::{
    Closed, ConversationEvent, ConversationState, RouteReason, SlaBreached,
};
use schemas::state::RouterState;

use super::case::{Case, With};
use super::outcomes::{overdue, resolve};
use crate::settings::Times;

/// The next moment at which something is to be done about `state` (Unix, ms).
pub(super) fn next_deadline(state: &RouterState, times: &Times) -> Option<i64> {
    let pending = state.pending.iter().filter_map(|pending| pending.action_deadline_ms).min();
    let sla = state.sla_due_ms.filter(|_| !state.sla_breached);
    let after_s = |from_ms: i64, seconds: i64| Some(from_ms + seconds * 1000);
    let by_state = match state.state {
        ConversationState::Triage
        | ConversationState::BotAnswered
        | ConversationState::IncidentAttached => after_s(state.changed_at_ms, times.bot_answered_s),
        ConversationState::Queued => after_s(state.changed_at_ms, times.queued_s_max),
        ConversationState::Assigned => state.agent_deadline_ms,
        ConversationState::WaitingCustomer => {
            after_s(state.changed_at_ms, times.waiting_customer_s)
        }
        ConversationState::Resolved => {
            after_s(state.resolved_at_ms.unwrap_or(state.changed_at_ms), times.reopen_s)
        }
        ConversationState::Closed | ConversationState::Abandoned | ConversationState::Blocked => {
            None
        }
    };
    let waits_for_people =
        matches!(state.state, ConversationState::Queued | ConversationState::Assigned);
    [pending, sla.filter(|_| waits_for_people), by_state].into_iter().flatten().min()
}

/// Does all that is due at `case.now_ms`.
pub(super) fn pass(case: &mut Case<'_>) {
    let now_ms = case.now_ms;
    while let Some(at) = case
        .state
        .pending
        .iter()
        .position(|pending| pending.action_deadline_ms.is_some_and(|at| at <= now_ms))
    {
        let pending = case.state.pending.remove(at);
        overdue(case, &pending);
    }
    let state = &case.state;
    let waits_for_people =
        matches!(state.state, ConversationState::Queued | ConversationState::Assigned);
    if let Some(due_ms) = state.sla_due_ms.filter(|due| *due <= now_ms)
        && waits_for_people
        && !state.sla_breached
    {
        case.state.sla_breached = true;
        case.tell(ConversationEvent::SlaBreached(SlaBreached { due_ms }), With::default());
    }
    let mut rest = case.state.clone();
    rest.pending.clear();
    rest.sla_breached = true;
    if next_deadline(&rest, &case.settings.times).is_none_or(|at| at > now_ms) {
        return;
    }
    match case.state.state {
        ConversationState::Triage
        | ConversationState::BotAnswered
        | ConversationState::IncidentAttached
        | ConversationState::WaitingCustomer => {
            // Something still on its way keeps the conversation open.
            if case.state.pending.is_empty() {
                resolve(case, None);
            }
        }
        ConversationState::Assigned => {
            case.hand_over(None, RouteReason::AgentSilent, Vec::new(), None);
        }
        ConversationState::Queued => end(case, ConversationState::Abandoned),
        ConversationState::Resolved => end(case, ConversationState::Closed),
        ConversationState::Closed | ConversationState::Abandoned | ConversationState::Blocked => {}
    }
}

fn end(case: &mut Case<'_>, state: ConversationState) {
    case.state.state = state;
    // What nobody has looked at by now is not looked at any more.
    let checks = !std::mem::take(&mut case.state.to_check).is_empty();
    let with = With { visible: true, checks, ..With::default() };
    case.tell(ConversationEvent::Closed(Closed {}), with);
}
