//! A file fetched: located by its channel, read within limits, held to what it is said to be.

use std::collections::HashMap;
use std::sync::Arc;

use schemas::media::MediaResult;

use super::download::Web;
use super::kind;
use super::source::{FetchError, Source, Wanted};

/// What is fetched at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Largest file, in bytes.
    pub bytes_max: usize,
    /// Media types that are kept.
    pub types: Vec<String>,
}

/// What a provider gave.
pub(super) struct File {
    pub(super) bytes: Vec<u8>,
    pub(super) mime: String,
}

/// Fetches files, by the adapter that heard of them.
pub struct Fetcher {
    sources: HashMap<&'static str, Arc<dyn Source>>,
    web: Web,
    types: Vec<String>,
}

impl Fetcher {
    /// Fetches from `sources`, one an adapter; the files of others stay where they are.
    ///
    /// # Errors
    /// When no HTTP client can be had, in words.
    pub fn new(
        sources: HashMap<&'static str, Arc<dyn Source>>,
        limits: Limits,
    ) -> Result<Self, String> {
        Ok(Self { sources, web: Web::new(limits.bytes_max)?, types: limits.types })
    }

    pub(super) fn source(&self, provider: &str) -> Option<&dyn Source> {
        self.sources.get(provider).map(AsRef::as_ref)
    }

    pub(super) async fn fetch(
        &self,
        source: &dyn Source,
        wanted: &Wanted<'_>,
    ) -> Result<File, FetchError> {
        let said = wanted.attachment.size_bytes.and_then(|size| usize::try_from(size).ok());
        if said.is_some_and(|size| size > self.web.bytes_max()) {
            return Err(FetchError::Never(MediaResult::TooLarge));
        }
        let located = source.locate(&self.web, wanted).await?;
        let bytes = self.web.download(&located).await?;
        self.checked(bytes, &wanted.attachment.mime)
    }

    /// A file whose bytes are at hand, `said` to be of a media type.
    pub(super) fn checked(&self, bytes: Vec<u8>, said: &str) -> Result<File, FetchError> {
        let mime = kind::of(&bytes, said, &self.types);
        Ok(File { mime: mime.ok_or(FetchError::Never(MediaResult::WrongType))?, bytes })
    }
}
