//! What a record costs the embedded log: appended until durable, read, and taken account of.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, ensure};
use benches::usage::Own;
use bytes::Bytes;
use clap::Args;
use pipeline::log::embedded::{EmbeddedLog, Options};
use pipeline::log::{Confirmation, Event, Lease, Limit, PartitionUnit, StateRow, Unit};
use pipeline::telemetry::metrics::Metrics;
use pipeline::{Log as _, Policy, Record, Setup, Stored};

use crate::counted::{GROUP, IN, STATE, key, topics};
use crate::made::{self, NOW_MS};
use crate::report::Case;

/// What a record may cost.
const CPU_US_MAX: f64 = 5.0;
/// Customers the records are of.
const CUSTOMERS: u64 = 20_000;
/// Bytes of a state.
const STATE_BYTES: usize = 400;
/// How long records that are there may not come.
const WAIT: Duration = Duration::from_secs(10);

#[derive(Args)]
pub struct Log {
    /// How many records.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Where the log is made; a directory of its own that goes away, by default in the system's.
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Log {
    /// Runs it.
    pub async fn run(&self) -> anyhow::Result<Vec<Case>> {
        let place = match &self.dir {
            Some(dir) => tempfile::tempdir_in(dir)?,
            None => tempfile::tempdir()?,
        };
        let options = Options::at(place.path());
        let log = EmbeddedLog::open(&options, Arc::new(Metrics::new()?))?;
        log.ensure(&topics()).await?;
        Ok(vec![
            self.append(&log).await?,
            self.read(&log, false).await?,
            self.read(&log, true).await?,
        ])
    }

    #[allow(clippy::cast_precision_loss)] // records of a run
    fn each(&self, seconds: f64) -> f64 {
        seconds * 1e6 / self.records as f64
    }

    async fn append(&self, log: &EmbeddedLog) -> anyhow::Result<Case> {
        let body = Bytes::from(made::inbound_bytes()?);
        let keys: Vec<Bytes> = (0..CUSTOMERS).map(|n| key(n).into()).collect();
        let mut keys = keys.iter().cycle();
        let used = Own::begin();
        let mut appended = 0;
        while appended < self.records {
            let group: Vec<Record> = keys
                .by_ref()
                .take(GROUP)
                .map(|key| Record::new(IN, key.clone(), body.clone(), NOW_MS))
                .collect();
            appended += group.len() as u64;
            log.append(group).await?;
        }
        let (cpu_s, wall_s) = used.used();
        Ok(Case::of(format!("append in groups of {GROUP} until durable"))
            .held("cpu_us_a_record", self.each(cpu_s), CPU_US_MAX)
            .with("wall_us_a_record", self.each(wall_s))
            .about("records", appended)
            .about("value_bytes", body.len()))
    }

    /// Reads everything and commits as the runner does; `stateful`: with a state for each record.
    async fn read(&self, log: &EmbeddedLog, stateful: bool) -> anyhow::Result<Case> {
        let (name, state) =
            if stateful { ("with_states", Some(STATE)) } else { ("without_states", None) };
        let mut member = log.join(&Setup::stage_group(name, IN, state)).await?;
        let policy = Policy::default();
        let limit = Limit {
            records_max: policy.batch_records_max,
            bytes_max: policy.batch_bytes_max,
            wait: WAIT,
        };
        let state = stateful.then(|| Bytes::from(vec![7; STATE_BYTES]));
        let used = Own::begin();
        let (mut read, mut commits, mut changes) = (0, 0u64, 0u64);
        let mut leases: Vec<Lease> = Vec::new();
        let mut pending: Vec<Stored> = Vec::new();
        let mut committing: Option<Confirmation> = None;
        while read < self.records {
            match member.next(limit).await? {
                Event::Assigned(assigned) => {
                    for lease in &assigned {
                        member.restore(*lease).await?;
                    }
                    leases.extend(assigned);
                }
                Event::Records(records) => {
                    read += records.len() as u64;
                    pending.extend(records);
                }
                Event::Revoked { .. } | Event::Idle => bail!("records that are there do not come"),
            }
            if pending.len() >= policy.commit_records || read >= self.records {
                if let Some(before) = committing.take() {
                    before.await?;
                }
                let unit = unit(&leases, &std::mem::take(&mut pending), state.as_ref());
                changes +=
                    unit.partitions.iter().map(|part| part.changes.len() as u64).sum::<u64>();
                committing = Some(member.commit(unit));
                commits += 1;
            }
        }
        if let Some(last) = committing {
            last.await?;
        }
        let (cpu_s, wall_s) = used.used();
        ensure!(!stateful || changes > 0, "no state was written");
        Ok(Case::of(format!(
            "read and commit every {}, {}",
            policy.commit_records,
            name.replace('_', " ")
        ))
        .with("cpu_us_a_record", self.each(cpu_s))
        .with("wall_us_a_record", self.each(wall_s))
        .about("records", read)
        .about("commits", commits)
        .about("states_written", changes)
        .about("state_bytes", STATE_BYTES))
    }
}

/// All that has been read since the last commit.
fn unit(leases: &[Lease], records: &[Stored], state: Option<&Bytes>) -> Unit {
    let part = |lease: &Lease| {
        let of_it = || records.iter().filter(|record| record.partition == lease.partition);
        let position = of_it().last()?.offset + 1;
        let changes = of_it()
            .filter_map(|record| Some((record.key.clone(), state?.clone())))
            .map(|(key, value)| (key, Some(StateRow { value, wake_at_ms: None })))
            .collect();
        let (watermarks, pins) = Default::default();
        Some(PartitionUnit { lease: *lease, position, watermarks, pins, changes })
    };
    Unit { time_ms: NOW_MS, partitions: leases.iter().filter_map(part).collect() }
}
