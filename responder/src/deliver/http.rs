//! How a provider is spoken to over HTTP, and what its answer means where it says nothing better.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::sender::SendError;

/// How long a provider may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Somebody has to renew a token: no use in asking often.
pub(crate) const ACCESS: Duration = Duration::from_secs(30);

/// A client for senders: one answer, no redirects, no patience beyond [`TIMEOUT`].
///
/// # Errors
/// When no HTTP client can be had, in words.
pub(crate) fn client() -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| error.to_string())
}

/// What a provider answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as JSON; null when it is not.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Not taken: again when the provider wants it, or after `pause`.
    pub(crate) fn later(&self, why: &str, pause: Duration) -> Result<(), SendError> {
        let retry_after = Some(self.retry_after.unwrap_or(pause));
        Err(SendError::NotAccepted { why: why.to_owned(), retry_after })
    }

    /// What the status alone says: 2xx accepted; 429 and 503 not accepted, worth another try; other 4xx
    /// refused; with anything else nobody knows.
    pub(crate) fn by_status(&self) -> Result<(), SendError> {
        let why = format!("status {}", self.status);
        match self.status {
            200..=299 => Ok(()),
            429 | 503 => Err(SendError::NotAccepted { why, retry_after: self.retry_after }),
            300..=499 => Err(SendError::Refused(why)),
            _ => Err(SendError::Unknown(why)),
        }
    }
}

/// Sends, and waits for the whole answer. What never left was certainly not accepted; of anything else
/// that goes wrong on the way nobody knows.
pub(crate) async fn ask(request: reqwest::RequestBuilder) -> Result<Answer, SendError> {
    let response = request.send().await.map_err(|error| {
        let never_left = error.is_connect() || error.is_builder();
        let why = error.without_url().to_string();
        if never_left {
            SendError::NotAccepted { why, retry_after: None }
        } else {
            SendError::Unknown(why)
        }
    })?;
    let status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let body = response.bytes().await;
    let body = body.map_err(|error| SendError::Unknown(error.without_url().to_string()))?;
    Ok(Answer { status, retry_after, body })
}
