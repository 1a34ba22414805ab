//! What a mail server's answer means, by the classes of SMTP: 5xx for good, 4xx later, anything else is the way
//! to it.

use std::time::Duration;

use lettre::transport::smtp::Error;

use crate::deliver::SendError;

/// A server that says "later" (4xx) means minutes.
pub(super) const LATER: Duration = Duration::from_secs(60);

/// Before the text nothing has been accepted: only a refusal for good is the end.
pub(super) fn before(error: &Error) -> SendError {
    if error.is_permanent() {
        refused(error)
    } else if error.is_transient() {
        later(error)
    } else {
        SendError::NotAccepted { why: kind_of(error).to_owned(), retry_after: None }
    }
}

/// The end of it.
pub(super) fn refused(error: &Error) -> SendError {
    SendError::Refused(kind_of(error).to_owned() + &code(error))
}

/// Tried again.
pub(super) fn later(error: &Error) -> SendError {
    SendError::NotAccepted {
        why: kind_of(error).to_owned() + &code(error),
        retry_after: Some(LATER),
    }
}

fn code(error: &Error) -> String {
    error.status().map(|code| format!(" ({code})")).unwrap_or_default()
}

/// What went wrong, without the server's words: they quote addresses.
pub(super) fn kind_of(error: &Error) -> &'static str {
    if error.is_permanent() {
        "the server refuses it"
    } else if error.is_transient() {
        "the server wants it later"
    } else if error.is_timeout() {
        "the server does not answer"
    } else if error.is_tls() {
        "TLS failed"
    } else if error.is_response() {
        "the server's answer is unreadable"
    } else {
        "the connection failed"
    }
}
