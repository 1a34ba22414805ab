//! The customer has seen what was written to them: agents see it as they do of other channels.
//!
//! Writes `inbound`. Invariant: a visitor can say that of what was written in their own conversation only, and once
//! of each text.

use schemas::message::{Channel, ProviderStatusKind};

use super::visitor::Visitor;
use crate::door::{Door, Event, HeardStatus, sealed};

/// Tells that `reply` (our id of it) was read. It is told at best: what comes next tells as much.
pub(super) async fn tell(door: &Door, visitor: &Visitor, reply: String) {
    let now_ms = door.now_ms();
    let status = HeardStatus {
        channel: Channel::WebChat,
        contact: visitor.contact(),
        provider_message_id: reply.clone(),
        status: ProviderStatusKind::Read,
        error_code: None,
        event_time_ms: now_ms,
        callback: Some(reply),
    };
    let events = vec![Event::Status(Box::new(status))];
    let appended = match sealed(door.keyring(), &visitor.site.account.tenant, events, now_ms) {
        Ok(records) => door.append(records).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(why) = appended {
        tracing::debug!(why, "that a text was read is not told");
    }
}
