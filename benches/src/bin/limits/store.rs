//! What a message costs the embedded store, at a rate that is kept up whatever the store does.
//!
//! The product's own effects turn records into rows and apply them; what they read is there before the
//! clock starts. CPU time is the process's, without the thread that keeps the time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use benches::usage::Own;
use benches::{histogram, lateness};
use clap::Args;
use schemas::line::Inbound;
use serde_json::Value;
use sink::rows;
use sink::store::sqlite::SqliteStore;
use tokio_util::sync::CancellationToken;

use crate::lanes;
use crate::made::Keys;
use crate::reads::fill;
use crate::report::Case;
use crate::traffic::{Step, Traffic};

/// What a message may cost.
const CPU_US_MAX: f64 = 30.0;
/// A store further behind at the end does not keep up.
const BEHIND_S_MAX: f64 = 1.0;

#[derive(Args)]
pub struct Store {
    /// Messages a second.
    #[arg(long, default_value_t = 5_000.0)]
    rate: f64,
    /// For how long, in seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// A store that `reads` has filled, instead of an empty one.
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Store {
    /// Runs it.
    pub async fn run(&self) -> anyhow::Result<Vec<Case>> {
        let time = Duration::from_secs(self.seconds);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // messages of a run
        let messages = (self.rate * time.as_secs_f64()) as usize;
        let own = tempfile::tempdir()?;
        let (store, stored) = match &self.dir {
            Some(dir) => fill::opened(dir)?,
            None => (SqliteStore::open(&own.path().join("store.db"))?, fill::Shape::default()),
        };
        let contacts = stored.contacts.max(messages as u64);
        let keys = Keys::of(stored.messages.max(messages as u64), fill::salt());
        eprintln!("making {messages} messages");
        let steps: Vec<Step> = Traffic::of(keys, contacts).take(messages).collect();
        let lines: usize = steps.iter().map(|step| step.lines.len()).sum();
        let rows_us = rows_us(&steps);
        let used = Own::begin();
        let store = Arc::new(store);
        let (rate, stop) = (self.rate, CancellationToken::new());
        let fed = lanes::run(store, steps.into_iter(), rate, stop).await?;
        let (cpu_s, wall_s) = used.used();
        #[allow(clippy::cast_precision_loss)] // messages of a run
        let each = |found: f64| found / fed.messages as f64;
        let ms = |histogram, which: &str| {
            histogram::figures(histogram).get(which).and_then(Value::as_f64).unwrap_or(f64::NAN)
        };
        let (late, stored_p95) = (ms(&fed.late, "p99"), ms(&fed.history.stored, "p95"));
        #[allow(clippy::cast_precision_loss)] // rows of a run
        let mut case = Case::of(format!("store at {}/s", self.rate))
            .held("cpu_us_a_message", each((cpu_s - fed.pacing_cpu_s) * 1e6), CPU_US_MAX)
            .with("of_it_rows_us", rows_us)
            .with("rows_a_message", 1.0 + each(lines as f64))
            .with("apply_ms_p50", ms(&fed.history.apply, "p50"))
            .with("apply_ms_p95", ms(&fed.history.apply, "p95"))
            .with("stored_ms_p50", ms(&fed.history.stored, "p50"))
            .with("stored_ms_p95", stored_p95)
            .with("late_ms_p99", late)
            .held("behind_s", fed.behind_s, BEHIND_S_MAX)
            .about("seconds", wall_s)
            .about("messages", fed.messages)
            .about("messages_stored_before", stored.messages)
            .about("batches", [fed.accepted.apply.len(), fed.history.apply.len()].to_vec())
            .about("apply_ms", histogram::figures(&fed.history.apply))
            .about("apply_accepted_ms", histogram::figures(&fed.accepted.apply))
            .about("stored_ms", histogram::figures(&fed.history.stored))
            .about("late_ms", histogram::figures(&fed.late))
            .about("pacing_cpu_s", fed.pacing_cpu_s);
        case.invalid_because.extend(lateness::late(late, stored_p95));
        Ok(vec![case])
    }
}

/// What records cost until they are rows, by themselves, in microseconds a message.
fn rows_us(steps: &[Step]) -> f64 {
    let used = Own::begin();
    for step in steps {
        let accepted: &pipeline::Envelope<Inbound> = &step.accepted;
        std::hint::black_box(rows::of_inbound(accepted));
        for line in &step.lines {
            let _ = std::hint::black_box(rows::of_conversation(line));
        }
    }
    #[allow(clippy::cast_precision_loss)] // messages of a run
    let messages = steps.len().max(1) as f64;
    used.used().0 * 1e6 / messages
}
