//! The `plan` stage: what a conversation owes the customer becomes a text.
//!
//! Reads `conversations`; writes `replies`. Invariants: says only what the catalogue says or an agent
//! wrote; fills placeholders only with what the CRM found; one reply for each answer due.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::Offset;
use pipeline::broadcast::PerTenant;
use pipeline::{Context, DropReason, Envelope, Output, Stage, Stateless, Verdict};
use schemas::conversation::{AgentReplied, AnswerDue, Conversation, ConversationEvent};
use schemas::line::Classification;
use schemas::masking::mask;
use schemas::message::{AnswerVia, Button, Channel, ReplyPurpose};
use schemas::sealed::{Keyring, SealError, SealedText, TenantKeys};
use schemas::topics::{REPLIES, Topic};
use schemas::work::Reply;
use schemas::{Avro, CodecError};

use crate::catalogue::{Catalogue, Occasion, Use};
use crate::split::split;
use crate::template::Template;

/// Confidence from which a notice may name the wish, whatever the intent's own threshold.
const NOTICE_CERTAIN: f64 = 0.95;

/// The adapter programs write through.
const BY_PROGRAM: &str = "api";

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
    template: Option<Template>,
    /// What was filled in.
    values: Vec<String>,
}

impl Stage for Plan {
    const NAME: &'static str = "plan";
    type In = Conversation;
    type State = Stateless;
    type Out = PlanOut;
    type Broadcast = PerTenant<Catalogue>;

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Conversation>) -> Verdict {
        let mut record = input.body;
        let Some(due) = record.answer_due.take() else {
            return Verdict::Drop(DropReason::Irrelevant);
        };
        let purpose = due.purpose;
        let replies = self.keyring.of(&record.tenant).and_then(|keys| {
            let catalogue = cx.broadcast().of(&record.tenant);
            let Some(mut said) = self.say(keys, catalogue, &record, &due, input.time_ms)? else {
                return Ok(Vec::new());
            };
            if due.tell_protocol {
                let contact = Some(&due.address.contact_sealed);
                let values = self.values(keys, catalogue, &record, contact, input.time_ms);
                let line = catalogue.protocol(&values);
                if let Some(line) = line {
                    said.text = format!("{}\n\n{line}", said.text);
                }
            }
            sealed(keys, catalogue, &record, &due, &said)
        });
        match replies {
            Ok(replies) if !replies.is_empty() => {
                for reply in replies {
                    cx.emit(PlanOut(Box::new(reply)));
                }
                Verdict::Done
            }
            // A catalogue need not ask.
            Ok(_) if purpose == ReplyPurpose::Csat => Verdict::Drop(DropReason::Irrelevant),
            Ok(_) => Verdict::Reject("an answer is due and nothing says what about".to_owned()),
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
            today: self.today(&record.tenant, now_ms),
        };
        match (&record.event, due.purpose) {
            (ConversationEvent::AgentReplied(replied), ReplyPurpose::AgentReply) => {
                let said = by_agent(keys, catalogue, replied, &values)?;
                return Ok(Some(said));
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
            template: answer.approved(&values),
            values: values.into_values().collect(),
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
        if let Some(brand) = catalogue.brand() {
            values.insert("marca".to_owned(), brand.to_owned());
        }
        if let Some((today, effective)) = self.today(&record.tenant, now_ms).and_then(dates) {
            values.insert("data".to_owned(), today);
            values.insert("data_efetiva".to_owned(), effective);
        }
        values
    }

    /// The day by the tenant's clock.
    pub(crate) fn today(&self, tenant: &str, now_ms: i64) -> Option<Date> {
        let minutes = self.utc_offset_minutes.get(tenant).copied().unwrap_or_default();
        let offset = Offset::from_seconds(minutes * 60).ok()?;
        Some(offset.to_datetime(Timestamp::from_millisecond(now_ms).ok()?).date())
    }
}

/// What an agent wrote, or took from what providers have approved.
fn by_agent(
    keys: &TenantKeys,
    catalogue: &Catalogue,
    replied: &AgentReplied,
    values: &BTreeMap<String, String>,
) -> Result<Said, SealError> {
    let id = replied.answer_id.as_deref();
    let taken = id.and_then(|id| catalogue.templates(values).find(|(answer, _)| answer.id == id));
    Ok(Said {
        answer_id: replied.answer_id.clone(),
        agent: Some(replied.agent.clone()),
        text: keys.open_text(&replied.text_sealed)?,
        buttons: Vec::new(),
        template: taken.and_then(|(answer, _)| answer.approved(values)),
        values: Vec::new(),
    })
}

/// Today, and two business days later: when a cancellation without an attendant takes effect. Week
/// days only; holidays are a tenant's to add.
fn dates(today: Date) -> Option<(String, String)> {
    let mut effective = today;
    let mut business_days = 0;
    while business_days < 2 {
        effective = effective.tomorrow().ok()?;
        business_days +=
            i32::from(!matches!(effective.weekday(), Weekday::Saturday | Weekday::Sunday));
    }
    let text = |day: Date| format!("{:02}/{:02}/{:04}", day.day(), day.month(), day.year());
    Some((text(today), text(effective)))
}

pub(crate) fn open_fields(
    keys: &TenantKeys,
    sealed: &SealedText,
) -> Result<BTreeMap<String, String>, SealError> {
    serde_json::from_slice(&keys.open(sealed)?).map_err(|_| SealError::Altered)
}

/// The texts of what is said: one, or several where the tenant wants it and the customer reads along.
fn texts(catalogue: &Catalogue, due: &AnswerDue, said: &Said) -> Vec<String> {
    let chats = matches!(
        due.address.channel,
        Channel::Whatsapp | Channel::Sms | Channel::Telegram | Channel::WebChat
    );
    // What a person wrote goes out as it was written; a program gets what it asked for whole; a template
    // stands for the whole text; what is asked and thanked for after are parts already.
    let whole = said.agent.is_some()
        || due.purpose == ReplyPurpose::Csat
        || said.template.is_some()
        || due.via == AnswerVia::Caller
        || due.address.provider == BY_PROGRAM
        || !chats;
    match catalogue.split_chars_max().filter(|_| !whole) {
        Some(chars_max) => {
            let values: Vec<&str> = said.values.iter().map(String::as_str).collect();
            split(&said.text, chars_max, &values)
        }
        None => vec![said.text.clone()],
    }
}

/// The replies, in the order they are sent in; buttons go with the last one.
fn sealed(
    keys: &TenantKeys,
    catalogue: &Catalogue,
    record: &Conversation,
    due: &AnswerDue,
    said: &Said,
) -> Result<Vec<Reply>, SealError> {
    let texts = texts(catalogue, due, said);
    let parts = i32::try_from(texts.len()).unwrap_or(i32::MAX);
    let template = said.template.as_ref().map(serde_json::to_vec).transpose();
    let template = template.map_err(|_| SealError::Altered)?;
    let reply = |(at, text): (i32, String)| {
        let part = due.part + at;
        let identity =
            format!("{}/{}/{}/{part}", record.conversation_id, due.turn, due.purpose.as_str());
        Ok(Reply {
            conversation_id: record.conversation_id,
            protocol: record.protocol.clone(),
            due: AnswerDue { part, ..due.clone() },
            answer_id: said.answer_id.clone(),
            catalogue_version: catalogue.version.clone(),
            agent: said.agent.clone(),
            text_sealed: keys.seal(identity.as_bytes(), text.as_bytes())?,
            text_masked: mask(&text),
            options_title: catalogue.options_title().to_owned(),
            template_sealed: template
                .as_ref()
                .map(|plain| keys.seal(format!("{identity}/template").as_bytes(), plain))
                .transpose()?,
            buttons: if at + 1 == parts { said.buttons.clone() } else { Vec::new() },
            parts,
        })
    };
    (0..).zip(texts).map(reply).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancellation_takes_effect_two_business_days_later() {
        let keyring = Arc::new(Keyring::new([]));
        let plan = Plan::new(keyring, BTreeMap::from([("demo".to_owned(), -180)]));
        let told = |now_ms| plan.today("demo", now_ms).and_then(dates);
        // 2026-11-20 is a Friday; 01:30 UTC on the 21st is still the 20th in São Paulo.
        let friday = told(1_795_224_600_000);
        assert_eq!(friday, Some(("20/11/2026".to_owned(), "24/11/2026".to_owned())));
        let monday = told(1_795_224_600_000 + 3 * 86_400_000);
        assert_eq!(monday, Some(("23/11/2026".to_owned(), "25/11/2026".to_owned())));
    }
}
