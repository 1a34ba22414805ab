//! Replies to a program's own URL: the way out for channels a provider connects by itself.
//!
//! `POST` of `{id, tenant, conversation_id, protocol, customer: {id}, text, buttons}` as JSON, with
//! `Idempotency-Key: <id>`. 2xx: sent. 429, 503 or no connection: not accepted, tried again. Another
//! 4xx: refused. Anything else, a time-out above all: nobody knows, so it is not sent again.

use async_trait::async_trait;
use serde_json::json;

use super::http::{ask, client};
use super::sender::{Outgoing, SendError, Sender, Sent};

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
        Ok(Self { client: client()?, url: url.to_owned() })
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
        ask(request).await?.by_status()?;
        Ok(Sent::default())
    }
}
