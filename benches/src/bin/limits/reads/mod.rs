//! What the desk's queries take on a store with ten million messages, while messages come in.
//!
//! Queries take turns, one at a time, at keys drawn anew each time; times are those of the call, as
//! the desk makes it. A query that used up its share of the time is not asked again: its figures are
//! then of fewer.

pub mod ask;
pub mod fill;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use benches::histogram;
use clap::{Args, ValueEnum};
use hdrhistogram::Histogram;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use self::ask::{Asker, Query};
use crate::lanes;
use crate::made::Keys;
use crate::report::Case;
use crate::traffic::Traffic;

/// What 95 of 100 reads may take.
const P95_MS_MAX: f64 = 2.0;
/// How long one query may keep the others waiting altogether.
const SHARE: Duration = Duration::from_secs(60);

#[derive(Args)]
pub struct Reads {
    /// Messages that are stored.
    #[arg(long, default_value_t = 10_000_000)]
    messages: u64,
    /// Where the store is kept for the next time.
    #[arg(long, default_value = ".services/limits")]
    dir: PathBuf,
    /// How often each query is asked.
    #[arg(long, default_value_t = 2_000)]
    each: u64,
    /// Messages a second that are applied meanwhile.
    #[arg(long, default_value_t = 500.0)]
    rate: f64,
}

struct Asked {
    query: Query,
    times: Histogram<u64>,
    took: Duration,
    rows: usize,
}

impl Reads {
    /// Runs it.
    pub async fn run(&self) -> anyhow::Result<Vec<Case>> {
        let (store, shape) = fill::filled(&self.dir, self.messages).await?;
        eprintln!("{shape:?}");
        let store = Arc::new(store);
        let stop = CancellationToken::new();
        let traffic = Traffic::of(Keys::of(shape.messages, fill::salt()), shape.contacts);
        let writing =
            tokio::spawn(lanes::run(Arc::clone(&store) as _, traffic, self.rate, stop.clone()));
        let asked = self.ask(&mut Asker::of(store.as_ref(), shape).await?).await;
        stop.cancel();
        let fed = writing.await??;
        let mut cases: Vec<Case> = asked?.iter().map(|asked| self.case(asked)).collect();
        let written = histogram::figures(&fed.history.stored);
        let p95 = written.get("p95").and_then(Value::as_f64).unwrap_or(f64::NAN);
        cases.push(
            Case::of(format!("writing {}/s beside", self.rate))
                .with("stored_ms_p95", p95)
                .about("messages", fed.messages)
                .about("stored_ms", written)
                .about("late_ms", histogram::figures(&fed.late))
                .about("behind_s", fed.behind_s)
                .about("store", serde_json::to_value(shape)?),
        );
        Ok(cases)
    }

    async fn ask(&self, asker: &mut Asker<'_>) -> anyhow::Result<Vec<Asked>> {
        let mut all = Vec::new();
        for query in Query::value_variants() {
            let times = histogram::of_micros()?;
            all.push(Asked { query: *query, times, took: Duration::ZERO, rows: 0 });
        }
        for _ in 0..self.each {
            for asked in all.iter_mut().filter(|asked| asked.took < SHARE) {
                let began = Instant::now();
                asked.rows += asker.ask(asked.query).await?;
                let took = began.elapsed();
                asked.took += took;
                asked.times.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
            }
        }
        Ok(all)
    }

    fn case(&self, asked: &Asked) -> Case {
        let figures = histogram::figures(&asked.times);
        let ms = |which: &str| figures.get(which).and_then(Value::as_f64).unwrap_or(f64::NAN);
        #[allow(clippy::cast_precision_loss)] // rows of a run
        let rows = asked.rows as f64 / asked.times.len().max(1) as f64;
        let name = asked.query.to_possible_value();
        let name = name.map(|name| name.get_name().to_owned()).unwrap_or_default();
        let mut case = Case::of(name)
            .held("p95_ms", ms("p95"), P95_MS_MAX)
            .with("p50_ms", ms("p50"))
            .with("p99_ms", ms("p99"))
            .with("rows", rows)
            .about("times_ms", figures.clone());
        if asked.rows == 0 {
            case.invalid_because.push("it never found anything".to_owned());
        }
        case
    }
}
