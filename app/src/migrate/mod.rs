//! `correnteza migrate`: takes an installation from one directory of this machine to Kafka and
//! ScyllaDB, into as many partitions as are wanted there.
//!
//! What is in hand is finished first, so that positions need no translation: every group begins
//! behind what is copied, with the states it had. The store's history is made anew from the copied
//! one by the effects that always make it. Nothing in the directory is changed beyond that.

mod claims;
mod minutes;
mod records;
mod states;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use pipeline::Log;
use pipeline::log::embedded;
use pipeline::log::kafka::KafkaLog;
use schemas::topics::{
    ANSWERS, CONVERSATIONS, DEAD_LETTERS, INBOUND, RAW, SETTINGS, TOPICS, Topic,
};
use sink::store::cql::{CqlLedger, CqlStore};

use crate::commands::print;
use crate::config::Settings;
use crate::serve::backend::Backend;
use crate::serve::cluster::{cql_options, kafka_options};
use crate::serve::{self, answering_groups, other_groups};

/// What is copied as it is. What travels between stages is finished before, and not copied.
const COPIED: [Topic; 6] = [SETTINGS, ANSWERS, CONVERSATIONS, INBOUND, RAW, DEAD_LETTERS];

/// Moves the installation in `from` to where `settings` say.
pub(crate) async fn run(settings: &Settings, from: &Path) -> anyhow::Result<()> {
    if !from.join("log.db").exists() {
        bail!("there is no log in {}: name the directory of the installation", from.display());
    }
    let mut source = settings.clone();
    from.clone_into(&mut source.server.data_dir);
    source.log.partitions = embedded::partitions_of(from)?;
    if source.log.partitions > settings.log.partitions {
        bail!(
            "{} has {} partitions and log.partitions is {}: partitions can grow, not shrink",
            from.display(),
            source.log.partitions,
            settings.log.partitions
        );
    }
    let log = KafkaLog::open(kafka_options(settings)?)?;
    log.ensure(TOPICS).await?;
    let options = cql_options(settings)?;
    let store = CqlStore::open(&options).await?;
    let ledger = CqlLedger::open(&options).await?;
    let target: Arc<dyn Log> = Arc::new(log);
    records::must_be_empty(&target).await?;

    print("finishing what is in hand")?;
    let backend = Backend::embedded(&source).await?;
    serve::drain(&backend, &source).await?;

    for topic in COPIED {
        let copied = records::copy(from, topic, &target).await?;
        print(&format!("  {topic}: {copied} records"))?;
    }
    let claims = claims::copy(from, &ledger).await?;
    print(&format!("  once-ledger: {claims} entries"))?;
    let minutes = minutes::copy(&source, &store).await?;
    print(&format!("  minutes: {minutes}"))?;
    // Last, because a group that has a position is what tells that all before it is there.
    for group in answering_groups(settings.line.layout).iter().chain(&other_groups()) {
        let states = states::carry(&backend.log, &target, from, group).await?;
        if group.state.is_some() {
            print(&format!("  {}: {states} states", group.name))?;
        }
    }
    print(&format!(
        "moved. Give every process {}, and start them with `correnteza run`; the store's history is \
         made anew as they begin",
        from.join("keys.toml").display()
    ))
    .context("it is moved, but nobody reads this")
}
