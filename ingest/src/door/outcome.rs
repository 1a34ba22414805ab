//! What becomes of a message, put together from the lines of the history as they come: the answer to
//! `?wait=decision`, and the same body later.

use schemas::conversation::{Conversation, ConversationEvent, Route};
use schemas::ids::{ConversationId, MessageId};
use schemas::line::{Classification, IntentScore, NgramWeight};
use schemas::message::{ActionResult, Button, DeliveryResult, ReplyPurpose};
use schemas::sealed::{SealedText, TenantKeys};
use schemas::work::Reply;
use serde::Serialize;

use super::hear::Heard;

/// The decision on a message, as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // the names are the contract; README shows an example
pub struct Decision {
    pub message_id: MessageId,
    pub conversation_id: ConversationId,
    pub protocol: String,
    pub route: &'static str,
    pub queue: Option<String>,
    pub priority: &'static str,
    pub intent: Option<String>,
    pub confidence: f64,
    pub intents: Vec<IntentScore>,
    pub sentiment: &'static str,
    pub frustrated: bool,
    pub urgent: bool,
    pub reason: &'static str,
    pub reply: Option<ReplyView>,
    pub actions: Vec<ActionView>,
    pub explanation: Vec<NgramWeight>,
    pub model_version: Option<String>,
    pub processing_time_ms: i64,
}

/// What the customer is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // as above
pub struct ReplyView {
    pub text: String,
    pub purpose: &'static str,
    pub answer_id: Option<String>,
    pub buttons: Vec<Button>,
}

/// What the CRM was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // as above
pub struct ActionView {
    pub action: String,
    pub result: ActionResult,
    pub finding: String,
}

/// How far a message has come.
#[derive(Debug, Clone)]
pub struct Progress {
    message_id: MessageId,
    decided: Option<Decided>,
    reply: Option<Said>,
}

#[derive(Debug, Clone)]
struct Decided {
    conversation_id: ConversationId,
    turn: i64,
    protocol: String,
    queue: Option<String>,
    priority: &'static str,
    route: Route,
    reason: &'static str,
    classification: Option<Classification>,
    actions: Vec<ActionView>,
    /// The CRM has been asked and has not answered.
    acting: bool,
    /// Which text is still to come.
    due: Option<ReplyPurpose>,
    at_ms: i64,
}

#[derive(Debug, Clone)]
struct Said {
    text_sealed: SealedText,
    purpose: ReplyPurpose,
    answer_id: Option<String>,
    buttons: Vec<Button>,
}

impl Progress {
    /// Of a message nothing is known of yet.
    #[must_use]
    pub fn of(message_id: MessageId) -> Self {
        Self { message_id, decided: None, reply: None }
    }

    /// Takes account of something that happened to the message's contact.
    pub fn hear(&mut self, heard: &Heard) {
        match heard {
            Heard::Conversation { at_ms, record } => self.line(*at_ms, record),
            Heard::Reply(reply) => self.reply(reply),
            Heard::AgentTypes(_) => {}
        }
    }

    /// Takes account of a line of the history.
    pub fn line(&mut self, at_ms: i64, record: &Conversation) {
        if let ConversationEvent::TurnDecided(decided) = &record.event
            && decided.messages.contains(&self.message_id)
        {
            self.decided = Some(Decided {
                conversation_id: record.conversation_id,
                turn: decided.turn,
                protocol: record.protocol.clone(),
                queue: record.queue.clone(),
                priority: record.priority.as_str(),
                route: decided.route,
                reason: decided.reason.as_str(),
                classification: decided.classification.clone(),
                actions: Vec::new(),
                acting: decided.action.is_some(),
                due: record.answer_due.as_ref().map(|due| due.purpose),
                at_ms,
            });
            return;
        }
        let Some(mine) = &mut self.decided else { return };
        if record.conversation_id != mine.conversation_id {
            return;
        }
        match &record.event {
            ConversationEvent::ActionDone(done) if done.turn == mine.turn => {
                mine.actions.push(ActionView {
                    action: done.action.clone(),
                    result: done.result,
                    finding: done.finding.clone(),
                });
                let answered =
                    !matches!(done.result, ActionResult::Failed | ActionResult::Uncertain);
                mine.acting = !answered;
                mine.due = record.answer_due.as_ref().map(|due| due.purpose);
                mine.at_ms = at_ms;
            }
            ConversationEvent::Queued(queued) if queued.turn == Some(mine.turn) => {
                mine.queue.clone_from(&record.queue);
                mine.priority = record.priority.as_str();
                // Told by the machine and left to people besides stays the machine's answer.
                if mine.due != Some(ReplyPurpose::Answer) && self.reply.is_none() {
                    mine.route = Route::Human;
                    mine.reason = queued.reason.as_str();
                    mine.due = record.answer_due.as_ref().map(|due| due.purpose);
                }
                mine.acting = false;
                mine.at_ms = at_ms;
            }
            ConversationEvent::ReplySent(sent) if sent.turn == mine.turn => {
                let arrived =
                    matches!(sent.result, DeliveryResult::Sent | DeliveryResult::ReturnedToCaller);
                if let (true, Some(text_sealed)) = (arrived, sent.text_sealed.clone()) {
                    self.reply = Some(Said {
                        text_sealed,
                        purpose: sent.purpose,
                        answer_id: sent.answer_id.clone(),
                        buttons: sent.buttons.clone(),
                    });
                    mine.due = None;
                    mine.at_ms = at_ms;
                } else if mine.due == Some(sent.purpose) {
                    // It will not come; what the router makes of that follows.
                    mine.due = None;
                    mine.at_ms = at_ms;
                }
            }
            _ => {}
        }
    }

    fn reply(&mut self, reply: &Reply) {
        let Some(mine) = &mut self.decided else { return };
        if reply.conversation_id == mine.conversation_id
            && reply.due.turn == mine.turn
            && Some(reply.due.purpose) == mine.due
        {
            self.reply = Some(Said {
                text_sealed: reply.text_sealed.clone(),
                purpose: reply.due.purpose,
                answer_id: reply.answer_id.clone(),
                buttons: reply.buttons.clone(),
            });
            mine.due = None;
        }
    }

    /// Whether nothing more is to come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.decided.as_ref().is_some_and(|mine| !mine.acting && mine.due.is_none())
    }

    /// The decision, once there is one; accepted at `accepted_at_ms` (Unix), and known at
    /// `known_at_ms`, or else when its last line was written.
    #[must_use]
    pub fn decision(
        &self,
        keys: &TenantKeys,
        accepted_at_ms: i64,
        known_at_ms: Option<i64>,
    ) -> Option<Decision> {
        let mine = self.decided.as_ref()?;
        let c = mine.classification.as_ref();
        let reply = self.reply.as_ref().and_then(|said| {
            Some(ReplyView {
                text: keys.open_text(&said.text_sealed).ok()?,
                purpose: said.purpose.as_str(),
                answer_id: said.answer_id.clone(),
                buttons: said.buttons.clone(),
            })
        });
        Some(Decision {
            message_id: self.message_id,
            conversation_id: mine.conversation_id,
            protocol: mine.protocol.clone(),
            // To the caller a conversation a person has is a person's.
            route: if mine.route == Route::Auto { "auto" } else { "human" },
            queue: mine.queue.clone(),
            priority: mine.priority,
            intent: c.and_then(|c| c.intent().map(str::to_owned)),
            confidence: c.map_or(0.0, |c| c.confidence),
            intents: c.map(|c| c.intents.clone()).unwrap_or_default(),
            sentiment: c.map_or("neutro", |c| c.sentiment.as_str()),
            frustrated: c.is_some_and(|c| c.frustrated),
            urgent: c.is_some_and(|c| c.urgent),
            reason: mine.reason,
            reply,
            actions: mine.actions.clone(),
            explanation: c.map(|c| c.explanation.clone()).unwrap_or_default(),
            model_version: c.map(|c| c.model_version.clone()),
            processing_time_ms: known_at_ms.unwrap_or(mine.at_ms) - accepted_at_ms,
        })
    }
}
