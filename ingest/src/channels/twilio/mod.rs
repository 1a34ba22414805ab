//! Twilio: WhatsApp and SMS, messages and status callbacks to one address.

mod adapt;
mod media;
mod verify;
mod wire;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::webhook::{Denied, Request, Webhook};
use crate::door::{Event, Malformed};

pub use media::{Files, MediaAccount};

/// Name of the adapter.
pub const PROVIDER: &str = "twilio";

const SIGNATURE: &str = "x-twilio-signature";
const CONTENT_TYPE: &str = "content-type";

/// One account at the provider. Its numbers tell themselves apart.
#[derive(Clone)]
pub struct Account {
    /// Whose customers write.
    pub tenant: String,
    /// Signs the provider's requests.
    pub auth_token: String,
    /// The address as the provider was told it: what is signed, whatever proxies make of it.
    pub public_url: String,
}

impl Webhook for Account {
    fn tenant(&self) -> &str {
        &self.tenant
    }

    fn headers(&self) -> &'static [&'static str] {
        &[CONTENT_TYPE]
    }

    fn verify(&self, request: &Request<'_>) -> Result<(), Denied> {
        let mut url = self.public_url.clone();
        if !request.query.is_empty() {
            url = format!("{url}?{}", request.query);
        }
        let header = request.header(SIGNATURE);
        let signed = verify::is_signed(&self.auth_token, &url, request.body, header);
        if signed { Ok(()) } else { Err(Denied::Signature("X-Twilio-Signature")) }
    }

    fn adapt(
        &self,
        headers: &BTreeMap<String, String>,
        body: &[u8],
    ) -> Result<Vec<Event>, Malformed> {
        adapt::adapt(headers.get(CONTENT_TYPE).map(String::as_str).unwrap_or_default(), body)
    }

    /// No answer in the answer: replies go out by themselves.
    fn acknowledgement(&self, _: &[u8]) -> (&'static str, Cow<'static, str>) {
        ("text/xml", Cow::Borrowed("<Response/>"))
    }
}
