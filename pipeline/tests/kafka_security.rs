//! Brokers that ask who we are: `KAFKA_SECURE`, the directory that `tests/services/kafka/start.sh` puts
//! certificates and addresses into.
#![cfg(feature = "kafka")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)] // a test fails loudly

use std::path::PathBuf;
use std::time::{Duration, Instant};

use pipeline::log::kafka::{KafkaLog, Options, SaslMechanism, Secret, Security, SecurityProtocol};
use pipeline::log::{From, Limit, LogError};
use pipeline::{Log, Record, Setup};
use schemas::topics::{SETTINGS, TopicSpec};

const HUNG_UP: &str = "whether it asks for a certificate";
const ASKED_WITHIN: Duration = Duration::from_secs(20);

struct Secure(PathBuf);

impl Secure {
    fn find() -> Option<Self> {
        let dir = std::env::var_os("KAFKA_SECURE").map(PathBuf::from);
        if dir.is_none() {
            println!("SKIPPED: no Kafka that asks who we are; set KAFKA_SECURE (see its start.sh)");
        }
        dir.map(Self)
    }

    fn options(&self, listener: &str, security: Security) -> Options {
        let address = std::fs::read_to_string(self.0.join(listener)).unwrap();
        let mut options = Options::at(address.trim());
        options.prefix = format!("secure-{}-{:?}-", std::process::id(), Instant::now())
            .replace(|c: char| !c.is_alphanumeric(), "-");
        options.partitions = 1;
        options.security = security;
        options
    }

    fn certificate(&self) -> Security {
        Security {
            protocol: SecurityProtocol::Ssl,
            ca_file: Some(self.0.join("ca.pem")),
            certificate_file: Some(self.0.join("client.pem")),
            key_file: Some(self.0.join("client.key")),
            key_password: Some(Secret::new("locked")),
            ..Security::default()
        }
    }

    fn login(&self, mechanism: SaslMechanism, password: &str) -> Security {
        Security {
            protocol: SecurityProtocol::SaslSsl,
            ca_file: Some(self.0.join("ca.pem")),
            sasl_mechanism: Some(mechanism),
            username: Some("correnteza".to_owned()),
            password: Some(Secret::new(password)),
            ..Security::default()
        }
    }
}

fn settings() -> Vec<TopicSpec> {
    vec![*schemas::topics::named(SETTINGS.0).unwrap()]
}

/// Everything the log does with brokers, over this connection.
async fn works(options: Options) {
    let log = KafkaLog::open(options).unwrap();
    log.ensure(&settings()).await.unwrap();
    let placed = log.append(vec![Record::new(SETTINGS, "k", "v", 1)]).await.unwrap();
    assert_eq!(placed.0.len(), 1);
    let mut tail = log.tail(&[SETTINGS], From::Start).await.unwrap();
    assert_eq!(tail.next().await.unwrap()[0].value.as_deref(), Some(&b"v"[..]));
    let group = Setup::stage_group("g", SETTINGS, None);
    let mut member = log.join(&group).await.unwrap();
    let limit = Limit { records_max: 10, bytes_max: 1_000, wait: Duration::from_millis(100) };
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        assert!(Instant::now() < until, "nothing was read");
        match member.next(limit).await.unwrap() {
            pipeline::log::Event::Assigned(leases) => {
                member.restore(leases[0]).await.unwrap();
            }
            pipeline::log::Event::Records(records) => {
                assert_eq!(records[0].value.as_deref(), Some(&b"v"[..]));
                break;
            }
            _ => {}
        }
    }
    member.leave().await;
    assert_eq!(log.lag(&group).await.unwrap(), 1);
}

/// Refused soon, for good, with what to check, and without the password.
async fn refused(options: Options, check: &str) {
    let began = Instant::now();
    let error = match KafkaLog::open(options) {
        Ok(log) => log.ensure(&settings()).await.unwrap_err(),
        Err(error) => error,
    };
    let words = error.to_string();
    println!("after {} ms: {words}", began.elapsed().as_millis());
    // Where the broker just hangs up, it may as well be one that is starting.
    let refused = matches!(error, LogError::Fatal(_));
    assert!(refused || check == HUNG_UP && matches!(error, LogError::Redeliver(_)), "{words}");
    assert!(words.contains(check), "{words}");
    assert!(!words.contains("psssst"), "{words}");
    assert!(began.elapsed() < ASKED_WITHIN, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_opens() {
    let Some(secure) = Secure::find() else { return };
    works(secure.options("ssl", secure.certificate())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_opens() {
    let Some(secure) = Secure::find() else { return };
    for mechanism in [SaslMechanism::ScramSha512, SaslMechanism::Plain] {
        works(secure.options("sasl_ssl", secure.login(mechanism, "right"))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_so() {
    let Some(secure) = Secure::find() else { return };
    for mechanism in [SaslMechanism::ScramSha512, SaslMechanism::Plain] {
        let options = secure.options("sasl_ssl", secure.login(mechanism, "psssst"));
        refused(options, "check the Kafka user, its password").await;
    }
    // The broker does not offer it.
    let options = secure.options("sasl_ssl", secure.login(SaslMechanism::ScramSha256, "right"));
    refused(options, "the SASL mechanism").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_certificate_is_said_so() {
    let Some(secure) = Secure::find() else { return };
    let mut unknown = secure.certificate();
    unknown.ca_file = Some(secure.0.join("other-ca.pem"));
    refused(secure.options("ssl", unknown), "check the CA file").await;
    let mut none = secure.certificate();
    (none.certificate_file, none.key_file, none.key_password) = (None, None, None);
    refused(secure.options("ssl", none), HUNG_UP).await;
    refused(secure.options("ssl", Security::default()), HUNG_UP).await;
    let mut locked = secure.certificate();
    locked.key_password = Some(Secret::new("psssst"));
    refused(secure.options("ssl", locked), "key").await;
}

/// A producer that cannot log in says why its records are not taken, and nobody else is told what.
#[tokio::test(flavor = "multi_thread")]
async fn an_append_says_why_it_fails() {
    let Some(secure) = Secure::find() else { return };
    let mut options =
        secure.options("sasl_ssl", secure.login(SaslMechanism::ScramSha512, "psssst"));
    options.client.insert("socket.timeout.ms".to_owned(), "3000".to_owned());
    let log = KafkaLog::open(options).unwrap();
    let began = Instant::now();
    let error = log.append(vec![Record::new(SETTINGS, "k", "v", 1)]).await.unwrap_err();
    let words = error.to_string();
    println!("after {} ms: {words}", began.elapsed().as_millis());
    assert!(words.contains("check the Kafka user") && !words.contains("psssst"), "{words}");
    assert!(began.elapsed() < Duration::from_secs(40));
}
