//! Null stages: the line's four stages with nothing in them. The same topics, partitions, runner,
//! commits and state tables; what comes is read and copied on. No window, no scores, no policy, no
//! answer.
//!
//! Reads and writes what the stages read and write up to the store: of a message its line and the line
//! of a decision. Left out: records for CRM, people and deliverers, which no store waits for.

use std::path::Path;
use std::sync::Arc;

use benches::conversation::blank;
use pipeline::broadcast::Nothing;
use pipeline::{
    Chain, Context, DropReason, Envelope, Group, Keyed, Output, Running, Setup, Stage, Stateless,
    Verdict, spawn_chain,
};
use schemas::conversation::{
    Conversation, ConversationEvent, MessageReceived, Route, RouteReason, TurnDecided,
};
use schemas::ids::{ConversationId, LineKey};
use schemas::line::{
    Classified, ClassifiedBody, ClassifiedTurn, Inbound, InboundBody, Received, Turn, TurnClosedBy,
    TurnMessage, Turns, TurnsBody,
};
use schemas::message::Message;
use schemas::topics::{
    CHAIN_STATE, CLASSIFIED, CONVERSATIONS, INBOUND, ROUTER_STATE, TURNS, TURNS_STATE, Topic,
};
use schemas::{Avro, CodecError};
use tokio_util::sync::CancellationToken;

use crate::wiring;

/// A copy on its way.
struct Copied<T>(Topic, T);

impl<T: Avro + Send> Output for Copied<T> {
    fn topic(&self) -> Topic {
        self.0
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
        self.1.write(to)
    }
}

/// What is kept of a contact: when it was first heard of, and how many records there were.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    since_ms: i64,
    records: i64,
}

impl Keyed for Count {
    fn encode(&self) -> Result<Vec<u8>, CodecError> {
        Ok([self.since_ms.to_le_bytes(), self.records.to_le_bytes()].concat())
    }

    fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut numbers = bytes.chunks_exact(8).map(|bytes| {
            i64::from_le_bytes(bytes.try_into().unwrap_or_default()) // eight bytes they are
        });
        let mut next = || numbers.next().unwrap_or_default();
        Ok(Self { since_ms: next(), records: next() })
    }
}

/// The next record of the contact in hand.
fn counted<S: Stage<State = Count>>(cx: &mut Context<'_, S>, time_ms: i64) -> Count {
    let before = cx.state.unwrap_or(Count { since_ms: time_ms, records: 0 });
    let now = Count { records: before.records + 1, ..before };
    cx.state = Some(now);
    now
}

struct NullTurns;

impl NullTurns {
    fn turn(message: Message, turn: i64) -> Turn {
        let head = message.head;
        Turn {
            turn,
            messages: vec![TurnMessage { message_id: head.message_id, kind: head.kind }],
            text: message.text,
            text_masked: head.text_masked,
            closed_by: TurnClosedBy::Caller,
            answer_via: head.answer_via,
            needs_person: false,
            choice: None,
            auto_generated: false,
            facts: std::collections::BTreeMap::new(),
            previous_intent: None,
            linked: Vec::new(),
            elsewhere: Vec::new(),
            claims_sealed: None,
            transcript_confidence: None,
        }
    }
}

impl Stage for NullTurns {
    const NAME: &'static str = "turns";
    type In = Inbound;
    type State = Count;
    type Out = Copied<Turns>;
    type Broadcast = ();

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Inbound>) -> Verdict {
        let InboundBody::Message(message) = input.body.body else {
            return Verdict::Drop(DropReason::Irrelevant);
        };
        let count = counted(cx, input.time_ms);
        let received = Received { head: message.head.clone(), aliases: Vec::new() };
        let turn = Self::turn(*message, count.records);
        for body in [TurnsBody::Received(Box::new(received)), TurnsBody::Turn(Box::new(turn))] {
            cx.emit(Copied(TURNS, Turns { body }));
        }
        Verdict::Done
    }
}

struct NullClassify;

impl Stage for NullClassify {
    const NAME: &'static str = "classify";
    type In = Turns;
    type State = Stateless;
    type Out = Copied<Classified>;
    type Broadcast = ();

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Turns>) -> Verdict {
        let body = match input.body.body {
            TurnsBody::Received(received) => ClassifiedBody::Received(received),
            TurnsBody::Turn(turn) => {
                let turn = ClassifiedTurn { turn: *turn, classification: None };
                ClassifiedBody::ClassifiedTurn(Box::new(turn))
            }
            _ => return Verdict::Drop(DropReason::Irrelevant),
        };
        cx.emit(Copied(CLASSIFIED, Classified { body }));
        Verdict::Done
    }
}

struct NullRouter;

impl Stage for NullRouter {
    const NAME: &'static str = "router";
    type In = Classified;
    type State = Count;
    type Out = Copied<Conversation>;
    type Broadcast = ();

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Classified>) -> Verdict {
        let Some(key) = LineKey::parse(&input.key) else {
            return Verdict::Reject("the key is not tenant:contact".to_owned());
        };
        let event = match input.body.body {
            ClassifiedBody::Received(received) => {
                let received = MessageReceived { head: received.head };
                ConversationEvent::MessageReceived(Box::new(received))
            }
            ClassifiedBody::ClassifiedTurn(turn) => {
                let turn = turn.turn;
                ConversationEvent::TurnDecided(Box::new(TurnDecided {
                    turn: turn.turn,
                    messages: turn.messages.iter().map(|message| message.message_id).collect(),
                    closed_by: turn.closed_by,
                    route: Route::Human,
                    reason: RouteReason::Unclassified,
                    classification: None,
                    action: None,
                    policy_version: String::new(),
                    transcript_confidence: None,
                }))
            }
            _ => return Verdict::Drop(DropReason::Irrelevant),
        };
        let count = counted(cx, input.time_ms);
        let id = ConversationId::new(key.contact, count.since_ms);
        let blank = blank(key.tenant, id, count.since_ms);
        let conversation = Conversation { seq: count.records, event, ..blank };
        cx.emit(Copied(CONVERSATIONS, conversation));
        Verdict::Done
    }
}

struct NullPlan;

impl Stage for NullPlan {
    const NAME: &'static str = "plan";
    type In = Conversation;
    type State = Stateless;
    type Out = Copied<Conversation>;
    type Broadcast = ();

    fn process(&self, _: &mut Context<'_, Self>, _: Envelope<Conversation>) -> Verdict {
        Verdict::Drop(DropReason::Irrelevant)
    }
}

fn nothing() -> Arc<Nothing> {
    Arc::new(Nothing::default())
}

/// The chains of a layout, with the groups the product's have.
fn chains(chained: bool) -> Vec<(Chain, Group)> {
    if chained {
        let chain = Chain::of(INBOUND, NullTurns, nothing())
            .then(TURNS, NullClassify, nothing())
            .then(CLASSIFIED, NullRouter, nothing())
            .then(CONVERSATIONS, NullPlan, nothing());
        let names = [NullTurns::NAME, NullClassify::NAME, NullRouter::NAME, NullPlan::NAME];
        return vec![(chain, Setup::chain_group(&names, INBOUND, Some(CHAIN_STATE)))];
    }
    vec![
        (
            Chain::of(INBOUND, NullTurns, nothing()),
            Setup::stage_group(NullTurns::NAME, INBOUND, Some(TURNS_STATE)),
        ),
        (
            Chain::of(TURNS, NullClassify, nothing()),
            Setup::stage_group(NullClassify::NAME, TURNS, None),
        ),
        (
            Chain::of(CLASSIFIED, NullRouter, nothing()),
            Setup::stage_group(NullRouter::NAME, CLASSIFIED, Some(ROUTER_STATE)),
        ),
        (
            Chain::of(CONVERSATIONS, NullPlan, nothing()),
            Setup::stage_group(NullPlan::NAME, CONVERSATIONS, None),
        ),
    ]
}

/// Runs the null stages of the installation `tag` until told to stop.
pub async fn run(
    kafka: &str,
    tag: &str,
    (chained, transactional): (bool, bool),
    states: &Path,
) -> anyhow::Result<()> {
    let setup = wiring::setup(kafka, tag, transactional, Some(states))?;
    let stop = CancellationToken::new();
    let running = chains(chained)
        .into_iter()
        .map(|(chain, group)| spawn_chain(chain, group, setup.clone(), stop.clone()))
        .collect::<Result<Vec<Running>, _>>()?;
    wiring::until_told(running, stop).await
}
