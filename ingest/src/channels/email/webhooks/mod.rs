//! Mails as providers post them: SendGrid Inbound Parse, Mailgun Routes, Postmark Inbound.
//!
//! SendGrid and Postmark sign nothing: they show a secret, as the password of HTTP Basic or, where the
//! provider cannot, as `?secret=` behind the address.

mod form;
mod mailgun;
mod postmark;
mod sendgrid;

use data_encoding::BASE64;
use subtle::ConstantTimeEq;

use super::super::webhook::{Denied, Request};
use super::adapt;
use super::mail::Mail;
use super::mime::parse;
use crate::door::Event;

pub use mailgun::Mailgun;
pub use postmark::Postmark;
pub use sendgrid::SendGrid;

/// An address of ours whose mails a provider posts.
#[derive(Debug, Clone)]
pub struct Inbox {
    /// The account's name.
    pub name: String,
    /// Whose customers write.
    pub tenant: String,
    /// The addresses of this installation: what is written from them is never answered.
    pub own: Vec<String>,
}

impl Inbox {
    /// What a mail tells, from its bytes.
    #[must_use]
    pub fn heard(&self, raw: &[u8]) -> Vec<Event> {
        self.told(parse(raw))
    }

    pub(super) fn told(&self, mail: Option<Mail>) -> Vec<Event> {
        mail.and_then(|mail| adapt::adapt(&self.name, &self.own, &mail)).into_iter().collect()
    }
}

/// Whether the request shows `secret`.
fn shows(request: &Request<'_>, secret: &str) -> Result<(), Denied> {
    let password = password(request.header("authorization").unwrap_or_default());
    let in_address = form_urlencoded::parse(request.query.as_bytes())
        .find(|(name, _)| name == "secret")
        .map(|(_, value)| value.into_owned());
    let shown = password.or(in_address).unwrap_or_default();
    let right = !secret.is_empty() && bool::from(shown.as_bytes().ct_eq(secret.as_bytes()));
    if right { Ok(()) } else { Err(Denied::Signature("the secret")) }
}

/// The password of HTTP Basic (RFC 7617); the user's name may be anything.
fn password(authorization: &str) -> Option<String> {
    let (scheme, credentials) = authorization.split_once(' ')?;
    let pair = String::from_utf8(BASE64.decode(credentials.trim().as_bytes()).ok()?).ok()?;
    let (_, password) = pair.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| password.to_owned())
}

#[cfg(test)]
mod tests;
