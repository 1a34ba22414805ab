//! Chatwoot: webhooks of an inbox. Of what it tells only what customers write is a message to answer;
//! what its agents write is kept, what we wrote ourselves and what its own robots write is passed over.

mod adapt;
mod media;
mod verify;
mod wire;

use std::collections::BTreeMap;

use super::webhook::{Denied, Request, Webhook};
use crate::door::{Event, Malformed};

pub use media::Files;

/// Name of the adapter.
pub const PROVIDER: &str = "chatwoot";

const SIGNATURE: &str = "x-chatwoot-signature";
const TIMESTAMP: &str = "x-chatwoot-timestamp";

/// One account at a Chatwoot server.
#[derive(Clone)]
pub struct Account {
    /// Whose customers write.
    pub tenant: String,
    /// Signs its requests.
    pub webhook_secret: String,
    /// What happens in this inbox is what we show there ourselves.
    pub mirror_inbox_id: Option<i64>,
}

impl Webhook for Account {
    fn tenant(&self) -> &str {
        &self.tenant
    }

    fn headers(&self) -> &'static [&'static str] {
        &[SIGNATURE, TIMESTAMP]
    }

    fn verify(&self, request: &Request<'_>) -> Result<(), Denied> {
        let (signature, timestamp) = (request.header(SIGNATURE), request.header(TIMESTAMP));
        let now_ms = request.received_at_ms;
        if verify::is_signed(&self.webhook_secret, request.body, timestamp, signature, now_ms) {
            Ok(())
        } else {
            Err(Denied::Signature("X-Chatwoot-Signature"))
        }
    }

    fn adapt(&self, _: &BTreeMap<String, String>, body: &[u8]) -> Result<Vec<Event>, Malformed> {
        adapt::adapt(body, self.mirror_inbox_id)
    }
}
