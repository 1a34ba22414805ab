//! An inbox of Chatwoot's API channel (Application API, v1): contacts and conversations found by our own
//! names, or made.

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use schemas::conversation::Conversation;
use schemas::message::{Contact, ContactIdKind};
use serde_json::{Value, json};

use super::shown::Shown;
use crate::deliver::SendError;
use crate::deliver::chatwoot::meaning;
use crate::deliver::http::{Answer, ask, client};

/// Its server limits an address to 3,000 requests a minute; replies need their part of it.
const PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

/// Where one tenant's conversations are shown.
#[derive(Clone)]
pub struct Account {
    /// Whose conversations.
    pub tenant: String,
    /// The account's number at Chatwoot.
    pub account_id: String,
    /// The inbox's number; of the kind API.
    pub inbox_id: i64,
    /// Of an agent that may make contacts.
    pub access_token: String,
    /// The server.
    pub api_url: String,
    /// Texts and numbers of customers whole, not masked.
    pub whole: bool,
}

/// One inbox.
pub struct Inbox {
    client: reqwest::Client,
    account: Account,
    /// Waited for: nobody waits for what is shown, and a try that was cut short would begin anew.
    pace: DefaultDirectRateLimiter,
}

impl Inbox {
    pub(super) fn new(account: Account) -> Result<Self, String> {
        Ok(Self {
            client: client()?,
            account,
            pace: RateLimiter::direct(Quota::per_second(PER_SECOND)),
        })
    }

    pub(super) fn whole(&self) -> bool {
        self.account.whole
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Answer, SendError> {
        self.pace.until_ready().await;
        let answer = ask(request.header("api_access_token", &self.account.access_token)).await?;
        meaning(&answer)?;
        Ok(answer)
    }

    fn url(&self, path: &str) -> String {
        let Account { api_url, account_id, .. } = &self.account;
        format!("{}/api/v1/accounts/{account_id}/{path}", api_url.trim_end_matches('/'))
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, SendError> {
        let request = self.client.post(self.url(path)).json(body);
        Ok(self.ask(request).await?.json())
    }

    async fn get(&self, path: &str) -> Result<Value, SendError> {
        Ok(self.ask(self.client.get(self.url(path))).await?.json())
    }

    /// The conversation's number there: of the one that has our name, or of a new one. What the customer has
    /// not begun here is not made: it stands elsewhere, at a Chatwoot even.
    pub(super) async fn conversation(
        &self,
        line: &Conversation,
        what: &Shown,
    ) -> Result<Option<i64>, SendError> {
        let makes = matches!(what, Shown::Opened(_) | Shown::Incoming(_));
        let name = line.conversation_id.to_string();
        let contact = line.conversation_id.contact().to_string();
        let Some(customer) = self.customer(&contact, what.contact(), makes).await? else {
            return Ok(None);
        };
        let listed = self.get(&format!("contacts/{customer}/conversations")).await?;
        let known = id_where(&listed, "/custom_attributes/correnteza_id", &name);
        if known.is_some() || !makes {
            return Ok(known);
        }
        let body = json!({
            "inbox_id": self.account.inbox_id,
            "contact_id": customer,
            "status": "open",
            "custom_attributes": {
                "correnteza_id": name,
                "protocolo": line.protocol,
                "canal": line.channel,
            },
        });
        number(self.post("conversations", &body).await?.pointer("/id")).map(Some)
    }

    /// The customer's number there.
    async fn customer(
        &self,
        name: &str,
        contact: Option<&Contact>,
        makes: bool,
    ) -> Result<Option<i64>, SendError> {
        let found = self.get(&format!("contacts/search?q={name}")).await?;
        let known = id_where(&found, "/identifier", name);
        if known.is_some() || !makes {
            return Ok(known);
        }
        let id = |kind| contact.and_then(|contact| contact.id(kind));
        let phone = id(ContactIdKind::E164).or_else(|| id(ContactIdKind::WaPhone));
        let email = id(ContactIdKind::Email);
        let body = |phone: Option<&str>, email: Option<&str>| {
            json!({
                "inbox_id": self.account.inbox_id,
                "identifier": name,
                "name": contact.and_then(|contact| contact.name.as_deref()),
                "phone_number": phone,
                "email": email,
            })
        };
        let made = match self.post("contacts", &body(phone, email)).await {
            // Another contact has the number or the address: there each belongs to one only.
            Err(SendError::Refused(_)) if phone.is_some() || email.is_some() => {
                self.post("contacts", &body(None, None)).await?
            }
            made => made?,
        };
        number(made.pointer("/payload/contact/id")).map(Some)
    }

    /// Shows `what`, under a name of ours, so that we know our own echo.
    pub(super) async fn tell(
        &self,
        number: i64,
        name: &str,
        what: &Shown,
    ) -> Result<(), SendError> {
        let messages = format!("conversations/{number}/messages");
        let message = |text: &str, kind: &str, private: bool| {
            json!({ "content": text, "message_type": kind, "private": private,
                "content_attributes": { "correnteza_id": name } })
        };
        let (path, body) = match what {
            Shown::Opened(_) => return Ok(()),
            Shown::Incoming(text) => (messages, message(text, "incoming", false)),
            Shown::Outgoing(text) => (messages, message(text, "outgoing", false)),
            Shown::Note(text) => (messages, message(text, "outgoing", true)),
            Shown::Status(status) => {
                (format!("conversations/{number}/toggle_status"), json!({ "status": status }))
            }
        };
        self.post(&path, &body).await.map(|_| ())
    }
}

fn number(value: Option<&Value>) -> Result<i64, SendError> {
    let id = value.and_then(Value::as_i64);
    id.ok_or_else(|| SendError::Refused("the server names no number".to_owned()))
}

/// The number of the one listed that has our `name` at `place`.
fn id_where(listed: &Value, place: &str, name: &str) -> Option<i64> {
    let listed = listed.get("payload")?.as_array()?;
    let ours = listed.iter().find(|one| one.pointer(place).is_some_and(|named| named == name))?;
    ours.get("id")?.as_i64()
}
