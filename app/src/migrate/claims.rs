//! The once-ledger: what was done must not be done again elsewhere.

use std::path::Path;

use futures::{StreamExt, TryStreamExt, stream};
use pipeline::ledger::{Claim, LedgerError, OnceKey, OnceLedger};
use pipeline::log::embedded;

/// Entries read at once, and written side by side.
const PAGE: usize = 1_000;
const SIDE_BY_SIDE: usize = 32;

/// Copies every entry; gives how many there were.
pub(super) async fn copy(from: &Path, target: &dyn OnceLedger) -> anyhow::Result<usize> {
    let (mut after, mut copied) = (OnceKey(String::new()), 0);
    loop {
        let page = embedded::claims(from, &after, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(copied) };
        after = last.clone();
        copied += page.len();
        stream::iter(page)
            .map(|(key, outcome)| enter(target, key, outcome))
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect::<()>()
            .await?;
    }
}

/// One that was begun only stays begun: nobody knows how it ended there either.
async fn enter(
    target: &dyn OnceLedger,
    key: OnceKey,
    outcome: Option<Vec<u8>>,
) -> Result<(), LedgerError> {
    let claim = target.claim(&key).await?;
    match (claim, outcome) {
        (Claim::Settled(_), _) | (_, None) => Ok(()),
        (_, Some(outcome)) => target.settle(&key, outcome).await,
    }
}
