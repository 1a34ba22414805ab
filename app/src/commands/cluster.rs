//! What is asked of Kafka and ScyllaDB.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use pipeline::log::kafka::{Applied, KafkaLog};
use pipeline::{Log, Stored};
use schemas::topics::{TOPICS, Topic};
use sink::store::cql::CqlStore;

use super::print;
use crate::config::Settings;
use crate::serve::backend::Backend;
use crate::serve::cluster::{self, cql_options, kafka_options};
use crate::serve::part::Chosen;

/// Runs parts of the line.
pub(super) fn run(settings: Settings, parts: &[String]) -> anyhow::Result<()> {
    let chosen = Chosen::parse(parts)?;
    super::runtime()?.block_on(crate::serve::run_parts(settings, &chosen))
}

/// Moves the installation in `from` to Kafka and ScyllaDB.
pub(super) fn migrate(settings: &Settings, from: &Path) -> anyhow::Result<()> {
    super::runtime()?.block_on(crate::migrate::run(settings, from))
}

/// What the line runs on: Kafka and ScyllaDB where they are configured.
pub(super) async fn backend(settings: &Settings) -> anyhow::Result<Backend> {
    if settings.kafka.bootstrap.is_empty() {
        Backend::embedded(settings).await
    } else {
        cluster::open(settings).await
    }
}

/// The log on Kafka, where that is configured.
pub(super) async fn log(settings: &Settings) -> anyhow::Result<Option<Arc<dyn Log>>> {
    if settings.kafka.bootstrap.is_empty() {
        return Ok(None);
    }
    let log = KafkaLog::open(kafka_options(settings)?)?;
    log.ensure(TOPICS).await?;
    Ok(Some(Arc::new(log)))
}

/// All of a topic on Kafka, where one is configured.
pub(super) async fn peek(settings: &Settings, topic: Topic) -> anyhow::Result<Option<Vec<Stored>>> {
    if settings.kafka.bootstrap.is_empty() {
        return Ok(None);
    }
    let log = KafkaLog::open(kafka_options(settings)?)?;
    Ok(Some(log.peek(topic).await?))
}

/// Makes the tables, or brings them up to this release.
pub(super) fn store_migrate(settings: &Settings) -> anyhow::Result<()> {
    let options = cql_options(settings)?;
    let run = super::runtime()?.block_on(CqlStore::migrate(&options))?;
    if run.is_empty() {
        return print("the tables are as this release needs them");
    }
    for version in run {
        print(&format!("  migration {version}"))?;
    }
    print("the tables are as this release needs them now")
}

/// Makes the topics that are missing, changes what can be changed, and tells what cannot.
pub(super) fn topics_apply(settings: &Settings) -> anyhow::Result<()> {
    let log = KafkaLog::open(kafka_options(settings)?)?;
    super::runtime()?.block_on(async {
        let Applied { changed, left } = log.apply(TOPICS).await?;
        for difference in &changed {
            print(&format!("  mended: {difference}"))?;
        }
        if !left.is_empty() {
            let left: Vec<String> = left.iter().map(|left| format!("\n  - {left}")).collect();
            bail!("people have to decide what to do about these:{}", left.concat());
        }
        log.ensure(TOPICS).await?;
        print("the topics are as this release needs them")
    })
}
