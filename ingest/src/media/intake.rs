//! Files that come with their message (mails): kept at the door, before the message is in the log, so that
//! whoever was told that we have the message may forget them.
//!
//! What is not kept says why, and the effect tells it. Invariant: bytes of a kind that is not kept are never
//! written anywhere.

use std::sync::Arc;

use schemas::media::MediaResult;
use schemas::message::Attachment;

use super::fetch::Limits;
use super::kind;
use super::source::FetchError;
use super::store::{MediaStore, StoreError, digest};
use crate::door::{Enclosed, Event};

/// What the door says of a file that came with its message, in the place of a provider's reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtDoor {
    /// It is there, and has not been looked at.
    Enclosed,
    /// It is kept; its digest stands beside it.
    Kept,
    /// It is larger than what is kept.
    TooLarge,
    /// It is of no kind that is kept.
    WrongType,
}

impl AtDoor {
    const ALL: [Self; 4] = [Self::Enclosed, Self::Kept, Self::TooLarge, Self::WrongType];

    fn name(self) -> &'static str {
        match self {
            Self::Enclosed => "door:enclosed",
            Self::Kept => "door:kept",
            Self::TooLarge => "door:too_large",
            Self::WrongType => "door:wrong_type",
        }
    }

    pub(crate) fn reference(self) -> String {
        self.name().to_owned()
    }
}

/// The digest of a file the door kept, or why it did not; `None` where a provider has it.
pub(crate) fn at_door(attachment: &Attachment) -> Option<Result<&str, FetchError>> {
    let told = AtDoor::ALL.into_iter().find(|told| told.name() == attachment.reference)?;
    Some(match told {
        AtDoor::Kept => attachment.sha256.as_deref().ok_or(FetchError::Never(MediaResult::Failed)),
        AtDoor::TooLarge => Err(FetchError::Never(MediaResult::TooLarge)),
        AtDoor::WrongType => Err(FetchError::Never(MediaResult::WrongType)),
        AtDoor::Enclosed => Err(FetchError::Never(MediaResult::Failed)),
    })
}

/// Keeps files at the door.
#[derive(Clone)]
pub struct Intake {
    store: Arc<dyn MediaStore>,
    limits: Limits,
}

impl Intake {
    /// Keeps in `store` what is within `limits`.
    #[must_use]
    pub fn new(store: Arc<dyn MediaStore>, limits: Limits) -> Self {
        Self { store, limits }
    }

    /// `events`, the files of which are durable, or refused: every one is a message or a status now.
    ///
    /// # Errors
    /// [`StoreError`]: nothing of it may be said to be accepted. Trying again is safe.
    pub async fn kept(
        &self,
        tenant: &str,
        events: Vec<Event>,
        at_ms: i64,
    ) -> Result<Vec<Event>, StoreError> {
        let mut kept = Vec::with_capacity(events.len());
        for event in events {
            kept.push(match event {
                Event::Enclosing(mut message, files) => {
                    for Enclosed { part, bytes } in files {
                        let Some(named) = message.attachments.get_mut(part) else { continue };
                        let told = self.keep(tenant, named, &bytes, at_ms).await?;
                        named.reference = told.reference();
                    }
                    Event::Message(message)
                }
                other => other,
            });
        }
        Ok(kept)
    }

    async fn keep(
        &self,
        tenant: &str,
        named: &mut Attachment,
        bytes: &[u8],
        at_ms: i64,
    ) -> Result<AtDoor, StoreError> {
        if bytes.len() > self.limits.bytes_max {
            return Ok(AtDoor::TooLarge);
        }
        if kind::of(bytes, &named.mime, &self.limits.types).is_none() {
            return Ok(AtDoor::WrongType);
        }
        let sha256 = digest(bytes);
        self.store.keep(tenant, &sha256, bytes.to_vec(), at_ms).await?;
        named.sha256 = Some(sha256);
        Ok(AtDoor::Kept)
    }
}
