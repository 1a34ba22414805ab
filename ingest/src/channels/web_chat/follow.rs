//! What becomes of a visitor's conversation, as frames in order: from where they left off, then as it
//! happens. The same behind a WebSocket and behind an event stream.

use std::collections::VecDeque;
use std::time::Duration;

use schemas::conversation::{Conversation, ConversationEvent, ConversationState};
use schemas::ids::{ConversationId, LineKey, MessageId};
use schemas::sealed::SealError;
use tokio::time::Instant;

use super::frames::{Author, Cursor, Frame};
use super::view::{Step, View};
use super::visitor::Visitor;
use crate::door::{Door, Heard, QueuePlace, Watch};

/// How long an acknowledgement waits for the message's step; later it goes without.
const STEP_WITHIN: Duration = Duration::from_secs(1);
/// How long a gap may stay open before the browser is sent away to come back.
const GAP_WITHIN: Duration = Duration::from_secs(5);
/// How often missing lines are looked for.
const GAP_LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often whoever waits in a queue is told their place, if it changes.
const PLACE_EVERY: Duration = Duration::from_secs(5);
/// Later than anything.
const FAR: Duration = Duration::from_secs(3600);

/// The browser is behind by more than is kept for it: it comes back and gets the rest.
#[derive(Debug, thiserror::Error)]
#[error("the browser did not keep up")]
pub(super) struct Behind;

/// Somebody follows their conversation.
pub(super) struct Following {
    door: Door,
    tenant: String,
    session: String,
    key: LineKey,
    view: View,
    watch: Watch,
    /// Acknowledgements that wait for their step.
    waiting: VecDeque<(Instant, MessageId, String)>,
    /// Since when lines have been missing.
    gap_since: Option<Instant>,
    /// The place in a queue, while there is one.
    waits: Option<Waits>,
}

/// Somebody waits for people.
struct Waits {
    conversation: ConversationId,
    /// What was told last.
    told: Option<QueuePlace>,
    /// When it is asked for again.
    look_at: Instant,
}

/// Why it is worth looking at.
pub(super) enum Woken {
    /// Something happened.
    Heard(Heard),
    /// Something did not happen in time.
    Late,
}

impl Following {
    /// Begins where `cursor` says; gives what was missed, a welcome first.
    pub(super) async fn begin(
        door: &Door,
        visitor: &Visitor,
        key: &LineKey,
        cursor: Cursor,
    ) -> Result<(Self, Vec<Frame>), SealError> {
        door.keyring().of(&visitor.site.account.tenant)?;
        let mut following = Self {
            door: door.clone(),
            tenant: visitor.site.account.tenant.clone(),
            session: visitor.id.clone(),
            key: key.clone(),
            view: View::default(),
            // From here on nothing is missed; what came before is in the store or in the last moments.
            watch: door.watch(key),
            waiting: VecDeque::new(),
            gap_since: None,
            waits: None,
        };
        let missed = following.welcome(cursor).await;
        Ok((following, missed))
    }

    /// A message of this side is about to be appended; its step will be its acknowledgement.
    pub(super) fn expect(&mut self, id: MessageId, cid: &str) {
        self.view.sent(id, cid);
    }

    /// It is appended: acknowledged in a moment, with its step if that comes in time.
    pub(super) fn appended(&mut self, id: MessageId, cid: String) {
        self.waiting.push_back((Instant::now() + STEP_WITHIN, id, cid));
    }

    /// The customer has seen everything up to step `seq`; as [`View::read`].
    pub(super) fn read(&mut self, seq: i64) -> Option<String> {
        self.view.read(seq)
    }

    /// Waits until there is something to look at. May be dropped while it waits without losing any.
    pub(super) async fn woken(&mut self) -> Result<Woken, Behind> {
        let late = self.waiting.front().map(|(at, _, _)| *at);
        let gap = self.gap_since.map(|_| Instant::now() + GAP_LOOK_EVERY);
        let place = self.waits.as_ref().map(|waits| waits.look_at);
        let at = [late, gap, place].into_iter().flatten().min().unwrap_or(Instant::now() + FAR);
        tokio::select! {
            heard = self.watch.next() => heard.map(Woken::Heard).ok_or(Behind),
            () = tokio::time::sleep_until(at) => Ok(Woken::Late),
        }
    }

    /// What the customer is shown of it.
    pub(super) async fn frames(&mut self, woken: Woken) -> Result<Vec<Frame>, Behind> {
        let mut frames = Vec::new();
        match woken {
            Woken::Heard(Heard::Conversation { at_ms, record }) => {
                frames.extend(self.show(at_ms, &record, false).await);
            }
            Woken::Heard(Heard::AgentTypes(on)) => {
                frames.push(Frame::Typing { on, who: Author::Agent });
            }
            Woken::Heard(Heard::Reply(_)) | Woken::Late => {}
        }
        frames.extend(self.acknowledge_late());
        frames.extend(self.close_gap().await?);
        frames.extend(self.another_place().await);
        Ok(frames)
    }

    /// Where the conversation stands, and what has not been seen of it.
    async fn welcome(&mut self, cursor: Cursor) -> Vec<Frame> {
        let known = self.known().await;
        let last = known.last().map(|(_, record)| record);
        let seq = known.iter().filter_map(|(_, record)| record.chat_seq).max().unwrap_or(0);
        let conversation = last.map(|record| record.conversation_id);
        // One that has seen more than there is, or names another, speaks of an earlier conversation.
        let earlier = cursor.seq > seq
            || cursor.conversation.is_some_and(|named| Some(named) != conversation);
        self.view = View::resume(last, if earlier { 0 } else { cursor.seq.max(0) });
        let mut frames = vec![Frame::Welcome {
            session: self.session.clone(),
            conversation,
            protocol: last.map(|record| record.protocol.clone()),
            seq,
        }];
        for (at_ms, record) in known {
            frames.extend(self.show(at_ms, &record, true).await);
        }
        frames
    }

    /// The latest conversation: what the store has, then the last moments it may not have yet.
    async fn known(&self) -> Vec<(i64, Conversation)> {
        let mut known = self.door.history().latest_of(&self.key).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a web chat resumes from the last moments only");
            Vec::new()
        });
        for heard in self.door.recent(&self.key) {
            let Heard::Conversation { at_ms, record } = heard else { continue };
            let newer = known.last().is_none_or(|(_, last)| {
                if last.conversation_id == record.conversation_id {
                    record.seq > last.seq
                } else {
                    record.opened_at_ms > last.opened_at_ms
                }
            });
            if newer {
                known.retain(|(_, one)| one.conversation_id == record.conversation_id);
                known.push((at_ms, record.as_ref().clone()));
            }
        }
        known
    }

    /// A line of the history. `past`: it is seen late and needs no signs of life.
    async fn show(&mut self, at_ms: i64, record: &Conversation, past: bool) -> Vec<Frame> {
        let waits = record.state == ConversationState::Queued;
        // Only such a line says where in the queue.
        let tells = matches!(
            record.event,
            ConversationEvent::TurnDecided(_) | ConversationEvent::Queued(_)
        );
        let place = if waits && tells && !past && record.chat_seq.is_some() {
            self.door.history().place(record.conversation_id).await.unwrap_or_default()
        } else {
            None
        };
        self.waits = waits.then(|| Waits {
            conversation: record.conversation_id,
            told: place.or(self.waits.as_ref().and_then(|before| before.told)),
            look_at: Instant::now() + if past { Duration::ZERO } else { PLACE_EVERY },
        });
        let Ok(keys) = self.door.keyring().of(&self.tenant) else { return Vec::new() };
        match self.view.line(&self.session, at_ms, record, keys, place) {
            Step::Nothing => Vec::new(),
            Step::Gap => {
                self.gap_since.get_or_insert_with(Instant::now);
                Vec::new()
            }
            Step::Frames(mut frames) => {
                frames.retain(|frame| !(past && matches!(frame, Frame::Typing { .. })));
                frames
            }
        }
    }

    /// The place in the queue, if it is time to look and it is another one.
    async fn another_place(&mut self) -> Option<Frame> {
        let now = Instant::now();
        let waits = self.waits.as_mut().filter(|waits| waits.look_at <= now)?;
        waits.look_at = now + PLACE_EVERY;
        // A store that does not answer says nothing new; who is not in a queue any more hears so elsewhere.
        let place = self.door.history().place(waits.conversation).await.ok()??;
        let is_news = waits.told.replace(place) != Some(place);
        is_news.then(|| Frame::Place {
            position: place.position,
            wait_s_min: place.wait.map(|wait| wait.s_min),
            wait_s_max: place.wait.map(|wait| wait.s_max),
        })
    }

    /// Acknowledges messages that have no step yet: they are safe, and that is what counts. One that
    /// is a repeat never gets another step.
    fn acknowledge_late(&mut self) -> Vec<Frame> {
        let mut late_ones = Vec::new();
        while let Some((at, id, _)) = self.waiting.front() {
            let (late, stepped) = (*at <= Instant::now(), !self.view.waits_for(*id));
            if !late && !stepped {
                break;
            }
            if let Some((_, id, cid)) = self.waiting.pop_front()
                && !stepped
            {
                late_ones.push(Frame::Ack { cid, id, seq: None });
            }
        }
        late_ones
    }

    /// Fetches lines that were missed.
    async fn close_gap(&mut self) -> Result<Vec<Frame>, Behind> {
        let Some(since) = self.gap_since else { return Ok(Vec::new()) };
        if since.elapsed() > GAP_WITHIN {
            return Err(Behind);
        }
        let known = self.known().await;
        // Until the store has caught up, right after a start, a conversation may be without its beginning.
        let goes_on = |record: &Conversation| {
            record.seq == 1 || self.view.conversation() == Some(record.conversation_id)
        };
        if !known.first().is_some_and(|(_, record)| goes_on(record)) {
            return Ok(Vec::new());
        }
        self.gap_since = None;
        let mut frames = Vec::new();
        for (at_ms, record) in known {
            frames.extend(self.show(at_ms, &record, false).await);
        }
        if self.gap_since.is_some() {
            self.gap_since = Some(since);
        }
        Ok(frames)
    }
}
