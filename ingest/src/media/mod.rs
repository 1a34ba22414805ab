//! The `media` effect: files that messages name are fetched, and what is said in recordings is written down.
//! Those that came with their message were kept at the door (`intake.rs`).
//!
//! Reads `turns`; writes what came of it to `inbound`, so that it has its place in the contact's order. The
//! door has long answered by then. Invariants: bytes never enter the log, their digest is their address; a
//! place no provider vouches for is not asked; what is told twice is told the same.

mod away;
mod download;
mod fetch;
mod intake;
mod kind;
mod outside;
mod source;
mod store;
mod transcribe;
mod whisper;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pipeline::clock::Clock;
use pipeline::{Effect, Envelope, Outcome, Record};
use schemas::Avro;
use schemas::ids::LineKey;
use schemas::line::{Inbound, InboundBody, Turns, TurnsBody};
use schemas::media::{MediaFetched, MediaResult};
use schemas::message::{MessageHead, MessageKind};
use schemas::sealed::Keyring;
use schemas::topics::INBOUND;

use self::away::Away;
use self::fetch::File;

pub use download::{Answer, Web};
pub use fetch::{Fetcher, Limits};
pub use intake::Intake;
pub(crate) use intake::{AtDoor, at_door};
pub use source::{Credentials, FetchError, Located, Source, Wanted};
pub use store::{MediaStore, StoreError, digest};
pub(crate) use transcribe::is_sound;
pub use transcribe::{Heard, Recording, TranscribeError, Transcriber};
pub use whisper::Whisper;

/// How long a file is asked for, and a recording's words, before it is told that there are none.
const TRIED_FOR_MS: i64 = 600_000;
/// Whom recordings wait for.
const TRANSCRIBER: &str = "transcriber";
/// Pause before another try.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The effect.
pub struct Media {
    fetcher: Fetcher,
    transcriber: Option<Arc<dyn Transcriber>>,
    store: Arc<dyn MediaStore>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    away: Away,
}

impl Media {
    /// Fetches by `fetcher` into `store`, and has recordings written down by `transcriber`.
    #[must_use]
    pub fn new(
        fetcher: Fetcher,
        transcriber: Option<Arc<dyn Transcriber>>,
        store: Arc<dyn MediaStore>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { fetcher, transcriber, store, keyring, clock, away: Away::default() }
    }

    async fn one(&self, input: &Envelope<Turns>) -> Outcome {
        let told = match &input.body.body {
            TurnsBody::Received(received) if !received.head.attachments.is_empty() => {
                self.fetched(input, &received.head).await
            }
            TurnsBody::MediaFetched(fetched) => self.transcribed(input, fetched).await,
            _ => return Outcome::Done(Vec::new()),
        };
        match told {
            Ok(records) => Outcome::Done(records),
            Err(outcome) => outcome,
        }
    }

    /// Asks for every file of a message.
    async fn fetched(
        &self,
        input: &Envelope<Turns>,
        head: &MessageHead,
    ) -> Result<Vec<Record>, Outcome> {
        let tenant = tenant(input)?;
        let party = self.party(input).unwrap_or_default();
        let mut told = Vec::new();
        for (part, attachment) in (0..).zip(&head.attachments) {
            let wanted = Wanted { tenant: &tenant, account: &head.account, attachment };
            let fetched = match self.fetcher.source(&head.provider) {
                Some(_) if self.is_late(input) && self.away.is_away(&party) => {
                    Err(FetchError::Later("nothing was to be had there lately".to_owned()))
                }
                Some(source) => {
                    let fetched = self.file(source, &wanted).await;
                    self.away.tried(&party, !matches!(fetched, Err(FetchError::Later(_))));
                    fetched
                }
                // Its turn waits for what was said.
                None if head.kind == MessageKind::Audio => {
                    Err(FetchError::Never(MediaResult::Failed))
                }
                None => continue,
            };
            let fetched = match fetched {
                Err(FetchError::Later(why)) if !self.is_late(input) => return Err(again(why)),
                Err(error) => MediaFetched {
                    message_id: head.message_id,
                    part,
                    result: error.result(),
                    sha256: None,
                    mime: None,
                    filename: None,
                    size_bytes: None,
                },
                Ok(file) => {
                    let size_bytes = i64::try_from(file.bytes.len()).ok();
                    let sha256 = digest(&file.bytes);
                    let kept = self.store.keep(&tenant, &sha256, file.bytes, input.time_ms).await;
                    kept.map_err(|error| again(error.to_string()))?;
                    MediaFetched {
                        message_id: head.message_id,
                        part,
                        result: MediaResult::Stored,
                        sha256: Some(sha256),
                        mime: Some(file.mime),
                        filename: attachment.filename.clone(),
                        size_bytes,
                    }
                }
            };
            tracing::debug!(provider = head.provider, result = fetched.result.as_str(), "a file");
            told.push(self.record(input, InboundBody::MediaFetched(fetched))?);
        }
        Ok(told)
    }

    /// A file from where it is: here since its message came, or at its provider.
    async fn file(&self, source: &dyn Source, wanted: &Wanted<'_>) -> Result<File, FetchError> {
        let Some(at_door) = source.at_door(wanted) else {
            return self.fetcher.fetch(source, wanted).await;
        };
        let bytes = self.store.read(wanted.tenant, at_door?).await;
        let bytes = bytes.map_err(|error| FetchError::Later(error.to_string()))?;
        // It was older than the history is kept.
        let bytes = bytes.ok_or(FetchError::Never(MediaResult::Failed))?;
        self.fetcher.checked(bytes, &wanted.attachment.mime)
    }

    /// Has what is said in a file written down, if anything can be.
    async fn transcribed(
        &self,
        input: &Envelope<Turns>,
        fetched: &MediaFetched,
    ) -> Result<Vec<Record>, Outcome> {
        let Some(transcriber) = &self.transcriber else { return Ok(Vec::new()) };
        let Some((sha256, mime)) = transcribe::recording(fetched) else { return Ok(Vec::new()) };
        let tenant = tenant(input)?;
        let keys = self.keyring.of(&tenant).map_err(|error| Outcome::Reject(error.to_string()))?;
        let bytes = self.store.read(&tenant, sha256).await;
        let heard = match bytes.map_err(|error| again(error.to_string()))? {
            // It was older than the history is kept.
            None => Err(TranscribeError::Permanent("it is not kept any more".to_owned())),
            Some(_) if self.is_late(input) && self.away.is_away(TRANSCRIBER) => {
                Err(TranscribeError::Transient("nothing was heard of it lately".to_owned()))
            }
            Some(bytes) => {
                let recording = Recording { bytes, mime: mime.to_owned() };
                let heard = transcriber.transcribe(recording).await;
                self.away.tried(TRANSCRIBER, !matches!(heard, Err(TranscribeError::Transient(_))));
                heard
            }
        };
        if let Err(TranscribeError::Transient(why)) = &heard
            && !self.is_late(input)
        {
            return Err(again(why.clone()));
        }
        if let Err(error) = &heard {
            tracing::warn!(%error, "a recording is not transcribed");
        }
        let told = transcribe::told(keys, fetched, heard.as_ref().ok());
        let told = told.map_err(|error| Outcome::Reject(error.to_string()))?;
        Ok(vec![self.record(input, InboundBody::Transcribed(told))?])
    }

    fn is_late(&self, input: &Envelope<Turns>) -> bool {
        self.clock.now_ms() >= input.time_ms + TRIED_FOR_MS
    }

    fn record(&self, input: &Envelope<Turns>, body: InboundBody) -> Result<Record, Outcome> {
        let bytes = Inbound { body }.to_bytes();
        let bytes = bytes.map_err(|error| Outcome::Reject(error.to_string()))?;
        Ok(Record::new(INBOUND, input.key.clone(), bytes, self.clock.now_ms()))
    }
}

fn again(why: String) -> Outcome {
    Outcome::Retry { after: AGAIN_AFTER, why }
}

fn tenant(input: &Envelope<Turns>) -> Result<String, Outcome> {
    let key = LineKey::parse(&input.key);
    let stranger = || Outcome::Reject("the key is not tenant:contact".to_owned());
    Ok(key.ok_or_else(stranger)?.tenant)
}

#[async_trait]
impl Effect for Media {
    const NAME: &'static str = "media";
    type In = Turns;

    /// The account whose provider has the file, or the transcriber. A tenant's account is its own, also where
    /// two of them have one name.
    fn party(&self, input: &Envelope<Turns>) -> Option<String> {
        match &input.body.body {
            TurnsBody::Received(received) if !received.head.attachments.is_empty() => {
                let head = &received.head;
                self.fetcher.source(&head.provider)?;
                let tenant = LineKey::parse(&input.key)?.tenant;
                Some(format!("{tenant}/{}/{}", head.provider, head.account))
            }
            TurnsBody::MediaFetched(fetched) => {
                self.transcriber.as_ref()?;
                transcribe::recording(fetched).map(|_| TRANSCRIBER.to_owned())
            }
            _ => None,
        }
    }

    async fn apply(&self, inputs: &[Envelope<Turns>]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(inputs.len());
        for input in inputs {
            outcomes.push(self.one(input).await);
        }
        outcomes
    }
}

#[cfg(test)]
mod tests;
