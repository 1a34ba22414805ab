//! The floor: hears every line of every conversation as soon as it is durable, tells whoever asked
//! for something what came of it, and shows live pages what happens.
//!
//! Hears `conversations`, from whoever reads them. A page that does not keep up is let go of.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pipeline::Stored;
use schemas::Avro;
use schemas::conversation::Conversation;
use schemas::ids::{CommandId, ConversationId};
use schemas::topics::CONVERSATIONS;
use tokio::sync::{broadcast, oneshot};

use crate::typing::CustomerTypes;

/// Lines a page may be behind.
const BEHIND_MAX: usize = 2_000;

/// Signs of customers writing a page may be behind; more are missed.
const SIGNS_BEHIND_MAX: usize = 256;

/// A line of a conversation and when it was written (Unix, ms).
pub(crate) type Line = Arc<(i64, Conversation)>;

/// Tells pages and agents.
pub struct Floor {
    asked: Mutex<HashMap<CommandId, oneshot::Sender<Line>>>,
    lines: broadcast::Sender<Line>,
    signs: broadcast::Sender<CustomerTypes>,
}

impl Default for Floor {
    fn default() -> Self {
        Self {
            asked: Mutex::default(),
            lines: broadcast::Sender::new(BEHIND_MAX),
            signs: broadcast::Sender::new(SIGNS_BEHIND_MAX),
        }
    }
}

impl Floor {
    /// Waits for what comes of a command. Asked before the command is appended, nothing is missed.
    pub(crate) fn expect(&self, command: CommandId) -> oneshot::Receiver<Line> {
        let (sender, receiver) = oneshot::channel();
        self.asked.lock().insert(command, sender);
        receiver
    }

    /// Nobody waits for the command any more.
    pub(crate) fn forget(&self, command: CommandId) {
        self.asked.lock().remove(&command);
    }

    /// Every line from now on.
    pub(crate) fn follow(&self) -> broadcast::Receiver<Line> {
        self.lines.subscribe()
    }

    /// Tells pages that a customer is writing, or no more.
    pub fn customer_types(&self, tenant: &str, conversation: ConversationId, on: bool) {
        let _ = self.signs.send(CustomerTypes { tenant: tenant.to_owned(), conversation, on });
    }

    /// Every sign of a customer writing from now on.
    pub(crate) fn signs(&self) -> broadcast::Receiver<CustomerTypes> {
        self.signs.subscribe()
    }

    /// Tells of the lines among `records`, which have just become durable.
    pub fn hear(&self, records: &[Stored]) {
        if self.lines.receiver_count() == 0 && self.asked.lock().is_empty() {
            return;
        }
        for record in records.iter().filter(|record| record.topic == CONVERSATIONS) {
            // A second try is for the stage that could not use the first.
            let news = record.headers.enters_at().is_none();
            let Some(value) = record.value.as_ref().filter(|_| news) else { continue };
            match Conversation::from_bytes(value) {
                Ok(line) => self.tell(Arc::new((record.time_ms, line))),
                Err(error) => tracing::warn!(%error, "a line of the history is unreadable"),
            }
        }
    }

    fn tell(&self, line: Line) {
        let command = line.1.command_id;
        let asked = command.and_then(|command| self.asked.lock().remove(&command));
        if let Some(sender) = asked {
            let _ = sender.send(Arc::clone(&line));
        }
        let _ = self.lines.send(line);
    }
}
