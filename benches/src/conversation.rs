//! Conversations that nobody had.

use schemas::conversation::{
    Conversation, ConversationEvent, ConversationState, Priority, Reopened,
};
use schemas::ids::ConversationId;
use schemas::message::Channel;

/// A conversation of which nothing has been told yet.
#[must_use]
pub fn blank(tenant: String, conversation_id: ConversationId, opened_at_ms: i64) -> Conversation {
    Conversation {
        tenant,
        conversation_id,
        protocol: String::new(),
        seq: 0,
        chat_seq: None,
        channel: Channel::Whatsapp,
        state: ConversationState::Triage,
        owner: None,
        queue: None,
        priority: Priority::Normal,
        sla_due_ms: None,
        opened_at_ms,
        command_id: None,
        settled: Vec::new(),
        answer_due: None,
        to_check: None,
        event: ConversationEvent::Reopened(Reopened {}),
    }
}
