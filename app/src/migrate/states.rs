//! States and positions: each group begins on the new log behind what was copied, with the states it
//! had.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use pipeline::log::{
    Event, Lease, Limit, Member, PartitionUnit, Restored, StateRow, Unit, embedded,
};
use pipeline::{Effect, Group, Log, partition};
use schemas::topics::{self, METRICS_STATE, Topic};
use sink::effects::{KeepAccepted, KeepHistory, KeepMetrics};

/// Keys read at once, and states committed at once.
const PAGE: usize = 1_000;
/// How long a group may take to be given its partitions.
const GIVEN_WITHIN: Duration = Duration::from_secs(60);

/// These make the store anew from what was copied.
const FROM_THE_START: [&str; 3] = [KeepAccepted::NAME, KeepHistory::NAME, KeepMetrics::NAME];

/// Carries `group` over; gives how many states it had.
pub(super) async fn carry(
    source: &Arc<dyn Log>,
    target: &Arc<dyn Log>,
    from: &Path,
    group: &Group,
) -> anyhow::Result<usize> {
    if FROM_THE_START.contains(&group.name.as_str()) {
        return Ok(0);
    }
    let old = Sole::join(source, group).await?;
    let mut states = match group.state {
        Some(topic) => read(from, topic, &old, target.partitions())?,
        None => States::new(),
    };
    let count = states.values().map(Vec::len).sum();
    let mut pins = old.held.values().map(|(_, restored)| &restored.pins);
    let pins = pins.find(|pins| !pins.is_empty()).cloned().unwrap_or_default();
    let mut new = Sole::join(target, group).await?;
    let places: Vec<(Lease, Restored)> = new.held.values().cloned().collect();
    for (lease, restored) in places {
        let mut rows = states.remove(&lease.partition).unwrap_or_default();
        while rows.len() > PAGE {
            let changes = rows.drain(..PAGE).collect();
            new.commit(lease, &restored, changes, &pins).await?;
        }
        let behind = Restored { position: restored.end, ..restored };
        new.commit(lease, &behind, rows, &pins).await?;
    }
    new.member.leave().await;
    old.member.leave().await;
    Ok(count)
}

type Rows = Vec<(Bytes, StateRow)>;
type States = BTreeMap<u32, Rows>;

/// The states in the changelog `topic`, by the partition they belong into.
fn read(from: &Path, topic: Topic, old: &Sole, partitions: u32) -> anyhow::Result<States> {
    let spec = topics::named(topic.0).context("no such topic")?;
    let (mut states, mut next) = (States::new(), 0);
    loop {
        let page = embedded::peek(from, spec, next, PAGE)?;
        let Some(last) = page.last() else { return Ok(states) };
        next = last.offset + 1;
        for record in page {
            let Some((_, restored)) = old.held.get(&record.partition) else { continue };
            if let Some(row) = restored.state.get(&record.key)? {
                // Minutes are counted by source partition, whatever their key; the others belong to
                // the contact.
                let place = if topic == METRICS_STATE {
                    record.partition
                } else {
                    partition::of(&record.key, partitions)
                };
                states.entry(place).or_default().push((record.key, row));
            }
        }
    }
}

/// The only member of a group: it holds every partition.
struct Sole {
    member: Box<dyn Member>,
    held: HashMap<u32, (Lease, Restored)>,
}

impl Sole {
    async fn join(log: &Arc<dyn Log>, group: &Group) -> anyhow::Result<Self> {
        let mut member = log.join(group).await?;
        let mut held = HashMap::new();
        let started = Instant::now();
        let limit = Limit { records_max: 1, bytes_max: 1, wait: Duration::from_millis(100) };
        while held.len() < log.partitions() as usize {
            if started.elapsed() > GIVEN_WITHIN {
                bail!("others are at work in group {}: stop every process first", group.name);
            }
            match member.next(limit).await? {
                Event::Assigned(leases) => {
                    for lease in leases {
                        let restored = member.restore(lease).await?;
                        held.insert(lease.partition, (lease, restored));
                    }
                }
                Event::Revoked { .. } => {
                    bail!("somebody joined group {}: stop every process first", group.name)
                }
                Event::Records(_) | Event::Idle => {}
            }
        }
        Ok(Self { member, held })
    }

    async fn commit(
        &mut self,
        lease: Lease,
        at: &Restored,
        rows: Rows,
        pins: &Bytes,
    ) -> anyhow::Result<()> {
        let unit = PartitionUnit {
            lease,
            position: at.position,
            watermarks: at.watermarks.clone(),
            pins: pins.clone(),
            changes: rows.into_iter().map(|(key, row)| (key, Some(row))).collect(),
        };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let time_ms = i64::try_from(now.as_millis()).context("the clock is wrong")?;
        Ok(self.member.commit(Unit { time_ms, partitions: vec![unit] }).await?)
    }
}
