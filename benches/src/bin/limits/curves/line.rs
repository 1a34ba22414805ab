//! Curves of the line: the counted stage on the embedded log.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use benches::draw::mix;
use benches::usage::Own;
use pipeline::log::embedded::{EmbeddedLog, Options};
use pipeline::log::{Event, Limit};
use pipeline::telemetry::metrics::Metrics;
use pipeline::{Log, Setup};

use crate::counted::{IN, Line, STATE, topics};
use crate::made::NOW_MS;
use crate::report::Case;

/// Customers who write, where their number is not what is looked at.
const CUSTOMERS: u64 = 20_000;
const PARTITIONS: u32 = 12;
const WAIT: Duration = Duration::from_secs(10);

/// Feeds `messages`, drawn from `customers`, and tells what one cost.
async fn fed(line: &mut Line, messages: u64, customers: u64, case: Case) -> anyhow::Result<Case> {
    let used = Own::begin();
    line.feed(messages, |n| (mix(n) % customers, NOW_MS)).await?;
    let (cpu_s, wall_s) = used.used();
    #[allow(clippy::cast_precision_loss)] // messages of a run
    let each = |seconds: f64| seconds * 1e6 / messages as f64;
    Ok(case
        .with("cpu_us_a_message", each(cpu_s))
        .with("wall_us_a_message", each(wall_s))
        .about("messages", messages))
}

/// More messages, one after the other.
pub async fn messages(place: &Path, messages: u64) -> anyhow::Result<Case> {
    let dir = tempfile::tempdir_in(place)?;
    let mut line = Line::open(dir.path(), PARTITIONS).await?;
    let case = fed(&mut line, messages, CUSTOMERS, Case::of("messages").at(messages)).await?;
    line.stop().await?;
    Ok(case)
}

/// More partitions.
pub async fn partitions(place: &Path, partitions: u32, messages: u64) -> anyhow::Result<Case> {
    let dir = tempfile::tempdir_in(place)?;
    let mut line = Line::open(dir.path(), partitions).await?;
    let case = Case::of("partitions").at(u64::from(partitions));
    let case = fed(&mut line, messages, CUSTOMERS, case).await?;
    line.stop().await?;
    Ok(case)
}

/// More conversations whose state is held: what a message of any of them costs, and how long a
/// restart takes until it can go on.
pub async fn held(place: &Path, held: u64, messages: u64) -> anyhow::Result<Case> {
    let dir = tempfile::tempdir_in(place)?;
    let mut line = Line::open(dir.path(), PARTITIONS).await?;
    line.feed(held, |n| (n, NOW_MS)).await?;
    let case = fed(&mut line, messages, held, Case::of("held").at(held)).await?;
    drop(line.stop().await?);
    let used = Own::begin();
    let restored = restore(dir.path()).await?;
    let (cpu_s, _) = used.used();
    Ok(case.with("restore_ms", restored.as_secs_f64() * 1e3).with("restore_cpu_ms", cpu_s * 1e3))
}

/// Opens the log again and restores every partition, as a stage does before its first record.
async fn restore(dir: &Path) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let log = EmbeddedLog::open(&Options::at(dir), Arc::new(Metrics::new()?))?;
    log.ensure(&topics()).await?;
    let mut member = log.join(&Setup::stage_group("counted", IN, Some(STATE))).await?;
    let limit = Limit { records_max: 1, bytes_max: 1, wait: WAIT };
    let Event::Assigned(leases) = member.next(limit).await? else { bail!("nothing is assigned") };
    let mut found = 0;
    for lease in leases {
        let restored = member.restore(lease).await?;
        restored.state.deadlines()?;
        found += restored.state.rows(&[], 1)?.len();
    }
    ensure!(found > 0, "no state was restored");
    Ok(began.elapsed())
}
