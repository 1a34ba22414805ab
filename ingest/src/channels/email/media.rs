//! The files of mails: which of them are told, and where they are.
//!
//! The bytes of most come with the mail, so the door keeps them (`media::Intake`) before the mail is in the log:
//! one way for mailboxes and webhooks alike, also for mails `raw` has no room for, and no second log-in to a
//! mailbox out of which somebody may have moved the mail. Those Mailgun stores are fetched from there.

use std::collections::HashMap;

use async_trait::async_trait;
use reqwest::Url;
use schemas::message::{Attachment, MessageKind};

use super::mail::{Content, Mail, Part};
use crate::door::Enclosed;
use crate::media::{AtDoor, Credentials, FetchError, Located, Source, Wanted, Web, at_door};

/// Pictures within a text that are smaller are signs of a company or a network, in bytes.
const ORNAMENT_BYTES_MAX: usize = 32 << 10;
/// Who gives files of Mailgun, whichever the region.
const MAILGUN: &str = ".mailgun.net";

/// What came with a mail.
pub(super) struct MailFiles {
    /// Of what a mail is made, where it is more than its text.
    pub(super) kind: Option<MessageKind>,
    /// All that are told.
    pub(super) named: Vec<Attachment>,
    /// The bytes of those that came with it.
    pub(super) enclosed: Vec<Enclosed>,
}

/// The files of `mail`, which `says` something or nothing beside them.
pub(super) fn files(mail: &Mail, says: bool) -> MailFiles {
    let told: Vec<&Part> =
        mail.attachments.iter().filter(|part| !says || !is_ornament(part)).collect();
    let kind = told.iter().find(|part| !says || !part.inline).map(|part| kind_of(&part.mime));
    let bytes = |(part, file): (usize, &&Part)| match &file.content {
        Content::Here(bytes) => Some(Enclosed { part, bytes: bytes.clone() }),
        Content::At(_) | Content::Incomplete => None,
    };
    let enclosed = told.iter().enumerate().filter_map(bytes).collect();
    MailFiles { kind, named: told.into_iter().map(named).collect(), enclosed }
}

fn named(part: &Part) -> Attachment {
    Attachment {
        reference: match &part.content {
            Content::Here(_) => AtDoor::Enclosed.reference(),
            Content::At(url) => url.clone(),
            Content::Incomplete => AtDoor::TooLarge.reference(),
        },
        mime: part.mime.clone(),
        filename: part.filename.clone(),
        size_bytes: i64::try_from(part.size_bytes).ok(),
        sha256: None,
        transcript_sealed: None,
        confidence: None,
    }
}

/// Programs put the pictures of a signature into every mail.
fn is_ornament(part: &Part) -> bool {
    part.inline && part.mime.starts_with("image/") && part.size_bytes < ORNAMENT_BYTES_MAX
}

fn kind_of(mime: &str) -> MessageKind {
    match mime.split('/').next().unwrap_or_default() {
        "image" => MessageKind::Image,
        "audio" => MessageKind::Audio,
        "video" => MessageKind::Video,
        _ => MessageKind::Document,
    }
}

/// Who we are at Mailgun, where files stay there.
#[derive(Clone)]
pub struct MediaAccount {
    /// Whose customers write.
    pub tenant: String,
    /// Of Mailgun's API. Never logged.
    pub api_key: String,
    /// Mailgun's API.
    pub api_url: String,
}

/// The files of mails, by account; an account that is not there has none at Mailgun.
pub struct Files(pub HashMap<String, MediaAccount>);

#[async_trait]
impl Source for Files {
    fn at_door<'w>(&self, wanted: &Wanted<'w>) -> Option<Result<&'w str, FetchError>> {
        at_door(wanted.attachment)
    }

    async fn locate(&self, _: &Web, wanted: &Wanted<'_>) -> Result<Located, FetchError> {
        let account = self.0.get(wanted.account).filter(|account| account.tenant == wanted.tenant);
        let account = account.ok_or_else(FetchError::refused)?;
        let url = wanted.attachment.reference.clone();
        // A form says where, and only its time and token are signed: the key is shown to Mailgun alone.
        if !is_of(&account.api_url, &url) {
            return Err(FetchError::refused());
        }
        let credentials =
            Credentials::Basic { user: "api".to_owned(), password: account.api_key.clone() };
        Ok(Located { url, credentials, home: account.api_url.clone() })
    }
}

/// Whether `url` is the API's or a host of Mailgun's.
fn is_of(api_url: &str, url: &str) -> bool {
    let (Ok(api), Ok(url)) = (Url::parse(api_url), Url::parse(url)) else { return false };
    let theirs = url.host_str().is_some_and(|host| host.ends_with(MAILGUN));
    url.origin() == api.origin() || (url.scheme() == "https" && theirs && url.port().is_none())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn part(mime: &str, size_bytes: usize, inline: bool) -> Part {
        let content = Content::Here(Bytes::from(vec![0; size_bytes]));
        Part { mime: mime.to_owned(), filename: None, size_bytes, inline, content }
    }

    #[test]
    fn signs_in_signatures_are_not_told_and_pictures_in_the_text_are() {
        let attachments = vec![
            part("image/png", 4_000, true),
            part("image/jpeg", 400_000, true),
            part("application/pdf", 4_000, true),
        ];
        let mail = Mail { attachments, ..Mail::default() };
        let told = files(&mail, true);
        let kinds: Vec<&str> = told.named.iter().map(|file| file.mime.as_str()).collect();
        assert_eq!(kinds, ["image/jpeg", "application/pdf"]);
        let parts: Vec<(usize, usize)> =
            told.enclosed.iter().map(|file| (file.part, file.bytes.len())).collect();
        assert_eq!(parts, [(0, 400_000), (1, 4_000)]);
        assert_eq!(told.kind, None, "its words are what it says");
        let alone = files(&mail, false);
        assert_eq!((alone.named.len(), alone.kind), (3, Some(MessageKind::Image)));
    }

    #[test]
    fn a_key_is_shown_to_mailgun_alone() {
        let api = "https://api.mailgun.net";
        for (url, ours) in [
            ("https://api.mailgun.net/v3/x", true),
            (
                "https://storage-us-east4.api.mailgun.net/v3/domains/x/messages/y/attachments/0",
                true,
            ),
            ("https://storage.eu.mailgun.net/v3/x", true),
            ("http://storage.eu.mailgun.net/v3/x", false),
            ("https://mailgun.net.example/x", false),
            ("https://evilmailgun.net/x", false),
            ("https://a@127.0.0.1/.mailgun.net", false),
            ("https://storage.mailgun.net:8443/x", false),
            ("door:kept", false),
        ] {
            assert_eq!(is_of(api, url), ours, "{url}");
        }
        assert!(is_of("http://127.0.0.1:9", "http://127.0.0.1:9/v3/x"), "as it is configured");
    }
}
