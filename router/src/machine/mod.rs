//! The conversation state machine, one contact at a time.
//!
//! Reads `classified`; writes `conversations`, `actions`, `handoffs`, `labels`, `customers`, and to other
//! contacts of a customer `inbound`. Invariants: a conversation has
//! one owner; every transition is one record with the next seq; a turn settles once; the machine is
//! silent while a person owns the conversation and never answers what a machine wrote.

mod case;
mod checks;
mod clocks;
mod commands;
mod csat;
mod links;
mod outcomes;
mod team;
mod threads;
mod time;
mod turns;

use std::sync::Arc;

use pipeline::broadcast::PerTenant;
use pipeline::{Context, DropReason, Envelope, Stage, Verdict};
use schemas::conversation::ConversationEvent;
use schemas::ids::LineKey;
use schemas::line::{Classified, ClassifiedBody};
use schemas::sealed::Keyring;
use schemas::state::RouterState;

use self::case::{Case, With};
use crate::out::RouterOut;
use crate::settings::Settings;

/// The stage.
pub struct Router {
    keyring: Arc<Keyring>,
}

impl Router {
    /// Routes for the tenants of `keyring`.
    #[must_use]
    pub fn new(keyring: Arc<Keyring>) -> Self {
        Self { keyring }
    }
}

impl Stage for Router {
    const NAME: &'static str = "router";
    type In = Classified;
    type State = RouterState;
    type Out = RouterOut;
    type Broadcast = PerTenant<Settings>;

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Classified>) -> Verdict {
        let Some(key) = LineKey::parse(&input.key) else {
            return Verdict::Reject("the key is not tenant:contact".to_owned());
        };
        let settings = cx.broadcast().of(&key.tenant);
        let open =
            cx.state.clone().map(|state| Case::resume(&key.tenant, settings, state, input.time_ms));
        let case = match self.begin(open, &key, settings, &input) {
            Ok(case) => case,
            Err(Begun::Over(verdict)) => return verdict,
            Err(Begun::Told(told)) => {
                emit(cx, told);
                return Verdict::Done;
            }
        };
        let before = links::open(&case.state);
        let shared = links::Shared::of(&input.body.body);
        let outward = links::outward(&key, &input.body.body, input.time_ms);
        let (verdict, mut case) = act(case, &key, input.body.body);
        if verdict != Verdict::Done {
            return verdict;
        }
        links::spread(&key, &mut case, before.as_ref(), shared);
        let Case { state, mut out, .. } = case;
        out.extend(outward);
        let deadline = time::next_deadline(&state, &settings.times);
        cx.wake_at(deadline);
        let ended = deadline.is_none() && state.pending.is_empty();
        cx.state = (!ended).then_some(state);
        emit(cx, out);
        Verdict::Done
    }
}

fn emit(cx: &mut Context<'_, Router>, out: Vec<RouterOut>) {
    for out in out {
        match out.key() {
            Some(key) => cx.emit_for(key, out),
            None => cx.emit(out),
        }
    }
}

/// Why there is no conversation to act on.
enum Begun {
    Over(Verdict),
    Told(Vec<RouterOut>),
}

impl Router {
    /// The open conversation, or a new one for a message without.
    fn begin<'a>(
        &self,
        open: Option<Case<'a>>,
        key: &'a LineKey,
        settings: &'a Settings,
        input: &Envelope<Classified>,
    ) -> Result<Case<'a>, Begun> {
        if let Some(case) = open.filter(|case| !case.has_ended()) {
            return Ok(case);
        }
        match &input.body.body {
            ClassifiedBody::Received(received) if received.head.changes_another() => {
                Err(match turns::deleted_late(key, &received.head, input.time_ms) {
                    Some(told) => Begun::Told(vec![told]),
                    None => Begun::Over(Verdict::Drop(DropReason::Irrelevant)),
                })
            }
            ClassifiedBody::Received(received) => {
                let keys = self
                    .keyring
                    .of(&key.tenant)
                    .map_err(|error| Begun::Over(Verdict::Reject(error.to_string())))?;
                Ok(Case::open(key, settings, keys, &received.head, input.time_ms))
            }
            ClassifiedBody::ClassifiedTurn(_) => Err(Begun::Over(Verdict::Reject(
                "a turn of a contact without a conversation".to_owned(),
            ))),
            ClassifiedBody::Command(command) => {
                let refusal = commands::refused(&key.tenant, command.clone(), input.time_ms);
                Err(Begun::Told(vec![refusal]))
            }
            body @ (ClassifiedBody::CustomerLink(_) | ClassifiedBody::CustomerNews(_)) => {
                let mut told = links::outward(key, body, input.time_ms);
                if let ClassifiedBody::CustomerLink(link) = body {
                    told.extend(links::answered(key, link, input.time_ms));
                }
                Err(Begun::Told(told))
            }
            _ => Err(Begun::Over(Verdict::Drop(DropReason::Irrelevant))),
        }
    }
}

fn act<'a>(mut case: Case<'a>, key: &LineKey, body: ClassifiedBody) -> (Verdict, Case<'a>) {
    let this =
        |id: &schemas::ids::ConversationId, case: &Case<'_>| *id == case.state.conversation_id;
    let elsewhere = Verdict::Drop(DropReason::Irrelevant);
    let verdict = match body {
        ClassifiedBody::Received(received) => {
            turns::received(&mut case, *received);
            Verdict::Done
        }
        ClassifiedBody::ClassifiedTurn(turn) => {
            turns::decided(&mut case, *turn);
            Verdict::Done
        }
        ClassifiedBody::Command(command) => commands::command(&mut case, command),
        ClassifiedBody::ActionOutcome(outcome) if this(&outcome.conversation_id, &case) => {
            outcomes::action(&mut case, outcome)
        }
        ClassifiedBody::DeliveryOutcome(outcome) if this(&outcome.conversation_id, &case) => {
            outcomes::delivery(&mut case, *outcome)
        }
        ClassifiedBody::ActionOutcome(_) | ClassifiedBody::DeliveryOutcome(_) => elsewhere,
        ClassifiedBody::ProviderStatus(status) => outcomes::status(&mut case, status),
        ClassifiedBody::Tick(tick) if tick.stage == Router::NAME => {
            time::pass(&mut case);
            Verdict::Done
        }
        ClassifiedBody::Tick(_) => elsewhere,
        ClassifiedBody::CustomerLink(link) => {
            links::linked(&mut case, key.contact, &link);
            Verdict::Done
        }
        // Only passed on: what it says stands in the contact's turns.
        ClassifiedBody::CustomerNews(_) => Verdict::Done,
        ClassifiedBody::MediaFetched(fetched) => {
            case.tell(ConversationEvent::MediaFetched(fetched), With::default());
            Verdict::Done
        }
        ClassifiedBody::Transcribed(transcribed) => {
            case.tell(ConversationEvent::Transcribed(transcribed), With::default());
            Verdict::Done
        }
    };
    (verdict, case)
}
