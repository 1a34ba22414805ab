//! What becomes of the files messages come with: fetched from their providers, and recordings transcribed.
//! The bytes stay outside the log; their address is their digest.

use serde::{Deserialize, Serialize};

use crate::ids::MessageId;
use crate::names::named;
use crate::sealed::SealedText;

named! {
    /// What became of a file.
    MediaResult default Failed {
        /// It could not be fetched, for a reason of a later release.
        Failed = "failed",
        /// It is kept.
        Stored = "stored",
        /// It is larger than what is kept.
        TooLarge = "too_large",
        /// Its bytes are of no kind that is kept, or not of the kind they are said to be.
        WrongType = "wrong_type",
        /// The provider does not give it, or names a place nothing is fetched from.
        Refused = "refused",
        /// The provider did not give it in time.
        Unreachable = "unreachable",
    }
}

/// A file a message came with was fetched, or could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaFetched {
    /// The message it came with.
    pub message_id: MessageId,
    /// Which attachment of the message, from 0.
    pub part: i32,
    /// What became of it.
    pub result: MediaResult,
    /// Hex digest of the bytes: their address, when stored.
    pub sha256: Option<String>,
    /// Media type by the bytes themselves.
    pub mime: Option<String>,
    /// Name the customer's device gave it.
    pub filename: Option<String>,
    /// Size in bytes.
    pub size_bytes: Option<i64>,
}

impl MediaFetched {
    /// The message was taken back: nobody is led to the file any more.
    pub fn take_back(&mut self) {
        self.sha256 = None;
        self.filename = None;
    }
}

named! {
    /// What became of a recording that was to be transcribed.
    TranscriptResult default Failed {
        /// Nobody knows what was said.
        Failed = "failed",
        /// Something was said.
        Heard = "heard",
        /// Nothing was said.
        NothingHeard = "nothing_heard",
    }
}

/// What was said in a recording, or that nobody knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcribed {
    /// The message it came with.
    pub message_id: MessageId,
    /// Which attachment of the message, from 0.
    pub part: i32,
    /// What became of it.
    pub result: TranscriptResult,
    /// What was said, sealed.
    pub text_sealed: Option<SealedText>,
    /// What was said, masked.
    pub text_masked: Option<String>,
    /// How sure the transcriber is, 0..1; 0 when nothing was heard.
    pub confidence: f64,
}

impl Transcribed {
    /// The message was taken back: what was said is not told any more.
    pub fn take_back(&mut self) {
        self.text_sealed = None;
        self.text_masked = None;
    }
}
