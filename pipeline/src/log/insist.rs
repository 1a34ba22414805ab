//! Appending by those who have time: commands and starts wait where a door would refuse.

use super::{AppendError, Durable, Log};
use crate::record::Record;

/// Appends `records`, and again for as long as the log is busy.
///
/// # Errors
/// [`AppendError`], but [`AppendError::Busy`].
pub async fn insist(log: &dyn Log, records: Vec<Record>) -> Result<Durable, AppendError> {
    loop {
        match log.append(records.clone()).await {
            Err(AppendError::Busy { retry_after }) => tokio::time::sleep(retry_after).await,
            ended => return ended,
        }
    }
}
