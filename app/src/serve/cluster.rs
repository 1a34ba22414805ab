//! Kafka and ScyllaDB, as the configuration says.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use pipeline::clock::SystemClock;
use pipeline::log::kafka::{Delivery, KafkaLog, Options, Protocol};
use pipeline::telemetry::metrics::Metrics;
use pipeline::{Log, Stored};
use schemas::Avro;
use schemas::conversation::Conversation;
use schemas::topics::{CONVERSATIONS, TOPICS};
use sink::Store;
use sink::store::cql::{CqlLedger, CqlOptions, CqlStore, Replication};
use sink::store::view::tail_behind;

use super::backend::{Backend, Told};
use crate::config::{KafkaDelivery, KafkaProtocol, Settings};
use crate::keys;

/// The state caches of the stages, in the data directory.
const STATES: &str = "states";

/// How Kafka is reached.
pub(crate) fn kafka_options(settings: &Settings) -> anyhow::Result<Options> {
    let kafka = &settings.kafka;
    if kafka.bootstrap.is_empty() {
        bail!(
            "no Kafka is configured: set kafka.bootstrap (or CORRENTEZA__KAFKA__BOOTSTRAP) to \
             host:port of some brokers"
        );
    }
    Ok(Options {
        prefix: kafka.prefix.clone(),
        partitions: settings.log.partitions,
        replication: i32::try_from(kafka.replication)?,
        protocol: match kafka.protocol {
            KafkaProtocol::Classic => Protocol::Classic,
            KafkaProtocol::Consumer => Protocol::Consumer,
        },
        delivery: match kafka.delivery {
            KafkaDelivery::AtOnce => Delivery::AtOnce,
            KafkaDelivery::Transactional => Delivery::Transactional,
        },
        state_dir: Some(settings.server.data_dir.join(STATES)),
        client: kafka.client.clone(),
        ..Options::at(&kafka.bootstrap)
    })
}

/// How ScyllaDB is reached.
pub(crate) fn cql_options(settings: &Settings) -> anyhow::Result<CqlOptions> {
    let scylla = &settings.scylla;
    if scylla.contact_points.is_empty() {
        bail!(
            "no ScyllaDB is configured: set scylla.contact_points (or \
             CORRENTEZA__SCYLLA__CONTACT_POINTS) to host:port of some nodes"
        );
    }
    let split = |list: &str| list.split(',').map(|point| point.trim().to_owned()).collect();
    let dc = Some(scylla.local_dc.clone()).filter(|name| !name.is_empty());
    Ok(CqlOptions {
        contact_points: split(&scylla.contact_points),
        replication: match &dc {
            Some(dc) => Replication::ByDc(vec![(dc.clone(), scylla.replication)]),
            None => Replication::Simple(scylla.replication),
        },
        local_dc: dc,
        login: (!scylla.username.is_empty())
            .then(|| (scylla.username.clone(), scylla.password.clone())),
        retention: Some(Duration::from_secs(u64::from(settings.retention.history_days) * 86_400)),
        ..CqlOptions::at("", &scylla.keyspace)
    })
}

/// Opens both; keys come from a file every process has a copy of.
pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Backend> {
    let keyring = keys::shared(&settings.server.data_dir, settings.tenants.keys())?;
    let log = KafkaLog::open(kafka_options(settings)?)?;
    log.ensure(TOPICS).await?;
    let options = cql_options(settings)?;
    let store = CqlStore::open(&options).await?;
    let view = store.view();
    let applied = store.positions(CONVERSATIONS).await?.unwrap_or_default();
    Ok(Backend {
        log: Arc::new(log),
        ledger: Arc::new(CqlLedger::open(&options).await?),
        store: Arc::new(store),
        metrics: Arc::new(Metrics::new()?),
        clock: Arc::new(SystemClock),
        keyring: Arc::new(keyring),
        own_log: None,
        told: Some(Told {
            from: tail_behind(&applied),
            tell: Arc::new(move |record: &Stored| {
                let value = record.value.as_deref().map(Conversation::from_bytes);
                // What cannot be read here is set aside by the stages that read it.
                if let Some(Ok(conversation)) = value {
                    view.follow(&conversation, record.time_ms);
                }
            }),
        }),
    })
}
