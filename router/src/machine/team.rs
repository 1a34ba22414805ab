//! What agents do among themselves: pass a conversation on, leave a note, put one aside.

use schemas::conversation::{
    Assigned, ConversationEvent, ConversationState, Noted, Queued, RouteReason, Snoozed,
    Transferred, Woken,
};
use schemas::message::Command;

use super::case::{Case, With};

/// Longest time a conversation may be put aside for.
const SNOOZE_MS_MAX: i64 = 30 * 24 * 60 * 60 * 1000;

/// Passes the conversation on, to a queue or to a colleague. The customer has been promised an answer
/// by a certain time: the clock is none of the new people's.
pub(super) fn transfer(case: &mut Case<'_>, command: &Command) -> Result<(), &'static str> {
    let (queue, to_agent) = (command.queue.clone(), command.to_agent.clone());
    if queue.is_some() == to_agent.is_some() {
        return Err("bad_transfer");
    }
    if queue.as_ref().is_some_and(|queue| !case.settings.has_queue(queue)) {
        return Err("unknown_queue");
    }
    if to_agent == case.state.owner && to_agent.is_some() {
        return Err("has_it_already");
    }
    let owed = queue.clone().or_else(|| case.state.queue.clone());
    let owed = owed.unwrap_or_else(|| case.settings.default_queue.clone());
    let priority = case.state.priority;
    let due_ms = case.settings.sla_due_ms(case.tenant, &owed, priority, case.now_ms);
    case.owe_answer(&owed, due_ms);
    match (&queue, &to_agent) {
        (_, Some(agent)) => case.give_to(agent),
        _ => case.put_into(owed),
    }
    let transferred = Transferred {
        agent: command.agent.clone(),
        queue,
        to_agent: to_agent.clone(),
        note_sealed: command.text_sealed.clone(),
        note_masked: command.text_masked.clone(),
    };
    case.tell(ConversationEvent::Transferred(transferred), With::default());
    let visible = With { visible: true, ..With::default() };
    let reason = RouteReason::Transferred;
    match to_agent {
        Some(agent) => case.tell(ConversationEvent::Assigned(Assigned { agent }), visible),
        None => {
            case.tell(ConversationEvent::Queued(Queued { turn: None, reason }), visible);
            case.ask_people(None, reason, None, command.text_masked.clone());
        }
    }
    Ok(())
}

/// Keeps a note with the conversation.
pub(super) fn note(case: &mut Case<'_>, command: &Command) -> Result<(), &'static str> {
    let (Some(text_sealed), Some(text_masked)) =
        (command.text_sealed.clone(), command.text_masked.clone())
    else {
        return Err("empty_text");
    };
    let noted = Noted { agent: command.agent.clone(), text_sealed, text_masked };
    case.tell(ConversationEvent::Noted(noted), With::default());
    Ok(())
}

/// Puts the conversation aside. Its owner keeps it; what is owed to the customer is owed all the same.
pub(super) fn snooze(case: &mut Case<'_>, command: &Command) -> Result<(), &'static str> {
    let within = 1..=SNOOZE_MS_MAX;
    let until_ms = command.until_ms.filter(|until| within.contains(&(until - case.now_ms)));
    let until_ms = until_ms.ok_or("bad_time")?;
    case.state.snoozed_until_ms = Some(until_ms);
    case.state.agent_deadline_ms = None;
    case.state.changed_at_ms = case.now_ms;
    let snoozed = Snoozed { agent: command.agent.clone(), until_ms };
    case.tell(ConversationEvent::Snoozed(snoozed), With::default());
    Ok(())
}

/// The time it was put aside for is over: it is for its owner to go on.
pub(super) fn wake(case: &mut Case<'_>) {
    case.state.snoozed_until_ms = None;
    case.state.state = ConversationState::Assigned;
    case.state.changed_at_ms = case.now_ms;
    case.resume_resolution();
    case.expect_agent();
    case.tell(ConversationEvent::Woken(Woken {}), With::default());
}
