//! The once-ledger: guards every effect that is not idempotent by nature. Truth, not a view: it is
//! never rebuilt.

use async_trait::async_trait;

/// What is to happen once, e.g. conversation / turn / purpose / part.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OnceKey(pub String);

/// What the ledger says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is the caller's to do, now and only now.
    Won,
    /// Somebody began it and did not say how it ended: it may have happened.
    Open,
    /// It ended so.
    Settled(Vec<u8>),
}

/// The ledger could not be reached; nothing may be done before it can.
#[derive(Debug, thiserror::Error)]
#[error("the once-ledger cannot be reached: {0}")]
pub struct LedgerError(pub String);

/// Remembers what has been begun and how it ended.
#[async_trait]
pub trait OnceLedger: Send + Sync {
    /// Begins `key` unless somebody has. Durable before it answers.
    ///
    /// # Errors
    /// [`LedgerError`].
    async fn claim(&self, key: &OnceKey) -> Result<Claim, LedgerError>;

    /// Tells how `key` ended. Durable before it answers.
    ///
    /// # Errors
    /// [`LedgerError`].
    async fn settle(&self, key: &OnceKey, outcome: Vec<u8>) -> Result<(), LedgerError>;

    /// Takes a claim back: it certainly did not happen, and may be begun again. Durable before it
    /// answers.
    ///
    /// # Errors
    /// [`LedgerError`]; then the claim stays open.
    async fn release(&self, key: &OnceKey) -> Result<(), LedgerError>;
}
