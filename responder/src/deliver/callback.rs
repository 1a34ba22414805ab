//! Replies to a program's own URL: the way out for channels a provider connects by itself.
//!
//! `POST` of `{id, tenant, conversation_id, protocol, customer: {id}, text, buttons}` as JSON, with
//! `Idempotency-Key: <id>`. 2xx: sent. 429, 503 or no connection: not accepted, tried again. Another
//! 4xx: refused. Anything else, a time-out above all: nobody knows, so it is not sent again.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::sender::{Outgoing, SendError, Sender, Sent};

/// How long the program may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The sender.
pub struct HttpCallback {
    client: reqwest::Client,
    url: String,
}

impl HttpCallback {
    /// Posts to `url`.
    ///
    /// # Errors
    /// When no HTTP client can be had, in words.
    pub fn new(url: &str) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, url: url.to_owned() })
    }
}

#[async_trait]
impl Sender for HttpCallback {
    fn name(&self) -> &'static str {
        "callback"
    }

    fn is_idempotent(&self) -> bool {
        false
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Sent, SendError> {
        let body = json!({
            "id": outgoing.id,
            "tenant": outgoing.tenant,
            "conversation_id": outgoing.conversation_id,
            "protocol": outgoing.protocol,
            "customer": { "id": outgoing.contact.ids.first().map(|id| &id.value) },
            "text": outgoing.text,
            "buttons": outgoing.buttons,
        });
        let request =
            self.client.post(&self.url).header("idempotency-key", &outgoing.id).json(&body);
        let response = request.send().await.map_err(|error| {
            let never_left = error.is_connect();
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
        match status {
            200..=299 => Ok(Sent::default()),
            429 | 503 => {
                Err(SendError::NotAccepted { why: format!("status {status}"), retry_after })
            }
            300..=499 => Err(SendError::Refused(format!("status {status}"))),
            _ => Err(SendError::Unknown(format!("status {status}"))),
        }
    }
}
