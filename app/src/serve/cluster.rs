//! Kafka and ScyllaDB, as the configuration says.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use pipeline::clock::SteadyClock;
use pipeline::log::kafka::{
    Delivery, KafkaLog, Options, Protocol, RegistryOptions, SaslMechanism, Secret, Security,
    SecurityProtocol,
};
use pipeline::telemetry::metrics::Metrics;
use pipeline::{Log, Stored};
use schemas::Avro;
use schemas::conversation::Conversation;
use schemas::topics::{CONVERSATIONS, TOPICS};
use sink::Store;
use sink::store::cql::{CqlLedger, CqlOptions, CqlStore, Replication, Tls};
use sink::store::view::tail_behind;

use super::backend::{Backend, Told};
use crate::config::{self, Mechanism, Settings, Transport};
use crate::failpoints;
use crate::keys;

/// The state caches of the stages, in the data directory.
const STATES: &str = "states";

/// The largest record a body becomes: its text plain, sealed and masked, where masking may lengthen it
/// by a third; and what comes with it.
const fn record_bytes_max(body_bytes_max: usize) -> usize {
    4 * body_bytes_max + (64 << 10)
}

/// What is configured, unless it is left empty.
fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn file(path: &Path) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then(|| path.to_owned())
}

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
        min_insync: (kafka.min_insync > 0).then_some(kafka.min_insync),
        history_days: Some(settings.retention.history_days),
        record_bytes_max: record_bytes_max(settings.door.body_bytes_max),
        protocol: match kafka.protocol {
            config::Protocol::Classic => Protocol::Classic,
            config::Protocol::Consumer => Protocol::Consumer,
        },
        delivery: match kafka.delivery {
            config::Delivery::AtOnce => Delivery::AtOnce,
            config::Delivery::Transactional => Delivery::Transactional,
        },
        security: security(kafka),
        registry: given(&kafka.registry.url).map(|url| RegistryOptions {
            username: given(&kafka.registry.username),
            password: given(&kafka.registry.password).map(Secret::new),
            ca_file: file(&kafka.registry.ca_file),
            ..RegistryOptions::at(&url)
        }),
        state_dir: Some(settings.server.data_dir.join(STATES)),
        client: kafka.client.clone(),
        ..Options::at(&kafka.bootstrap)
    })
}

fn security(kafka: &config::Kafka) -> Security {
    let asked = &kafka.security;
    let protocol = match asked.protocol {
        Transport::Plaintext => SecurityProtocol::Plaintext,
        Transport::Ssl => SecurityProtocol::Ssl,
        Transport::SaslPlaintext => SecurityProtocol::SaslPlaintext,
        Transport::SaslSsl => SecurityProtocol::SaslSsl,
    };
    let mechanism = match asked.mechanism {
        Mechanism::Plain => SaslMechanism::Plain,
        Mechanism::ScramSha256 => SaslMechanism::ScramSha256,
        Mechanism::ScramSha512 => SaslMechanism::ScramSha512,
    };
    let logs_in = matches!(asked.protocol, Transport::SaslPlaintext | Transport::SaslSsl);
    Security {
        protocol,
        ca_file: file(&asked.ca_file),
        certificate_file: file(&asked.certificate_file),
        key_file: file(&asked.key_file),
        key_password: given(&asked.key_password).map(Secret::new),
        sasl_mechanism: logs_in.then_some(mechanism),
        username: given(&asked.username),
        password: given(&asked.password).map(Secret::new),
    }
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
    let dc = given(&scylla.local_dc);
    Ok(CqlOptions {
        contact_points: split(&scylla.contact_points),
        replication: match &dc {
            Some(dc) => Replication::ByDc(vec![(dc.clone(), scylla.replication)]),
            None => Replication::Simple(scylla.replication),
        },
        local_dc: dc,
        login: given(&scylla.username).map(|name| (name, scylla.password.clone())),
        tls: file(&scylla.ca_file).map(|ca| Tls { ca_file: Some(ca), ..Tls::default() }),
        retention: Some(Duration::from_secs(u64::from(settings.retention.history_days) * 86_400)),
        ..CqlOptions::at("", &scylla.keyspace)
    })
}

/// Opens both; keys come from a file every process has a copy of.
pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Backend> {
    let keyring = keys::shared(&settings.server.data_dir, settings.tenants.keys())?;
    let options = kafka_options(settings)?;
    let commit_every = options.delivery.commit_every();
    let log = KafkaLog::open(options)?;
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
        clock: failpoints::clock(Arc::new(SteadyClock::not_before(0)))?,
        keyring: Arc::new(keyring),
        own_log: None,
        commit_every,
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
