//! Twilio: replies by WhatsApp and SMS, on the channel the customer used.
//!
//! Invariant: what may have been taken is never sent again. Twilio echoes no id of ours, so what became of
//! a reply whose answer was lost stays open, and a person sees that.

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

/// What a number may be handed; Twilio queues what a carrier takes more slowly.
const PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(79);
/// Between two messages to one customer.
const BETWEEN: Duration = Duration::from_secs(1);

/// One account at the provider.
#[derive(Clone)]
pub struct Account {
    /// Whose customers.
    pub tenant: String,
    /// Its name at the provider.
    pub account_sid: String,
    /// Its secret.
    pub auth_token: String,
    /// Where statuses go: the webhook's own address.
    pub status_url: String,
    /// The API without a version.
    pub api_url: String,
    /// The Content API without a version, which lists templates.
    pub content_url: String,
}

/// The sender.
pub struct Twilio {
    client: reqwest::Client,
    accounts: Vec<Account>,
    pace: Pace,
}

impl Twilio {
    /// Sends from these accounts, one a tenant.
    ///
    /// # Errors
    /// When no HTTP client can be had, in words.
    pub fn new(accounts: Vec<Account>) -> Result<Self, String> {
        Ok(Self { client: client()?, accounts, pace: Pace::new(PER_SECOND, BETWEEN) })
    }
}

#[async_trait]
impl Sender for Twilio {
    fn name(&self) -> &'static str {
        "twilio"
    }

    fn is_idempotent(&self) -> bool {
        false
    }

    fn takes_templates(&self) -> bool {
        true
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Sent, SendError> {
        let account = self.accounts.iter().find(|account| account.tenant == outgoing.tenant);
        let none = || SendError::Refused("no_account_of_the_tenant".to_owned());
        let account = account.ok_or_else(none)?;
        let form = request::form(outgoing, &account.status_url)?;
        self.pace.take(&outgoing.account, &request::recipient(outgoing)?)?;
        let (api, sid) = (account.api_url.trim_end_matches('/'), &account.account_sid);
        let url = format!("{api}/2010-04-01/Accounts/{sid}/Messages.json");
        let request = self.client.post(url).basic_auth(sid, Some(&account.auth_token)).form(&form);
        let answer = ask(request).await?;
        errors::meaning(&answer)?;
        let id = answer.json().get("sid").and_then(Value::as_str).map(str::to_owned);
        Ok(Sent { provider_message_id: id })
    }
}

#[cfg(test)]
mod tests;
