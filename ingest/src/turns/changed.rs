//! The customer edits or deletes what they wrote. History tells it; a turn that still grows is classified as
//! it reads now; one that was decided is not decided again.

use schemas::ids::LineKey;
use schemas::line::{Received, TurnsBody};
use schemas::message::{Direction, Message, MessageKind};
use schemas::sealed::TenantKeys;
use schemas::state::TurnsState;

use super::{Cx, tell};
use crate::door::provider_message;

/// An edit or a deletion came.
pub(super) fn message_changed(
    cx: &mut Cx<'_>,
    state: &mut TurnsState,
    message: Message,
    keys: &TenantKeys,
    key: &LineKey,
) {
    let head = message.head;
    if let (Direction::Inbound, Some(about)) = (head.direction, &head.reply_to) {
        let id = provider_message(keys, &head.provider, &head.account, key, about);
        let growing = state.open.iter_mut().flat_map(|open| open.messages.iter_mut());
        for changed in growing.filter(|open| open.message_id == id) {
            changed.text_sealed = match head.kind {
                MessageKind::Edit => head.text_sealed.clone(),
                _ => None,
            };
        }
    }
    tell(cx, TurnsBody::Received(Box::new(Received { head, aliases: Vec::new() })));
}
