//! Ten million messages through the embedded log and a stage, with old records going as in the
//! product: whether memory stays what it was.
//!
//! The messages' own times run ahead, so that they span three times what is kept; the sweep that drops
//! the old ones comes once a minute, as shipped.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use benches::draw::mix;
use benches::usage::{Own, resident_mib};
use clap::Args;
use pipeline::log::embedded::EmbeddedLog;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::counted::{IN, KEPT_HOURS, Line, OUT};
use crate::made::NOW_MS;
use crate::plot::Panel;
use crate::report::Case;

/// Customers: all have been seen within the first tenth.
const CUSTOMERS: u64 = 100_000;
/// How much larger the process may be at the end than after a tenth.
const GROWTH_MAX: f64 = 0.10;
const KEPT_MS: i64 = KEPT_HOURS as i64 * 3_600_000;
/// What the messages span, in multiples of what is kept.
const SPANS: i64 = 3;
/// As the product's sweep: how often, and how many records at once.
const FORGET_EVERY: Duration = Duration::from_secs(60);
const FORGET_RECORDS: usize = 500;

#[derive(Args)]
pub struct Flat {
    /// How many messages.
    #[arg(long, default_value_t = 10_000_000)]
    messages: u64,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 5.0)]
    every: f64,
    /// Where the log is made; a directory of its own that goes away, by default in the system's.
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// A look at the process.
#[derive(Debug, Clone, Copy)]
struct Look {
    messages: u64,
    seconds: f64,
    resident_mib: f64,
    log_mib: f64,
}

impl Flat {
    /// Runs it.
    pub async fn run(&self) -> anyhow::Result<(Vec<Case>, Vec<Panel>)> {
        let place = match &self.dir {
            Some(dir) => tempfile::tempdir_in(dir)?,
            None => tempfile::tempdir()?,
        };
        let mut line = Line::open(place.path(), 12).await?;
        let (written, stop) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let looking = tokio::spawn(look_on(
            (Arc::clone(&written), self.messages),
            Duration::from_secs_f64(self.every),
            place.path().to_owned(),
            stop.clone(),
        ));
        let forgetting = tokio::spawn(forget(
            line.log.clone(),
            (Arc::clone(&written), self.messages),
            stop.clone(),
        ));
        let used = Own::begin();
        let total = self.messages;
        line.feed(total, |n| {
            written.store(n, Ordering::Relaxed);
            (mix(n) % CUSTOMERS, time_ms(n, total))
        })
        .await?;
        written.store(total, Ordering::Relaxed);
        let (cpu_s, wall_s) = used.used();
        stop.cancel();
        let (looks, forgotten) = (looking.await?, forgetting.await??);
        drop(line.stop().await?);
        Ok(self.report(&looks, forgotten, (cpu_s, wall_s)))
    }

    #[allow(clippy::cast_precision_loss)] // messages of a run
    fn report(&self, looks: &[Look], forgotten: u64, used: (f64, f64)) -> (Vec<Case>, Vec<Panel>) {
        let at = |share: f64| {
            let from = self.messages as f64 * share;
            let found = looks.iter().find(|look| look.messages as f64 >= from);
            found.map_or(f64::NAN, |look| look.resident_mib)
        };
        let (tenth, half, end) = (at(0.1), at(0.5), at(1.0));
        let millions: Vec<(f64, f64)> = looks
            .iter()
            .filter(|look| look.messages * 10 >= self.messages)
            .map(|look| (look.messages as f64 / 1e6, look.resident_mib))
            .collect();
        let disk = looks.iter().map(|look| (look.messages as f64 / 1e6, look.log_mib));
        let mut case = Case::of("memory over all messages")
            .held("growth_share_10_to_100_percent", end / tenth - 1.0, GROWTH_MAX)
            .with("resident_mib_at_10_percent", tenth)
            .with("resident_mib_at_50_percent", half)
            .with("resident_mib_at_100_percent", end)
            .with("slope_mib_a_million", slope(&millions))
            .with("cpu_us_a_message", used.0 * 1e6 / self.messages as f64)
            .with("forgotten_records", forgotten as f64)
            .about("messages", self.messages)
            .about("customers", CUSTOMERS)
            .about("seconds", used.1)
            .about("looks", looks.iter().map(Look::json).collect::<Vec<_>>());
        if forgotten == 0 {
            case.invalid_because.push("nothing was old enough to go".to_owned());
        }
        let panel = |title: &str, points| Panel::Line {
            title: title.to_owned(),
            across: "million messages".to_owned(),
            log: false,
            points,
        };
        let resident =
            looks.iter().map(|look| (look.messages as f64 / 1e6, look.resident_mib)).collect();
        let panels =
            vec![panel("resident memory, MiB", resident), panel("log files, MiB", disk.collect())];
        (vec![case], panels)
    }
}

impl Look {
    fn json(&self) -> serde_json::Value {
        json!([self.messages, self.seconds, self.resident_mib, self.log_mib])
    }
}

/// When message `n` of `total` happened.
fn time_ms(n: u64, total: u64) -> i64 {
    let ago = i128::from(total - n) * i128::from(SPANS * KEPT_MS) / i128::from(total.max(1));
    NOW_MS - i64::try_from(ago).unwrap_or_default()
}

async fn look_on(
    (written, total): (Arc<AtomicU64>, u64),
    every: Duration,
    place: PathBuf,
    stop: CancellationToken,
) -> Vec<Look> {
    let (began, mut looks) = (Instant::now(), Vec::new());
    let mut tick = tokio::time::interval(every);
    loop {
        let goes_on = stop.run_until_cancelled(tick.tick()).await.is_some();
        let messages = written.load(Ordering::Relaxed);
        let seconds = began.elapsed().as_secs_f64();
        let look =
            Look { messages, seconds, resident_mib: resident_mib(), log_mib: files_mib(&place) };
        eprintln!(
            "{messages} of {total}: {:.1} MiB, log {:.0} MiB",
            look.resident_mib, look.log_mib
        );
        looks.push(look);
        if !goes_on {
            return looks;
        }
    }
}

#[allow(clippy::cast_precision_loss)] // bytes of a run
fn files_mib(place: &Path) -> f64 {
    let files = std::fs::read_dir(place).into_iter().flatten().flatten();
    let bytes: u64 = files.filter_map(|file| Some(file.metadata().ok()?.len())).sum();
    bytes as f64 / f64::from(1 << 20)
}

/// As the product does, by the messages' times. Gives how many records went.
async fn forget(
    log: EmbeddedLog,
    (written, total): (Arc<AtomicU64>, u64),
    stop: CancellationToken,
) -> anyhow::Result<u64> {
    let mut forgotten = 0;
    let mut tick = tokio::time::interval(FORGET_EVERY);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let before_ms = time_ms(written.load(Ordering::Relaxed), total) - KEPT_MS;
        for topic in [IN, OUT] {
            loop {
                let gone = log.forget(topic, before_ms, FORGET_RECORDS).await?;
                forgotten += gone as u64;
                if gone < FORGET_RECORDS || stop.is_cancelled() {
                    break;
                }
            }
        }
    }
    Ok(forgotten)
}

/// Of the straight line with the least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    #[allow(clippy::cast_precision_loss)] // some hundred looks
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
    let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), (x, y)| {
        (above + (x - x_mean) * (y - y_mean), below + (x - x_mean).powi(2))
    });
    above / below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_that_of_the_line() {
        let points: Vec<(f64, f64)> =
            (0..10).map(|x| (f64::from(x), 3.0 * f64::from(x) + 1.0)).collect();
        assert!((slope(&points) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn times_end_now_and_span_more_than_is_kept() {
        assert_eq!(time_ms(100, 100), NOW_MS);
        assert_eq!(time_ms(0, 100), NOW_MS - SPANS * KEPT_MS);
    }
}
