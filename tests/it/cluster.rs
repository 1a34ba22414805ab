//! Faults of an installation on Kafka and CQL, a few of each; `chaos cluster` does all of them for
//! longer. One after the other, on one installation: two at once would slow each other down.

use std::time::Duration;

use tests::chaos::Load;
use tests::chaos::cluster::{Fault, Ordered, Servers, Service, Stand, Watched};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_processes_die_or_stop_or_the_broker_dies() {
    let (Ok(_), Ok(cql)) = (std::env::var("KAFKA_BOOTSTRAP"), std::env::var("CQL_CONTACT")) else {
        println!("SKIPPED: faults on Kafka and CQL: KAFKA_BOOTSTRAP and CQL_CONTACT are not set");
        return;
    };
    if std::env::var("FAULTS").is_err() {
        println!("SKIPPED: faults on Kafka and CQL take many minutes: set FAULTS=1");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // A broker of its own: the one that is given is not ours to kill.
    let kafka = Service::kafka(&dir.path().join("kafka")).await.unwrap();
    // A keyspace of its own, so that a run finds nothing of another.
    let tag = format!("it{}", std::process::id());
    let servers = Servers { kafka: kafka.into(), cassandra: Service::given(&cql), registry: None };
    let stand = Stand::start(&dir.path().join("processes"), &tag, servers, &[]).await.unwrap();
    let faults =
        [(Fault::Kill9, 4), (Fault::Sigterm, 1), (Fault::BrokerKill, 1), (Fault::Failpoints, 1)];
    for ((fault, rounds), seed) in faults.into_iter().zip(7..) {
        let load = Load { rate: 20.0, customers: 300, seed };
        let (outage, watched) = (Duration::ZERO, Watched::briefly());
        let asked = Ordered { fault, rounds, load, outage, watched };
        let report = stand.suffer(asked).await.unwrap();
        println!("{}\n{}", report.row(), report.details());
        report.sound().unwrap();
    }
}
