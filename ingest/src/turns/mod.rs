//! The `turns` stage: repeats are dropped, messages that belong together become one turn.
//!
//! Reads `inbound`; writes `turns`. Invariants: a message id is let through once; every message let
//! through is in exactly one turn, but for edits and deletions, which change one, and for what was deleted before
//! it came; what is not a message is
//! passed on in its place in the order. What the CRM told of the contact on the way goes with the next turn, and
//! so does what is known of the customer's other contacts (`customer.rs`). A recording is a turn of its own, which
//! waits for its transcript where there is a transcriber (`audio.rs`).

mod audio;
mod changed;
mod claims;
mod commands;
mod context;
mod customer;
mod ended;
mod person;
mod settings;

use std::any::Any;
use std::sync::Arc;

use pipeline::{Context, DropReason, Envelope, Output, Stage, Verdict};
use schemas::customers::LinkSource;
use schemas::ids::{Alias, ContactKey, LineKey, MessageId};
use schemas::line::{Inbound, InboundBody, Received, TurnClosedBy, Turns as Record, TurnsBody};
use schemas::message::{Direction, Message, MessageHead, MessageKind};
use schemas::sealed::{Keyring, SealError, TenantKeys};
use schemas::state::{OpenMessage, OpenTurn, SeenMessage, ToldMedia, TurnsState};
use schemas::topics::{TURNS, Topic};
use schemas::{Avro, CodecError};

pub use settings::{Grouping, Settings};

use commands::{commanded, note_owner};
use ended::{TEXT_BYTES_MAX, close};

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

    fn into_input(self) -> Option<Box<dyn Any + Send>> {
        Some(Box::new(self.0))
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
        let mut state = cx.state.take().unwrap_or_default();
        context::forget(&mut state, settings.context_hours, input.time_ms);
        let heard = Heard { keys, settings, key: &key, now_ms: input.time_ms };
        match heard.take(cx, &mut state, input.body.body) {
            Ok(true) => {
                keep(cx, state, settings);
                Verdict::Done
            }
            Ok(false) => {
                cx.state = Some(state);
                Verdict::Drop(DropReason::Duplicate)
            }
            Err(why) => Verdict::Reject(why),
        }
    }
}

/// A record in hand, with what it is read by.
struct Heard<'a> {
    keys: &'a TenantKeys,
    settings: &'a Settings,
    key: &'a LineKey,
    now_ms: i64,
}

impl Heard<'_> {
    /// Takes account of `body`; `false`: it was heard before.
    fn take(
        &self,
        cx: &mut Cx<'_>,
        state: &mut TurnsState,
        body: InboundBody,
    ) -> Result<bool, String> {
        match body {
            body @ (InboundBody::CustomerLink(_) | InboundBody::CustomerNews(_)) => {
                match customer::told(state, self.key, body)? {
                    // Nobody else is to be told: it ends here.
                    Some(TurnsBody::CustomerNews(news)) if news.to.is_empty() => {}
                    Some(body) => tell(cx, body),
                    None => return Ok(false),
                }
                Ok(true)
            }
            body => self.take_in(cx, state, body).map_err(|error| error.to_string()),
        }
    }

    /// The same, of what is about this contact alone.
    fn take_in(
        &self,
        cx: &mut Cx<'_>,
        state: &mut TurnsState,
        body: InboundBody,
    ) -> Result<bool, SealError> {
        let Self { keys, settings, now_ms, .. } = *self;
        match body {
            InboundBody::Message(message) => return self.message(cx, state, *message),
            InboundBody::Tick(tick) if tick.stage == Turns::NAME => {
                time_passed(cx, state, keys, settings, &self.key.tenant, now_ms)?;
            }
            InboundBody::Command(command) => commanded(cx, state, command, keys)?,
            InboundBody::DeliveryOutcome(outcome) => {
                note_owner(state, &outcome);
                context::talked_of(state, outcome.intent.as_deref(), now_ms);
                tell(cx, TurnsBody::DeliveryOutcome(outcome));
            }
            InboundBody::ActionOutcome(outcome) => {
                context::learn(state, &outcome.facts, now_ms);
                let customer = outcome.customer;
                tell(cx, TurnsBody::ActionOutcome(outcome));
                self.join(cx, state, customer, LinkSource::Crm);
            }
            InboundBody::MediaFetched(mut fetched) => {
                changed::without_file(state, &mut fetched);
                if !self.is_news(state, fetched.message_id, fetched.part, false) {
                    return Ok(false);
                }
                audio::fetched(cx, state, fetched, keys)?;
            }
            InboundBody::Transcribed(mut transcribed) => {
                changed::without_words(state, &mut transcribed);
                if !self.is_news(state, transcribed.message_id, transcribed.part, true) {
                    return Ok(false);
                }
                audio::transcribed(cx, state, &transcribed, keys)?;
            }
            InboundBody::ProviderStatus(status) => tell(cx, TurnsBody::ProviderStatus(status)),
            InboundBody::Tick(tick) => tell(cx, TurnsBody::Tick(tick)),
            // Taken before.
            InboundBody::CustomerLink(_) | InboundBody::CustomerNews(_) => {}
        }
        Ok(true)
    }

    fn message(
        &self,
        cx: &mut Cx<'_>,
        state: &mut TurnsState,
        mut message: Message,
    ) -> Result<bool, SealError> {
        let head = &message.head;
        if state.seen.iter().any(|seen| seen.message_id == head.message_id) {
            return Ok(false);
        }
        remember(state, head, self.forget_before_ms(), self.now_ms);
        if head.changes_another() {
            let times = (self.now_ms, self.forget_before_ms());
            changed::message_changed(cx, state, message, (self.keys, self.key), times);
            return Ok(true);
        }
        changed::without_deleted(state, &mut message);
        let head = &message.head;
        let named = customer::named(state, head, self.keys, self.key);
        message_came(cx, state, message, named.aliases, self)?;
        self.join(cx, state, named.also, LinkSource::Provider);
        Ok(true)
    }

    /// Makes the link to `other`, if there is to be one, and tells it.
    fn join(
        &self,
        cx: &mut Cx<'_>,
        state: &mut TurnsState,
        other: Option<ContactKey>,
        source: LinkSource,
    ) {
        let by = (source, self.now_ms);
        let made = other.and_then(|other| customer::join(state, self.keys, self.key, other, by));
        if let Some(link) = made {
            tell(cx, TurnsBody::CustomerLink(Box::new(link)));
        }
    }

    /// Whether this was not told of a file before.
    fn is_news(
        &self,
        state: &mut TurnsState,
        message_id: MessageId,
        part: i32,
        transcribed: bool,
    ) -> bool {
        let told = ToldMedia { message_id, part, transcribed, at_ms: self.now_ms };
        audio::note(state, told, self.forget_before_ms())
    }

    fn forget_before_ms(&self) -> i64 {
        self.now_ms - self.settings.seen_hours * HOUR_MS
    }
}

/// Keeps what is worth keeping, and asks to be woken when something is to be done about it.
fn keep(cx: &mut Cx<'_>, state: TurnsState, settings: &Settings) {
    let forget_ms = state.seen.last().map(|last| last.at_ms + settings.forget_hours * HOUR_MS);
    let closes_ms = state.open.as_ref().map(|open| open.closes_at_ms);
    let deadline = [closes_ms, audio::deadline(&state)].into_iter().flatten().min().or(forget_ms);
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
    heard: &Heard<'_>,
) -> Result<(), SealError> {
    let Heard { keys, settings, key, now_ms } = *heard;
    let grouping = settings.of(&key.tenant);
    let Message { head, text, flush } = message;
    tell(cx, TurnsBody::Received(Box::new(Received { head: head.clone(), aliases })));
    if head.direction == Direction::Outbound || head.deleted {
        return Ok(()); // written by someone of ours, or taken back: history, not a wish
    }
    if audio::waits(state, (&head, flush), settings, grouping) {
        audio::begin(state, &head, now_ms + settings.transcript_wait_ms);
        return Ok(());
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

fn time_passed(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    keys: &TenantKeys,
    settings: &Settings,
    tenant: &str,
    now_ms: i64,
) -> Result<(), SealError> {
    audio::overdue(cx, state, keys, now_ms)?;
    let Some(open) = &state.open else {
        let forget_ms = settings.forget_hours * HOUR_MS;
        let is_gone = state.seen.last().is_none_or(|last| last.at_ms + forget_ms <= now_ms);
        if is_gone && state.waiting.is_empty() {
            // Who is one customer does not lapse with the messages.
            *state = TurnsState {
                linked: std::mem::take(&mut state.linked),
                undone_links: std::mem::take(&mut state.undone_links),
                ..TurnsState::default()
            };
        }
        return Ok(());
    };
    if open.closes_at_ms > now_ms {
        return Ok(()); // it was for a recording
    }
    let oldest_ms = open.opened_at_ms + settings.of(tenant).age_ms_max;
    let closed_by = if open.messages.len() > 1 && open.closes_at_ms >= oldest_ms {
        TurnClosedBy::MaxAge
    } else {
        TurnClosedBy::Window
    };
    close(cx, state, closed_by, None, keys)
}

#[cfg(test)]
mod tests;
