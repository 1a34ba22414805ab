//! Where a classified turn goes, for `shadow`: the router's own decision, as if the turn were the first
//! of a conversation. So two versions are compared by what they say alone.

use std::sync::Arc;

use pipeline::broadcast::{Broadcasts, Swapped};
use router::decide::{Decision, decide};
use schemas::conversation::{Address, ConversationState, Priority};
use schemas::ids::{ContactKey, ConversationId};
use schemas::line::{Classification, Turn};
use schemas::message::Channel;
use schemas::sealed::SealedText;
use schemas::state::RouterState;

use super::shadowed::AUTO;

/// Nobody answers.
const NOBODY: &str = "nobody";

/// The route by the policy in use.
pub fn by(
    policy: Arc<Swapped<router::Settings>>,
) -> impl Fn(&str, &Turn, &Classification) -> String + Send + Sync {
    let begun = begun();
    move |tenant, turn, classification| {
        let policy = policy.latest();
        match decide(&policy.content, tenant, &begun, turn, Some(classification)) {
            Decision::Auto { .. } => AUTO.to_owned(),
            Decision::Human { queue, .. } => queue,
            Decision::Drop(_) | Decision::Owned => NOBODY.to_owned(),
        }
    }
}

/// A conversation in which nothing has happened.
fn begun() -> RouterState {
    let sealed = SealedText { key_id: String::new(), nonce: Vec::new(), bytes: Vec::new() };
    RouterState {
        conversation_id: ConversationId::new(ContactKey([0; 16]), 0),
        protocol: String::new(),
        seq: 0,
        chat_seq: 0,
        state: ConversationState::Triage,
        channel: Channel::Api,
        address: Address {
            channel: Channel::Api,
            provider: String::new(),
            account: String::new(),
            contact_sealed: sealed,
            reply_window_until_ms: None,
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
    }
}
