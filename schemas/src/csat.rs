//! How it was for the customer, as the history tells it.

use serde::{Deserialize, Serialize};

use crate::conversation::ConversationState;
use crate::sealed::SealedText;

/// The customer is asked how it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsatAsked {}

/// How it was for the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsatAnswered {
    /// 1 to 5.
    pub score: i32,
    /// What they said besides, sealed.
    pub comment_sealed: Option<SealedText>,
    /// The same, masked.
    pub comment_masked: Option<String>,
    /// Who wrote it down; absent: the customer.
    pub by: Option<String>,
}

impl ConversationState {
    /// Considered done, and not over: the customer may come back.
    #[must_use]
    pub fn is_done(self) -> bool {
        matches!(self, Self::Resolved | Self::Csat)
    }
}
