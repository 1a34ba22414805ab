//! Postmark Inbound: JSON, unsigned; the whole mail is in `RawEmail` where the stream is set to send it.

use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::BASE64;
use serde::Deserialize;

use super::super::mail::{Content, Mail, Part, Sender, filled, plain_address};
use super::super::mime::parse;
use super::{Inbox, shows};
use crate::channels::webhook::{Denied, Request, Webhook};
use crate::door::{Event, Malformed};

/// An address whose mails Postmark posts.
pub struct Postmark {
    /// Whose mails.
    pub inbox: Inbox,
    /// What it shows.
    pub secret: String,
}

impl Webhook for Postmark {
    fn tenant(&self) -> &str {
        &self.inbox.tenant
    }

    fn headers(&self) -> &'static [&'static str] {
        &[]
    }

    fn verify(&self, request: &Request<'_>) -> Result<(), Denied> {
        shows(request, &self.secret)
    }

    fn adapt(
        &self,
        _headers: &BTreeMap<String, String>,
        body: &[u8],
    ) -> Result<Vec<Event>, Malformed> {
        Ok(self.inbox.told(mail(body)?))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Wire {
    from_full: Option<Address>,
    from: Option<String>,
    from_name: Option<String>,
    subject: Option<String>,
    date: Option<String>,
    text_body: Option<String>,
    html_body: Option<String>,
    headers: Vec<Field>,
    attachments: Vec<Attached>,
    raw_email: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Address {
    email: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Field {
    name: String,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attached {
    name: Option<String>,
    content_type: Option<String>,
    content_length: Option<usize>,
    content: Option<String>,
    #[serde(rename = "ContentID")]
    content_id: Option<String>,
}

/// The mail in a body.
fn mail(body: &[u8]) -> Result<Option<Mail>, Malformed> {
    let wire: Wire = serde_json::from_slice(body).map_err(|error| Malformed::json(&error))?;
    if let Some(raw) = wire.raw_email.as_deref().filter(|raw| !raw.is_empty()) {
        return Ok(parse(raw.as_bytes()));
    }
    let date = wire.date.as_deref().map(|date| ("Date", date));
    let known = |name: &str| wire.headers.iter().any(|field| field.name.eq_ignore_ascii_case(name));
    let told = wire
        .headers
        .iter()
        .map(|field| (field.name.as_str(), field.value.as_deref().unwrap_or_default()));
    let mut mail = Mail::of_fields(told.chain(date.filter(|_| !known("date"))));
    let full = wire.from_full.as_ref();
    let address = full.and_then(|from| from.email.as_deref()).or(wire.from.as_deref());
    let name = full.and_then(|from| from.name.as_deref()).or(wire.from_name.as_deref());
    mail.from = mail.from.or_else(|| {
        let address = plain_address(address?)?;
        Some(Sender { address, name: name.and_then(filled) })
    });
    mail.subject = mail.subject.or_else(|| wire.subject.as_deref().and_then(filled));
    mail.text = wire.text_body.as_deref().and_then(filled);
    mail.html = wire.html_body.as_deref().and_then(filled);
    mail.attachments = wire.attachments.into_iter().map(part).collect();
    Ok(Some(mail))
}

fn part(attached: Attached) -> Part {
    let bytes = attached.content.and_then(|content| BASE64.decode(content.as_bytes()).ok());
    Part {
        mime: attached.content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        filename: attached.name.as_deref().and_then(filled),
        size_bytes: attached.content_length.unwrap_or_default(),
        inline: attached.content_id.is_some_and(|id| !id.is_empty()),
        content: bytes.map_or(Content::Incomplete, |bytes| Content::Here(Bytes::from(bytes))),
    }
}
