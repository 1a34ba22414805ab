//! Recordings written down: what a transcriber must be able to do, and what is told of its work.

use async_trait::async_trait;
use schemas::masking::mask;
use schemas::media::{MediaFetched, MediaResult, Transcribed, TranscriptResult};
use schemas::sealed::{SealError, TenantKeys};

/// A recording. Never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Recording {
    /// As the customer's device made it.
    pub bytes: Vec<u8>,
    /// Media type.
    pub mime: String,
}

/// What was said. Never logged.
#[derive(Clone, PartialEq)]
pub struct Heard {
    /// In words; empty when nothing was.
    pub text: String,
    /// How sure the transcriber is, 0..1.
    pub confidence: f64,
}

/// Why nobody knows what was said; without the customer's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranscribeError {
    /// Worth another try.
    #[error("the transcriber cannot be reached: {0}")]
    Transient(String),
    /// Not worth another try.
    #[error("the transcriber refuses: {0}")]
    Permanent(String),
}

/// Writes down what is said in recordings.
#[async_trait]
pub trait Transcriber: Send + Sync {
    /// What is said in `recording`. May be asked twice.
    ///
    /// # Errors
    /// [`TranscribeError`].
    async fn transcribe(&self, recording: Recording) -> Result<Heard, TranscribeError>;
}

/// Digest and media type of a recording; nothing for what is none or could not be fetched.
pub(super) fn recording(fetched: &MediaFetched) -> Option<(&str, &str)> {
    let mime = fetched.mime.as_deref().filter(|mime| is_sound(mime))?;
    let sha256 = fetched.sha256.as_deref()?;
    (fetched.result == MediaResult::Stored).then_some((sha256, mime))
}

/// Whether something may be said in a file of the type `mime`.
pub(crate) fn is_sound(mime: &str) -> bool {
    mime.starts_with("audio/")
}

/// What is told of `heard`; nothing: nobody knows what was said.
pub(super) fn told(
    keys: &TenantKeys,
    fetched: &MediaFetched,
    heard: Option<&Heard>,
) -> Result<Transcribed, SealError> {
    let text = heard.map(|heard| heard.text.trim()).filter(|text| !text.is_empty());
    let identity = [fetched.message_id.as_bytes(), b"transcript".as_slice()].concat();
    let sealed = text.map(|text| keys.seal(&identity, text.as_bytes())).transpose()?;
    Ok(Transcribed {
        message_id: fetched.message_id,
        part: fetched.part,
        result: match (heard, text) {
            (None, _) => TranscriptResult::Failed,
            (Some(_), None) => TranscriptResult::NothingHeard,
            (Some(_), Some(_)) => TranscriptResult::Heard,
        },
        text_masked: text.map(mask),
        text_sealed: sealed,
        confidence: match (heard, text) {
            (Some(heard), Some(_)) => heard.confidence.clamp(0.0, 1.0),
            _ => 0.0,
        },
    })
}
