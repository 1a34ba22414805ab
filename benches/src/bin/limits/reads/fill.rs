//! A store with as many messages as are asked for, made once and kept.
//!
//! Rows go in in the order of their keys, so that ten million messages take minutes; what is in the
//! store afterwards is the same as if they had come one by one. A note beside the file says what it
//! holds; without one it is not touched.

use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};
use benches::draw::Draw;
use pipeline::Envelope;
use schemas::conversation::Conversation;
use schemas::customers::LinkSource;
use schemas::ids::{Alias, CommandId};
use schemas::message::Channel;
use schemas::state::MinuteMetrics;
use schemas::topics::CONVERSATIONS;
use serde::{Deserialize, Serialize};
use sink::Store;
use sink::customers::{AliasRow, LinkAct, LinkRow};
use sink::rows::{self, Row};
use sink::store::sqlite::SqliteStore;
use tokio::sync::mpsc;

use crate::made::{EACH, Keys, NOW_MS, Plan, TENANTS};
use crate::tell;
use crate::traffic::envelope;

/// Rows of one transaction.
const ROWS: usize = 20_000;
/// Days and partitions with minute metrics.
const MINUTES: i64 = 7 * 24 * 60;
const PARTITIONS: i32 = 12;
/// Raised when what is made changes.
const VERSION: u32 = 1;
/// One contact in so many is one customer with the next.
const LINKED: u64 = 10;

/// What a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    version: u32,
    /// Messages asked for, which is how far apart keys are.
    pub messages: u64,
    /// Conversations.
    pub conversations: u64,
    /// Contacts.
    pub contacts: u64,
    /// Lines of all histories.
    pub lines: u64,
    /// Whether everything is in it.
    filled: bool,
}

impl Shape {
    /// How its keys were given out.
    pub fn keys(&self) -> Keys {
        Keys::of(self.messages, 0)
    }
}

/// Tells the keys of this run from those of every other.
pub fn salt() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default() | 1
}

fn note(dir: &Path) -> std::path::PathBuf {
    dir.join("limits.json")
}

/// The store in `dir`, which has been filled before.
pub fn opened(dir: &Path) -> anyhow::Result<(SqliteStore, Shape)> {
    let text = std::fs::read(note(dir))
        .with_context(|| format!("{} holds no store that `reads` has filled", dir.display()))?;
    let shape: Shape = serde_json::from_slice(&text)?;
    ensure!(shape.filled && shape.version == VERSION, "the store was not filled to its end");
    Ok((SqliteStore::open(&dir.join("store.db"))?, shape))
}

/// The store in `dir` with `messages`; filled if it is not there.
pub async fn filled(dir: &Path, messages: u64) -> anyhow::Result<(SqliteStore, Shape)> {
    if note(dir).exists() {
        match opened(dir) {
            Ok((store, shape)) if shape.messages == messages => return Ok((store, shape)),
            Ok((_, shape)) => bail!(
                "the store in {} holds {} messages, not {messages}: name another directory",
                dir.display(),
                shape.messages
            ),
            // Our own, and not finished.
            Err(_) => {
                for file in ["store.db", "store.db-wal", "store.db-shm"] {
                    let _ = std::fs::remove_file(dir.join(file));
                }
            }
        }
    }
    std::fs::create_dir_all(dir)?;
    let path = dir.join("store.db");
    ensure!(!path.exists(), "{} is not ours: name another directory", path.display());
    let mut shape = Shape { version: VERSION, messages, ..Shape::default() };
    std::fs::write(note(dir), serde_json::to_vec(&shape)?)?;
    let store = SqliteStore::open(&path)?;
    fill(&store, &mut shape).await?;
    store.gather().await?;
    shape.filled = true;
    std::fs::write(note(dir), serde_json::to_vec(&shape)?)?;
    Ok((store, shape))
}

async fn fill(store: &SqliteStore, shape: &mut Shape) -> anyhow::Result<()> {
    let (to, mut from) = mpsc::channel(2);
    let asked = *shape;
    // Made beside the store, which takes one core.
    let making = tokio::task::spawn_blocking(move || Making::of(asked, to).all());
    let (began, mut told) = (Instant::now(), 0);
    while let Some((rows, messages)) = from.recv().await {
        store.apply(rows).await?;
        let done = messages * 20 / shape.messages.max(1);
        if done > told {
            told = done;
            let seconds = began.elapsed().as_secs();
            eprintln!("filling: {messages} messages, {} %, {seconds} s", done * 5);
        }
    }
    *shape = making.await??;
    Ok(())
}

type Chunk = (Vec<Row>, u64);

struct Making {
    shape: Shape,
    keys: Keys,
    messages: u64,
    rows: Vec<Row>,
    to: mpsc::Sender<Chunk>,
}

impl Making {
    fn of(shape: Shape, to: mpsc::Sender<Chunk>) -> Self {
        Self { shape, keys: shape.keys(), messages: 0, rows: Vec::new(), to }
    }

    fn all(mut self) -> anyhow::Result<Shape> {
        while self.messages < self.shape.messages {
            let n = self.shape.conversations;
            if n.is_multiple_of(EACH) {
                self.contact(n / EACH);
            }
            self.conversation(n)?;
            self.shape.conversations += 1;
            self.send(ROWS)?;
        }
        for minute in 0..MINUTES {
            self.minute(NOW_MS / 60_000 - minute);
            self.send(ROWS)?;
        }
        self.send(1)?;
        Ok(self.shape)
    }

    /// Hands over what there is, if it is enough.
    fn send(&mut self, rows_min: usize) -> anyhow::Result<()> {
        if self.rows.len() >= rows_min {
            let chunk = (std::mem::take(&mut self.rows), self.messages);
            self.to.blocking_send(chunk).ok().context("the store takes nothing")?;
        }
        Ok(())
    }

    fn conversation(&mut self, n: u64) -> anyhow::Result<()> {
        let plan = Plan::stored(self.keys, n);
        let (keys, messages) = (self.keys, &mut self.messages);
        let mut next_id = || {
            *messages += 1;
            keys.message(*messages - 1)
        };
        let key = plan.key.to_bytes();
        for line in tell::lines(&plan, &mut next_id) {
            let line: Envelope<Conversation> =
                envelope(&key, CONVERSATIONS, line.at_ms, line.record);
            self.rows.extend(rows::of_conversation(&line).map_err(anyhow::Error::msg)?);
            self.shape.lines += 1;
        }
        Ok(())
    }

    /// What a contact goes by, and every tenth's link with the next.
    fn contact(&mut self, n: u64) {
        self.shape.contacts += 1;
        let key = self.keys.contact(n);
        let alias = |n: u64| {
            let mut bytes = [0; 16];
            bytes.iter_mut().zip(Draw::of(n ^ 0xa1).bytes(16)).for_each(|(to, from)| *to = from);
            Alias(bytes)
        };
        let shared = (n % LINKED == 1).then(|| alias(n - 1));
        for alias in std::iter::once(alias(n)).chain(shared) {
            let (tenant, contact) = (key.tenant.clone(), key.contact);
            let channel = Channel::Whatsapp;
            self.rows.push(Row::Alias(AliasRow { tenant, alias, contact, channel, at_ms: NOW_MS }));
        }
        if n.is_multiple_of(LINKED) {
            let next = self.keys.contact(n + 1).contact;
            for (contact, other, is_first) in
                [(key.contact, next, true), (next, key.contact, false)]
            {
                self.rows.push(Row::Link(Box::new(LinkRow {
                    tenant: key.tenant.clone(),
                    contact,
                    link_id: CommandId(key.contact.0),
                    other,
                    is_first,
                    source: LinkSource::Agent,
                    made: Some(LinkAct { at_ms: NOW_MS, by: None, reason_sealed: None }),
                    undone: None,
                })));
            }
        }
    }

    /// What was counted in a minute, for each tenant and partition.
    fn minute(&mut self, minute: i64) {
        let names =
            ["received", "settled/auto", "settled/human", "replies/sent", "opened", "closed"];
        for tenant in TENANTS {
            for source_partition in 0..PARTITIONS {
                let mut draw =
                    Draw::of(minute.unsigned_abs() ^ u64::from(source_partition.unsigned_abs()));
                let value = |name: &str| (name.to_owned(), draw.below(30).cast_signed());
                let values = names.into_iter().map(value).collect();
                let tenant = tenant.to_owned();
                self.rows.push(Row::Minute(MinuteMetrics {
                    tenant,
                    minute,
                    source_partition,
                    values,
                }));
            }
        }
    }
}
