//! Hearing back: whoever waits for what becomes of a contact is told as soon as it is durable,
//! whichever process decided it.
//!
//! Hears [`Hub::TOPICS`], from whoever reads them. A watcher that does not keep up is dropped, never
//! buffered for.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use pipeline::Stored;
use schemas::Avro;
use schemas::conversation::Conversation;
use schemas::ids::LineKey;
use schemas::topics::{CONVERSATIONS, REPLIES, Topic};
use schemas::work::Reply;
use tokio::sync::mpsc;

/// What a watcher may be behind, in records.
const BEHIND_MAX: usize = 256;
/// Newest records kept for those who come a moment late, in bytes.
const RECENT_BYTES_MAX: usize = 4 << 20;

/// Something happened to a contact.
#[derive(Debug, Clone)]
pub enum Heard {
    /// A line of the history.
    Conversation {
        /// When (Unix, ms).
        at_ms: i64,
        /// What.
        record: Arc<Conversation>,
    },
    /// A text is on its way to the customer.
    Reply(Arc<Reply>),
    /// An agent is writing, or no more: not of the log, and gone when nobody listens.
    AgentTypes(bool),
}

/// Tells watchers.
#[derive(Default)]
pub struct Hub {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    watchers: HashMap<Bytes, Vec<(u64, mpsc::Sender<Heard>)>>,
    next_watcher: u64,
    recent: VecDeque<Stored>,
    recent_bytes: usize,
}

/// One watcher of one contact.
pub struct Watch {
    hub: Arc<Hub>,
    key: Bytes,
    id: u64,
    heard: mpsc::Receiver<Heard>,
}

impl Watch {
    /// The next thing that happens; `None` when the watcher did not keep up.
    pub async fn next(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut inner = self.hub.inner.lock();
        if let Some(watchers) = inner.watchers.get_mut(&self.key) {
            watchers.retain(|(id, _)| *id != self.id);
            if watchers.is_empty() {
                inner.watchers.remove(&self.key);
            }
        }
    }
}

impl Hub {
    /// What is to be heard, from before the first watcher on.
    pub const TOPICS: [Topic; 2] = [CONVERSATIONS, REPLIES];

    /// Tells watchers of `records`, which have just become durable.
    pub fn hear(&self, records: Vec<Stored>) {
        records.into_iter().for_each(|record| self.tell(record));
    }

    /// Follows `key` from now on.
    pub(super) fn watch(self: &Arc<Self>, key: &LineKey) -> Watch {
        let (sender, heard) = mpsc::channel(BEHIND_MAX);
        let key = Bytes::from(key.to_bytes());
        let mut inner = self.inner.lock();
        inner.next_watcher += 1;
        let id = inner.next_watcher;
        inner.watchers.entry(key.clone()).or_default().push((id, sender));
        drop(inner);
        Watch { hub: Arc::clone(self), key, id, heard }
    }

    /// What happened to `key` in the last moments, oldest first.
    pub(super) fn recent(&self, key: &LineKey) -> Vec<Heard> {
        let key = key.to_bytes();
        let inner = self.inner.lock();
        inner.recent.iter().filter(|record| record.key == key).filter_map(read).collect()
    }

    /// Tells whoever watches a contact that an agent is writing to it. Who is behind misses that, and
    /// nothing else.
    pub fn agent_types(&self, key: &LineKey, on: bool) {
        let key = Bytes::from(key.to_bytes());
        let inner = self.inner.lock();
        for (_, sender) in inner.watchers.get(&key).into_iter().flatten() {
            let _ = sender.try_send(Heard::AgentTypes(on));
        }
    }

    /// Tells whoever watches the record's contact.
    fn tell(&self, record: Stored) {
        // A second try is for the stage that could not use the first; the first was told.
        if record.headers.enters_at().is_some() {
            return;
        }
        let mut inner = self.inner.lock();
        if let Some(watchers) = inner.watchers.get_mut(&record.key)
            && let Some(heard) = read(&record)
        {
            // A full queue means a watcher that does not keep up: it is let go of.
            watchers.retain(|(_, sender)| sender.try_send(heard.clone()).is_ok());
        }
        inner.recent_bytes += record.size();
        inner.recent.push_back(record);
        while inner.recent_bytes > RECENT_BYTES_MAX {
            let Some(oldest) = inner.recent.pop_front() else { break };
            inner.recent_bytes -= oldest.size();
        }
    }
}

fn read(record: &Stored) -> Option<Heard> {
    let value = record.value.as_ref()?;
    let heard = if record.topic == REPLIES {
        Reply::from_bytes(value).map(|reply| Heard::Reply(Arc::new(reply)))
    } else {
        Conversation::from_bytes(value)
            .map(|found| Heard::Conversation { at_ms: record.time_ms, record: Arc::new(found) })
    };
    heard.map_err(|error| tracing::warn!(topic = %record.topic, %error, "unreadable")).ok()
}
