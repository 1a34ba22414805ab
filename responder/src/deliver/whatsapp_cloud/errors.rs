//! The Graph API's error codes by meaning. An error in an answer means that the message was not taken, but
//! for two of which the provider itself says that it does not know.

use std::time::Duration;

use crate::deliver::http::{ACCESS, Answer};
use crate::deliver::sender::SendError;

/// What a pair of numbers is held to.
const PAIR: Duration = Duration::from_secs(6);
/// The provider has no room, or works on itself.
const BUSY: Duration = Duration::from_secs(2);

/// What an answer says of the message.
pub(super) fn meaning(answer: &Answer) -> Result<(), SendError> {
    let said = answer.json();
    let Some(code) = said.pointer("/error/code").and_then(serde_json::Value::as_i64) else {
        return answer.by_status();
    };
    let why = format!("code {code}");
    let later = |pause| answer.later(&why, pause);
    let refused = |why: &str| Err(SendError::Refused(why.to_owned()));
    match code {
        // Pace: of the pair, of the number, of the app.
        131_056 => later(PAIR),
        130_429 | 4 | 80_007 | 131_048 => later(BUSY),
        // Not available, in maintenance.
        2 | 131_016 | 131_057 | 133_004 => later(BUSY),
        // Token expired or wrong, permission missing.
        0 | 3 | 10 | 190 | 200..=299 => later(ACCESS),
        131_047 => refused("window_closed"),
        131_026 | 131_021 => refused("recipient_unreachable"),
        // Unknown, rejected, paused, disabled: until it is approved again.
        132_001 | 132_007 | 132_015 | 132_016 => refused("template_not_approved"),
        // "An unknown error": it may have gone out.
        1 | 131_000 => Err(SendError::Unknown(why)),
        _ => refused(&why),
    }
}
