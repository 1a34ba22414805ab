//! Holds a log, as an end without warning left it, to everything it had promised until then.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipeline::broadcast::Nothing;
use pipeline::ledger::{Claim, OnceKey, OnceLedger};
use pipeline::log::embedded::{Durability, EmbeddedLog, peek};
use pipeline::log::{Event, Limit, Restored};
use pipeline::runner::{StageRunner, Stepped};
use pipeline::{Group, Log, Offset, Record, Setup, Stage, Stored};
use schemas::Avro;
use tokio_util::sync::CancellationToken;

use super::line::{
    self, IN_SPEC, OUT_SPEC, PARTITIONS, Second, Sum, TOPICS, Word, clerk_group, opened, said,
    second_group, second_sums, sum_group, sums,
};

/// What the process was promised, from the file `told`.
#[derive(Default)]
struct Told {
    open: bool,
    /// Partition and offset, key and number.
    acknowledged: Vec<(u32, Offset, String, u64)>,
    /// Topic and offset, key, number and digest.
    seen: Vec<(String, Offset, String, u64, u64)>,
    won: BTreeSet<String>,
    settled: BTreeMap<String, String>,
}

impl Told {
    fn read(directory: &Path) -> Self {
        let text = std::fs::read_to_string(directory.join("told")).unwrap_or_default();
        let mut told = Self::default();
        // A line that was being written when the process ended promises nothing.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| words[at].parse::<u64>().unwrap();
            let text = |at: usize| words[at].to_owned();
            match words[0] {
                "open" => told.open = true,
                "acknowledged" => {
                    let partition = u32::try_from(number(1)).unwrap();
                    told.acknowledged.push((partition, number(2), text(3), number(4)));
                }
                "seen" => told.seen.push((text(1), number(2), text(3), number(4), number(5))),
                "won" => drop(told.won.insert(text(1))),
                "settled" => drop(told.settled.insert(text(1), text(2))),
                word => panic!("told {word}?"),
            }
        }
        told
    }
}

macro_rules! hold {
    ($that:expr, $($words:tt)+) => {
        if !$that {
            return Err(format!($($words)+));
        }
    };
}

/// How much a check looked at.
#[derive(Debug, Default, Clone, Copy)]
pub struct Held {
    pub acknowledged: usize,
    pub seen: usize,
    pub settled: usize,
    /// Records that were there without having been promised.
    pub besides: usize,
    /// States compared.
    pub states: usize,
}

/// What lies in the log: records in order, and how many of each key.
struct Lying {
    words: Vec<(Stored, Word)>,
    sums: Vec<(Stored, Word)>,
}

/// Opens the log in `directory`, compares it with what was told, lets the line run to its end and
/// compares again.
pub async fn check(directory: &Path) -> Result<Held, String> {
    let told = Told::read(directory);
    let log = opened(directory, Durability::Os)?;
    log.ensure(TOPICS).await.map_err(|error| error.to_string())?;
    hold!(intact(directory) == "ok", "the database is damaged: {}", intact(directory));
    let lying = lying(directory)?;
    let mut held = promises(&told, &lying)?;
    ledger(&told, &log).await?;
    held.states += sum_states(&log, &lying).await?;
    held.states += second_states(&log, &lying).await?;
    for (partition, restored) in restored(&log, &clerk_group()).await? {
        let end = lying.sums.len() as u64;
        hold!(
            restored.position <= end,
            "clerk is at {} of {end} in {partition}",
            restored.position
        );
    }
    goes_on(directory, &log).await?;
    Ok(held)
}

fn intact(directory: &Path) -> String {
    let connection = rusqlite::Connection::open(directory.join("log.db")).unwrap();
    let answer = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0));
    answer.unwrap_or_else(|error| error.to_string())
}

/// Every record lies where its topic's count says, under its key's partition, and says what its key
/// says there: dense, in order, nothing torn, no effect without its cause.
fn lying(directory: &Path) -> Result<Lying, String> {
    let read = |spec| -> Result<Vec<(Stored, Word)>, String> {
        let records = peek(directory, spec, 0, usize::MAX).map_err(|error| error.to_string())?;
        let words = records.into_iter().zip(0..).map(|(record, offset)| {
            hold!(record.offset == offset, "{} skips from {offset}", record.topic);
            let partition = pipeline::partition::of(&record.key, PARTITIONS);
            hold!(record.partition == partition, "a record lies in the wrong partition");
            let value = record.value.clone().ok_or("a record without value")?;
            let word = Word::from_bytes(&value).map_err(|error| error.to_string())?;
            hold!(record.key == word.key.as_bytes(), "a record under another key");
            Ok((record, word))
        });
        words.collect()
    };
    let lying = Lying { words: read(&IN_SPEC)?, sums: read(&OUT_SPEC)? };
    let mut count: BTreeMap<&str, u64> = BTreeMap::new();
    for (record, word) in &lying.words {
        let n = count.entry(&word.key).or_default();
        *n += 1;
        hold!(*word == said(&word.key, *n), "{} at {} is not word {n}", word.key, record.offset);
    }
    for (record, sum) in &lying.sums {
        let origin = record.headers.origin.as_ref().ok_or("an output without origin")?;
        let cause = lying.words.get(usize::try_from(origin.offset).unwrap());
        let cause =
            cause.ok_or_else(|| format!("an output of {}, which is gone", origin.offset))?;
        hold!((&cause.1.key, cause.1.n) == (&sum.key, sum.n), "an output of another word");
    }
    Ok(lying)
}

/// What was acknowledged or shown is there, just so.
fn promises(told: &Told, lying: &Lying) -> Result<Held, String> {
    for (partition, offset, key, n) in &told.acknowledged {
        let found = lying.words.get(usize::try_from(*offset).unwrap());
        let (record, word) = found.ok_or_else(|| format!("{key} {n} at {offset} is lost"))?;
        hold!(record.partition == *partition, "{key} {n} lies in another partition");
        hold!(
            (&word.key, word.n) == (key, *n),
            "{key} {n} at {offset} is now {} {}",
            word.key,
            word.n
        );
    }
    for (topic, offset, key, n, digest) in &told.seen {
        let records = if topic == line::IN.0 { &lying.words } else { &lying.sums };
        let found = records.get(usize::try_from(*offset).unwrap());
        let (_, word) = found.ok_or_else(|| format!("{topic} {offset} was seen and is lost"))?;
        hold!(
            (&word.key, word.n, word.digest) == (key, *n, *digest),
            "{topic} {offset} was seen with other content"
        );
    }
    Ok(Held {
        acknowledged: told.acknowledged.len(),
        seen: told.seen.len(),
        settled: told.settled.len(),
        besides: lying.words.len() - told.acknowledged.len(),
        states: 0,
    })
}

async fn ledger(told: &Told, log: &EmbeddedLog) -> Result<(), String> {
    for name in &told.won {
        let claim = log.claim(&OnceKey(name.clone())).await.map_err(|error| error.to_string())?;
        match told.settled.get(name) {
            Some(outcome) => hold!(
                claim == Claim::Settled(outcome.clone().into_bytes()),
                "{name} was settled as {outcome} and is {claim:?}"
            ),
            None => hold!(claim != Claim::Won, "{name} was won twice"),
        }
    }
    Ok(())
}

/// What a new member of `group` is given.
async fn restored(log: &EmbeddedLog, group: &Group) -> Result<Vec<(u32, Restored)>, String> {
    let mut member = log.join(group).await.map_err(|error| error.to_string())?;
    let limit = Limit { records_max: 1, bytes_max: 1, wait: Duration::from_secs(5) };
    let Ok(Event::Assigned(leases)) = member.next(limit).await else {
        return Err(format!("{} is given nothing", group.name));
    };
    let mut found = Vec::new();
    for lease in leases {
        let restored = member.restore(lease).await.map_err(|error| error.to_string())?;
        hold!(restored.position <= restored.end, "{} stands behind the end", group.name);
        found.push((lease.partition, restored));
    }
    Ok(found)
}

fn state_of(restored: &Restored, key: &str) -> Result<Option<Word>, String> {
    let row = restored.state.get(key.as_bytes()).map_err(|error| error.to_string())?;
    row.map(|row| Word::from_bytes(&row.value).map_err(|error| error.to_string())).transpose()
}

/// The first stage's states are those of its positions, and what lies before these was published.
async fn sum_states(log: &EmbeddedLog, lying: &Lying) -> Result<usize, String> {
    let mut states = 0;
    let published: BTreeSet<(&str, u64)> =
        lying.sums.iter().map(|(_, sum)| (sum.key.as_str(), sum.n)).collect();
    for (partition, restored) in restored(log, &sum_group()).await? {
        let mut count: BTreeMap<&str, u64> = BTreeMap::new();
        for (record, word) in lying.words.iter().filter(|(record, _)| record.partition == partition)
        {
            let count = count.entry(&word.key).or_default();
            if record.offset < restored.position {
                *count += 1;
                let is_published = published.contains(&(word.key.as_str(), word.n));
                hold!(is_published, "{} {} is committed and not published", word.key, word.n);
            }
        }
        for (key, count) in count {
            let (state, expected) = (state_of(&restored, key)?, sums(key, count).pop());
            hold!(state == expected, "{key} is {state:?} after {count} words, not {expected:?}");
            states += 1;
        }
    }
    Ok(states)
}

/// The second stage's states are those of its positions, each output counted once.
async fn second_states(log: &EmbeddedLog, lying: &Lying) -> Result<usize, String> {
    let mut states = 0;
    for (partition, restored) in restored(log, &second_group()).await? {
        let mut most: BTreeMap<&str, u64> = BTreeMap::new();
        for (record, sum) in lying.sums.iter().filter(|(record, _)| record.partition == partition) {
            let most = most.entry(&sum.key).or_default();
            if record.offset < restored.position {
                *most = (*most).max(sum.n);
            }
        }
        for (key, most) in most {
            let (state, expected) =
                (state_of(&restored, key)?, second_sums(&sums(key, most)).pop());
            hold!(state == expected, "second: {key} is {state:?}, not {expected:?}");
            states += 1;
        }
    }
    Ok(states)
}

/// The line takes up its work, and in the end every word has been counted once.
async fn goes_on(directory: &Path, log: &EmbeddedLog) -> Result<(), String> {
    let mut counts = line::counts(directory);
    let end: Offset = counts.values().sum();
    let n = counts.entry("k0-0".to_owned()).or_default();
    *n += 1;
    let bytes = said("k0-0", *n).to_bytes().unwrap();
    let record = Record::new(line::IN, "k0-0".as_bytes(), bytes, 1);
    let placed = log.append(vec![record]).await.map_err(|error| error.to_string())?;
    hold!(placed.0[0].1 == end, "the next offset is {}, not {end}", placed.0[0].1);
    settle(log, Sum, &sum_group()).await?;
    settle(log, Second, &second_group()).await?;
    let lying = lying(directory)?;
    sum_states(log, &lying).await?;
    second_states(log, &lying).await?;
    for group in [sum_group(), second_group()] {
        let lag = log.lag(&group).await.map_err(|error| error.to_string())?;
        hold!(lag == 0, "{} lags by {lag}", group.name);
    }
    let told: BTreeSet<(String, u64)> =
        lying.sums.into_iter().map(|(_, sum)| (sum.key, sum.n)).collect();
    let words = counts.values().sum::<u64>();
    hold!(told.len() as u64 == words, "{} of {words} words were summed up", told.len());
    Ok(())
}

async fn settle<S>(log: &EmbeddedLog, stage: S, group: &Group) -> Result<(), String>
where
    S: Stage<Broadcast = ()>,
{
    let (setup, nothing): (Setup, _) = (line::setup(log), Arc::new(Nothing::default()));
    let stop = CancellationToken::new();
    let runner = StageRunner::join(stage, group, setup, nothing, stop).await;
    let mut runner = runner.map_err(|error| error.to_string())?;
    let started = Instant::now();
    loop {
        let stepped = runner.step(Duration::from_millis(5)).await.map_err(|e| e.to_string())?;
        let lag = log.lag(group).await.map_err(|error| error.to_string())?;
        if stepped == Stepped::Idle && lag == 0 {
            return Ok(());
        }
        hold!(started.elapsed() < Duration::from_secs(60), "{} never settled", group.name);
    }
}
