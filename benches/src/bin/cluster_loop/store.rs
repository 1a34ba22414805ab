//! The store's process: the product's own effects, and a note of when each line's row was stored.
//!
//! A row is stored when the database has acknowledged the batch it was in, at the consistency at which
//! readers ask. That moment is taken here, behind the call, and written to a file that is read when the
//! run is over: nobody polls, and no histogram rounds.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pipeline::{Effect, EffectPolicy, Envelope, Offset, Outcome, Setup, spawn_effect};
use schemas::conversation::{Conversation, ConversationEvent};
use schemas::topics::{CONVERSATIONS, INBOUND, METRICS_STATE};
use sink::effects::{ACCEPTED_GATHER, KeepAccepted, KeepHistory, KeepMetrics, policy};
use tokio_util::sync::CancellationToken;

use crate::generator::now_us;
use crate::stored::{Line, Told};
use crate::wiring;

/// The history's effect, timed.
struct Timed {
    inner: KeepHistory,
    notes: Mutex<BufWriter<File>>,
}

impl Timed {
    fn note(&self, input: &Envelope<Conversation>, now_us: u64, to: &mut impl Write) {
        let record = &input.body;
        let (told, messages) = match &record.event {
            ConversationEvent::MessageReceived(received) => {
                (Told::Received, vec![received.head.message_id])
            }
            ConversationEvent::TurnDecided(decided) => (Told::Decided, decided.messages.clone()),
            _ => return,
        };
        for message in messages {
            let (message, id) = (message.to_string(), record.conversation_id);
            let line = Line { told, message, conversation: id, seq: record.seq, stored_us: now_us };
            // A note that is missing shows as a message that was lost.
            let _ = writeln!(to, "{line}");
        }
    }
}

#[async_trait]
impl Effect for Timed {
    const NAME: &'static str = KeepHistory::NAME;
    type In = Conversation;

    async fn positions(&self) -> Option<Vec<(u32, Offset)>> {
        self.inner.positions().await
    }

    async fn passed(&self, passed: &[(u32, Offset)]) {
        self.inner.passed(passed).await;
    }

    async fn apply(&self, inputs: &[Envelope<Conversation>]) -> Vec<Outcome> {
        let outcomes = self.inner.apply(inputs).await;
        let now_us = now_us();
        let mut notes = self.notes.lock();
        for (input, outcome) in inputs.iter().zip(&outcomes) {
            if matches!(outcome, Outcome::Done(_)) {
                self.note(input, now_us, &mut *notes);
            }
        }
        let _ = notes.flush();
        outcomes
    }
}

/// Keeps the store of the installation `tag` until told to stop; notes go to `notes`.
pub async fn run(kafka: &str, cql: &str, tag: &str, notes: &Path) -> anyhow::Result<()> {
    let setup = wiring::setup(kafka, tag, false, None)?;
    let store = Arc::new(wiring::store(cql, tag).await?);
    let file = File::options().create(true).append(true).open(notes)?;
    let inner = KeepHistory(Arc::clone(&store) as _);
    let timed = Timed { inner, notes: Mutex::new(BufWriter::new(file)) };
    let policy = EffectPolicy { commit_every: setup.policy.commit_every, ..policy() };
    let stop = CancellationToken::new();
    let (accepted, minutes) = (KeepAccepted(Arc::clone(&store) as _), KeepMetrics(store));
    let running = vec![
        spawn_effect(
            Arc::new(accepted),
            Setup::effect_group(KeepAccepted::NAME, INBOUND).gathering(ACCEPTED_GATHER),
            setup.clone(),
            policy,
            stop.clone(),
        ),
        spawn_effect(
            Arc::new(timed),
            Setup::effect_group(KeepHistory::NAME, CONVERSATIONS),
            setup.clone(),
            policy,
            stop.clone(),
        ),
        spawn_effect(
            Arc::new(minutes),
            Setup::effect_group(KeepMetrics::NAME, METRICS_STATE),
            setup,
            policy,
            stop.clone(),
        ),
    ];
    wiring::until_told(running, stop).await
}
