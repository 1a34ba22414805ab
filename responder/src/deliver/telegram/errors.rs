//! The Bot API's errors by meaning: it answers with HTTP's own numbers.

use std::time::Duration;

use crate::deliver::http::{ACCESS, Answer};
use crate::deliver::sender::SendError;

/// What an answer says of the message.
pub(super) fn meaning(answer: &Answer) -> Result<(), SendError> {
    let why = format!("status {}", answer.status);
    match answer.status {
        429 => {
            let said = answer.json();
            let seconds =
                said.pointer("/parameters/retry_after").and_then(serde_json::Value::as_u64);
            let retry_after = seconds.map(Duration::from_secs).or(answer.retry_after);
            Err(SendError::NotAccepted { why, retry_after })
        }
        // The token is wrong or was revoked.
        401 | 404 => Err(SendError::NotAccepted { why, retry_after: Some(ACCESS) }),
        // Blocked by the customer, or the bot was never started.
        403 => Err(SendError::Refused("recipient_unreachable".to_owned())),
        _ => answer.by_status(),
    }
}
