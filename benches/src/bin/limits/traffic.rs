//! Messages as they reach the store: of many conversations that go on at once, each message with what
//! the line makes of it.

use benches::draw::Draw;
use pipeline::{Envelope, Headers};
use schemas::conversation::{Conversation, ConversationEvent};
use schemas::line::Inbound;
use schemas::topics::{CONVERSATIONS, INBOUND, Topic};

use crate::made::{self, Keys, NOW_MS, Plan};
use crate::tell::{self, Line};

/// Conversations that go on at once.
const AT_ONCE: u64 = 20_000;

/// A message with what comes of it before the customer writes again.
pub struct Step {
    /// As the door accepted it.
    pub accepted: Envelope<Inbound>,
    /// The lines of the history, its own among them.
    pub lines: Vec<Envelope<Conversation>>,
}

/// Messages without end.
pub struct Traffic {
    keys: Keys,
    contacts: u64,
    draw: Draw,
    going_on: Vec<std::vec::IntoIter<Step>>,
    begun: u64,
    messages: u64,
}

impl Traffic {
    /// Messages of contacts whose keys lie among those of the first `contacts` of `keys`.
    pub fn of(keys: Keys, contacts: u64) -> Self {
        let (draw, going_on) = (Draw::of(0x7aff), Vec::new());
        Self { keys, contacts, draw, going_on, begun: 0, messages: 0 }
    }

    /// The messages of the next conversation.
    fn conversation(&mut self) -> std::vec::IntoIter<Step> {
        self.begun += 1;
        let contact = self.draw.below(self.contacts);
        // A second later than the one before: no two of a contact have one id.
        let opened_at_ms = NOW_MS + self.begun.cast_signed() * 1_000;
        let plan = Plan { n: self.begun, ..Plan::going_on(self.keys, contact, opened_at_ms) };
        let (keys, messages) = (self.keys, &mut self.messages);
        let mut next_id = || {
            *messages += 1;
            keys.later_message(*messages)
        };
        steps(&plan, tell::lines(&plan, &mut next_id)).into_iter()
    }
}

impl Iterator for Traffic {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let at = usize::try_from(self.draw.below(AT_ONCE)).unwrap_or_default();
        if let Some(step) = self.going_on.get_mut(at).and_then(Iterator::next) {
            return Some(step);
        }
        let mut begun = self.conversation();
        let step = begun.next();
        match self.going_on.get_mut(at) {
            Some(slot) => *slot = begun,
            None => self.going_on.push(begun),
        }
        step
    }
}

/// The lines of a conversation by the message that led to them.
fn steps(plan: &Plan, lines: Vec<Line>) -> Vec<Step> {
    let key = plan.key.to_bytes();
    let (mut steps, mut opening): (Vec<Step>, _) = (Vec::new(), Vec::new());
    for Line { at_ms, record } in lines {
        if let ConversationEvent::MessageReceived(received) = &record.event {
            let inbound = made::inbound(received.head.clone());
            let accepted = envelope(&key, INBOUND, at_ms, inbound);
            steps.push(Step { accepted, lines: std::mem::take(&mut opening) });
        }
        let line = envelope(&key, CONVERSATIONS, at_ms, record);
        match steps.last_mut() {
            Some(step) => step.lines.push(line),
            None => opening.push(line),
        }
    }
    steps
}

/// A record as an effect is given it.
pub fn envelope<T>(key: &[u8], topic: Topic, time_ms: i64, body: T) -> Envelope<T> {
    let (key, headers) = (key.to_vec().into(), Headers::default());
    Envelope { key, topic, partition: 0, offset: 0, time_ms, headers, body }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn every_message_is_new_and_every_history_in_order() {
        let mut messages = HashSet::new();
        let mut reached: HashMap<_, i64> = HashMap::new();
        for step in Traffic::of(Keys::of(1_000_000, 7), 100_000).take(30_000) {
            let schemas::line::InboundBody::Message(message) = &step.accepted.body.body else {
                panic!("not a message");
            };
            assert!(messages.insert(message.head.message_id));
            for line in &step.lines {
                let seq = reached.entry(line.body.conversation_id).or_default();
                *seq += 1;
                assert_eq!(line.body.seq, *seq);
            }
        }
    }
}
