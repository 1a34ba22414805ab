//! E-mail: read from a mailbox (IMAP) or told by a provider (inbound parse), one message either way.

pub mod adapt;
mod charset;
mod html;
pub mod imap;
mod intake;
mod mail;
mod mime;
mod reply;
mod robots;
mod webhooks;

use std::collections::HashMap;

pub use adapt::Event;
pub use mail::{Mail, Part, Report, Sender};
pub use mime::parse;
pub use webhooks::routes;

/// Name of the adapter.
pub const PROVIDER: &str = "email";

/// An address of ours, and how its mails come.
#[derive(Clone, Default)]
pub struct Account {
    /// Whose customers write.
    pub tenant: String,
    /// The address.
    pub address: String,
    /// Where its mails are, if they are read from a mailbox.
    pub mailbox: Option<imap::Mailbox>,
    /// What SendGrid shows.
    pub sendgrid: Option<String>,
    /// What Mailgun signs with.
    pub mailgun: Option<String>,
    /// What Postmark shows.
    pub postmark: Option<String>,
}

/// The addresses of this installation.
pub struct Accounts {
    by_name: HashMap<String, Account>,
    own: Vec<String>,
}

impl Accounts {
    /// The accounts, by name.
    #[must_use]
    pub fn new(by_name: HashMap<String, Account>) -> Self {
        let own = by_name.values().map(|account| account.address.to_lowercase()).collect();
        Self { by_name, own }
    }

    fn named(&self, name: &str) -> Option<&Account> {
        self.by_name.get(name)
    }

    /// The mailboxes, with account and tenant.
    fn mailboxes(&self) -> Vec<(String, String, imap::Mailbox)> {
        let accounts = self.by_name.iter();
        let with_box = accounts.filter_map(|(name, account)| {
            Some((name.clone(), account.tenant.clone(), account.mailbox.clone()?))
        });
        with_box.collect()
    }

    /// What is written from one of these is never answered.
    fn own(&self) -> &[String] {
        &self.own
    }
}
