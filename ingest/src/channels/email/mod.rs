//! E-mail: read from a mailbox (IMAP) or told by a provider (inbound parse), one message either way.

pub mod adapt;
mod charset;
mod html;
pub mod imap;
mod mail;
mod media;
mod mime;
mod reply;
mod robots;
mod webhooks;

pub use mail::{Content, Mail, Part, Report, Sender};
pub use media::{Files, MediaAccount};
pub use mime::parse;
pub use webhooks::{Inbox, Mailgun, Postmark, SendGrid};

/// Name of the adapter: a mail is one message whichever way it came, so all ways have the same.
pub const PROVIDER: &str = "email";
