//! Topics read whole, for commands: on Kafka where one is configured, otherwise in the directory, whether
//! its server runs or not.

use anyhow::Context;
use pipeline::Stored;
use pipeline::log::embedded;
use schemas::topics::{self, Topic};

use super::cluster;
use crate::config::Settings;

/// Records read at once.
const PAGE: usize = 1_000;

/// Every record of `topic`, oldest first within its partition.
pub(super) async fn all(settings: &Settings, topic: Topic) -> anyhow::Result<Vec<Stored>> {
    match cluster::peek(settings, topic).await? {
        Some(records) => Ok(records),
        None => of_this_machine(settings, topic),
    }
}

fn of_this_machine(settings: &Settings, topic: Topic) -> anyhow::Result<Vec<Stored>> {
    let spec = topics::named(topic.0).with_context(|| format!("this release has no {topic}"))?;
    let (mut all, mut from) = (Vec::new(), 0);
    loop {
        let page = embedded::peek(&settings.server.data_dir, spec, from, PAGE)?;
        let Some(last) = page.last() else { return Ok(all) };
        from = last.offset + 1;
        all.extend(page);
    }
}
