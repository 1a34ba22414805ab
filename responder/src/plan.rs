//! The `plan` stage: what a conversation owes the customer becomes a text.
//!
//! Reads `conversations`; writes `replies`. Invariants: says only what the catalogue says or an agent
//! wrote; fills placeholders only with what the CRM found; one reply for each answer due.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::Offset;
use pipeline::{Context, DropReason, Envelope, Output, Stage, Stateless, Verdict};
use schemas::conversation::{AnswerDue, Conversation, ConversationEvent};
use schemas::line::Classification;
use schemas::masking::mask;
use schemas::message::{Button, ReplyPurpose};
use schemas::sealed::{Keyring, SealError, SealedText, TenantKeys};
use schemas::topics::{REPLIES, Topic};
use schemas::work::Reply;
use schemas::{Avro, CodecError};

use crate::catalogue::{Catalogue, Occasion, Use};

/// Confidence from which a notice may name the wish, whatever the intent's own threshold.
const NOTICE_CERTAIN: f64 = 0.95;

/// The stage.
pub struct Plan {
    pub(crate) keyring: Arc<Keyring>,
    /// By tenant.
    utc_offset_minutes: BTreeMap<String, i32>,
}

impl Plan {
    /// Plans for the tenants of `keyring`. Each one's clock is `utc_offset_minutes` ahead of UTC; one
    /// that is not named lives by UTC.
    #[must_use]
    pub fn new(keyring: Arc<Keyring>, utc_offset_minutes: BTreeMap<String, i32>) -> Self {
        Self { keyring, utc_offset_minutes }
    }
}

/// What it tells.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanOut(pub Box<Reply>);

impl Output for PlanOut {
    fn topic(&self) -> Topic {
        REPLIES
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
        self.0.write(to)
    }
}

/// A text and where it came from.
struct Said {
    answer_id: Option<String>,
    agent: Option<String>,
    text: String,
    buttons: Vec<Button>,
}

impl Stage for Plan {
    const NAME: &'static str = "plan";
    type In = Conversation;
    type State = Stateless;
    type Out = PlanOut;
    type Broadcast = Catalogue;

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Conversation>) -> Verdict {
        let mut record = input.body;
        let Some(due) = record.answer_due.take() else {
            return Verdict::Drop(DropReason::Irrelevant);
        };
        let purpose = due.purpose;
        let reply = self.keyring.of(&record.tenant).and_then(|keys| {
            let catalogue = cx.broadcast();
            let Some(mut said) = self.say(keys, catalogue, &record, &due, input.time_ms)? else {
                return Ok(None);
            };
            if due.tell_protocol {
                let contact = Some(&due.address.contact_sealed);
                let values = self.values(keys, catalogue, &record, contact, input.time_ms);
                let line = catalogue.protocol(&values);
                if let Some(line) = line {
                    said.text = format!("{}\n\n{line}", said.text);
                }
            }
            sealed(keys, catalogue, &record, due, said).map(Some)
        });
        match reply {
            Ok(Some(reply)) => {
                cx.emit(PlanOut(Box::new(reply)));
                Verdict::Done
            }
            // A catalogue need not ask.
            Ok(None) if purpose == ReplyPurpose::Csat => Verdict::Drop(DropReason::Irrelevant),
            Ok(None) => Verdict::Reject("an answer is due and nothing says what about".to_owned()),
            Err(error) => Verdict::Reject(error.to_string()),
        }
    }
}

impl Plan {
    /// What is to be said; `None` when the event does not go with what is due.
    fn say(
        &self,
        keys: &TenantKeys,
        catalogue: &Catalogue,
        record: &Conversation,
        due: &AnswerDue,
        now_ms: i64,
    ) -> Result<Option<Said>, SealError> {
        let contact = Some(&due.address.contact_sealed);
        let mut values = self.values(keys, catalogue, record, contact, now_ms);
        let mut occasion = Occasion {
            purpose: Use::Answer,
            intent: None,
            finding: None,
            channel: due.address.channel,
            sentiment: None,
            reason: None,
        };
        match (&record.event, due.purpose) {
            (ConversationEvent::AgentReplied(replied), ReplyPurpose::AgentReply) => {
                return Ok(Some(Said {
                    answer_id: None,
                    agent: Some(replied.agent.clone()),
                    text: keys.open_text(&replied.text_sealed)?,
                    buttons: Vec::new(),
                }));
            }
            (ConversationEvent::TurnDecided(decided), ReplyPurpose::Answer) => {
                let c = decided.classification.as_ref();
                occasion.intent = c.and_then(|c| c.intent());
                occasion.sentiment = c.map(|c| c.sentiment.as_str());
            }
            (ConversationEvent::ActionDone(done), ReplyPurpose::Answer) => {
                occasion.intent = Some(&done.intent);
                occasion.sentiment = Some(done.sentiment.as_str());
                occasion.finding = Some(&done.finding);
                if let Some(sealed) = &done.fields_sealed {
                    values.extend(open_fields(keys, sealed)?);
                }
            }
            (ConversationEvent::TurnDecided(decided), ReplyPurpose::HandoffNotice) => {
                occasion.purpose = Use::HandoffNotice;
                // A notice that names the wish commits us to it: only where the model is sure.
                let sure = |c: &&Classification| c.confidence >= c.threshold.min(NOTICE_CERTAIN);
                let c = decided.classification.as_ref().filter(sure);
                occasion.intent = c.and_then(|c| c.intent());
                occasion.reason = Some(decided.reason.as_str());
            }
            (ConversationEvent::CsatAsked(_), ReplyPurpose::Csat) => {
                occasion.purpose = Use::Csat;
            }
            (ConversationEvent::CsatAnswered(_), ReplyPurpose::Csat) => {
                occasion.purpose = Use::CsatThanks;
            }
            (ConversationEvent::Queued(queued), ReplyPurpose::HandoffNotice) => {
                occasion.purpose = Use::HandoffNotice;
                occasion.reason = Some(queued.reason.as_str());
            }
            _ => return Ok(None),
        }
        Ok(catalogue.choose(&occasion, &values).map(|(answer, text)| Said {
            answer_id: Some(answer.id.clone()),
            agent: None,
            text,
            buttons: answer.buttons.clone(),
        }))
    }

    /// Values every answer may use.
    pub(crate) fn values(
        &self,
        keys: &TenantKeys,
        catalogue: &Catalogue,
        record: &Conversation,
        contact: Option<&SealedText>,
        now_ms: i64,
    ) -> BTreeMap<String, String> {
        let queue = record.queue.as_deref().unwrap_or("geral");
        let mut values = BTreeMap::from([
            ("protocolo".to_owned(), record.protocol.clone()),
            ("fila".to_owned(), catalogue.queue_name(queue).to_owned()),
        ]);
        let contact = contact.and_then(|sealed| keys.open_contact(sealed).ok());
        let name = contact.and_then(|contact| contact.name);
        if let Some(first) = name.as_deref().and_then(|name| name.split_whitespace().next()) {
            values.insert("nome".to_owned(), first.to_owned());
        }
        let offset = self.utc_offset_minutes.get(&record.tenant).copied().unwrap_or_default();
        if let Some((today, effective)) = dates(now_ms, offset) {
            values.insert("data".to_owned(), today);
            values.insert("data_efetiva".to_owned(), effective);
        }
        values
    }
}

/// Today, and two business days later: when a cancellation without an attendant takes effect. Week
/// days only; holidays are a tenant's to add.
fn dates(now_ms: i64, utc_offset_minutes: i32) -> Option<(String, String)> {
    let offset = Offset::from_seconds(utc_offset_minutes * 60).ok()?;
    let today = offset.to_datetime(Timestamp::from_millisecond(now_ms).ok()?).date();
    let mut effective = today;
    let mut business_days = 0;
    while business_days < 2 {
        effective = effective.tomorrow().ok()?;
        business_days +=
            i32::from(!matches!(effective.weekday(), Weekday::Saturday | Weekday::Sunday));
    }
    let text =
        |day: jiff::civil::Date| format!("{:02}/{:02}/{:04}", day.day(), day.month(), day.year());
    Some((text(today), text(effective)))
}

pub(crate) fn open_fields(
    keys: &TenantKeys,
    sealed: &SealedText,
) -> Result<BTreeMap<String, String>, SealError> {
    serde_json::from_slice(&keys.open(sealed)?).map_err(|_| SealError::Altered)
}

fn sealed(
    keys: &TenantKeys,
    catalogue: &Catalogue,
    record: &Conversation,
    due: AnswerDue,
    said: Said,
) -> Result<Reply, SealError> {
    let identity =
        format!("{}/{}/{}/{}", record.conversation_id, due.turn, due.purpose.as_str(), due.part);
    Ok(Reply {
        conversation_id: record.conversation_id,
        protocol: record.protocol.clone(),
        due,
        answer_id: said.answer_id,
        catalogue_version: catalogue.version.clone(),
        agent: said.agent,
        text_sealed: keys.seal(identity.as_bytes(), said.text.as_bytes())?,
        text_masked: mask(&said.text),
        buttons: said.buttons,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancellation_takes_effect_two_business_days_later() {
        // 2026-11-20 is a Friday; 01:30 UTC on the 21st is still the 20th in São Paulo.
        let friday = dates(1_795_224_600_000, -180);
        assert_eq!(friday, Some(("20/11/2026".to_owned(), "24/11/2026".to_owned())));
        let monday = dates(1_795_224_600_000 + 3 * 86_400_000, -180);
        assert_eq!(monday, Some(("23/11/2026".to_owned(), "25/11/2026".to_owned())));
    }
}
