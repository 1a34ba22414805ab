//! The telephones of a process with doors.

use anyhow::anyhow;
use ingest::Door;
use ingest::channels::phone;
use tokio_util::sync::CancellationToken;

use crate::channels::phones;
use crate::config::Settings;

/// Takes calls until `stop`.
pub(super) fn listen(
    settings: &Settings,
    door: Door,
    stop: &CancellationToken,
) -> impl Future<Output = anyhow::Result<()>> + use<> {
    let listening = phone::listen(door, phones(settings), stop.clone());
    async move { listening.await.map_err(|why| anyhow!("calls are not taken: {why}")) }
}
