//! Following a tail: whoever listens hears every batch until told to stop.

use tokio_util::sync::CancellationToken;

use super::{LogError, Tail};
use crate::record::Stored;

/// Hands what `tail` reads to `hear`, batch by batch, until `stop`.
///
/// # Errors
/// [`LogError`] of the tail.
pub async fn follow(
    mut tail: Box<dyn Tail>,
    stop: CancellationToken,
    mut hear: impl FnMut(Vec<Stored>),
) -> Result<(), LogError> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            records = tail.next() => hear(records?),
        }
    }
}
