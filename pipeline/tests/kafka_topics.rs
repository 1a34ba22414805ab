//! Topics on a real broker: made, told apart, changed where that is safe. `KAFKA_BOOTSTRAP=host:port`.
#![cfg(feature = "kafka")]
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)] // a test fails loudly

use std::time::Instant;

use pipeline::Log;
use pipeline::log::LogError;
use pipeline::log::kafka::{How, KafkaLog, Options};
use schemas::topics::{Retention, TOPICS, Topic, TopicSpec};

fn options(name: &str) -> Option<Options> {
    let Ok(bootstrap) = std::env::var("KAFKA_BOOTSTRAP") else {
        println!("SKIPPED: no Kafka; set KAFKA_BOOTSTRAP to a broker's host:port");
        return None;
    };
    let mut options = Options::at(&bootstrap);
    options.prefix = format!("topics-{}-{name}-", std::process::id());
    options.partitions = 2;
    options.history_days = Some(1_095);
    Some(options)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_made_once() {
    let Some(options) = options("made") else { return };
    let log = KafkaLog::open(options).unwrap();
    let missing = log.describe(TOPICS).await.unwrap();
    assert_eq!(missing.len(), TOPICS.len());
    assert!(missing.iter().all(|one| one.how == How::Missing && one.can_be_applied()));
    log.ensure(TOPICS).await.unwrap();
    assert_eq!(log.describe(TOPICS).await.unwrap(), []);
    let began = Instant::now();
    log.ensure(TOPICS).await.unwrap();
    println!("{} topics looked at in {} ms", TOPICS.len(), began.elapsed().as_millis());
    let applied = log.apply(TOPICS).await.unwrap();
    assert_eq!((applied.changed, applied.left), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_refused_and_the_safe_part_changed() {
    let Some(options) = options("differs") else { return };
    let spec = |topic, retention| TopicSpec { topic, record: "Setting", retention, public: false };
    let before =
        [spec(Topic("hours"), Retention::Hours(1)), spec(Topic("states"), Retention::Compacted)];
    KafkaLog::open(options.clone()).unwrap().ensure(&before).await.unwrap();

    let after = [
        spec(Topic("hours"), Retention::Hours(2)),
        spec(Topic("states"), Retention::Hours(1)),
        spec(Topic("new"), Retention::History),
    ];
    let mut more = options.clone();
    more.partitions = 3;
    let log = KafkaLog::open(more).unwrap();
    let error = log.ensure(&after).await.unwrap_err();
    assert!(matches!(error, LogError::Fatal(_)), "{error}");
    let words = error.to_string();
    for told in [
        "hours has 2 partitions instead of 3",
        "hours has retention.ms=3600000 instead of 7200000",
        "states has cleanup.policy=compact instead of delete",
    ] {
        assert!(words.contains(told), "{words}");
    }
    // Refused whole: nothing was made beside it.
    let log = KafkaLog::open(options).unwrap();
    assert!(log.describe(&after).await.unwrap().iter().any(|one| one.how == How::Missing));

    let applied = log.apply(&after).await.unwrap();
    let told = |list: &[pipeline::log::kafka::Difference]| {
        list.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let (changed, left) = (told(&applied.changed), told(&applied.left));
    assert!(changed.contains("hours has retention.ms=3600000"), "{changed}");
    assert!(changed.contains("new does not exist"), "{changed}");
    assert!(left.contains("cleanup.policy") && !left.contains("retention"), "{left}");
    let still = log.describe(&after).await.unwrap();
    assert_eq!(
        still, applied.left,
        "what was changed is changed, what somebody set before is kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_brokers_are_said_so() {
    let Some(mut options) = options("few") else { return };
    options.replication = 3;
    let log = KafkaLog::open(options).unwrap();
    let error = log.ensure(&TOPICS[..1]).await.unwrap_err();
    assert!(matches!(error, LogError::Fatal(_)), "{error}");
}
