//! WhatsApp Cloud API: replies by the Graph API.
//!
//! Invariants: a number is spoken from at most 80 times a second and a customer to once in 6 s; what may
//! have been taken is never sent again, and carries our id so that a status tells.

mod errors;
mod request;
mod templates;

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::http::{ask, client};
use super::pace::Pace;
use super::sender::{Outgoing, SendError, Sender, Sent};
pub use templates::listed;

/// What a number may send, inbound included; the provider raises it by itself and tells when it is less.
const PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(79);
/// Between two messages to one customer.
const BETWEEN: Duration = Duration::from_secs(6);

/// One app at the provider.
#[derive(Clone)]
pub struct Account {
    /// Whose customers.
    pub tenant: String,
    /// Our number at the provider, by its id; empty: every number of this tenant.
    pub phone_number_id: String,
    /// Of a system user, with `whatsapp_business_messaging`.
    pub access_token: String,
    /// The Graph API with its version.
    pub api_url: String,
    /// The WhatsApp Business Account, whose templates are listed.
    pub business_account_id: String,
}

/// The sender.
pub struct WhatsappCloud {
    client: reqwest::Client,
    accounts: Vec<Account>,
    pace: Pace,
}

impl WhatsappCloud {
    /// Sends from these accounts.
    ///
    /// # Errors
    /// When no HTTP client can be had, in words.
    pub fn new(accounts: Vec<Account>) -> Result<Self, String> {
        Ok(Self { client: client()?, accounts, pace: Pace::new(PER_SECOND, BETWEEN) })
    }

    /// The account a reply goes out by, and the number it goes out from.
    fn account(&self, outgoing: &Outgoing) -> Option<(&Account, String)> {
        let number = &outgoing.account;
        let of_tenant = || self.accounts.iter().filter(|it| it.tenant == outgoing.tenant);
        let account = of_tenant().find(|it| it.phone_number_id == *number).or_else(|| {
            of_tenant().find(|it| it.phone_number_id.is_empty() || number.is_empty())
        })?;
        let from = if number.is_empty() { &account.phone_number_id } else { number };
        // It becomes part of an address.
        let plain = !from.is_empty() && from.bytes().all(|byte| byte.is_ascii_alphanumeric());
        plain.then(|| (account, from.clone()))
    }
}

#[async_trait]
impl Sender for WhatsappCloud {
    fn name(&self) -> &'static str {
        "whatsapp_cloud"
    }

    fn is_idempotent(&self) -> bool {
        false
    }

    fn takes_templates(&self) -> bool {
        true
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Sent, SendError> {
        let (account, from) = self
            .account(outgoing)
            .ok_or_else(|| SendError::Refused("no_account_for_the_number".to_owned()))?;
        let body = request::body(outgoing)?;
        self.pace.take(&from, &request::recipient(outgoing)?.1)?;
        let url = format!("{}/{from}/messages", account.api_url.trim_end_matches('/'));
        let request = self.client.post(url).bearer_auth(&account.access_token).json(&body);
        let answer = ask(request).await?;
        errors::meaning(&answer)?;
        let id = answer.json().pointer("/messages/0/id").and_then(Value::as_str).map(str::to_owned);
        Ok(Sent { provider_message_id: id })
    }
}

#[cfg(test)]
mod tests;
