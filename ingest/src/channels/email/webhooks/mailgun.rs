//! Mailgun Routes: a form signed over its time and a token, not over what it says; so a token is taken once.
//! The mail is whole (`body-mime`, where the route's URL ends in `mime`) or taken apart; its files come with it,
//! or stay at Mailgun where the route stores them.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use parking_lot::Mutex;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::super::mail::{Content, Mail, Part, filled};
use super::super::mime::parse;
use super::Inbox;
use super::form::Form;
use super::sendgrid::sender;
use crate::channels::signed;
use crate::channels::webhook::{Denied, Request, Webhook};
use crate::door::{Event, Malformed};

/// How old a signature may be, in milliseconds: Mailgun tries again for eight hours.
const AGE_MS_MAX: i64 = 12 * 3_600_000;
/// How far its clock may be ahead of ours, in milliseconds.
const AHEAD_MS_MAX: i64 = 5 * 60_000;
/// Tokens remembered: those of twelve hours, or so many.
const TOKENS_MAX: usize = 100_000;

/// An address whose mails Mailgun posts.
pub struct Mailgun {
    /// Whose mails.
    inbox: Inbox,
    /// Signs its posts.
    signing_key: String,
    taken: Mutex<Taken>,
}

/// Tokens this process has taken, each with the digest of the form it came with. Another process may take
/// one again: the mail in it is known by its Message-ID.
#[derive(Default)]
struct Taken {
    known: HashMap<String, [u8; 32]>,
    in_order: VecDeque<(i64, String)>,
}

impl Mailgun {
    /// The mails of `inbox`, signed with `signing_key`.
    #[must_use]
    pub fn new(inbox: Inbox, signing_key: &str) -> Self {
        Self { inbox, signing_key: signing_key.to_owned(), taken: Mutex::default() }
    }
}

impl Webhook for Mailgun {
    fn tenant(&self) -> &str {
        &self.inbox.tenant
    }

    fn headers(&self) -> &'static [&'static str] {
        &["content-type"]
    }

    fn verify(&self, request: &Request<'_>) -> Result<(), Denied> {
        let denied = || Denied::Signature("signature");
        let kind = request.header("content-type").unwrap_or_default();
        let form = Form::read(kind, request.body).map_err(|_| denied())?;
        let field = |name: &str| form.text(name).ok_or_else(denied);
        let (time, token) = (field("timestamp")?, field("token")?);
        let signed = is_signed(&self.signing_key, time, token, field("signature")?);
        if !signed || !is_fresh(time, request.received_at_ms) {
            return Err(denied());
        }
        let digest = Sha256::digest(request.body).into();
        self.taken.lock().take(token, digest, request.received_at_ms)
    }

    fn adapt(
        &self,
        headers: &BTreeMap<String, String>,
        body: &[u8],
    ) -> Result<Vec<Event>, Malformed> {
        let kind = headers.get("content-type").map(String::as_str).unwrap_or_default();
        Ok(self.inbox.told(mail(Form::read(kind, body)?)))
    }
}

impl Taken {
    /// Takes a token, once: again only with the same form, which is sent again where our answer was lost.
    fn take(&mut self, token: &str, digest: [u8; 32], now_ms: i64) -> Result<(), Denied> {
        if let Some(known) = self.known.get(token) {
            let again = *known == digest;
            return if again { Ok(()) } else { Err(Denied::Signature("a token taken before")) };
        }
        let from_ms = now_ms - AGE_MS_MAX - AHEAD_MS_MAX;
        while self.in_order.len() >= TOKENS_MAX
            || self.in_order.front().is_some_and(|(at_ms, _)| *at_ms < from_ms)
        {
            if let Some((_, token)) = self.in_order.pop_front() {
                self.known.remove(&token);
            }
        }
        self.known.insert(token.to_owned(), digest);
        self.in_order.push_back((now_ms, token.to_owned()));
        Ok(())
    }
}

/// `hex(HMAC-SHA256(key, timestamp + token))`.
fn is_signed(key: &str, time: &str, token: &str, signature: &str) -> bool {
    !token.is_empty() && signed::fits(key, &[time.as_bytes(), token.as_bytes()], signature)
}

fn is_fresh(time: &str, now_ms: i64) -> bool {
    let at_ms = time.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1000));
    at_ms.is_some_and(|at_ms| at_ms >= now_ms - AGE_MS_MAX && at_ms <= now_ms + AHEAD_MS_MAX)
}

/// The mail in a form.
fn mail(form: Form) -> Option<Mail> {
    if let Some(raw) = form.bytes("body-mime") {
        return parse(raw);
    }
    let headers: Vec<(String, String)> = form
        .text("message-headers")
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default();
    let mut mail =
        Mail::of_fields(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    mail.from = mail.from.or_else(|| sender(form.text("from")?));
    mail.subject = mail.subject.or_else(|| form.text("subject").and_then(filled));
    mail.text = form.text("body-plain").and_then(filled);
    mail.html = form.text("body-html").and_then(filled);
    if form.text("sender") == Some("") && mail.header("return-path").is_none() {
        mail.headers.push(("return-path".to_owned(), "<>".to_owned()));
    }
    let inline: HashSet<String> = form
        .text("content-id-map")
        .and_then(|json| serde_json::from_str::<HashMap<String, String>>(json).ok())
        .map(|fields_of| fields_of.into_values().collect())
        .unwrap_or_default();
    let stored: Vec<Stored> = form
        .text("attachments")
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default();
    let stored = stored.into_iter().map(|file| file.part(&inline));
    mail.attachments = stored.chain(form.files(&inline)).collect();
    Some(mail)
}

/// A file that stays at Mailgun, which keeps it for three days.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Stored {
    url: String,
    name: Option<String>,
    content_type: Option<String>,
    size: Option<usize>,
}

impl Stored {
    fn part(self, inline: &HashSet<String>) -> Part {
        Part {
            mime: self.content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
            filename: self.name.as_deref().and_then(filled),
            size_bytes: self.size.unwrap_or_default(),
            inline: inline.contains(&self.url),
            content: Content::At(self.url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of django-anymail.
    #[test]
    fn a_signature_is_over_time_and_token() {
        let (key, time) = ("TEST_WEBHOOK_SIGNING_KEY", "1461261330");
        let token = "06c96bafc3f42a66b9edd546347a2fe18dc23461fe80dc52f0";
        let signature = "3e24f71c7e802be94c5abca2fd6ca6957cca2e1e2396d26716b87e1ca8c56634";
        assert!(is_signed(key, time, token, signature));
        assert!(!is_signed("other", time, token, signature));
        assert!(!is_signed(key, "1461261331", token, signature));
        assert!(!is_signed(key, time, token, &signature[2..]));
        assert!(!is_signed(key, time, token, ""));
        let at_ms = 1_461_261_330_000;
        assert!(is_fresh(time, at_ms) && is_fresh(time, at_ms + AGE_MS_MAX));
        assert!(
            !is_fresh(time, at_ms + AGE_MS_MAX + 1) && !is_fresh(time, at_ms - AHEAD_MS_MAX - 1)
        );
        assert!(!is_fresh("", 0) && !is_fresh("9223372036854775807", 0));
    }

    #[test]
    fn a_token_is_taken_once_and_old_ones_give_way() {
        let mut taken = Taken::default();
        assert_eq!(taken.take("a", [1; 32], 0), Ok(()));
        assert_eq!(taken.take("a", [1; 32], 1), Ok(()), "sent again");
        assert!(taken.take("a", [2; 32], 1).is_err(), "another form under the same signature");
        assert_eq!(taken.take("b", [2; 32], AGE_MS_MAX + AHEAD_MS_MAX + 1), Ok(()));
        assert!(!taken.known.contains_key("a") && taken.known.contains_key("b"));
        assert_eq!(taken.in_order.len(), 1);
    }
}
