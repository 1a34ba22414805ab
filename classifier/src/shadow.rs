//! The `shadow` stage: what a candidate would have decided, beside the version that does.
//!
//! Reads `turns`, as `classify` does, in a group of its own: the line does not wait for it and does not
//! hear of it. Its state, in `shadow-state`, is its result. Invariant: counts are absolute, and are
//! committed with the position they were counted up to.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use pipeline::broadcast::Versioned;
use pipeline::{Context, DropReason, Envelope, Output, Stage, Verdict};
use schemas::CodecError;
use schemas::ids::LineKey;
use schemas::line::{Classification, Turn, Turns, TurnsBody};
use schemas::models::{ShadowExample, ShadowTally, ShadowVerdict};
use schemas::topics::{SHADOW_STATE, Topic};

use crate::stage::classification;
use crate::{Models, Scratch};

/// Examples kept of each partition, and of each pair of intents among them.
const EXAMPLES_MAX: usize = 8;
const EXAMPLES_OF_PAIR_MAX: usize = 2;
/// Letters of an example.
const EXAMPLE_LETTERS_MAX: usize = 160;
/// From here on a confidence counts as another.
const SHIFT: f64 = 0.1;
/// Between the live version's word and the candidate's.
const TO: char = '>';

/// A candidate beside the live version.
pub struct Beside {
    /// What decides.
    pub live: Arc<Versioned<Models>>,
    /// What would like to.
    pub candidate: Arc<Versioned<Models>>,
}

/// Where a tenant's turn goes that is classified so: `auto`, or a queue. The stage does not know the
/// policy.
pub type Route = dyn Fn(&str, &Turn, &Classification) -> String + Send + Sync;

/// The stage.
pub struct Shadow {
    route: Arc<Route>,
    scratch: Mutex<Scratch>,
}

/// It emits nothing: its state is its result.
#[derive(Debug)]
pub enum Nothing {}

impl Output for Nothing {
    fn topic(&self) -> Topic {
        SHADOW_STATE
    }

    fn write(&self, _: &mut Vec<u8>) -> Result<(), CodecError> {
        Ok(())
    }
}

impl Shadow {
    /// Compares where turns go by `route`.
    #[must_use]
    pub fn new(route: Arc<Route>) -> Self {
        Self { route, scratch: Mutex::default() }
    }

    /// What `models` say of a turn.
    fn verdict(&self, models: &Models, tenant: &str, turn: &Turn, text: &str) -> ShadowVerdict {
        let mut scratch = self.scratch.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let said = classification(models, turn, text, &mut scratch);
        ShadowVerdict {
            intent: said.intent().unwrap_or_default().to_owned(),
            confidence: said.confidence,
            route: (self.route)(tenant, turn, &said),
        }
    }
}

impl Stage for Shadow {
    const NAME: &'static str = "shadow";
    type In = Turns;
    type State = ShadowTally;
    type Out = Nothing;
    type Broadcast = Option<Beside>;

    fn is_idle(&self, beside: &Option<Beside>) -> bool {
        beside.is_none()
    }

    fn state_key(&self, input: &Envelope<Turns>) -> Bytes {
        input.partition.to_string().into()
    }

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Turns>) -> Verdict {
        let Some(beside) = cx.broadcast() else { return Verdict::Drop(DropReason::Irrelevant) };
        let TurnsBody::Turn(turn) = &input.body.body else {
            return Verdict::Drop(DropReason::Irrelevant);
        };
        let Some(text) = &turn.text else { return Verdict::Drop(DropReason::Irrelevant) };
        let tenant = LineKey::parse(&input.key).map(|key| key.tenant).unwrap_or_default();
        let live = self.verdict(&beside.live.content, &tenant, turn, text);
        let candidate = self.verdict(&beside.candidate.content, &tenant, turn, text);
        // Counts of other versions are not gone on with.
        let begun = cx.state.take().filter(|tally| is_of(tally, beside));
        let mut tally = begun.unwrap_or_else(|| empty(beside, &input));
        tally.until_ms = input.time_ms;
        count(&mut tally, &live, &candidate);
        if live.intent != candidate.intent || live.route != candidate.route {
            let text_masked = turn.text_masked.as_deref().unwrap_or_default();
            let text_masked = text_masked.chars().take(EXAMPLE_LETTERS_MAX).collect();
            let time_ms = input.time_ms;
            keep(&mut tally, ShadowExample { time_ms, text_masked, live, candidate });
        }
        cx.state = Some(tally);
        Verdict::Done
    }
}

fn is_of(tally: &ShadowTally, beside: &Beside) -> bool {
    beside.live.version == tally.live && beside.candidate.version == tally.candidate
}

fn empty(beside: &Beside, input: &Envelope<Turns>) -> ShadowTally {
    ShadowTally {
        live: beside.live.version.to_string(),
        candidate: beside.candidate.version.to_string(),
        source_partition: i32::try_from(input.partition).unwrap_or(i32::MAX),
        since_ms: input.time_ms,
        until_ms: input.time_ms,
        turns: 0,
        intents: std::collections::BTreeMap::new(),
        routes: std::collections::BTreeMap::new(),
        confidence_live: 0.0,
        confidence_candidate: 0.0,
        raised: 0,
        lowered: 0,
        examples: Vec::new(),
    }
}

fn count(tally: &mut ShadowTally, live: &ShadowVerdict, candidate: &ShadowVerdict) {
    tally.turns += 1;
    if live.intent != candidate.intent {
        let pair = format!("{}{TO}{}", live.intent, candidate.intent);
        *tally.intents.entry(pair).or_default() += 1;
    }
    if live.route != candidate.route {
        let pair = format!("{}{TO}{}", live.route, candidate.route);
        *tally.routes.entry(pair).or_default() += 1;
    }
    tally.confidence_live += live.confidence;
    tally.confidence_candidate += candidate.confidence;
    let shift = candidate.confidence - live.confidence;
    tally.raised += i64::from(shift >= SHIFT);
    tally.lowered += i64::from(shift <= -SHIFT);
}

/// Keeps the first few examples, not many of one kind.
fn keep(tally: &mut ShadowTally, example: ShadowExample) {
    let alike = |kept: &&ShadowExample| {
        kept.live.intent == example.live.intent && kept.candidate.intent == example.candidate.intent
    };
    let is_rare = tally.examples.iter().filter(alike).count() < EXAMPLES_OF_PAIR_MAX;
    if is_rare && tally.examples.len() < EXAMPLES_MAX {
        tally.examples.push(example);
    }
}
