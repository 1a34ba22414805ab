//! The mailboxes of a process with doors.

use std::sync::Arc;

use anyhow::anyhow;
use ingest::Door;
use ingest::channels::email::imap;
use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use crate::channels::mailboxes;
use crate::config::Settings;

/// Reads the mailboxes until `stop`.
pub(super) fn read(
    backend: &Backend,
    settings: &Settings,
    door: Door,
    stop: &CancellationToken,
) -> impl Future<Output = anyhow::Result<()>> + use<> {
    let reading = imap::read(door, Arc::clone(&backend.log), mailboxes(settings), stop.clone());
    async move { reading.await.map_err(|why| anyhow!("mailboxes are not read: {why}")) }
}
