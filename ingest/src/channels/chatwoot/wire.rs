//! The provider's JSON, as far as it is understood. What is not known is passed over.

use serde::Deserialize;
use serde_json::Value;

/// An event. Of `message_created` and `message_updated` the rest is the message.
#[derive(Deserialize)]
pub(super) struct Event {
    pub(super) event: String,
    pub(super) id: Option<Value>,
    pub(super) content: Option<String>,
    /// `incoming`, `outgoing`, `activity`, `template`; as a number in some versions.
    pub(super) message_type: Option<Value>,
    #[serde(default)]
    pub(super) private: Option<bool>,
    pub(super) created_at: Option<Value>,
    /// Of the contact at the channel's provider.
    pub(super) content_attributes: Option<Value>,
    pub(super) attachments: Option<Vec<Value>>,
    pub(super) sender: Option<Sender>,
    pub(super) contact: Option<Sender>,
    pub(super) inbox: Option<Numbered>,
    pub(super) conversation: Option<Conversation>,
    pub(super) account: Option<Numbered>,
}

#[derive(Deserialize)]
pub(super) struct Numbered {
    pub(super) id: i64,
}

#[derive(Deserialize)]
pub(super) struct Sender {
    pub(super) id: Option<i64>,
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) phone_number: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Conversation {
    pub(super) id: Option<i64>,
    /// The number of its addresses; in webhooks `id` usually is the same.
    pub(super) display_id: Option<i64>,
    pub(super) channel: Option<String>,
    pub(super) meta: Option<Meta>,
}

#[derive(Deserialize)]
pub(super) struct Meta {
    pub(super) sender: Option<Sender>,
}
