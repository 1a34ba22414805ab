//! Telegram: the updates of a bot.

mod adapt;
mod media;
mod verify;
mod wire;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::json;

use super::webhook::{Denied, Request, Webhook};
use crate::door::{Event, Malformed};

pub use media::{Files, MediaAccount};

/// Name of the adapter.
pub const PROVIDER: &str = "telegram";

const SECRET: &str = "x-telegram-bot-api-secret-token";

/// One bot.
#[derive(Clone)]
pub struct Account {
    /// Its name in the configuration: updates do not tell which bot they are for.
    pub name: String,
    /// Whose customers write.
    pub tenant: String,
    /// The secret given to `setWebhook`.
    pub secret_token: String,
}

impl Webhook for Account {
    fn tenant(&self) -> &str {
        &self.tenant
    }

    /// None is kept: the only one there is is the secret itself.
    fn headers(&self) -> &'static [&'static str] {
        &[]
    }

    fn verify(&self, request: &Request<'_>) -> Result<(), Denied> {
        let ours = verify::is_ours(&self.secret_token, request.header(SECRET));
        if ours { Ok(()) } else { Err(Denied::Signature("X-Telegram-Bot-Api-Secret-Token")) }
    }

    fn adapt(&self, _: &BTreeMap<String, String>, body: &[u8]) -> Result<Vec<Event>, Malformed> {
        adapt::adapt(&self.name, body)
    }

    /// A tapped button shows that it waits until its bot answers the tap, which the answer to the webhook
    /// may do (Bot API, "Making requests when getting updates").
    fn acknowledgement(&self, body: &[u8]) -> (&'static str, Cow<'static, str>) {
        match adapt::tapped(body) {
            Some(id) => {
                let call = json!({ "method": "answerCallbackQuery", "callback_query_id": id });
                ("application/json", Cow::Owned(call.to_string()))
            }
            None => ("text/plain; charset=utf-8", Cow::Borrowed("")),
        }
    }
}
