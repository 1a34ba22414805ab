//! A mail as every way in tells it: what was read from MIME, or what a provider had read already.

use bytes::Bytes;
use mail_parser::{HeaderValue, Message, MessageParser};

use super::charset::mended_header;

/// A mail. Holds plain text: never logged.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mail {
    /// Who wrote.
    pub from: Option<Sender>,
    /// To whom, carbon copies too.
    pub to: Vec<String>,
    /// What stands above it.
    pub subject: Option<String>,
    /// Its Message-ID, as all Message-IDs here without the angle brackets.
    pub message_id: Option<String>,
    /// What it answers.
    pub in_reply_to: Vec<String>,
    /// What came before it, oldest first.
    pub references: Vec<String>,
    /// When it was written (Unix, ms), by the customer's clock.
    pub date_ms: Option<i64>,
    /// All header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The text, quotes and all.
    pub text: Option<String>,
    /// The same as HTML.
    pub html: Option<String>,
    /// What came with it.
    pub attachments: Vec<Part>,
    /// What a mail server tells of a mail of ours.
    pub report: Option<Report>,
}

/// Who wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The address, in lower case.
    pub address: String,
    /// The name beside it.
    pub name: Option<String>,
}

/// An attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Media type.
    pub mime: String,
    /// Name the sender gave it.
    pub filename: Option<String>,
    /// Size in bytes.
    pub size_bytes: usize,
    /// Shown within the text.
    pub inline: bool,
    /// The file itself.
    pub content: Content,
}

/// Where the bytes of an attachment are. Never logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// They came with the mail.
    Here(Bytes),
    /// At the provider, under this address.
    At(String),
    /// They did not all come: the mail is larger than what is read, or they are garbled.
    Incomplete,
}

/// A delivery status (RFC 3464).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Which mail of ours.
    pub of: Option<String>,
    /// To whom it went.
    pub recipient: Option<String>,
    /// failed, delayed, delivered, relayed or expanded.
    pub action: String,
    /// As `5.1.1`.
    pub code: Option<String>,
}

impl Mail {
    /// A mail of which a provider gives the header fields alone.
    #[must_use]
    pub fn of_headers(block: &[u8]) -> Self {
        let mended = mended_header(block);
        let mut whole = mended.trim_ascii_end().to_vec();
        whole.extend_from_slice(b"\r\n\r\n");
        MessageParser::default()
            .parse(&whole)
            .map(|message| Self::head(&message))
            .unwrap_or_default()
    }

    /// A mail of which a provider gives the header fields one by one.
    #[must_use]
    pub fn of_fields<'f>(fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        let mut block = String::new();
        for (name, value) in fields {
            // What is folded becomes one line, and nothing in a value begins another field.
            let value = value.split(['\r', '\n']).map(str::trim).collect::<Vec<_>>().join(" ");
            let name = name.split([':', '\r', '\n']).next().unwrap_or_default();
            block.push_str(&format!("{name}: {value}\r\n"));
        }
        Self::of_headers(block.as_bytes())
    }

    /// What the header fields say.
    pub(super) fn head(message: &Message<'_>) -> Self {
        let from = message.from().and_then(|from| from.first()).and_then(|from| {
            let address = plain_address(from.address()?)?;
            Some(Sender { address, name: from.name().and_then(filled) })
        });
        let named = [message.to(), message.cc()].into_iter().flatten();
        let to = named.flat_map(|list| list.iter().filter_map(|to| plain_address(to.address()?)));
        Self {
            from,
            to: to.collect(),
            subject: message.subject().and_then(filled),
            message_id: message.message_id().and_then(filled),
            in_reply_to: ids(message.in_reply_to()),
            references: ids(message.references()),
            date_ms: message.date().and_then(|date| date.to_timestamp().checked_mul(1000)),
            headers: message
                .headers_raw()
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect(),
            ..Self::default()
        }
    }

    /// Of a mail whose end was not read: its last attachment is a piece of one.
    pub(super) fn cut_off(&mut self) {
        if let Some(last) = self.attachments.last_mut() {
            last.content = Content::Incomplete;
        }
    }

    /// The first header field of a name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Text with something in it.
pub(super) fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// An address in lower case; none without an @ between two halves.
pub(super) fn plain_address(address: &str) -> Option<String> {
    let address = address.trim().trim_matches(['<', '>']).trim();
    let (local, domain) = address.rsplit_once('@')?;
    let strange = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',');
    let sound = !local.is_empty() && !domain.is_empty() && !address.contains(strange);
    (sound && address.len() <= 320).then(|| address.to_lowercase())
}

fn ids(value: &HeaderValue<'_>) -> Vec<String> {
    match value {
        HeaderValue::Text(id) => filled(id).into_iter().collect(),
        HeaderValue::TextList(ids) => ids.iter().filter_map(|id| filled(id)).collect(),
        _ => Vec::new(),
    }
}
