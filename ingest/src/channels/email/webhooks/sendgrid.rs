//! SendGrid Inbound Parse: an unsigned form, with the mail whole (`email`, "raw" mode) or taken apart, each
//! text in the charset the field `charsets` names.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::charset::decoded;
use super::super::mail::{Mail, Sender, filled, plain_address};
use super::super::mime::parse;
use super::form::Form;
use super::{Inbox, shows};
use crate::channels::webhook::{Denied, Request, Webhook};
use crate::door::{Event, Malformed};

/// An address whose mails SendGrid posts.
pub struct SendGrid {
    /// Whose mails.
    pub inbox: Inbox,
    /// What it shows.
    pub secret: String,
}

impl Webhook for SendGrid {
    fn tenant(&self) -> &str {
        &self.inbox.tenant
    }

    fn headers(&self) -> &'static [&'static str] {
        &["content-type"]
    }

    fn verify(&self, request: &Request<'_>) -> Result<(), Denied> {
        shows(request, &self.secret)
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

/// The mail in a form.
fn mail(form: Form) -> Option<Mail> {
    if let Some(raw) = form.bytes("email") {
        return parse(raw);
    }
    let charsets: HashMap<String, String> =
        form.text("charsets").and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let field = |name: &str| {
        let charset = charsets.get(name).map(String::as_str);
        form.bytes(name).map(|bytes| decoded(bytes, charset)).and_then(|text| filled(&text))
    };
    let mut mail = form.bytes("headers").map(|block| Mail::of_headers(block)).unwrap_or_default();
    mail.from = mail.from.or_else(|| sender(&field("from")?));
    mail.subject = mail.subject.or_else(|| field("subject"));
    mail.text = field("text");
    mail.html = field("html");
    // An envelope from nobody: what a Return-Path would say.
    let envelope: Option<serde_json::Value> =
        form.text("envelope").and_then(|json| serde_json::from_str(json).ok());
    let from_nobody =
        envelope.is_some_and(|told| told.get("from").and_then(|from| from.as_str()) == Some(""));
    if from_nobody && mail.header("return-path").is_none() {
        mail.headers.push(("return-path".to_owned(), "<>".to_owned()));
    }
    let inline = inline(&form);
    mail.attachments = form.files(&inline);
    Some(mail)
}

/// The fields of the files that are shown within the text.
fn inline(form: &Form) -> HashSet<String> {
    let told: HashMap<String, serde_json::Value> = form
        .text("attachment-info")
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default();
    let shown = told.into_iter().filter(|(_, file)| file.get("content-id").is_some());
    shown.map(|(field, _)| field).collect()
}

/// `Name <address>`, decoded already.
pub(super) fn sender(written: &str) -> Option<Sender> {
    let (name, address) = written.rsplit_once('<').unwrap_or(("", written));
    let address = plain_address(address)?;
    Some(Sender { address, name: filled(name.trim().trim_matches('"')) })
}
