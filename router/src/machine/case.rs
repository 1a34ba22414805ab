//! A conversation in hand: its state, the clock of the record in hand, and what is told of it.

use schemas::conversation::{
    Address, AnswerDue, Conversation, ConversationEvent, ConversationState, Opened, Priority,
    Queued, RouteReason, Settlement,
};
use schemas::ids::{CommandId, ConversationId, LineKey};
use schemas::line::Classification;
use schemas::message::{AnswerVia, MessageHead, ReplyPurpose};
use schemas::sealed::TenantKeys;
use schemas::state::RouterState;
use schemas::work::Handoff;

use super::clocks;
use crate::begun::begun;
use crate::out::RouterOut;
use crate::protocol::protocol;
use crate::settings::Settings;

/// Keys of replies remembered, so that a delivery told twice counts once.
const REPLIES_SEEN_MAX: usize = 32;

pub(super) struct Case<'a> {
    pub(super) tenant: &'a str,
    pub(super) now_ms: i64,
    pub(super) settings: &'a Settings,
    pub(super) state: RouterState,
    pub(super) command_id: Option<CommandId>,
    pub(super) out: Vec<RouterOut>,
}

/// What goes with an event beside the event itself.
#[derive(Default)]
pub(super) struct With {
    /// The customer sees it.
    pub(super) visible: bool,
    pub(super) settled: Vec<Settlement>,
    pub(super) due: Option<AnswerDue>,
    /// What people are to look at has changed.
    pub(super) checks: bool,
}

impl<'a> Case<'a> {
    /// Goes on with the conversation in `state`.
    pub(super) fn resume(
        tenant: &'a str,
        settings: &'a Settings,
        state: RouterState,
        now_ms: i64,
    ) -> Self {
        Self { tenant, now_ms, settings, state, command_id: None, out: Vec::new() }
    }

    /// Opens a conversation with its first message.
    pub(super) fn open(
        key: &'a LineKey,
        settings: &'a Settings,
        keys: &TenantKeys,
        head: &MessageHead,
        now_ms: i64,
    ) -> Self {
        let conversation_id = ConversationId::new(key.contact, now_ms);
        let offset = settings.utc_offset_minutes(&key.tenant);
        let state = RouterState {
            conversation_id,
            protocol: protocol(keys, conversation_id, now_ms, offset),
            channel: head.channel,
            address: address_of(head),
            opened_at_ms: now_ms,
            changed_at_ms: now_ms,
            verified: head.verified,
            ..begun()
        };
        let mut case = Self::resume(&key.tenant, settings, state, now_ms);
        let opened = ConversationEvent::Opened(Opened {
            provider: head.provider.clone(),
            account: head.account.clone(),
            contact_sealed: head.contact_sealed.clone(),
        });
        case.tell(opened, With::default());
        case
    }

    /// Where the customer is to be reached from now on.
    pub(super) fn hear_from(&mut self, head: &MessageHead) {
        self.state.address = address_of(head);
        self.state.verified |= head.verified;
        self.state.changed_at_ms = self.now_ms;
    }

    /// Writes the next line of the history.
    pub(super) fn tell(&mut self, event: ConversationEvent, with: With) {
        let state = &mut self.state;
        state.seq += 1;
        if with.visible {
            state.chat_seq += 1;
        }
        self.out.push(RouterOut::Conversation(Box::new(Conversation {
            tenant: self.tenant.to_owned(),
            conversation_id: state.conversation_id,
            protocol: state.protocol.clone(),
            seq: state.seq,
            chat_seq: with.visible.then_some(state.chat_seq),
            channel: state.channel,
            state: state.state,
            owner: state.owner.clone(),
            queue: state.queue.clone(),
            priority: state.priority,
            sla_due_ms: clocks::due_ms(state),
            opened_at_ms: state.opened_at_ms,
            command_id: self.command_id,
            settled: with.settled,
            answer_due: with.due,
            to_check: with.checks.then(|| state.to_check.clone()),
            event,
        })));
    }

    /// The planner owes a text; the first one tells the protocol.
    pub(super) fn due(
        &mut self,
        purpose: ReplyPurpose,
        turn: i64,
        part: i32,
        via: AnswerVia,
        intent: Option<String>,
    ) -> AnswerDue {
        let tell_protocol = !std::mem::replace(&mut self.state.protocol_told, true);
        AnswerDue {
            purpose,
            turn,
            part,
            via,
            tell_protocol,
            address: self.state.address.clone(),
            expires_at_ms: self.now_ms + self.settings.times.reply_age_s_max * 1000,
            intent,
        }
    }

    /// The planner owes the news that people will look at `turn`, unless it may not be written.
    pub(super) fn notice(
        &mut self,
        turn: i64,
        via: AnswerVia,
        intent: Option<String>,
    ) -> Option<AnswerDue> {
        if !self.may_write(turn) {
            return None;
        }
        self.note_written(turn);
        Some(self.due(ReplyPurpose::HandoffNotice, turn, 0, via, intent))
    }

    /// Puts the conversation into `queue`; the soonest priority and deadline win.
    pub(super) fn enqueue(&mut self, queue: String, priority: Priority) {
        let due_ms = self.settings.sla_due_ms(self.tenant, &queue, priority, self.now_ms);
        self.owe_answer(&queue, due_ms);
        let state = &mut self.state;
        // Who has been given a promise is not to wait longer because somebody gave the case back.
        state.sla_due_ms = state.sla_due_ms.map(|at| at.min(due_ms));
        state.priority = state.priority.max(priority);
        self.put_into(queue);
    }

    /// Puts the conversation into `queue`; whatever clocks run go on.
    pub(super) fn put_into(&mut self, queue: String) {
        let state = &mut self.state;
        state.queue = Some(queue);
        state.state = ConversationState::Queued;
        state.owner = None;
        state.agent_deadline_ms = None;
        state.snoozed_until_ms = None;
        state.changed_at_ms = self.now_ms;
    }

    /// Gives the conversation to `agent`, who is to write soon.
    pub(super) fn give_to(&mut self, agent: &str) {
        self.state.owner = Some(agent.to_owned());
        self.state.state = ConversationState::Assigned;
        self.state.snoozed_until_ms = None;
        self.state.changed_at_ms = self.now_ms;
        self.expect_agent();
    }

    /// Hands the conversation to people after its turn had been decided otherwise.
    pub(super) fn hand_over(
        &mut self,
        turn: Option<i64>,
        reason: RouteReason,
        settled: Vec<Settlement>,
        notice: Option<AnswerVia>,
    ) {
        let by_intent =
            self.state.last_intent.as_ref().and_then(|id| self.settings.intents.get(id));
        let queue = self
            .state
            .queue
            .clone()
            .or_else(|| by_intent.map(|policy| policy.queue.clone()))
            .unwrap_or_else(|| self.settings.default_queue.clone());
        self.enqueue(queue, self.state.priority);
        let about = self.state.last_intent.clone();
        let due = notice.and_then(|via| self.notice(turn.unwrap_or_default(), via, about));
        let event = ConversationEvent::Queued(Queued { turn, reason });
        self.tell(event, With { visible: true, settled, due, ..With::default() });
        self.ask_people(turn, reason, None, None);
    }

    /// Tells the queues outside.
    pub(super) fn ask_people(
        &mut self,
        turn: Option<i64>,
        reason: RouteReason,
        classification: Option<&Classification>,
        text_masked: Option<String>,
    ) {
        let state = &self.state;
        self.out.push(RouterOut::Handoff(Box::new(Handoff {
            tenant: self.tenant.to_owned(),
            conversation_id: state.conversation_id,
            protocol: state.protocol.clone(),
            turn,
            channel: state.channel,
            queue: state.queue.clone().unwrap_or_default(),
            priority: state.priority,
            reason,
            intent: classification.and_then(|c| c.intent().map(str::to_owned)),
            confidence: classification.map(|c| c.confidence),
            sentiment: classification.map(|c| c.sentiment),
            frustrated: classification.is_some_and(|c| c.frustrated),
            urgent: classification.is_some_and(|c| c.urgent),
            sla_due_ms: clocks::due_ms(state).unwrap_or_default(),
            text_masked,
        })));
    }

    /// Whether a reply's end is news.
    pub(super) fn note_reply(&mut self, turn: i64, purpose: ReplyPurpose, part: i32) -> bool {
        let key = format!("{turn}/{}/{part}", purpose.as_str());
        let seen = &mut self.state.replies_seen;
        if seen.contains(&key) {
            return false;
        }
        if seen.len() >= REPLIES_SEEN_MAX {
            seen.remove(0);
        }
        seen.push(key);
        true
    }

    /// A person has the conversation.
    pub(super) fn is_owned(&self) -> bool {
        matches!(self.state.state, ConversationState::Assigned | ConversationState::WaitingCustomer)
    }

    /// It waits for people.
    pub(super) fn waits(&self) -> bool {
        self.state.state == ConversationState::Queued
    }

    /// A person has it, or was done with it: the machine says nothing any more.
    pub(super) fn is_taken(&self) -> bool {
        self.is_owned() || self.state.state.is_done()
    }

    /// Nothing can happen to it any more.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state.state, ConversationState::Closed | ConversationState::Abandoned)
    }
}

fn address_of(head: &MessageHead) -> Address {
    Address {
        channel: head.channel,
        provider: head.provider.clone(),
        account: head.account.clone(),
        contact_sealed: head.contact_sealed.clone(),
        reply_window_until_ms: head.reply_window_until_ms,
        thread_key: head.thread_key.clone(),
        thread_sealed: head.thread_sealed.clone(),
    }
}
