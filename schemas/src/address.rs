//! Where a reply goes: the channel, the account and the contact, sealed.

use serde::{Deserialize, Serialize};

use crate::message::Channel;
use crate::sealed::SealedText;

/// Where a reply goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// How.
    pub channel: Channel,
    /// By which adapter.
    pub provider: String,
    /// From which of our numbers or inboxes.
    pub account: String,
    /// Record [`crate::message::Contact`], sealed.
    pub contact_sealed: SealedText,
    /// After this only templates may be sent (Unix, ms).
    pub reply_window_until_ms: Option<i64>,
    /// The e-mail thread an answer belongs to: a protocol number, or a keyed digest of the subject.
    pub thread_key: Option<String>,
    /// Record [`crate::thread::Thread`], sealed.
    pub thread_sealed: Option<SealedText>,
}
