//! Signs of life between customers and agents: from the doors to the desk and back, within this process,
//! and never in the log.

use std::sync::Arc;

use ingest::channels::web_chat;
use ingest::door::Hub;
use schemas::ids::{ConversationId, LineKey};

/// Tells the desk of customers.
pub(super) struct OfCustomers(pub(super) Arc<desk::Floor>);

impl web_chat::TypingTold for OfCustomers {
    fn customer_types(&self, tenant: &str, conversation: ConversationId, on: bool) {
        self.0.customer_types(tenant, conversation, on);
    }
}

/// Tells customers of agents.
pub(super) struct OfAgents(pub(super) Arc<Hub>);

impl desk::TypingTold for OfAgents {
    fn agent_types(&self, contact: &LineKey, on: bool) {
        self.0.agent_types(contact, on);
    }
}
