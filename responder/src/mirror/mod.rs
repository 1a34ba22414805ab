//! The `mirror` effect: what happens in conversations is shown in a Chatwoot inbox, for teams that work there.
//!
//! Reads `conversations`; writes nothing. Invariants: a line is shown once (the ledger knows), in the order
//! of its conversation; contacts and conversations are looked for by our own names before they are made;
//! numbers of customers stay masked unless the account says otherwise; what was old when it was read is
//! not shown.

mod chatwoot;
mod shown;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use pipeline::clock::Clock;
use pipeline::ledger::{OnceKey, OnceLedger};
use pipeline::{Effect, Envelope, Outcome};
use schemas::conversation::Conversation;
use schemas::ids::ConversationId;
use schemas::sealed::Keyring;

pub use chatwoot::{Account, Inbox};

use crate::deliver::SendError;
use crate::once::once;
use shown::{Shown, shown};

/// First pause before a server that refused is tried again; doubles.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Older lines are not shown: who begins to mirror does not begin years ago.
const AGE_MS_MAX: i64 = 24 * 3_600_000;
/// How long a line is tried.
const TRIED_FOR_MS: i64 = 600_000;
/// Conversations whose number there is remembered; beyond, all are looked for again.
const REMEMBERED_MAX: usize = 20_000;

/// The effect.
pub struct Mirror {
    /// By tenant.
    inboxes: HashMap<String, Inbox>,
    ledger: Arc<dyn OnceLedger>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    /// Numbers of conversations there.
    known: Mutex<HashMap<ConversationId, i64>>,
}

impl Mirror {
    /// Shows the conversations of each account's tenant in its inbox.
    ///
    /// # Errors
    /// When no HTTP client can be had, in words.
    pub fn new(
        accounts: Vec<Account>,
        ledger: Arc<dyn OnceLedger>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let inbox = |account: Account| Ok((account.tenant.clone(), Inbox::new(account)?));
        let inboxes = accounts.into_iter().map(inbox).collect::<Result<_, String>>()?;
        Ok(Self { inboxes, ledger, keyring, clock, known: Mutex::default() })
    }

    async fn one(&self, input: &Envelope<Conversation>) -> Outcome {
        let line = &input.body;
        let Some(inbox) = self.inboxes.get(&line.tenant) else { return nothing() };
        // What is in no history is not shown.
        if line.seq == 0 || self.clock.now_ms() - input.time_ms > AGE_MS_MAX {
            return nothing();
        }
        let what = match self.keyring.of(&line.tenant).map(|keys| shown(keys, line, inbox.whole()))
        {
            Ok(Ok(Some(what))) => what,
            Ok(Ok(None)) => return nothing(),
            Ok(Err(error)) | Err(error) => return Outcome::Reject(error.to_string()),
        };
        let key = OnceKey(format!("mirror/{}/{}", line.conversation_id, line.seq));
        let interrupted = Ended("interrupted".to_owned());
        match once(self.ledger.as_ref(), &key, interrupted, self.show(inbox, line, &what)).await {
            Ok(_) => nothing(),
            // One that stays away must not hold up what the others are shown.
            Err(_) if self.clock.now_ms() - input.time_ms > TRIED_FOR_MS => nothing(),
            Err(outcome) => outcome,
        }
    }

    fn remember(&self, id: ConversationId, number: i64) -> i64 {
        let mut known = self.known.lock();
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(id, number);
        number
    }

    async fn show(
        &self,
        inbox: &Inbox,
        line: &Conversation,
        what: &Shown,
    ) -> Result<Ended, Outcome> {
        let id = line.conversation_id;
        let known = self.known.lock().get(&id).copied();
        let number = match known {
            Some(number) => number,
            None => match inbox.conversation(line, what).await {
                Ok(Some(number)) => self.remember(id, number),
                Ok(None) => return Ok(Ended("stands elsewhere".to_owned())),
                // Neither it nor what comes after can be shown: nobody here can mend that.
                Err(SendError::Refused(why)) => {
                    tracing::warn!(tenant = line.tenant, why, "a conversation is not shown");
                    return Ok(Ended(why));
                }
                Err(error) => return Err(again(&error)),
            },
        };
        match inbox.tell(number, &format!("{id}/{}", line.seq), what).await {
            Ok(()) => Ok(Ended("shown".to_owned())),
            // It may be there: shown twice would mislead more than shown never.
            Err(SendError::Unknown(why)) => Ok(Ended(why)),
            // Somebody has deleted it there, say: the next line looks for it again.
            Err(SendError::Refused(why)) => {
                self.known.lock().remove(&id);
                Ok(Ended(why))
            }
            Err(error) => Err(again(&error)),
        }
    }
}

/// How it ended, as the ledger remembers it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Ended(String);

fn nothing() -> Outcome {
    Outcome::Done(Vec::new())
}

/// Looking for and making has no harm in it twice: everything is worth another try.
fn again(error: &SendError) -> Outcome {
    let why = error.to_string();
    match error {
        SendError::NotAccepted { retry_after: Some(after), .. } => {
            Outcome::Retry { after: *after, why }
        }
        _ => Outcome::Retry { after: RETRY_AFTER, why },
    }
}

#[async_trait]
impl Effect for Mirror {
    const NAME: &'static str = "mirror";
    type In = Conversation;

    async fn apply(&self, inputs: &[Envelope<Conversation>]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(inputs.len());
        for input in inputs {
            outcomes.push(self.one(input).await);
        }
        outcomes
    }
}
