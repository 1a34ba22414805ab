//! What a build without Kafka and ScyllaDB says of them.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use pipeline::{Log, Stored};
use schemas::topics::Topic;

use crate::config::Settings;
use crate::serve::backend::Backend;

fn missing() -> anyhow::Result<()> {
    bail!(
        "this build has no Kafka and no ScyllaDB in it: build it with `cargo build --release \
         --features cluster`"
    )
}

pub(super) fn run(_: Settings, _: &[String]) -> anyhow::Result<()> {
    missing()
}

/// Everything is in one directory.
pub(super) async fn backend(settings: &Settings) -> anyhow::Result<Backend> {
    Backend::embedded(settings).await
}

/// No log but the one in the directory.
#[allow(clippy::unused_async, clippy::unnecessary_wraps)] // as the other build has it
pub(super) async fn log(_: &Settings) -> anyhow::Result<Option<Arc<dyn Log>>> {
    Ok(None)
}

/// Topics are in the directory.
#[allow(clippy::unused_async, clippy::unnecessary_wraps)] // as the other build has it
pub(super) async fn peek(_: &Settings, _: Topic) -> anyhow::Result<Option<Vec<Stored>>> {
    Ok(None)
}

pub(super) fn store_migrate(_: &Settings) -> anyhow::Result<()> {
    missing()
}

pub(super) fn topics_apply(_: &Settings) -> anyhow::Result<()> {
    missing()
}

pub(super) fn migrate(_: &Settings, _: &Path) -> anyhow::Result<()> {
    missing()
}
