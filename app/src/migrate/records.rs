//! Records, copied in their order; the key decides the partition anew.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use pipeline::log::{From, embedded, insist};
use pipeline::{Headers, Log, Record, Stored, partition};
use schemas::labels::AutomaticPath;
use schemas::ops::SettingInUse;
use schemas::topics::{self, AUTOMATIC_PATHS, CONVERSATIONS, INBOUND, SETTINGS_IN_USE, Topic};

use crate::commands::print;

/// Records read and written at once.
const PAGE: usize = 1_000;
/// How long a tail is listened to before a topic counts as empty.
const LISTEN: Duration = Duration::from_secs(2);
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Refuses a target that holds records already.
pub(super) async fn must_be_empty(target: &Arc<dyn Log>) -> anyhow::Result<()> {
    let mut tail = target.tail(&[INBOUND, CONVERSATIONS], From::Start).await?;
    let Ok(found) = tokio::time::timeout(LISTEN, tail.next()).await else { return Ok(()) };
    if found?.is_empty() {
        return Ok(());
    }
    bail!(
        "the topics on Kafka already hold records: migrate into empty ones (another kafka.prefix \
         and scylla.keyspace, or delete what an earlier attempt left)"
    )
}

/// Copies `topic` from the directory; gives how many records it had.
pub(super) async fn copy(
    from: &Path,
    topic: Topic,
    target: &Arc<dyn Log>,
) -> anyhow::Result<usize> {
    let spec = topics::named(topic.0).context("no such topic")?;
    let (mut next, mut copied, mut told) = (0, 0, Instant::now());
    loop {
        let page = embedded::peek(from, spec, next, PAGE)?;
        let Some(last) = page.last() else { return Ok(copied) };
        next = last.offset + 1;
        copied += page.len();
        let by = match topic {
            AUTOMATIC_PATHS => Some(AutomaticPath::PARTITIONED_BY),
            SETTINGS_IN_USE => Some(SettingInUse::PARTITIONED_BY),
            _ => None,
        };
        let within = by.map(|by| partition::of(by, target.partitions()));
        let records = page.into_iter().map(|stored| record(stored, within));
        let taken = insist(target.as_ref(), records.collect()).await;
        taken.context("Kafka did not take the records")?;
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            print(&format!("  {topic}: {copied} records so far"))?;
        }
    }
}

/// The same record, without its place: what it was made from lies on another log. `within`: in this
/// partition, where the key does not decide.
fn record(stored: Stored, within: Option<u32>) -> Record {
    Record {
        topic: stored.topic,
        partition: within,
        key: stored.key,
        value: stored.value,
        headers: Headers { origin: None, ..stored.headers },
        time_ms: stored.time_ms,
    }
}
