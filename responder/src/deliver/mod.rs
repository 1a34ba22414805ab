//! The `deliver` effect: planned replies go out, once.
//!
//! Reads `replies`; writes outcomes to `inbound`. Invariants: a reply that may have gone out is never
//! sent again (the ledger knows); one that is too old is not sent at all; a reply to a waiting caller
//! never goes out on a channel.

mod callback;
pub mod chatwoot;
pub mod email;
pub(crate) mod http;
mod pace;
pub mod phone;
mod sender;
pub mod telegram;
pub mod twilio;
pub mod whatsapp_cloud;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pipeline::clock::Clock;
use pipeline::ledger::{Claim, OnceKey, OnceLedger};
use pipeline::{Effect, Envelope, Outcome};
use schemas::ids::LineKey;
use schemas::line::InboundBody;
use schemas::message::{AnswerVia, DeliveryOutcome, DeliveryResult, ReplyPurpose};
use schemas::sealed::Keyring;
use schemas::work::Reply;
use serde::{Deserialize, Serialize};

pub use callback::HttpCallback;
pub use sender::{InProduct, Outgoing, SendError, Sender, Sent};

use crate::once::{again, once};
use crate::outcome::told;
use crate::template::Template;

/// First pause before a channel that refused is tried again; doubles.
const SEND_RETRY_AFTER: Duration = Duration::from_millis(200);

/// Why a free text that comes too late for its channel is not sent: a person decides what is.
const WINDOW_CLOSED: &str = "window_closed";

/// Why the rest of an answer in several texts is not sent: a person has the customer by then.
const PART_BEFORE: &str = "part_before";

/// The effect.
pub struct Deliver {
    /// By the adapter that heard the customer.
    senders: HashMap<&'static str, Arc<dyn Sender>>,
    ledger: Arc<dyn OnceLedger>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
}

/// How a delivery ended, as the ledger remembers it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ended {
    result: DeliveryResult,
    provider_message_id: Option<String>,
    error: Option<String>,
}

impl Ended {
    fn with(result: DeliveryResult, error: Option<&str>) -> Self {
        Self { result, provider_message_id: None, error: error.map(str::to_owned) }
    }
}

impl Deliver {
    /// Delivers by `senders`, one an adapter; what an adapter without one heard cannot be answered.
    #[must_use]
    pub fn new(
        senders: HashMap<&'static str, Arc<dyn Sender>>,
        ledger: Arc<dyn OnceLedger>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { senders, ledger, keyring, clock }
    }

    async fn one(&self, input: &Envelope<Reply>) -> Outcome {
        let reply = &input.body;
        let ended = if reply.due.via == AnswerVia::Caller {
            Ended::with(DeliveryResult::ReturnedToCaller, None)
        } else {
            match self.send(&input.key, reply).await {
                Ok(ended) => ended,
                Err(outcome) => return outcome,
            }
        };
        let outcome = DeliveryOutcome {
            conversation_id: reply.conversation_id,
            turn: reply.due.turn,
            purpose: reply.due.purpose,
            part: reply.due.part,
            parts: reply.parts,
            result: ended.result,
            provider_message_id: ended.provider_message_id,
            error: ended.error,
            agent: reply.agent.clone(),
            answer_id: reply.answer_id.clone(),
            text_sealed: Some(reply.text_sealed.clone()),
            text_masked: Some(reply.text_masked.clone()),
            buttons: reply.buttons.clone(),
            intent: reply.due.intent.clone(),
        };
        let body = InboundBody::DeliveryOutcome(Box::new(outcome));
        told(&input.key, body, self.clock.now_ms())
    }

    /// Sends, guarded by the ledger where sending twice would show.
    async fn send(&self, key: &[u8], reply: &Reply) -> Result<Ended, Outcome> {
        let Some(sender) = self.senders.get(reply.due.address.provider.as_str()) else {
            return Ok(Ended::with(DeliveryResult::Failed, Some("no_sender")));
        };
        let (outgoing, template) = self.open(key, reply)?;
        let try_now = || async {
            if self.clock.now_ms() >= reply.due.expires_at_ms {
                return Ok(Ended::with(DeliveryResult::Expired, None));
            }
            let until_ms = outgoing.reply_window_until_ms;
            if until_ms.is_none_or(|until_ms| self.clock.now_ms() < until_ms) {
                let ended = attempt(sender.as_ref(), &outgoing).await?;
                // The provider's clock counts, and it has said that nothing went out.
                if ended.error.as_deref() != Some(WINDOW_CLOSED) {
                    return Ok(ended);
                }
            }
            match &template {
                Some(template) if sender.takes_templates() => {
                    let template = Some(template.clone());
                    attempt(sender.as_ref(), &Outgoing { template, ..outgoing.clone() }).await
                }
                _ => Ok(Ended::with(DeliveryResult::Failed, Some(WINDOW_CLOSED))),
            }
        };
        if sender.is_idempotent() {
            return try_now().await;
        }
        // The ledger first, the clock after it: what has gone out is not told as expired.
        let key = OnceKey(outgoing.id.clone());
        let interrupted = Ended::with(DeliveryResult::Uncertain, Some("interrupted"));
        let in_its_turn = async {
            if self.is_broken_off(reply).await? {
                return Ok(Ended::with(DeliveryResult::Failed, Some(PART_BEFORE)));
            }
            try_now().await
        };
        once(self.ledger.as_ref(), &key, interrupted, in_its_turn).await
    }

    /// Whether the part before this one is not known to have gone out. It was tried before: replies to
    /// one customer keep their order.
    async fn is_broken_off(&self, reply: &Reply) -> Result<bool, Outcome> {
        if reply.parts < 2 || reply.due.part == 0 {
            return Ok(false);
        }
        let before = OnceKey(id_of(reply, reply.due.part - 1));
        match self.ledger.claim(&before).await.map_err(again)? {
            Claim::Settled(ended) => {
                let ended = serde_json::from_slice::<Ended>(&ended);
                Ok(ended.map_or(true, |ended| ended.result != DeliveryResult::Sent))
            }
            Claim::Open => Ok(true),
            Claim::Won => {
                self.ledger.release(&before).await.map_err(again)?;
                Ok(true)
            }
        }
    }

    /// The reply as the channel needs it, and what goes out instead after the window.
    fn open(&self, key: &[u8], reply: &Reply) -> Result<(Outgoing, Option<Template>), Outcome> {
        let reject = |why: String| Outcome::Reject(why);
        let key = LineKey::parse(key)
            .ok_or_else(|| reject("the key is not tenant:contact".to_owned()))?;
        let keys = self.keyring.of(&key.tenant).map_err(|error| reject(error.to_string()))?;
        let due = &reply.due;
        let thread = due.address.thread_sealed.as_ref().map(|sealed| keys.open_thread(sealed));
        let thread = thread.transpose().map_err(|error| reject(error.to_string()))?;
        let template = reply.template_sealed.as_ref().map(|sealed| {
            let plain = keys.open(sealed).map_err(|error| reject(error.to_string()))?;
            serde_json::from_slice(&plain).map_err(|error| reject(error.to_string()))
        });
        let outgoing = Outgoing {
            id: id_of(reply, due.part),
            tenant: key.tenant,
            conversation_id: reply.conversation_id,
            protocol: reply.protocol.clone(),
            channel: due.address.channel,
            account: due.address.account.clone(),
            reply_window_until_ms: due.address.reply_window_until_ms,
            contact: keys
                .open_contact(&due.address.contact_sealed)
                .map_err(|error| reject(error.to_string()))?,
            text: keys.open_text(&reply.text_sealed).map_err(|error| reject(error.to_string()))?,
            buttons: reply.buttons.clone(),
            options_title: reply.options_title.clone(),
            thread,
            automatic: due.purpose != ReplyPurpose::AgentReply,
            template: None,
        };
        Ok((outgoing, template.transpose()?))
    }
}

/// Names a part of a reply and nothing else.
fn id_of(reply: &Reply, part: i32) -> String {
    let due = &reply.due;
    format!("{}/{}/{}/{part}", reply.conversation_id, due.turn, due.purpose.as_str())
}

/// One try. `Err`: certainly not accepted, to be tried again when the channel wants to hear of it;
/// the lane does not wait for that.
async fn attempt(sender: &dyn Sender, outgoing: &Outgoing) -> Result<Ended, Outcome> {
    match sender.send(outgoing).await {
        Ok(Sent { provider_message_id }) => {
            Ok(Ended { result: DeliveryResult::Sent, provider_message_id, error: None })
        }
        Err(SendError::NotAccepted { why, retry_after }) => {
            Err(Outcome::Retry { after: retry_after.unwrap_or(SEND_RETRY_AFTER), why })
        }
        Err(SendError::Refused(why)) => Ok(Ended::with(DeliveryResult::Failed, Some(&why))),
        Err(SendError::Unknown(why)) => Ok(Ended::with(DeliveryResult::Uncertain, Some(&why))),
    }
}

#[async_trait]
impl Effect for Deliver {
    const NAME: &'static str = "deliver";
    type In = Reply;

    async fn apply(&self, inputs: &[Envelope<Reply>]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(inputs.len());
        for input in inputs {
            outcomes.push(self.one(input).await);
        }
        outcomes
    }
}

#[cfg(test)]
mod tests;
