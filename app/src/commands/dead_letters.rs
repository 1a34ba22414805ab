//! Records no stage could use: looked at at any time, and put back; on one machine while its server
//! does not run.

use std::path::Path;

use anyhow::Context;
use schemas::Avro;
use schemas::ops::DeadLetter;
use schemas::topics::DEAD_LETTERS;

use super::{cluster, peek, print, settings};
use crate::cli::DeadLetters;
use crate::config::Settings;
use crate::dead_letters::{PutBack, put_back};
use crate::serve::backend::Backend;

/// Does what is asked of dead letters.
pub fn run(asked: DeadLetters, file: Option<&Path>) -> anyhow::Result<()> {
    let (DeadLetters::List { data_dir }
    | DeadLetters::Show { data_dir, .. }
    | DeadLetters::Replay { data_dir, .. }) = &asked;
    let settings = settings(file, data_dir.as_deref())?;
    super::runtime()?.block_on(async {
        let letters = letters(&settings).await?;
        match asked {
            DeadLetters::List { .. } => list(letters),
            DeadLetters::Show { place, .. } => show(letters, &place),
            DeadLetters::Replay { place, .. } => replay(&settings, letters, &place).await,
        }
    })
}

/// A letter, and where it stands.
struct Letter {
    place: String,
    letter: DeadLetter,
}

/// Every letter, oldest first within its partition.
async fn letters(settings: &Settings) -> anyhow::Result<Vec<Letter>> {
    let records = peek::all(settings, DEAD_LETTERS).await?;
    let read = records.into_iter().map(|record| {
        let place = format!("{}/{}", record.partition, record.offset);
        let letter = DeadLetter::from_bytes(record.value.as_deref().unwrap_or_default())?;
        Ok(Letter { place, letter })
    });
    read.collect()
}

fn list(letters: Vec<Letter>) -> anyhow::Result<()> {
    if letters.is_empty() {
        return print("no dead letters");
    }
    let mut text = format!("{:<10} {:<14} {:<15} {:<22} why\n", "place", "stage", "reason", "from");
    for Letter { place, letter } in letters {
        let from = format!("{}/{}/{}", letter.topic, letter.partition, letter.offset);
        let reason = letter.reason.as_str();
        text += &format!(
            "{place:<10} {:<14} {reason:<15} {from:<22} {}\n",
            letter.stage, letter.detail
        );
    }
    print(text.trim_end())
}

fn find(letters: Vec<Letter>, place: &str) -> anyhow::Result<Letter> {
    letters
        .into_iter()
        .find(|letter| letter.place == place)
        .with_context(|| format!("no dead letter at {place}; `dead-letters list` shows them"))
}

fn show(letters: Vec<Letter>, place: &str) -> anyhow::Result<()> {
    let Letter { letter, .. } = find(letters, place)?;
    let bytes = letter.value.as_deref().unwrap_or_default();
    let hex = data_encoding::HEXLOWER.encode(bytes);
    let shown = serde_json::json!({
        "stage": letter.stage,
        "reason": letter.reason,
        "detail": letter.detail,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "time_ms": letter.time_ms,
        "key": String::from_utf8_lossy(&letter.key),
        "bytes": bytes.len(),
        "value_hex": hex,
    });
    print(&serde_json::to_string_pretty(&shown)?)
}

/// Puts letters back at the input of the stage that could not use them, each once.
async fn replay(settings: &Settings, letters: Vec<Letter>, place: &str) -> anyhow::Result<()> {
    let chosen = if place == "all" { letters } else { vec![find(letters, place)?] };
    let Backend { log, ledger, .. } = cluster::backend(settings).await?;
    let mut replayed = 0;
    for Letter { place, letter } in chosen {
        let layout = settings.line.layout;
        match put_back(log.as_ref(), ledger.as_ref(), layout, &place, letter).await? {
            PutBack::Done => replayed += 1,
            PutBack::Before => print(&format!("{place} was replayed before"))?,
            PutBack::Request => {
                print(&format!("{place} is a provider's request: `raw replay` reads it again"))?;
            }
            PutBack::State => print(&format!(
                "{place} is a stage's state, which that stage alone writes: `store rebuild` reads it again"
            ))?,
        }
    }
    print(&format!("{replayed} put back; they are taken up as soon as the stages run"))
}
