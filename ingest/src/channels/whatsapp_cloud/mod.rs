//! WhatsApp Cloud API: the provider's verification and its webhooks.

mod adapt;
mod media;
mod notices;
mod verify;
mod wire;

use std::collections::BTreeMap;

use subtle::ConstantTimeEq;

use super::webhook::{Denied, Request, Webhook};
use crate::door::{Event, Malformed};

pub(crate) use adapt::NEW_NUMBER;
pub use media::{Files, MediaAccount};

/// Name of the adapter.
pub const PROVIDER: &str = "whatsapp_cloud";

const SIGNATURE: &str = "x-hub-signature-256";

/// One app at the provider. Its webhooks may tell of several numbers.
#[derive(Clone)]
pub struct Account {
    /// Whose customers write.
    pub tenant: String,
    /// Signs the provider's requests.
    pub app_secret: String,
    /// Echoed by the provider when it verifies the address.
    pub verify_token: String,
}

impl Webhook for Account {
    fn tenant(&self) -> &str {
        &self.tenant
    }

    fn headers(&self) -> &'static [&'static str] {
        &[SIGNATURE]
    }

    fn verify(&self, request: &Request<'_>) -> Result<(), Denied> {
        let signed = verify::is_signed(&self.app_secret, request.body, request.header(SIGNATURE));
        if signed { Ok(()) } else { Err(Denied::Signature("X-Hub-Signature-256")) }
    }

    fn adapt(&self, _: &BTreeMap<String, String>, body: &[u8]) -> Result<Vec<Event>, Malformed> {
        adapt::adapt(body)
    }

    fn challenge(&self, query: &str) -> Result<String, Denied> {
        let asked: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
        let of = |name: &str| asked.get(name).map(AsRef::as_ref).unwrap_or_default();
        let (token, ours) = (of("hub.verify_token"), self.verify_token.as_bytes());
        let right = !ours.is_empty() && bool::from(token.as_bytes().ct_eq(ours));
        let challenge =
            asked.get("hub.challenge").filter(|_| right && of("hub.mode") == "subscribe");
        challenge.map(ToString::to_string).ok_or(Denied::Secret("the verify token"))
    }
}
