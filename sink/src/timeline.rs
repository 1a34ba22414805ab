//! What a customer has said, on all contacts, in one order, latest first, page by page.
//!
//! Invariant: the order is total (time, then conversation, then line), so that pages put together hold every
//! conversation and every line once, however many are of one millisecond.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemas::conversation::Conversation;
use schemas::ids::{ConversationId, LineKey};

use crate::customers::Customer;
use crate::rows::ConversationRow;
use crate::store::{Store, StoreError};

/// Rows asked of a store at once.
const ROWS_AT_ONCE: usize = 200;
/// Lines asked of a store at once.
const LINES_AT_ONCE: usize = 1_000;
/// How far the times of a conversation's lines may lie outside of what its row tells: a message's line carries
/// the time of the door, and `inbound` keeps messages for seven days.
const LATE_MS_MAX: i64 = 8 * 86_400_000;

/// Where something stands in the order. As text it is what a page ends with and the next one begins behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When a line was written, or a conversation opened (Unix, ms).
    pub at_ms: i64,
    /// Of which conversation.
    pub conversation: ConversationId,
    /// Which line of it; 0 for the conversation itself.
    pub seq: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.at_ms, self.conversation, self.seq)
    }
}

/// A text that is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the end of a page")]
pub struct NoPlace;

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().ok_or(NoPlace);
        Ok(Self {
            at_ms: next()?.parse().map_err(|_| NoPlace)?,
            conversation: next()?.parse().map_err(|_| NoPlace)?,
            seq: next()?.parse().map_err(|_| NoPlace)?,
        })
    }
}

/// A part of the order, latest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// What is on it.
    pub shown: Vec<T>,
    /// What the next page begins behind; none: this is the last.
    pub next: Option<Place>,
}

/// The latest of what it is given, in order.
struct Latest<T> {
    before: Option<Place>,
    limit: usize,
    found: BTreeMap<Place, T>,
}

impl<T> Latest<T> {
    fn new(before: Option<Place>, limit: usize) -> Self {
        Self { before, limit: limit.max(1), found: BTreeMap::new() }
    }

    fn add(&mut self, place: Place, one: T) {
        if self.before.is_some_and(|before| place >= before) {
            return;
        }
        self.found.insert(place, one);
        // One more than is shown tells that there is a next page.
        if self.found.len() > self.limit + 1 {
            self.found.pop_first();
        }
    }

    /// Whether nothing at or before `at_ms` would be shown any more.
    fn is_beyond(&self, at_ms: i64) -> bool {
        let oldest = self.found.first_key_value().map(|(place, _)| place.at_ms);
        self.found.len() > self.limit && oldest.is_some_and(|oldest_ms| at_ms < oldest_ms)
    }

    fn page(mut self) -> Page<T> {
        let more = self.found.len() > self.limit && self.found.pop_first().is_some();
        let next = self.found.first_key_value().map(|(place, _)| *place).filter(|_| more);
        Page { shown: self.found.into_values().rev().collect(), next }
    }
}

/// A page of the customer's conversations, those that opened last first.
///
/// # Errors
/// [`StoreError`].
pub async fn conversations(
    store: &dyn Store,
    tenant: &str,
    customer: &Customer,
    before: Option<Place>,
    limit: usize,
) -> Result<Page<ConversationRow>, StoreError> {
    let mut latest = Latest::new(before, limit);
    for contact in &customer.contacts {
        let key = LineKey::new(tenant, *contact);
        // A contact's conversations are named by the second they opened, one a second.
        let behind =
            before.map(|place| ConversationId::new(*contact, place.at_ms.saturating_add(1_000)));
        for row in store.conversations_of(&key, behind, limit.saturating_add(2)).await? {
            let at_ms = row.opened_at_ms;
            latest.add(Place { at_ms, conversation: row.conversation_id, seq: 0 }, row);
        }
    }
    Ok(latest.page())
}

/// All of the customer's conversations, those that opened last first.
///
/// # Errors
/// [`StoreError`].
pub async fn all_conversations(
    store: &dyn Store,
    tenant: &str,
    customer: &Customer,
) -> Result<Vec<ConversationRow>, StoreError> {
    let mut rows = Vec::new();
    for contact in &customer.contacts {
        let key = LineKey::new(tenant, *contact);
        let mut behind = None;
        loop {
            let page = store.conversations_of(&key, behind, ROWS_AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            behind = Some(last.conversation_id);
            rows.extend(page);
        }
    }
    rows.sort_by_key(|row| std::cmp::Reverse((row.opened_at_ms, row.conversation_id)));
    Ok(rows)
}

/// A page of the lines of all the customer's conversations, with their times (Unix, ms).
///
/// # Errors
/// [`StoreError`].
pub async fn lines(
    store: &dyn Store,
    tenant: &str,
    customer: &Customer,
    before: Option<Place>,
    limit: usize,
) -> Result<Page<(i64, Conversation)>, StoreError> {
    let mut rows = all_conversations(store, tenant, customer).await?;
    let last_ms = before.map_or(i64::MAX, |before| before.at_ms);
    rows.retain(|row| row.opened_at_ms.saturating_sub(LATE_MS_MAX) <= last_ms);
    rows.sort_by_key(|row| std::cmp::Reverse(row.updated_at_ms));
    let mut latest = Latest::new(before, limit);
    for row in rows {
        if latest.is_beyond(row.updated_at_ms.saturating_add(LATE_MS_MAX)) {
            break;
        }
        each_line(store, row.conversation_id, |at_ms, line| {
            let place = Place { at_ms, conversation: row.conversation_id, seq: line.seq };
            latest.add(place, (at_ms, line));
        })
        .await?;
    }
    Ok(latest.page())
}

/// Hands over every line of a conversation in its order, with its time (Unix, ms).
///
/// # Errors
/// [`StoreError`]; some lines may have been handed over by then.
pub async fn each_line(
    store: &dyn Store,
    id: ConversationId,
    mut told: impl FnMut(i64, Conversation) + Send,
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let lines = store.history(id, after, LINES_AT_ONCE).await?;
        let full = lines.len() == LINES_AT_ONCE;
        for (at_ms, line) in lines {
            after = line.seq;
            told(at_ms, line);
        }
        if !full {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use schemas::ids::ContactKey;

    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let conversation = ConversationId::new(ContactKey([7; 16]), 1_763_700_000_123);
        let place = Place { at_ms: -3, conversation, seq: 41 };
        assert_eq!(place.to_string().parse(), Ok(place));
        for bad in ["", "1", "1.c_x.2", "1..", &format!("1.{conversation}."), "x.y.z"] {
            assert_eq!(bad.parse::<Place>(), Err(NoPlace), "{bad}");
        }
    }
}
