//! What is known of a contact beside the words: facts the CRM told, and what was talked of last. It goes
//! with the next turn, for as long as it may be taken to hold.

use std::collections::BTreeMap;

use schemas::state::{KnownFact, KnownIntent, TurnsState};

use super::HOUR_MS;

/// Facts remembered of one contact; the oldest give way.
const FACTS_MAX: usize = 16;

/// Forgets what was told more than `hours` ago.
pub(super) fn forget(state: &mut TurnsState, hours: i64, now_ms: i64) {
    let from_ms = now_ms - hours * HOUR_MS;
    state.facts.retain(|fact| fact.at_ms > from_ms);
    state.previous.take_if(|previous| previous.at_ms <= from_ms);
    state.elsewhere.retain(|elsewhere| elsewhere.at_ms > from_ms);
}

/// The CRM was asked something at `at_ms`, and told `facts`. What was told later stays.
pub(super) fn learn(state: &mut TurnsState, facts: &BTreeMap<String, bool>, at_ms: i64) {
    for (name, is_true) in facts {
        if state.facts.iter().any(|fact| fact.name == *name && fact.at_ms > at_ms) {
            continue;
        }
        state.facts.retain(|fact| fact.name != *name);
        state.facts.push(KnownFact { name: name.clone(), is_true: *is_true, at_ms });
    }
    let surplus = state.facts.len().saturating_sub(FACTS_MAX);
    state.facts.drain(..surplus);
}

/// The customer was told something about a wish at `at_ms`.
pub(super) fn talked_of(state: &mut TurnsState, intent: Option<&str>, at_ms: i64) {
    let is_news = state.previous.as_ref().is_none_or(|previous| previous.at_ms <= at_ms);
    if let Some(intent) = intent.filter(|_| is_news) {
        state.previous = Some(KnownIntent { intent: intent.to_owned(), at_ms });
    }
}

/// The facts, as they go with a turn.
pub(super) fn facts(state: &TurnsState) -> BTreeMap<String, bool> {
    state.facts.iter().map(|fact| (fact.name.clone(), fact.is_true)).collect()
}
