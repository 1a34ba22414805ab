//! Replies by e-mail (SMTP, RFC 5321): one connection a mail, so that what is known of it is certain. `request.rs`
//! is the mail, `smtp.rs` hands it over, `errors.rs` is what the server's answers mean.
//!
//! Before the text has been handed over nothing can have arrived: a refusal for good (5xx) is told, all else
//! is tried again. Once it has, only the server's word counts; without one nobody knows, and it is not sent
//! again.

mod errors;
mod request;
mod smtp;

use std::collections::HashMap;
use std::time::SystemTime;

use async_trait::async_trait;
use lettre::message::Mailbox;

pub use self::smtp::{Security, Server};

use super::sender::{Outgoing, SendError, Sender, Sent};

/// An address of ours, and the server that takes its mails.
#[derive(Clone)]
pub struct Account {
    from: Mailbox,
    server: Server,
}

impl Account {
    /// Mails from `address`, shown as `name`, are handed to `server`.
    ///
    /// # Errors
    /// When the address is none, in words.
    pub fn new(address: &str, name: &str, server: Server) -> Result<Self, String> {
        let email =
            address.parse().map_err(|error| format!("'{address}' is no address: {error}"))?;
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        Ok(Self { from: Mailbox::new(name, email), server })
    }
}

/// The sender.
pub struct Email {
    accounts: HashMap<String, Account>,
}

impl Email {
    /// Sends from `accounts`, by name; one that is not among them hears and does not answer.
    #[must_use]
    pub fn new(accounts: HashMap<String, Account>) -> Self {
        Self { accounts }
    }
}

#[async_trait]
impl Sender for Email {
    fn name(&self) -> &'static str {
        "email"
    }

    fn is_idempotent(&self) -> bool {
        false
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Sent, SendError> {
        let account = self.accounts.get(&outgoing.account);
        let account = account.ok_or_else(|| SendError::Refused("no_smtp".to_owned()))?;
        let mail = request::mail(&account.from, outgoing, SystemTime::now())
            .map_err(|why| SendError::Refused(why.to_string()))?;
        smtp::send(&account.server, &mail).await?;
        Ok(Sent { provider_message_id: Some(mail.message_id) })
    }
}
