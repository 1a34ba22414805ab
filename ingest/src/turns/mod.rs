//! The `turns` stage: repeats are dropped, messages that belong together become one turn.
//!
//! Reads `inbound`; writes `turns`. Invariants: a message id is let through once; every message let
//! through is in exactly one turn, but for edits and deletions, which change one; what is not a message is passed on in its place in the order. What the
//! CRM told of the contact on the way goes with the next turn, and so does what is known of the customer's
//! other contacts (`customer.rs`).

mod changed;
mod claims;
mod context;
mod customer;
mod person;
mod settings;

use std::sync::Arc;

use pipeline::{Context, DropReason, Envelope, Output, Stage, Verdict};
use schemas::customers::LinkSource;
use schemas::ids::{Alias, ContactKey, LineKey};
use schemas::line::{
    Inbound, InboundBody, Received, Turn, TurnClosedBy, TurnMessage, Turns as Record, TurnsBody,
};
use schemas::masking::mask;
use schemas::message::{
    AnswerVia, Choice, Command, CommandAction, DeliveryOutcome, Direction, Message, MessageHead,
    MessageKind, ReplyPurpose,
};
use schemas::sealed::{Keyring, SealError, TenantKeys};
use schemas::state::{OpenMessage, OpenTurn, SeenMessage, TurnsState};
use schemas::topics::{TURNS, Topic};
use schemas::{Avro, CodecError};

pub use settings::{Grouping, Settings};

/// Bytes of text of one turn that are handed on; a model has no use for more.
const TEXT_BYTES_MAX: usize = 64 << 10;
const HOUR_MS: i64 = 3_600_000;

/// The stage.
pub struct Turns {
    keyring: Arc<Keyring>,
}

/// What it tells.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnsOut(pub Record);

impl Output for TurnsOut {
    fn topic(&self) -> Topic {
        TURNS
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
        self.0.write(to)
    }
}

type Cx<'a> = Context<'a, Turns>;

fn tell(cx: &mut Cx<'_>, body: TurnsBody) {
    cx.emit(TurnsOut(Record { body }));
}

impl Turns {
    /// Groups for the tenants of `keyring`.
    #[must_use]
    pub fn new(keyring: Arc<Keyring>) -> Self {
        Self { keyring }
    }
}

impl Stage for Turns {
    const NAME: &'static str = "turns";
    type In = Inbound;
    type State = TurnsState;
    type Out = TurnsOut;
    type Broadcast = Settings;

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Inbound>) -> Verdict {
        let Some(key) = LineKey::parse(&input.key) else {
            return Verdict::Reject("the key is not tenant:contact".to_owned());
        };
        let keys = match self.keyring.of(&key.tenant) {
            Ok(keys) => keys,
            Err(error) => return Verdict::Reject(error.to_string()),
        };
        let settings = cx.broadcast();
        let now_ms = input.time_ms;
        let mut state = cx.state.take().unwrap_or_default();
        context::forget(&mut state, settings.context_hours, now_ms);
        match happened(cx, &mut state, input.body.body, (keys, &key), settings, now_ms) {
            Ok(None) => {
                keep(cx, state, settings);
                Verdict::Done
            }
            Ok(Some(reason)) => {
                cx.state = Some(state);
                Verdict::Drop(reason)
            }
            Err(why) => Verdict::Reject(why),
        }
    }
}

/// Takes account of what happened; gives why it is let go, if it is.
fn happened(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    body: InboundBody,
    (keys, key): (&TenantKeys, &LineKey),
    settings: &Settings,
    now_ms: i64,
) -> Result<Option<DropReason>, String> {
    let grouped = match body {
        InboundBody::Message(message) => {
            if state.seen.iter().any(|seen| seen.message_id == message.head.message_id) {
                return Ok(Some(DropReason::Duplicate));
            }
            let forget_before_ms = now_ms - settings.seen_hours * HOUR_MS;
            remember(state, &message.head, forget_before_ms, now_ms);
            if matches!(message.head.kind, MessageKind::Edit | MessageKind::Delete) {
                changed::message_changed(cx, state, *message, keys, key);
                Ok(())
            } else {
                let named = customer::named(state, &message.head, keys, key);
                let grouping = settings.of(&key.tenant);
                let came = message_came(cx, state, *message, named.aliases, keys, grouping, now_ms);
                join(cx, state, (keys, key), named.also, (LinkSource::Provider, now_ms));
                came
            }
        }
        InboundBody::Tick(tick) if tick.stage == Turns::NAME => {
            time_passed(cx, state, keys, settings, &key.tenant, now_ms)
        }
        InboundBody::Command(command) => commanded(cx, state, command, keys),
        InboundBody::DeliveryOutcome(outcome) => {
            note_owner(state, &outcome);
            context::talked_of(state, outcome.intent.as_deref(), now_ms);
            tell(cx, TurnsBody::DeliveryOutcome(outcome));
            Ok(())
        }
        InboundBody::ActionOutcome(outcome) => {
            context::learn(state, &outcome.facts, now_ms);
            let customer = outcome.customer;
            tell(cx, TurnsBody::ActionOutcome(outcome));
            join(cx, state, (keys, key), customer, (LinkSource::Crm, now_ms));
            Ok(())
        }
        InboundBody::ProviderStatus(status) => {
            tell(cx, TurnsBody::ProviderStatus(status));
            Ok(())
        }
        InboundBody::Tick(tick) => {
            tell(cx, TurnsBody::Tick(tick));
            Ok(())
        }
        body @ (InboundBody::CustomerLink(_) | InboundBody::CustomerNews(_)) => {
            match customer::told(state, key, body)? {
                // Nobody else is to be told: it ends here.
                Some(TurnsBody::CustomerNews(news)) if news.to.is_empty() => {}
                Some(body) => tell(cx, body),
                None => return Ok(Some(DropReason::Duplicate)),
            }
            Ok(())
        }
    };
    grouped.map(|()| None).map_err(|error| error.to_string())
}

/// Makes the link to `other`, if there is to be one, and tells it.
fn join(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    (keys, key): (&TenantKeys, &LineKey),
    other: Option<ContactKey>,
    source: (LinkSource, i64),
) {
    let made = other.and_then(|other| customer::join(state, keys, key, other, source));
    if let Some(link) = made {
        tell(cx, TurnsBody::CustomerLink(Box::new(link)));
    }
}

/// Keeps what is worth keeping, and asks to be woken when something is to be done about it.
fn keep(cx: &mut Cx<'_>, state: TurnsState, settings: &Settings) {
    let forget_ms = state.seen.last().map(|last| last.at_ms + settings.forget_hours * HOUR_MS);
    let deadline = state.open.as_ref().map(|open| open.closes_at_ms).or(forget_ms);
    cx.wake_at(deadline);
    cx.state = (state != TurnsState::default()).then_some(state);
}

/// Ids remembered of one contact: a flood of messages must not make its state a flood of writes.
const SEEN_MAX: usize = 2_000;

/// Notes the message's id; ids from before `forget_before_ms` are forgotten.
fn remember(state: &mut TurnsState, head: &MessageHead, forget_before_ms: i64, now_ms: i64) {
    let old = state.seen.partition_point(|seen| seen.at_ms < forget_before_ms);
    state.seen.drain(..old);
    if state.seen.len() >= SEEN_MAX {
        state.seen.remove(0);
    }
    state.seen.push(SeenMessage { message_id: head.message_id, at_ms: now_ms });
}

fn message_came(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    message: Message,
    aliases: Vec<Alias>,
    keys: &TenantKeys,
    grouping: &Grouping,
    now_ms: i64,
) -> Result<(), SealError> {
    let Message { head, text, flush } = message;
    tell(cx, TurnsBody::Received(Box::new(Received { head: head.clone(), aliases })));
    if head.direction == Direction::Outbound {
        return Ok(()); // written by someone of ours: history, not a wish
    }
    if head.auto_generated {
        // What a machine wrote is never answered, and must not take a customer's words along.
        close(cx, state, TurnClosedBy::Media, None, keys)?;
    }
    let closes = closed_at_once(state, &head, text.as_deref(), flush, grouping);
    let open = state.open.get_or_insert_with(|| OpenTurn {
        opened_at_ms: now_ms,
        closes_at_ms: now_ms,
        messages: Vec::new(),
    });
    open.closes_at_ms = (now_ms + grouping.window_ms).min(open.opened_at_ms + grouping.age_ms_max);
    open.messages.push(OpenMessage {
        message_id: head.message_id,
        kind: head.kind,
        text_sealed: head.text_sealed.clone(),
    });
    let sealed = open.messages.iter().filter_map(|message| message.text_sealed.as_ref());
    let bytes: usize = sealed.map(|sealed| sealed.bytes.len()).sum();
    // More text is cut off when the turn ends, and would only make its state large.
    let full = open.messages.len() >= grouping.messages_max || bytes >= TEXT_BYTES_MAX;
    let closed_by = closes.or(full.then_some(TurnClosedBy::Size));
    match closed_by {
        Some(closed_by) => close(cx, state, closed_by, Some(&head), keys),
        None => Ok(()),
    }
}

/// Why a message ends its turn as soon as it has come, if it does.
fn closed_at_once(
    state: &TurnsState,
    head: &MessageHead,
    text: Option<&str>,
    flush: bool,
    grouping: &Grouping,
) -> Option<TurnClosedBy> {
    if flush {
        return Some(TurnClosedBy::Caller);
    }
    if head.choice.is_some() {
        return Some(TurnClosedBy::Choice);
    }
    if !is_understood(head.kind) || head.auto_generated {
        return Some(TurnClosedBy::Media);
    }
    if text.is_some_and(|text| person::is_asked_for(text, &grouping.person_phrases)) {
        return Some(TurnClosedBy::PersonAsked);
    }
    if state.owned {
        return Some(TurnClosedBy::Owner);
    }
    (!grouping.enabled).then_some(TurnClosedBy::Window)
}

/// Kinds whose whole meaning is their text.
fn is_understood(kind: MessageKind) -> bool {
    matches!(kind, MessageKind::Text | MessageKind::Button | MessageKind::Interactive)
}

/// Ends the open turn and hands it on. `last` is the message that ended it, if one did.
fn close(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    closed_by: TurnClosedBy,
    last: Option<&MessageHead>,
    keys: &TenantKeys,
) -> Result<(), SealError> {
    let Some(open) = state.open.take() else { return Ok(()) };
    let sealed = open.messages.iter().filter_map(|message| message.text_sealed.as_ref());
    let texts: Vec<String> =
        sealed.map(|sealed| keys.open_text(sealed)).collect::<Result<_, _>>()?;
    let text = joined(&texts);
    let claims_sealed = match text.as_deref() {
        Some(text) => claims::sealed(text, keys)?,
        None => None,
    };
    let choice: Option<Choice> = last.and_then(|head| head.choice.clone());
    state.last_turn += 1;
    let turn = Turn {
        turn: state.last_turn,
        messages: open
            .messages
            .iter()
            .map(|message| TurnMessage { message_id: message.message_id, kind: message.kind })
            .collect(),
        text_masked: text.as_deref().map(mask),
        text,
        closed_by,
        answer_via: last.map_or(AnswerVia::Channel, |head| head.answer_via),
        needs_person: open.messages.iter().any(|message| !is_understood(message.kind)),
        choice,
        auto_generated: last.is_some_and(|head| head.auto_generated),
        facts: context::facts(state),
        previous_intent: state.previous.as_ref().map(|previous| previous.intent.clone()),
        linked: customer::linked(state),
        elsewhere: state.elsewhere.iter().filter_map(|elsewhere| elsewhere.open.clone()).collect(),
        claims_sealed,
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

fn time_passed(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    keys: &TenantKeys,
    settings: &Settings,
    tenant: &str,
    now_ms: i64,
) -> Result<(), SealError> {
    let Some(open) = &state.open else {
        let forget_ms = settings.forget_hours * HOUR_MS;
        if state.seen.last().is_none_or(|last| last.at_ms + forget_ms <= now_ms) {
            // Who is one customer does not lapse with the messages.
            *state = TurnsState {
                linked: std::mem::take(&mut state.linked),
                undone_links: std::mem::take(&mut state.undone_links),
                ..TurnsState::default()
            };
        }
        return Ok(());
    };
    let oldest_ms = open.opened_at_ms + settings.of(tenant).age_ms_max;
    let closed_by = if open.messages.len() > 1 && open.closes_at_ms >= oldest_ms {
        TurnClosedBy::MaxAge
    } else {
        TurnClosedBy::Window
    };
    close(cx, state, closed_by, None, keys)
}

/// A command passes in its place; a claim ends the open turn, because somebody reads along now.
fn commanded(
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
        CommandAction::Transfer if to_colleague => {
            state.owned = true;
            close(cx, state, TurnClosedBy::Owner, None, keys)
        }
        CommandAction::Claim | CommandAction::Reply => {
            state.owned = true;
            close(cx, state, TurnClosedBy::Owner, None, keys)
        }
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

/// The machine answered, so no person has the conversation.
fn note_owner(state: &mut TurnsState, outcome: &DeliveryOutcome) {
    if outcome.purpose == ReplyPurpose::Answer {
        state.owned = false;
    }
}

#[cfg(test)]
mod tests;
