//! What people are to look at, and what they say of it.

use pipeline::partition;
use schemas::conversation::ConversationEvent;
use schemas::labels::{Label, LabelGiven, LabelSource, Labeled};
use schemas::message::Command;

use super::case::{Case, With};
use crate::out::RouterOut;

/// Turns of one conversation that wait for a look; the oldest give way.
const TO_CHECK_MAX: usize = 8;
/// Longest name of an intent, in bytes.
const INTENT_BYTES_MAX: usize = 60;

/// Picks some of the turns the machine has answered for a person to look at. Chance by a hash of which
/// turn it is: the same turn is picked whenever the log is read. Says whether it was.
pub(super) fn pick(case: &mut Case<'_>, turn: i64) -> bool {
    let share = case.settings.checks.share;
    let mut which = case.state.conversation_id.as_bytes().to_vec();
    which.extend_from_slice(&turn.to_be_bytes());
    let hash = partition::murmur2(&which);
    if f64::from(hash) >= share * (f64::from(u32::MAX) + 1.0) {
        return false;
    }
    let to_check = &mut case.state.to_check;
    if to_check.len() >= TO_CHECK_MAX {
        to_check.remove(0);
    }
    to_check.push(turn);
    true
}

/// A person says what a turn was about. What the models had said of it comes with the command: the desk
/// copies it from the history, which is longer than any state.
pub(super) fn label(case: &mut Case<'_>, command: &Command) -> Result<(), &'static str> {
    let (Some(given), Some(text_masked)) = (command.label.clone(), command.text_masked.clone())
    else {
        return Err("nothing_to_label");
    };
    if given.intent.is_empty() || given.intent.len() > INTENT_BYTES_MAX {
        return Err("bad_intent");
    }
    let waiting = case.state.to_check.len();
    case.state.to_check.retain(|turn| *turn != given.turn);
    let checked = case.state.to_check.len() < waiting;
    let source = if checked { LabelSource::Check } else { LabelSource::Correction };
    let by = command.agent.clone();
    case.tell(
        ConversationEvent::Labeled(Labeled {
            agent: by.clone(),
            source,
            turn: given.turn,
            intent: given.intent.clone(),
            sentiment: given.sentiment,
            model_version: given.model_version.clone(),
            predicted: given.predicted.clone(),
            confidence: given.confidence,
            route: given.route,
        }),
        With { checks: checked, ..With::default() },
    );
    let LabelGiven {
        turn,
        messages,
        intent,
        sentiment,
        model_version,
        predicted,
        confidence,
        predicted_sentiment,
        route,
    } = given;
    case.out.push(RouterOut::Label(Box::new(Label {
        label_id: command.command_id,
        tenant: case.tenant.to_owned(),
        conversation_id: case.state.conversation_id,
        turn,
        messages,
        channel: case.state.channel,
        text_masked,
        intent,
        sentiment,
        model_version,
        predicted,
        confidence,
        predicted_sentiment,
        route,
        source,
        by,
        at_ms: case.now_ms,
    })));
    Ok(())
}
