//! Chatwoot: replies in its conversations, as an agent bot or an agent of its own.
//!
//! Invariant: what may have been taken is never sent again. Chatwoot echoes what we wrote, with our id.

mod request;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::http::{ACCESS, Answer, ask, client};
use super::pace::Pace;
use super::sender::{Outgoing, SendError, Sender, Sent};

/// Its server limits an address to 3,000 requests a minute unless told otherwise (Rack::Attack).
const PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(39);
/// Between two messages to one customer: they arrive in order.
const BETWEEN: Duration = Duration::from_millis(500);

/// One account at a Chatwoot server.
#[derive(Clone)]
pub struct Account {
    /// Whose customers.
    pub tenant: String,
    /// Of the bot or agent that writes.
    pub access_token: String,
    /// The server.
    pub api_url: String,
}

/// The sender.
pub struct Chatwoot {
    client: reqwest::Client,
    /// By tenant and number at Chatwoot: each of its servers numbers them from 1.
    accounts: HashMap<(String, String), Account>,
    pace: Pace,
}

impl Chatwoot {
    /// Sends in these accounts, each with its number.
    ///
    /// # Errors
    /// When no HTTP client can be had, in words.
    pub fn new(accounts: Vec<(String, Account)>) -> Result<Self, String> {
        let accounts = accounts.into_iter();
        let accounts =
            accounts.map(|(number, account)| ((account.tenant.clone(), number), account)).collect();
        Ok(Self { client: client()?, accounts, pace: Pace::new(PER_SECOND, BETWEEN) })
    }
}

/// What an answer says of the message.
pub(crate) fn meaning(answer: &Answer) -> Result<(), SendError> {
    match answer.status {
        // The token is wrong or was revoked.
        401 | 403 => {
            let why = format!("status {}", answer.status);
            Err(SendError::NotAccepted { why, retry_after: Some(ACCESS) })
        }
        _ => answer.by_status(),
    }
}

#[async_trait]
impl Sender for Chatwoot {
    fn name(&self) -> &'static str {
        "chatwoot"
    }

    fn is_idempotent(&self) -> bool {
        false
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Sent, SendError> {
        let place = (outgoing.tenant.clone(), outgoing.account.clone());
        let account = self.accounts.get(&place);
        let account = account.ok_or_else(|| SendError::Refused("no_such_account".to_owned()))?;
        let path = request::path(outgoing)?;
        self.pace.take(&format!("{}/{}", place.0, place.1), &path)?;
        let url = format!("{}{path}", account.api_url.trim_end_matches('/'));
        let request = self.client.post(url).header("api_access_token", &account.access_token);
        let answer = ask(request.json(&request::body(outgoing))).await?;
        meaning(&answer)?;
        let id = answer.json().get("id").and_then(Value::as_i64);
        Ok(Sent { provider_message_id: id.map(|id| id.to_string()) })
    }
}

#[cfg(test)]
mod tests {
    use schemas::message::{ContactId, ContactIdKind};

    use super::*;
    use crate::deliver::sender::{sample, told};

    fn outgoing() -> Outgoing {
        let id = |value: &str, scope: &str| ContactId {
            kind: ContactIdKind::Other,
            value: value.to_owned(),
            scope: Some(scope.to_owned()),
        };
        let mut outgoing = sample(1);
        outgoing.account = "1".to_owned();
        outgoing.contact.ids = vec![id("1/9", "chatwoot"), id("88", "chatwoot_conversation")];
        outgoing
    }

    #[test]
    fn a_reply_goes_into_the_customers_conversation_with_our_mark() {
        let outgoing = outgoing();
        let path = request::path(&outgoing).unwrap();
        assert_eq!(path, "/api/v1/accounts/1/conversations/88/messages");
        insta::assert_snapshot!(request::body(&outgoing), @r#"{"content":"Olá\n• Opção 1 com um nome comprido","content_attributes":{"correnteza_id":"c_1/1/answer/0"},"message_type":"outgoing","private":false}"#);
    }

    #[tokio::test]
    async fn accounts_of_two_tenants_may_have_one_number() {
        let account = |tenant: &str| {
            // Nobody listens there: an account that is found is tried in vain.
            let api_url = "http://127.0.0.1:1".to_owned();
            (
                "1".to_owned(),
                Account { tenant: tenant.to_owned(), access_token: "t".to_owned(), api_url },
            )
        };
        let chatwoot = Chatwoot::new(vec![account("acme"), account("demo")]).unwrap();
        for tenant in ["acme", "demo"] {
            let outgoing = Outgoing { tenant: tenant.to_owned(), ..outgoing() };
            let tried = chatwoot.send(&outgoing).await.unwrap_err();
            assert!(matches!(tried, SendError::NotAccepted { .. }), "{tenant}: {tried:?}");
        }
        let stranger = Outgoing { tenant: "x".to_owned(), ..outgoing() };
        let refused = chatwoot.send(&stranger).await.unwrap_err();
        assert_eq!(refused, SendError::Refused("no_such_account".to_owned()));
    }

    #[test]
    fn nothing_but_numbers_gets_into_an_address() {
        let mut elsewhere = outgoing();
        elsewhere.contact.ids[1].value = "88/../../../profile".to_owned();
        assert!(matches!(request::path(&elsewhere), Err(SendError::Refused(_))));
        let mut nowhere = outgoing();
        nowhere.contact.ids.clear();
        assert!(matches!(request::path(&nowhere), Err(SendError::Refused(_))));
    }

    #[test]
    fn statuses_mean_what_the_provider_says() {
        let table = [
            (200, "accepted"),
            (401, "again in Some(30) s"),
            (404, "refused status 404"),
            (429, "again in None s"),
            (500, "nobody knows"),
        ];
        for (status, expected) in table {
            let answer = Answer { status, retry_after: None, body: bytes::Bytes::new() };
            assert_eq!(told(&meaning(&answer)), expected, "{status}");
        }
    }
}
