//! Twilio's error codes by meaning. An error in an answer means that the message was not taken.

use std::time::Duration;

use crate::deliver::http::{ACCESS, Answer};
use crate::deliver::sender::SendError;

/// The provider has no room.
const BUSY: Duration = Duration::from_secs(2);

/// What an answer says of the message.
pub(super) fn meaning(answer: &Answer) -> Result<(), SendError> {
    let said = answer.json();
    let code = said.get("code").and_then(serde_json::Value::as_i64);
    let Some(code) = code.filter(|_| !(200..300).contains(&answer.status)) else {
        return answer.by_status();
    };
    let why = format!("code {code}");
    let later = |pause| answer.later(&why, pause);
    let refused = |why: &str| Err(SendError::Refused(why.to_owned()));
    match code {
        20_429 | 63_018 | 14_107 => later(BUSY),
        20_003 | 20_005 => later(ACCESS),
        63_016 => refused("window_closed"),
        // Unsubscribed, no mobile number, not reachable, no such number.
        21_610 | 21_614 | 21_612 | 21_211 | 63_003 | 63_024 => refused("recipient_unreachable"),
        _ if answer.status >= 500 => answer.by_status(),
        _ => refused(&why),
    }
}
