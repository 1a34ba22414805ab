//! What is asked of a conversation, where it concerns the turns: who reads along, and what ends at once.

use schemas::line::{TurnClosedBy, TurnsBody};
use schemas::message::{Command, CommandAction, DeliveryOutcome, ReplyPurpose};
use schemas::sealed::{SealError, TenantKeys};
use schemas::state::TurnsState;

use super::ended::close;
use super::{Cx, audio, tell};

/// A command passes in its place; a claim ends the open turn, because somebody reads along now.
pub(super) fn commanded(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    command: Command,
    keys: &TenantKeys,
) -> Result<(), SealError> {
    let (action, to_colleague) = (command.action, command.to_agent.is_some());
    if action == CommandAction::Flush {
        return close(cx, state, TurnClosedBy::Flush, None, keys);
    }
    tell(cx, TurnsBody::Command(command));
    match action {
        CommandAction::Transfer if to_colleague => taken(cx, state, keys),
        CommandAction::Claim | CommandAction::Reply => taken(cx, state, keys),
        CommandAction::Release | CommandAction::Resolve | CommandAction::Transfer => {
            state.owned = false;
            Ok(())
        }
        CommandAction::Label
        | CommandAction::Note
        | CommandAction::Snooze
        | CommandAction::Flush
        | CommandAction::Csat
        | CommandAction::Unknown => Ok(()),
    }
}

/// Somebody has the conversation: nothing waits any more.
fn taken(cx: &mut Cx<'_>, state: &mut TurnsState, keys: &TenantKeys) -> Result<(), SealError> {
    state.owned = true;
    audio::taken(cx, state, keys)?;
    close(cx, state, TurnClosedBy::Owner, None, keys)
}

/// The machine answered, so no person has the conversation.
pub(super) fn note_owner(state: &mut TurnsState, outcome: &DeliveryOutcome) {
    if outcome.purpose == ReplyPurpose::Answer {
        state.owned = false;
    }
}
