//! What is known of a contact beside the words: facts the CRM told, and what was talked of last. It goes
//! with the next turn, for as long as it may be taken to hold.

use std::collections::BTreeMap;

use schemas::message::{ActionOutcome, DeliveryOutcome};
use schemas::state::{KnownFact, KnownIntent, TurnsState};

use super::HOUR_MS;

/// Facts remembered of one contact; the oldest give way.
const FACTS_MAX: usize = 16;

/// Forgets what was told more than `hours` ago.
pub(super) fn forget(state: &mut TurnsState, hours: i64, now_ms: i64) {
    let from_ms = now_ms - hours * HOUR_MS;
    state.facts.retain(|fact| fact.at_ms > from_ms);
    state.previous.take_if(|previous| previous.at_ms <= from_ms);
}

/// The CRM was asked something, and told what it knows.
pub(super) fn learn(state: &mut TurnsState, outcome: &ActionOutcome, now_ms: i64) {
    for (name, is_true) in &outcome.facts {
        state.facts.retain(|fact| fact.name != *name);
        state.facts.push(KnownFact { name: name.clone(), is_true: *is_true, at_ms: now_ms });
    }
    let surplus = state.facts.len().saturating_sub(FACTS_MAX);
    state.facts.drain(..surplus);
}

/// The contact was told something about a wish.
pub(super) fn talked_of(state: &mut TurnsState, outcome: &DeliveryOutcome, now_ms: i64) {
    if let Some(intent) = &outcome.intent {
        state.previous = Some(KnownIntent { intent: intent.clone(), at_ms: now_ms });
    }
}

/// The facts, as they go with a turn.
pub(super) fn facts(state: &TurnsState) -> BTreeMap<String, bool> {
    state.facts.iter().map(|fact| (fact.name.clone(), fact.is_true)).collect()
}
