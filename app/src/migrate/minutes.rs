//! The minute metrics: the log keeps them for two days, the store as long as the history.

use anyhow::Context;
use sink::Store;
use sink::rows::Row;
use sink::store::sqlite::SqliteStore;

use crate::config::Settings;

/// Minutes read and written at once.
const SPAN: i64 = 24 * 60;

/// Copies every minute of every tenant; gives how many rows there were.
pub(super) async fn copy(source: &Settings, target: &dyn Store) -> anyhow::Result<usize> {
    let store = SqliteStore::open(&source.server.data_dir.join("store.db"))?;
    let Some(first) = store.first_minute().await? else { return Ok(0) };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let end = i64::try_from(now.as_secs() / 60).context("the clock is wrong")? + SPAN;
    let mut copied = 0;
    for tenant in source.tenants.keys() {
        for from in (first..end).step_by(usize::try_from(SPAN)?) {
            let rows = store.minute_rows(tenant, from, from + SPAN).await?;
            copied += rows.len();
            if !rows.is_empty() {
                target.apply(rows.into_iter().map(Row::Minute).collect()).await?;
            }
        }
    }
    Ok(copied)
}
