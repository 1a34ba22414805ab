//! Where every conversation begins.

use schemas::conversation::{Address, ConversationState, Priority};
use schemas::ids::{ContactKey, ConversationId};
use schemas::message::Channel;
use schemas::sealed::SealedText;
use schemas::state::RouterState;

/// A conversation in which nothing has happened, nobody's yet.
#[must_use]
pub fn begun() -> RouterState {
    RouterState {
        conversation_id: ConversationId::new(ContactKey([0; 16]), 0),
        protocol: String::new(),
        seq: 0,
        chat_seq: 0,
        state: ConversationState::Triage,
        channel: Channel::Other,
        address: Address {
            channel: Channel::Other,
            provider: String::new(),
            account: String::new(),
            contact_sealed: SealedText { key_id: String::new(), nonce: vec![], bytes: vec![] },
            reply_window_until_ms: None,
            thread_key: None,
            thread_sealed: None,
        },
        owner: None,
        queue: None,
        priority: Priority::Normal,
        sla_due_ms: None,
        sla_breached: false,
        opened_at_ms: 0,
        changed_at_ms: 0,
        resolved_at_ms: None,
        protocol_told: false,
        bot_answers: 0,
        last_intent: None,
        last_intent_answers: 0,
        agent_replies: 0,
        agent_deadline_ms: None,
        verified: false,
        pending: Vec::new(),
        commands: Vec::new(),
        replies_seen: Vec::new(),
        to_check: Vec::new(),
        answered_threads: Vec::new(),
        statuses: Vec::new(),
        resolution_due_ms: None,
        resolution_left_ms: None,
        resolution_breached: false,
        snoozed_until_ms: None,
        linked: Vec::new(),
        identity_asked: false,
        claims_sealed: None,
        asked: None,
        sent: Vec::new(),
        csat_asked_ms: None,
        csat_score: None,
        csat_message: None,
    }
}
