//! Mailgun Routes: a form signed over its time and a token, not over what it says; so a token is taken once.
//! The mail is whole (`body-mime`, where the route's URL ends in `mime`) or taken apart.

use std::collections::{HashSet, VecDeque};

use data_encoding::HEXLOWER_PERMISSIVE;
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use sha2::Sha256;

use super::super::mail::{Mail, filled};
use super::super::mime::parse;
use super::form::Form;
use super::sendgrid::sender;

/// How old a signature may be, in milliseconds: Mailgun tries again for eight hours.
const AGE_MS_MAX: i64 = 12 * 3_600_000;
/// How far its clock may be ahead of ours, in milliseconds.
const AHEAD_MS_MAX: i64 = 5 * 60_000;
/// Tokens remembered: those of twelve hours, or so many.
const TOKENS_MAX: usize = 100_000;

/// Why a form is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not signed with our key, or long ago.
    NotSigned,
    /// This signature has been used.
    TakenBefore,
}

/// Tokens taken by this process. Another process may take one again: the mail in it is known by its
/// Message-ID.
#[derive(Default)]
pub(super) struct Tokens(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    known: HashSet<String>,
    in_order: VecDeque<(i64, String)>,
}

impl Tokens {
    /// Whether the form's signature is right, fresh and new.
    pub(super) fn check(&self, key: &str, form: &Form, now_ms: i64) -> Result<String, Refusal> {
        let field = |name: &str| form.text(name).ok_or(Refusal::NotSigned);
        let (time, token, signature) = (field("timestamp")?, field("token")?, field("signature")?);
        if !is_signed(key, time, token, signature) || !is_fresh(time, now_ms) {
            return Err(Refusal::NotSigned);
        }
        if self.0.lock().known.contains(token) {
            Err(Refusal::TakenBefore)
        } else {
            Ok(token.to_owned())
        }
    }

    /// The form is durable: its token is used up.
    pub(super) fn take(&self, token: String, now_ms: i64) {
        let mut taken = self.0.lock();
        let Taken { known, in_order } = &mut *taken;
        while in_order.len() >= TOKENS_MAX
            || in_order
                .front()
                .is_some_and(|(at_ms, _)| *at_ms < now_ms - AGE_MS_MAX - AHEAD_MS_MAX)
        {
            if let Some((_, token)) = in_order.pop_front() {
                known.remove(&token);
            }
        }
        if known.insert(token.clone()) {
            in_order.push_back((now_ms, token));
        }
    }
}

/// `hex(HMAC-SHA256(key, timestamp + token))`.
fn is_signed(key: &str, time: &str, token: &str, signature: &str) -> bool {
    let Ok(signature) = HEXLOWER_PERMISSIVE.decode(signature.as_bytes()) else { return false };
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key.as_bytes()) else {
        return false;
    };
    mac.update(time.as_bytes());
    mac.update(token.as_bytes());
    !key.is_empty() && !token.is_empty() && mac.verify_slice(&signature).is_ok()
}

fn is_fresh(time: &str, now_ms: i64) -> bool {
    let at_ms = time.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1000));
    at_ms.is_some_and(|at_ms| at_ms >= now_ms - AGE_MS_MAX && at_ms <= now_ms + AHEAD_MS_MAX)
}

/// The mail in a form.
pub(super) fn mail(form: Form) -> Option<Mail> {
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
    mail.attachments = form.files();
    Some(mail)
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
    fn old_tokens_give_way() {
        let tokens = Tokens::default();
        tokens.take("a".to_owned(), 0);
        tokens.take("a".to_owned(), 1);
        tokens.take("b".to_owned(), AGE_MS_MAX + AHEAD_MS_MAX + 1);
        let taken = tokens.0.lock();
        assert!(!taken.known.contains("a") && taken.known.contains("b"));
        assert_eq!(taken.in_order.len(), 1);
    }
}
