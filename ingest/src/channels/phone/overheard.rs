//! The calls of a number without an Asterisk to ask: what callers leave, of what is told about them. For those
//! who try what upsets it (`fuzz/`), and who live through hours in seconds.

use super::Menu;
use super::calls::{Calls, Step};
use super::wire;
use crate::door::HeardMessage;

/// The calls in hand.
pub struct Overheard(Calls);

fn told(steps: Vec<Step>) -> Vec<HeardMessage> {
    let told = steps.into_iter().filter_map(|step| match step {
        Step::Tell(message) => Some(*message),
        Step::Ask(_) => None,
    });
    told.collect()
}

impl Overheard {
    /// Of the number `account`, whose callers hear `menu`.
    #[must_use]
    pub fn new(account: &str, menu: Menu) -> Self {
        Self(Calls::new(account, menu))
    }

    /// Takes a line as an event of Asterisk's; what is unreadable is passed over.
    pub fn hear(&mut self, line: &str, now_ms: i64) -> Vec<HeardMessage> {
        wire::event(line).map_or_else(Vec::new, |event| told(self.0.hear(&event, now_ms)))
    }

    /// Time has passed.
    pub fn pass(&mut self, now_ms: i64) -> Vec<HeardMessage> {
        told(self.0.pass(now_ms))
    }
}
