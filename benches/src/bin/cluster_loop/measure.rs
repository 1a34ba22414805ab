//! One run: messages at one rate through processes that are at work, and what is said of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::generator::{Generator, Load, Shot, now_us};
use crate::hops;
use crate::judge::{self, Places};
use crate::stand::{Configuration, Running, Stand, word};
use crate::stored::{Notes, Told};
use crate::wiring;
use benches::runs::number;
use benches::usage::{self, Pids};
use benches::{histogram, lateness};

/// How long the last rows may take: longer than a turn of a caller who does not wait.
const STORED_WITHIN: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

/// What is asked of a run.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Messages a second.
    pub rate: f64,
    /// For so long.
    pub seconds: u64,
    /// By so many customers.
    pub customers: u64,
    /// Which time it is.
    pub repeat: usize,
}

/// The figures of times in microseconds, in milliseconds.
pub fn figures(times_us: impl Iterator<Item = u64>) -> anyhow::Result<Value> {
    let mut histogram = histogram::of_micros()?;
    times_us.for_each(|time| histogram.saturating_record(time));
    Ok(histogram::figures(&histogram))
}

fn pids(stand: &Stand, running: &Running) -> Pids {
    let mut pids = running.pids();
    let servers = [("kafka", stand.kafka.pid()), ("cassandra", stand.cql.pid())];
    pids.extend(servers.into_iter().filter_map(|(name, pid)| Some((name.to_owned(), pid?))));
    pids.insert("generator".to_owned(), std::process::id());
    pids
}

/// From when a message should have been sent to when one of its rows was stored.
fn stored_us(shots: &[Shot], places: &Places<'_>, told: Told) -> Vec<u64> {
    let times =
        shots.iter().filter(|shot| told == Told::Received || shot.waited).filter_map(|shot| {
            let lines = places.get(&(told, shot.message.as_deref()?))?;
            let first = lines.iter().map(|line| line.stored_us).min()?;
            Some(first.saturating_sub(shot.intended_us))
        });
    times.collect()
}

/// CPU time of each process, in microseconds a message.
fn cpu_us(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>, sent: usize) -> Value {
    #[allow(clippy::cast_precision_loss)] // messages of a run
    let each = |seconds: f64| (seconds * 1e6 / sent.max(1) as f64).round();
    let used = after
        .iter()
        .filter_map(|(name, after)| Some((name.clone(), each(after - before.get(name)?).into())));
    Value::Object(used.collect())
}

/// Runs it.
pub async fn run(
    stand: &Stand,
    running: &Running,
    configuration: Configuration,
    asked: Asked,
) -> anyhow::Result<Value> {
    let generator = Arc::new(Generator::new(&running.url)?);
    let mut notes = Notes::from_now(running.notes.clone());
    let pids = pids(stand, running);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let count = (asked.rate * asked.seconds as f64) as u64;
    let run = format!("r{}", now_us());
    let load = Load { rate: asked.rate, count, customers: asked.customers, run };
    let (load_before, cpu_before) = (usage::load(), usage::cpu_seconds(&pids));
    let hops_before = running.figures().await?;
    let shots = generator.run(&load).await?;
    let (cpu_after, memory) = (usage::cpu_seconds(&pids), usage::memory_mib(&pids));
    let (load_after, hops_after) = (usage::load(), running.figures().await?);
    let until = Instant::now() + STORED_WITHIN;
    let mut lines = Vec::new();
    // Others' lines are there too, of turns still open from before.
    while !judge::all_stored(&shots, &judge::places(&lines)) && Instant::now() < until {
        tokio::time::sleep(LOOK).await;
        lines.extend(notes.added()?);
    }
    let places = judge::places(&lines);
    let mut why = judge::wrong(&shots, &places);
    let store = wiring::store(&stand.cql.address, &running.tag).await?;
    why.extend(judge::missing(&store, &lines).await?);
    let late = figures(shots.iter().map(|shot| shot.sent_us.saturating_sub(shot.intended_us)))?;
    let answered = |waited| {
        let of = shots.iter().filter(move |shot| shot.waited == waited && shot.went_well());
        figures(of.map(|shot| shot.answered_us.saturating_sub(shot.intended_us)))
    };
    let stored = |told| figures(stored_us(&shots, &places, told).into_iter());
    let decision_stored = stored(Told::Decided)?;
    why.extend(lateness::late(number(&late, "/p99"), number(&decision_stored, "/p95")));
    Ok(json!({
        "stages": word(&configuration.stages),
        "layout": word(&configuration.layout),
        "delivery": word(&configuration.delivery),
        "rate": asked.rate,
        "seconds": asked.seconds,
        "repeat": asked.repeat,
        "sent": shots.len(),
        "valid": why.is_empty(),
        "invalid_because": why,
        "late_ms": late,
        "accepted_ms": answered(false)?,
        "decided_ms": answered(true)?,
        "message_stored_ms": stored(Told::Received)?,
        "decision_stored_ms": decision_stored,
        "cpu_us_a_message": cpu_us(&cpu_before, &cpu_after, shots.len()),
        "memory_mib": memory,
        "load_average": [load_before, load_after],
        "first_output_s": running.first_output.as_secs_f64(),
        "hops": hops_before.zip(hops_after).map(|(before, after)| hops::grown(&before, &after)),
    }))
}
