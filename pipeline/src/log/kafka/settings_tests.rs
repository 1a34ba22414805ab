//! That the client library takes every setting we make: a name it does not know, or two that exclude
//! each other, would show at a customer's start only.

use std::time::Duration;

use rdkafka::consumer::BaseConsumer;
use rdkafka::producer::BaseProducer;
use schemas::topics::{INBOUND, TURNS_STATE};

use super::client::{Clients, log_error};
use super::*;
use crate::runner::Setup;

fn securities() -> Vec<Security> {
    let mut all = vec![Security::default()];
    let ssl = Security { protocol: SecurityProtocol::Ssl, ..Security::default() };
    all.push(ssl);
    for protocol in [SecurityProtocol::SaslPlaintext, SecurityProtocol::SaslSsl] {
        for how in [SaslMechanism::Plain, SaslMechanism::ScramSha256, SaslMechanism::ScramSha512] {
            all.push(Security {
                protocol,
                sasl_mechanism: Some(how),
                username: Some("u".to_owned()),
                password: Some(Secret::new("p")),
                ..Security::default()
            });
        }
    }
    all
}

#[test]
fn the_client_library_takes_every_setting() {
    let group = Setup::stage_group("g", INBOUND, Some(TURNS_STATE));
    let gathering = Setup::effect_group("g", INBOUND).gathering(Duration::from_millis(50));
    for security in securities() {
        for protocol in [Protocol::Classic, Protocol::Consumer] {
            for delivery in [Delivery::AtOnce, Delivery::Transactional] {
                let what = format!("{security:?} {protocol:?} {delivery:?}");
                let security = security.clone();
                let options =
                    Options { protocol, delivery, security, ..Options::at("127.0.0.1:1") };
                let clients = Clients::new(options).unwrap();
                clients.admin().unwrap();
                clients.appender().create::<BaseProducer>().expect(&what);
                clients.publisher().create::<BaseProducer>().expect(&what);
                clients.committer(&group, "m").create::<BaseProducer>().expect(&what);
                clients.member(&group).create::<BaseConsumer>().expect(&what);
                clients.member(&gathering).create::<BaseConsumer>().expect(&what);
                clients.reader().create::<BaseConsumer>().expect(&what);
                clients.restorer().create::<BaseConsumer>().expect(&what);
                clients.observer::<BaseConsumer>(&group).unwrap();
            }
        }
    }
}

#[test]
fn a_setting_it_does_not_take_is_named_without_its_value() {
    let mut options = Options::at("127.0.0.1:1");
    options.client.insert("sasl.pasword".to_owned(), "psssst".to_owned());
    assert!(!format!("{options:?}").contains("psssst"));
    let error = KafkaLog::open(options).err().unwrap();
    assert!(matches!(error, LogError::Fatal(_)));
    assert!(error.to_string().contains("sasl.pasword"), "{error}");
    assert!(!error.to_string().contains("psssst"), "{error}");
    let mut options = Options::at("127.0.0.1:1");
    options.client.insert("ssl.key.pem".to_owned(), "psssst".to_owned());
    let clients = Clients::new(options).unwrap();
    if let Err(error) = clients.appender().create::<BaseProducer>() {
        let error = log_error("make a producer", &error);
        assert!(!error.to_string().contains("psssst"), "{error}");
    }
}
