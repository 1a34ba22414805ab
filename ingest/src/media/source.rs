//! How a provider is asked for a file: the part of fetching that differs by channel.

use async_trait::async_trait;
use schemas::media::MediaResult;
use schemas::message::Attachment;

use super::download::Web;

/// A file a message came with.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Whose customer sent it.
    pub tenant: &'a str,
    /// Our number, inbox or bot: as the adapter that heard the customer calls it.
    pub account: &'a str,
    /// What the provider told of it.
    pub attachment: &'a Attachment,
}

/// Who we are to whoever has the file. Never logged.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// The address alone will do.
    None,
    /// `Authorization: Bearer`.
    Bearer(String),
    /// HTTP Basic.
    Basic {
        /// The user.
        user: String,
        /// That user's password.
        password: String,
    },
}

/// Where a file is.
#[derive(Clone, PartialEq, Eq)]
pub struct Located {
    /// Its address; may hold secrets, so it is never logged.
    pub url: String,
    /// Shown at that address, and nowhere it sends us on to.
    pub credentials: Credentials,
    /// The provider's API as it is configured: this origin may be a machine of ours, any other must not.
    pub home: String,
}

/// Why there is no file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Worth another try; why, without customer data.
    #[error("not now: {0}")]
    Later(String),
    /// Not worth another try.
    #[error("{}", .0.as_str())]
    Never(MediaResult),
}

impl FetchError {
    /// What is told when nothing more is tried.
    #[must_use]
    pub fn result(&self) -> MediaResult {
        match self {
            Self::Later(_) => MediaResult::Unreachable,
            Self::Never(result) => *result,
        }
    }

    /// The provider does not give it, or names something no provider names.
    #[must_use]
    pub fn refused() -> Self {
        Self::Never(MediaResult::Refused)
    }
}

/// A provider's files.
#[async_trait]
pub trait Source: Send + Sync {
    /// The digest of a file that came with its message and is kept since, or why it was not; `None`: the
    /// provider has it.
    fn at_door<'w>(&self, _wanted: &Wanted<'w>) -> Option<Result<&'w str, FetchError>> {
        None
    }

    /// Where a file is.
    ///
    /// # Errors
    /// [`FetchError`].
    async fn locate(&self, web: &Web, wanted: &Wanted<'_>) -> Result<Located, FetchError>;
}
