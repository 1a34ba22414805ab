//! What agents ask. The order of the log decides: of two who claim at once the first one wins, and
//! the second is told.

use schemas::conversation::{
    AgentReplied, Assigned, Conversation, ConversationEvent, ConversationState, Priority, Refused,
    RouteReason,
};
use schemas::ids::{CommandId, ConversationId};
use schemas::message::{AnswerVia, Channel, Command, CommandAction, ReplyPurpose};

use super::case::{Case, With};
use super::checks;
use super::csat;
use super::outcomes::resolve;
use super::team;
use crate::out::RouterOut;
use pipeline::{DropReason, Verdict};

/// Commands remembered, so that one sent twice is obeyed once.
const COMMANDS_MAX: usize = 32;

/// An agent asks something of the open conversation.
pub(super) fn command(case: &mut Case<'_>, command: Command) -> Verdict {
    if is_known(case, command.command_id) {
        return Verdict::Drop(DropReason::Duplicate);
    }
    case.command_id = Some(command.command_id);
    let refusal = if command.conversation_id == case.state.conversation_id {
        obey(case, &command).err()
    } else {
        Some("not_open")
    };
    if let Some(reason) = refusal {
        let Command { agent, action, .. } = command;
        let refused = Refused { agent, action, reason: reason.to_owned() };
        case.tell(ConversationEvent::Refused(refused), With::default());
    }
    case.command_id = None;
    Verdict::Done
}

/// Whether a command was given before; it is remembered.
pub(super) fn is_known(case: &mut Case<'_>, id: CommandId) -> bool {
    let commands = &mut case.state.commands;
    if commands.contains(&id) {
        return true;
    }
    if commands.len() >= COMMANDS_MAX {
        commands.remove(0);
    }
    commands.push(id);
    false
}

/// Does as asked, or says why not.
fn obey(case: &mut Case<'_>, command: &Command) -> Result<(), &'static str> {
    let agent = &command.agent;
    let owner = case.state.owner.clone();
    let owns = owner.as_ref() == Some(agent);
    match command.action {
        CommandAction::Claim => match owner {
            Some(_) if !owns => Err("owned_by_another"),
            Some(_) => Ok(()), // asked for what they have: told again
            None if case.state.state.is_done() => Err("resolved"),
            None => Ok(()),
        }
        .map(|()| claim(case, agent)),
        CommandAction::Release if owns => {
            case.hand_over(None, RouteReason::Released, Vec::new(), None);
            Ok(())
        }
        CommandAction::Reply if owns && case.is_owned() => reply(case, command),
        CommandAction::Resolve if owns && case.is_owned() => {
            resolve(case, Some(agent.clone()));
            Ok(())
        }
        CommandAction::Snooze if owns && case.is_owned() => team::snooze(case, command),
        // What waits in the wrong queue is passed on without being taken first.
        CommandAction::Transfer if (owns && case.is_owned()) || case.waits() => {
            team::transfer(case, command)
        }
        CommandAction::Release
        | CommandAction::Reply
        | CommandAction::Resolve
        | CommandAction::Snooze
        | CommandAction::Transfer => Err(match owner {
            _ if case.state.state.is_done() => "resolved",
            Some(_) => "owned_by_another",
            None => "not_claimed",
        }),
        CommandAction::Csat => csat::command(case, command),
        CommandAction::Note => team::note(case, command),
        // Whoever sees a turn may say what it was about: it changes nothing for anybody.
        CommandAction::Label => checks::label(case, command),
        // The grouping's own affair: it is not passed on to here.
        CommandAction::Flush | CommandAction::Unknown => Err("unknown_action"),
    }
}

fn claim(case: &mut Case<'_>, agent: &str) {
    // Asked for what they have already, nothing is to change but who hears of it.
    if !case.is_owned() {
        case.give_to(agent);
    }
    let assigned = ConversationEvent::Assigned(Assigned { agent: agent.to_owned() });
    case.tell(assigned, With { visible: true, ..With::default() });
}

fn reply(case: &mut Case<'_>, command: &Command) -> Result<(), &'static str> {
    let (Some(text_sealed), Some(text_masked)) =
        (command.text_sealed.clone(), command.text_masked.clone())
    else {
        return Err("empty_text");
    };
    case.wait_for_customer();
    let state = &mut case.state;
    state.agent_replies += 1;
    state.state = ConversationState::WaitingCustomer;
    state.changed_at_ms = case.now_ms;
    let part = state.agent_replies;
    // A person writes to the customer, not to whichever program asked last.
    let due = case.due(ReplyPurpose::AgentReply, 0, part, AnswerVia::Channel, None);
    let agent = command.agent.clone();
    let answer_id = command.answer_id.clone();
    let replied = AgentReplied { agent, part, text_sealed, text_masked, answer_id };
    let with = With { due: Some(due), ..With::default() };
    case.tell(ConversationEvent::AgentReplied(replied), with);
    Ok(())
}

/// An agent asks something of a contact without an open conversation.
pub(super) fn refused(tenant: &str, command: Command, now_ms: i64) -> RouterOut {
    let Command { command_id, conversation_id, agent, action, .. } = command;
    let refused = Refused { agent, action, reason: "not_open".to_owned() };
    let event = ConversationEvent::Refused(refused);
    told_outside(tenant, conversation_id, Some(command_id), (Channel::Other, event), now_ms)
}

/// Tells what is part of no history: to whoever asked, what came of it.
pub(super) fn told_outside(
    tenant: &str,
    conversation_id: ConversationId,
    command_id: Option<CommandId>,
    (channel, event): (Channel, ConversationEvent),
    now_ms: i64,
) -> RouterOut {
    RouterOut::Conversation(Box::new(Conversation {
        tenant: tenant.to_owned(),
        conversation_id,
        protocol: String::new(),
        seq: 0,
        chat_seq: None,
        channel,
        state: ConversationState::Closed,
        owner: None,
        queue: None,
        priority: Priority::Normal,
        sla_due_ms: None,
        opened_at_ms: now_ms,
        command_id,
        settled: Vec::new(),
        answer_due: None,
        to_check: None,
        event,
    }))
}
