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
    /// Our numbers there; none: every number of this tenant that no other account has.
    pub numbers: Vec<String>,
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
    /// Sends from these accounts.
    ///
    /// # Errors
    /// When no HTTP client can be had, in words.
    pub fn new(accounts: Vec<Account>) -> Result<Self, String> {
        Ok(Self { client: client()?, accounts, pace: Pace::new(PER_SECOND, BETWEEN) })
    }

    /// The account that has the number the customer wrote to.
    fn account(&self, outgoing: &Outgoing) -> Option<&Account> {
        let number = request::plain(&outgoing.account);
        let of_tenant = || self.accounts.iter().filter(|it| it.tenant == outgoing.tenant);
        let has = |it: &&Account| it.numbers.iter().any(|own| request::plain(own) == number);
        of_tenant().find(has).or_else(|| of_tenant().find(|it| it.numbers.is_empty()))
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
        let none = || SendError::Refused("no_account_for_the_number".to_owned());
        let account = self.account(outgoing).ok_or_else(none)?;
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
