//! `correnteza migrate`: takes an installation from one directory of this machine to Kafka and
//! ScyllaDB, into as many partitions as are wanted there.
//!
//! What is in hand is finished first, so that positions need no translation: every group begins
//! behind what is copied, with the states it had. The store's history is made anew from the copied
//! one by the effects that always make it. Nothing in the directory is changed beyond that.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use pipeline::log::embedded;
use pipeline::log::kafka::KafkaLog;
use pipeline::{Effect, Group, Log};
use schemas::topics::{
    ANSWERS, AUTOMATIC_PATHS, CONVERSATIONS, CUSTOMERS, DEAD_LETTERS, INBOUND, LABELS,
    MODEL_CHUNKS, MODELS, RAW, SETTINGS, SETTINGS_IN_USE, TOPICS, Topic,
};
use sink::effects::{KeepAccepted, KeepCustomers, KeepHistory, KeepMetrics};
use sink::store::cql::{CqlLedger, CqlStore};

use super::states::{Sole, States};
use super::{claims, minutes, records};
use crate::commands::print;
use crate::config::{Layout, Settings};
use crate::layout;
use crate::serve::backend::Backend;
use crate::serve::cluster::{cql_options, kafka_options};
use crate::serve::part::{Chosen, DOORS};
use crate::serve::{self, answering_groups, other_groups};

/// These make the store anew from what was copied.
const FROM_THE_START: [&str; 4] =
    [KeepAccepted::NAME, KeepHistory::NAME, KeepMetrics::NAME, KeepCustomers::NAME];

/// What is copied as it is. What travels between stages is finished before, and not copied.
const COPIED: [Topic; 12] = [
    SETTINGS,
    ANSWERS,
    SETTINGS_IN_USE,
    AUTOMATIC_PATHS,
    MODEL_CHUNKS,
    MODELS,
    CONVERSATIONS,
    CUSTOMERS,
    LABELS,
    INBOUND,
    RAW,
    DEAD_LETTERS,
];

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
    let now_ms = backend.clock.now_ms();
    let layout = layout::recorded(&*backend.log, now_ms).await?;
    source.line.layout = layout.unwrap_or(Layout::Separate);
    serve::drain(&backend, &source, &Chosen::all_but(DOORS)).await?;

    for topic in COPIED {
        let copied = records::copy(from, topic, &target).await?;
        print(&format!("  {topic}: {copied} records"))?;
    }
    let claims = claims::copy(from, &ledger).await?;
    print(&format!("  once-ledger: {claims} entries"))?;
    let minutes = minutes::copy(&source, &store).await?;
    print(&format!("  minutes: {minutes}"))?;
    // Last, because a group that has a position is what tells that all before it is there.
    let states = carry(&backend.log, source.line.layout, &target, settings.line.layout).await?;
    print(&format!("  states: {states}"))?;
    layout::record(&*target, settings.line.layout, now_ms).await?;
    print(&format!(
        "moved. Give every process {}, and start them with `correnteza run`; the store's history is \
         made anew as they begin",
        from.join("keys.toml").display()
    ))
    .context("it is moved, but nobody reads this")
}

/// Hands every group of `source` over to `target`; gives how many states there were.
async fn carry(
    source: &Arc<dyn Log>,
    old: Layout,
    target: &Arc<dyn Log>,
    new: Layout,
) -> anyhow::Result<usize> {
    let is_carried = |group: &Group| !FROM_THE_START.contains(&group.name.as_str());
    let mut states = States::default();
    for group in answering_groups(old).into_iter().chain(other_groups()).filter(is_carried) {
        let left = Sole::join(source, &group).await?;
        left.states(&mut states, target.partitions())?;
        left.leave().await;
    }
    let count = states.count();
    for group in answering_groups(new).into_iter().chain(other_groups()).filter(is_carried) {
        let mut begun = Sole::join(target, &group).await?;
        begun.begin(&mut states, None).await?;
        begun.leave().await;
    }
    Ok(count)
}
