//! Where the bytes of files are kept, as the effect sees it.

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// The store could not do it now.
#[derive(Debug, thiserror::Error)]
#[error("files cannot be kept or read: {0}; see to the disk of media.dir")]
pub struct StoreError(pub String);

/// Keeps files by their digests, each tenant's apart.
#[async_trait]
pub trait MediaStore: Send + Sync {
    /// Keeps `bytes`, which came at `at_ms` (Unix), for as long as the history is kept. Durable before it
    /// answers; keeping the same again changes nothing but how long.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn keep(
        &self,
        tenant: &str,
        digest: &str,
        bytes: Vec<u8>,
        at_ms: i64,
    ) -> Result<(), StoreError>;

    /// What has this digest, if it is still kept.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read(&self, tenant: &str, digest: &str) -> Result<Option<Vec<u8>>, StoreError>;
}

/// What a file goes by: SHA-256, in hex.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}
