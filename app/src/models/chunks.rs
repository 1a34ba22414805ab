//! The content of versions in the log, in pieces a broker takes.
//!
//! Reads and writes `model-chunks`. Invariant: pieces are durable before anything speaks of their
//! version, and are checked whole before they are used.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, bail};
use classifier::{Models, Task};
use data_encoding::HEXLOWER;
use pipeline::log::{From, insist};
use pipeline::{Group, Headers, Log, Offset, Record};
use schemas::Avro;
use schemas::models::{ModelChunk, ModelFiles, ModelPublished};
use schemas::topics::{MODEL_CHUNKS, MODELS, Topic};
use sha2::{Digest, Sha256};

use super::releases::{By, Releases, tell_published};

/// Bytes of a piece: brokers take 1 MiB.
const CHUNK_BYTES: usize = 512 << 10;
/// How long the log may say nothing before pieces count as gone.
const SILENCE: Duration = Duration::from_secs(30);
/// How often, and how far apart, the reader of turns is looked at before old versions go.
const QUIET_LOOKS: u32 = 20;
const QUIET_EVERY: Duration = Duration::from_millis(100);

/// Appends `records`, however long the log is busy; gives their places.
pub(super) async fn append(
    log: &dyn Log,
    records: Vec<Record>,
) -> anyhow::Result<Vec<(u32, Offset)>> {
    let durable = insist(log, records).await;
    Ok(durable.context("the log did not take it; try again")?.0)
}

/// Writes `files`, which are `models`, and then that they can be had.
///
/// # Errors
/// When the log does not take them.
pub async fn publish(
    log: &dyn Log,
    models: &Models,
    files: &ModelFiles,
    by: &By,
) -> anyhow::Result<ModelPublished> {
    let bytes = files.to_bytes()?;
    let version = models.version();
    let mut chunks = 0;
    for (piece, index) in bytes.chunks(CHUNK_BYTES).zip(0..) {
        let chunk = ModelChunk { version: version.to_owned(), index, content: piece.to_vec() };
        let key = key_of(version, index);
        append(log, vec![Record::new(MODEL_CHUNKS, key, chunk.to_bytes()?, by.now_ms)]).await?;
        chunks = index + 1;
    }
    let has = |task: &Task| !models.labels(*task).is_empty();
    let published = ModelPublished {
        version: version.to_owned(),
        chunks,
        size_bytes: i64::try_from(bytes.len())?,
        sha256: HEXLOWER.encode(&Sha256::digest(&bytes)),
        heads: Task::ALL.into_iter().filter(has).map(|task| task.name().to_owned()).collect(),
        published_by: by.name.clone(),
        published_at_ms: by.now_ms,
    };
    tell_published(log, &published).await?;
    Ok(published)
}

fn key_of(version: &str, index: i32) -> String {
    format!("{version}|{index}")
}

/// A version being put together.
struct Pieces<'a> {
    of: &'a ModelPublished,
    found: HashMap<i32, Vec<u8>>,
}

impl Pieces<'_> {
    fn is_whole(&self) -> bool {
        (0..self.of.chunks).all(|index| self.found.contains_key(&index))
    }

    fn files(mut self) -> anyhow::Result<ModelFiles> {
        if !self.is_whole() {
            bail!("the log does not hold all of {}; publish it again", self.of.version);
        }
        let pieces = (0..self.of.chunks).filter_map(|index| self.found.remove(&index));
        let bytes: Vec<u8> = pieces.flatten().collect();
        if HEXLOWER.encode(&Sha256::digest(&bytes)) != self.of.sha256 {
            bail!("version {} is damaged in the log; publish it again", self.of.version);
        }
        Ok(ModelFiles::from_bytes(&bytes)?)
    }
}

/// Reads the files of the versions `wanted` out of the log, each of which may be damaged or lack pieces.
///
/// # Errors
/// When the log cannot be read.
pub async fn fetch(
    log: &dyn Log,
    wanted: &[ModelPublished],
) -> anyhow::Result<Vec<anyhow::Result<ModelFiles>>> {
    let mut open: Vec<Pieces<'_>> =
        wanted.iter().map(|of| Pieces { of, found: HashMap::new() }).collect();
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let mut tail = log.tail(&[MODEL_CHUNKS], From::Start).await?;
    while !open.iter().all(Pieces::is_whole) {
        let Ok(records) = tokio::time::timeout(SILENCE, tail.next()).await else { break };
        for value in records?.into_iter().filter_map(|record| record.value) {
            let chunk = ModelChunk::from_bytes(&value)?;
            if let Some(pieces) = open.iter_mut().find(|pieces| pieces.of.version == chunk.version)
            {
                pieces.found.insert(chunk.index, chunk.content);
            }
        }
    }
    Ok(open.into_iter().map(Pieces::files).collect())
}

/// Removes the versions there are too many of, unless records may still have to be read with one of
/// them: only while `reader`, the group whose positions pin versions, has taken account of all there
/// is. Otherwise they go another time. Gives which went.
///
/// # Errors
/// When the log does not take it.
pub async fn trim(
    log: &dyn Log,
    releases: &Releases,
    reader: &Group,
    now_ms: i64,
) -> anyhow::Result<Vec<String>> {
    let surplus = releases.surplus();
    if surplus.is_empty() || !is_through(log, reader).await? {
        return Ok(Vec::new());
    }
    let mut gone = Vec::new();
    for published in surplus {
        // First that it can be had, so that nobody looks for pieces that are going.
        let mut records = vec![tombstone(MODELS, published.version.clone(), now_ms)];
        let keys = (0..published.chunks).map(|index| key_of(&published.version, index));
        records.extend(keys.map(|key| tombstone(MODEL_CHUNKS, key, now_ms)));
        append(log, records).await?;
        gone.push(published.version.clone());
    }
    Ok(gone)
}

async fn is_through(log: &dyn Log, reader: &Group) -> anyhow::Result<bool> {
    for _ in 0..QUIET_LOOKS {
        if log.lag(reader).await? == 0 {
            return Ok(true);
        }
        tokio::time::sleep(QUIET_EVERY).await;
    }
    Ok(false)
}

fn tombstone(topic: Topic, key: String, time_ms: i64) -> Record {
    let (key, headers) = (key.into_bytes().into(), Headers::default());
    Record { topic, partition: None, key, value: None, headers, time_ms }
}
