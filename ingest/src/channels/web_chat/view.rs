//! From lines of the history to the frames a customer sees. Pure; remembers only how far it has come.

use std::collections::HashMap;

use schemas::conversation::{Conversation, ConversationEvent, Route};
use schemas::ids::{ConversationId, MessageId};
use schemas::message::Direction;
use schemas::sealed::TenantKeys;

use super::frames::{Author, Frame};
use crate::door::QueuePlace;

/// What one socket has seen.
#[derive(Debug, Default)]
pub(super) struct View {
    conversation: Option<ConversationId>,
    /// When that opened (Unix, ms).
    opened_at_ms: i64,
    /// The last step sent.
    seq: i64,
    /// This socket's own messages on their way into the history.
    own: HashMap<MessageId, String>,
    /// What was written to the customer and is not known to be read: step, and what the history calls it.
    unread: Vec<(i64, String)>,
}

/// What a line of the history means to this socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing it should see, or has not seen.
    Nothing,
    /// Lines between the last one and this one are missing: they must be fetched.
    Gap,
    /// It sees this.
    Frames(Vec<Frame>),
}

impl View {
    /// Goes on where the customer's side says it left off in the conversation of which `latest` is a line.
    pub(super) fn resume(latest: Option<&Conversation>, last_seq: i64) -> Self {
        let opened_at_ms = latest.map_or(i64::MIN, |record| record.opened_at_ms);
        let conversation = latest.map(|record| record.conversation_id);
        Self { conversation, opened_at_ms, seq: last_seq, ..Self::default() }
    }

    /// Which conversation it shows.
    pub(super) fn conversation(&self) -> Option<ConversationId> {
        self.conversation
    }

    /// A message of this socket is on its way.
    pub(super) fn sent(&mut self, id: MessageId, cid: &str) {
        self.own.insert(id, cid.to_owned());
    }

    /// Whether a message of this socket is still without its step.
    pub(super) fn waits_for(&self, id: MessageId) -> bool {
        self.own.contains_key(&id)
    }

    /// The customer has seen everything up to step `seq`. Gives our id of the last text among it that was not known
    /// to be read.
    pub(super) fn read(&mut self, seq: i64) -> Option<String> {
        let conversation = self.conversation?;
        let seen = self.unread.iter().take_while(|(step, _)| *step <= seq).count();
        let (_, reply) = self.unread.drain(..seen).next_back()?;
        Some(format!("{conversation}/{reply}"))
    }

    /// Takes account of a line of the history of `at_ms`. `place` is the conversation's place in its queue.
    pub(super) fn line(
        &mut self,
        session: &str,
        at_ms: i64,
        record: &Conversation,
        keys: &TenantKeys,
        place: Option<QueuePlace>,
    ) -> Step {
        let mut frames = Vec::new();
        if self.conversation != Some(record.conversation_id) {
            // Only its first line begins another conversation. A late line of the one before does not, and
            // a later one's has others before it.
            if record.seq != 1 {
                let is_later = record.opened_at_ms > self.opened_at_ms;
                return if is_later { Step::Gap } else { Step::Nothing };
            }
            self.conversation = Some(record.conversation_id);
            self.opened_at_ms = record.opened_at_ms;
            self.seq = 0;
            self.unread.clear();
            frames.push(Frame::Welcome {
                session: session.to_owned(),
                conversation: self.conversation,
                protocol: Some(record.protocol.clone()),
                seq: 0,
            });
        }
        if let ConversationEvent::TurnDecided(decided) = &record.event
            && decided.route == Route::Auto
        {
            frames.push(Frame::Typing { on: true, who: Author::Bot });
        }
        if let Some(seq) = record.chat_seq {
            if seq <= self.seq {
                return Step::Nothing;
            }
            if seq > self.seq + 1 {
                return Step::Gap;
            }
            self.seq = seq;
            frames.extend(self.step(seq, at_ms, record, keys, place));
        }
        if frames.is_empty() { Step::Nothing } else { Step::Frames(frames) }
    }

    fn step(
        &mut self,
        seq: i64,
        at_ms: i64,
        record: &Conversation,
        keys: &TenantKeys,
        place: Option<QueuePlace>,
    ) -> Option<Frame> {
        Some(match &record.event {
            ConversationEvent::MessageReceived(received) => {
                let head = &received.head;
                if let Some(cid) = self.own.remove(&head.message_id) {
                    return Some(Frame::Ack { cid, id: head.message_id, seq: Some(seq) });
                }
                let from = match head.direction {
                    Direction::Inbound => Author::Customer,
                    Direction::Outbound => Author::Agent,
                };
                Frame::Msg {
                    id: head.message_id.to_string(),
                    seq,
                    at_ms,
                    from,
                    name: None,
                    cid: head.provider_message_id.clone(),
                    text: open(keys, head.text_sealed.as_ref()),
                    buttons: Vec::new(),
                }
            }
            ConversationEvent::ReplySent(sent) => {
                let (purpose, turn, part) = (sent.purpose.as_str(), sent.turn, sent.part);
                self.unread.push((seq, format!("{turn}/{purpose}/{part}")));
                Frame::Msg {
                    id: format!("{purpose}-{turn}-{part}"),
                    seq,
                    at_ms,
                    from: if sent.agent.is_some() { Author::Agent } else { Author::Bot },
                    name: sent.agent.clone(),
                    cid: None,
                    text: open(keys, sent.text_sealed.as_ref()),
                    buttons: sent.buttons.clone(),
                }
            }
            ConversationEvent::TurnDecided(_) | ConversationEvent::Queued(_) => Frame::Queued {
                seq,
                position: place.map(|place| place.position),
                wait_s_min: place.and_then(|place| place.wait).map(|wait| wait.s_min),
                wait_s_max: place.and_then(|place| place.wait).map(|wait| wait.s_max),
            },
            ConversationEvent::Assigned(assigned) => {
                Frame::Agent { seq, name: assigned.agent.clone() }
            }
            ConversationEvent::CsatAsked(_) => Frame::Csat { seq, score: None },
            ConversationEvent::CsatAnswered(answered) => {
                Frame::Csat { seq, score: Some(answered.score) }
            }
            _ => Frame::Resolved { seq },
        })
    }
}

fn open(keys: &TenantKeys, sealed: Option<&schemas::sealed::SealedText>) -> String {
    sealed.and_then(|sealed| keys.open_text(sealed).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use schemas::conversation::{ConversationState, Priority, Reopened};
    use schemas::message::Channel;

    use super::*;

    /// Step `seq` of the conversation `n`, which opened `n` seconds after the first.
    fn line(n: u8, seq: i64) -> Conversation {
        Conversation {
            tenant: "demo".to_owned(),
            conversation_id: ConversationId([n; 20]),
            protocol: "1".to_owned(),
            seq,
            chat_seq: Some(seq),
            channel: Channel::WebChat,
            state: ConversationState::Triage,
            owner: None,
            queue: None,
            priority: Priority::Normal,
            sla_due_ms: None,
            opened_at_ms: i64::from(n) * 1_000,
            command_id: None,
            settled: Vec::new(),
            answer_due: None,
            to_check: None,
            event: ConversationEvent::Reopened(Reopened {}),
        }
    }

    #[test]
    fn what_began_unseen_is_fetched_and_what_is_over_is_passed_over() {
        let keys = TenantKeys::derive("demo", "1", &[7; 32]);
        let told =
            |view: &mut View, record: &Conversation| view.line("session", 0, record, &keys, None);
        // The store had nothing yet when the browser came back.
        let mut view = View::resume(None, 0);
        assert_eq!(told(&mut view, &line(2, 4)), Step::Gap);
        for seq in 1..=4 {
            assert!(matches!(told(&mut view, &line(2, seq)), Step::Frames(_)), "step {seq}");
        }
        assert_eq!(told(&mut view, &line(1, 9)), Step::Nothing);
        assert_eq!(view.conversation(), Some(ConversationId([2; 20])));
        // It had the conversation before.
        let mut view = View::resume(Some(&line(1, 9)), 9);
        assert_eq!(told(&mut view, &line(2, 4)), Step::Gap);
    }
}
