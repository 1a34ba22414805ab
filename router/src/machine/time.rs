//! What happens when nothing happens: deadlines, and what follows when they pass.

use schemas::conversation::{
    Closed, ConversationEvent, ConversationState, RouteReason, SlaBreached,
};
use schemas::state::RouterState;

use super::case::{Case, With};
use super::outcomes::{overdue, resolve};
use super::team;
use crate::settings::Times;

/// The next moment at which something is to be done about `state` (Unix, ms).
pub(super) fn next_deadline(state: &RouterState, times: &Times) -> Option<i64> {
    let pending = state.pending.iter().filter_map(|pending| pending.action_deadline_ms).min();
    let answer = state.sla_due_ms.filter(|_| !state.sla_breached);
    let end = state.resolution_due_ms.filter(|_| !state.resolution_breached);
    let sla = [answer, end].into_iter().flatten().min();
    let after_s = |from_ms: i64, seconds: i64| Some(from_ms + seconds * 1000);
    let by_state = match state.state {
        ConversationState::Triage
        | ConversationState::BotAnswered
        | ConversationState::IncidentAttached => after_s(state.changed_at_ms, times.bot_answered_s),
        ConversationState::Assigned | ConversationState::WaitingCustomer
            if state.snoozed_until_ms.is_some() =>
        {
            state.snoozed_until_ms
        }
        ConversationState::Queued => after_s(state.changed_at_ms, times.queued_s_max),
        ConversationState::Assigned => state.agent_deadline_ms,
        ConversationState::WaitingCustomer => {
            after_s(state.changed_at_ms, times.waiting_customer_s)
        }
        ConversationState::Resolved | ConversationState::Csat => {
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
    breach(case);
    let mut rest = case.state.clone();
    rest.pending.clear();
    (rest.sla_breached, rest.resolution_breached) = (true, true);
    if next_deadline(&rest, &case.settings.times).is_none_or(|at| at > now_ms) {
        return;
    }
    match case.state.state {
        ConversationState::Assigned | ConversationState::WaitingCustomer
            if case.state.snoozed_until_ms.is_some() =>
        {
            team::wake(case);
        }
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
        ConversationState::Resolved | ConversationState::Csat => {
            end(case, ConversationState::Closed);
        }
        ConversationState::Closed | ConversationState::Abandoned | ConversationState::Blocked => {}
    }
}

/// Tells once of each promise that was not kept.
fn breach(case: &mut Case<'_>) {
    let state = &case.state;
    if !matches!(state.state, ConversationState::Queued | ConversationState::Assigned) {
        return;
    }
    let clocks = [
        (state.sla_due_ms, state.sla_breached, false),
        (state.resolution_due_ms, state.resolution_breached, true),
    ];
    for (due_ms, told, resolution) in clocks {
        let Some(due_ms) = due_ms.filter(|due_ms| !told && *due_ms <= case.now_ms) else {
            continue;
        };
        case.state.sla_breached |= !resolution;
        case.state.resolution_breached |= resolution;
        let breached = SlaBreached { due_ms, resolution };
        case.tell(ConversationEvent::SlaBreached(breached), With::default());
    }
}

fn end(case: &mut Case<'_>, state: ConversationState) {
    case.state.state = state;
    // What nobody has looked at by now is not looked at any more.
    let checks = !std::mem::take(&mut case.state.to_check).is_empty();
    let with = With { visible: true, checks, ..With::default() };
    case.tell(ConversationEvent::Closed(Closed {}), with);
}
