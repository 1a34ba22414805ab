//! States and positions: the groups of one layout on one log handed over to those of another layout,
//! or another log, with the states they had. Each begins behind what its input holds.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use pipeline::log::{Event, Lease, Limit, Member, PartitionUnit, Restored, StateRow, Unit};
use pipeline::{Group, Log, partition};
use schemas::topics::{METRICS_STATE, SHADOW_STATE};

/// States read at once, and committed at once.
const PAGE: usize = 1_000;
/// How long a group may take to be given its partitions.
const GIVEN_WITHIN: Duration = Duration::from_secs(60);
/// Between a stage's name and a key in the changelog of a chain.
const BEHIND_NAME: u8 = b'|';

type Rows = Vec<(Bytes, StateRow)>;

/// States by the stage they belong to and the partition they belong into.
#[derive(Default)]
pub(crate) struct States(BTreeMap<String, BTreeMap<u32, Rows>>);

impl States {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.values().flat_map(BTreeMap::values).map(Vec::len).sum()
    }

    /// Takes what the changelog of `group` holds of `partition`.
    fn take(
        &mut self,
        group: &Group,
        partition: u32,
        restored: &Restored,
        partitions: u32,
    ) -> anyhow::Result<()> {
        let stages: Vec<&str> = group.name.split('+').collect();
        let mut after = Bytes::new();
        loop {
            let page = restored.state.rows(&after, PAGE)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = last.clone();
            for (key, row) in page {
                let (stage, key) = match stages.as_slice() {
                    [alone] => ((*alone).to_owned(), key),
                    _ => of_link(&key)?,
                };
                // Counts are by source partition, whatever their key; the others belong to the contact.
                let place = if matches!(group.state, Some(METRICS_STATE | SHADOW_STATE)) {
                    partition
                } else {
                    partition::of(&key, partitions)
                };
                self.0.entry(stage).or_default().entry(place).or_default().push((key, row));
            }
        }
    }

    /// What `group` is to begin with in `partition`, as its changelog holds it.
    fn give(&mut self, group: &Group, partition: u32) -> Rows {
        let stages: Vec<&str> = group.name.split('+').collect();
        let mut rows = Rows::new();
        for stage in &stages {
            let of_stage = self.0.get_mut(*stage).and_then(|places| places.remove(&partition));
            rows.extend(of_stage.unwrap_or_default().into_iter().map(|(key, row)| {
                let key = if stages.len() == 1 { key } else { for_link(stage, &key) };
                (key, row)
            }));
        }
        rows
    }
}

fn of_link(whole: &Bytes) -> anyhow::Result<(String, Bytes)> {
    let end = whole.iter().position(|byte| *byte == BEHIND_NAME);
    let (name, key) = end
        .map(|end| (whole.slice(..end), whole.slice(end + 1..)))
        .context("a state of the chain names no stage")?;
    Ok((String::from_utf8(name.to_vec())?, key))
}

fn for_link(stage: &str, key: &[u8]) -> Bytes {
    [stage.as_bytes(), &[BEHIND_NAME], key].concat().into()
}

/// The only members of some groups: they hold every partition, so nobody else is at work.
pub(crate) struct Sole {
    group: Group,
    member: Box<dyn Member>,
    held: HashMap<u32, (Lease, Restored)>,
}

impl Sole {
    pub(crate) async fn join(log: &Arc<dyn Log>, group: &Group) -> anyhow::Result<Self> {
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
        Ok(Self { group: group.clone(), member, held })
    }

    /// Adds its states to `states`, for a log of so many `partitions`.
    pub(crate) fn states(&self, states: &mut States, partitions: u32) -> anyhow::Result<()> {
        for (partition, (_, restored)) in &self.held {
            states.take(&self.group, *partition, restored, partitions)?;
        }
        Ok(())
    }

    /// Where it was left, by partition.
    pub(crate) fn positions(&self) -> HashMap<u32, u64> {
        self.held.iter().map(|(partition, (_, at))| (*partition, at.position)).collect()
    }

    /// Begins with `states` at `positions`, or behind all its input holds.
    pub(crate) async fn begin(
        &mut self,
        states: &mut States,
        positions: Option<&HashMap<u32, u64>>,
    ) -> anyhow::Result<()> {
        let places: Vec<(Lease, Restored)> = self.held.values().cloned().collect();
        for (lease, restored) in places {
            // What an earlier time under this layout left would be taken for the present.
            self.forget(lease, &restored).await?;
            let mut rows = states.give(&self.group, lease.partition);
            while rows.len() > PAGE {
                let changes = rows.drain(..PAGE).map(|(key, row)| (key, Some(row))).collect();
                self.commit(lease, &restored, restored.position, changes).await?;
            }
            let changes = rows.into_iter().map(|(key, row)| (key, Some(row))).collect();
            let at = positions.and_then(|positions| positions.get(&lease.partition));
            let at = at.copied().unwrap_or(restored.end);
            self.commit(lease, &restored, at, changes).await?;
        }
        Ok(())
    }

    async fn forget(&mut self, lease: Lease, restored: &Restored) -> anyhow::Result<()> {
        let mut after = Bytes::new();
        loop {
            let page = restored.state.rows(&after, PAGE)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = last.clone();
            let changes = page.into_iter().map(|(key, _)| (key, None)).collect();
            self.commit(lease, restored, restored.position, changes).await?;
        }
    }

    async fn commit(
        &mut self,
        lease: Lease,
        restored: &Restored,
        position: u64,
        changes: Vec<(Bytes, Option<StateRow>)>,
    ) -> anyhow::Result<()> {
        let unit = PartitionUnit {
            lease,
            position,
            watermarks: restored.watermarks.clone(),
            // Nothing is in hand, so nothing is read again with what it was first read with.
            pins: Bytes::new(),
            changes,
        };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let time_ms = i64::try_from(now.as_millis()).context("the clock is wrong")?;
        Ok(self.member.commit(Unit { time_ms, partitions: vec![unit] }).await?)
    }

    pub(crate) async fn leave(self) {
        self.member.leave().await;
    }
}
