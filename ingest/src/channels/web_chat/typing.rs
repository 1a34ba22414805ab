//! A customer is writing: told to whoever looks, kept by nobody.

use schemas::ids::{ConversationId, LineKey};

use super::Chat;
use super::frames::Typing;
use super::visitor::Visitor;

/// Who is told that customers are writing.
pub trait TypingTold: Send + Sync {
    /// In `conversation` of `tenant` the customer is writing, or no more.
    fn customer_types(&self, tenant: &str, conversation: ConversationId, on: bool);
}

/// Passes a sign of the visitor called `key` on. One of somebody else's conversation, or one too many, is
/// dropped without a word: nothing depends on it.
pub(super) fn tell(chat: &Chat, visitor: &Visitor, key: &LineKey, typing: Typing) {
    let theirs = typing.conversation.contact() == key.contact;
    if theirs && visitor.site.signs.take(key.contact).is_ok() {
        let tenant = &visitor.site.account.tenant;
        chat.typing.customer_types(tenant, typing.conversation, typing.on);
    }
}
