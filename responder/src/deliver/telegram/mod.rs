//! Telegram: replies of a bot.
//!
//! Invariant: what may have been taken is never sent again. Telegram echoes no id of ours and tells no
//! statuses.

mod errors;
mod request;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::http::{ask, client};
use super::pace::Pace;
use super::sender::{Outgoing, SendError, Sender, Sent};

/// What a bot may send (Bots FAQ).
const PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);
/// Between two messages to one chat.
const BETWEEN: Duration = Duration::from_secs(1);

/// One bot.
#[derive(Clone)]
pub struct Account {
    /// Whose customers.
    pub tenant: String,
    /// Its secret; part of addresses, which are therefore never logged.
    pub bot_token: String,
    /// The API.
    pub api_url: String,
}

/// The sender.
pub struct Telegram {
    client: reqwest::Client,
    /// By their names in the configuration.
    accounts: HashMap<String, Account>,
    pace: Pace,
}

impl Telegram {
    /// Sends as these bots.
    ///
    /// # Errors
    /// When no HTTP client can be had, in words.
    pub fn new(accounts: HashMap<String, Account>) -> Result<Self, String> {
        Ok(Self { client: client()?, accounts, pace: Pace::new(PER_SECOND, BETWEEN) })
    }
}

#[async_trait]
impl Sender for Telegram {
    fn name(&self) -> &'static str {
        "telegram"
    }

    fn is_idempotent(&self) -> bool {
        false
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Sent, SendError> {
        let account = self.accounts.get(&outgoing.account);
        let account = account.filter(|account| account.tenant == outgoing.tenant);
        let account = account.ok_or_else(|| SendError::Refused("no_such_bot".to_owned()))?;
        let body = request::body(outgoing)?;
        self.pace.take(&outgoing.account, &request::recipient(outgoing)?)?;
        let (api, token) = (account.api_url.trim_end_matches('/'), &account.bot_token);
        let answer =
            ask(self.client.post(format!("{api}/bot{token}/sendMessage")).json(&body)).await?;
        errors::meaning(&answer)?;
        let id = answer.json().pointer("/result/message_id").and_then(Value::as_i64);
        Ok(Sent { provider_message_id: id.map(|id| id.to_string()) })
    }
}

#[cfg(test)]
mod tests;
