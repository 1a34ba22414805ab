//! What a provider tells of a message of ours.

use serde::{Deserialize, Serialize};

use crate::codec::avro;
use crate::names::named;

named! {
    /// What became of an outbound message.
    #[allow(missing_docs)] // the names are the documentation
    ProviderStatusKind default Unknown {
        Unknown = "unknown",
        Sent = "sent",
        Delivered = "delivered",
        Read = "read",
        Played = "played",
        Failed = "failed",
        Deleted = "deleted",
    }
}

impl ProviderStatusKind {
    /// Whether this is news after `before`: statuses come in any order, and only the furthest counts. A
    /// failure is none of what has arrived.
    #[must_use]
    pub fn is_news_after(self, before: Self) -> bool {
        let rank = |status| match status {
            Self::Unknown => 0,
            Self::Sent => 1,
            Self::Failed => 2,
            Self::Delivered => 3,
            Self::Read => 4,
            Self::Played => 5,
            Self::Deleted => 6,
        };
        rank(self) > rank(before)
    }
}

/// A provider's word on a message we sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderStatus {
    /// Which message.
    pub provider_message_id: String,
    /// What became of it.
    pub status: ProviderStatusKind,
    /// The provider's code when it failed.
    pub error_code: Option<String>,
    /// By the provider's clock (Unix, ms).
    pub event_time_ms: i64,
    /// Our own id, echoed.
    pub callback: Option<String>,
}

/// The provider told what became of a message of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // as in `ProviderStatus`
pub struct StatusChanged {
    pub provider_message_id: String,
    pub status: ProviderStatusKind,
    pub error_code: Option<String>,
    /// Which reply, where the provider echoes our id: `turn/purpose/part`.
    pub reply: Option<String>,
}

avro!(ProviderStatus);
