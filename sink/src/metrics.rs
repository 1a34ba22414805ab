//! The `metrics` stage: what happened in each minute, counted per source partition.
//!
//! Reads `conversations`; its state, in `metrics-state`, is its result. Invariant: values are
//! absolute, so a repeat changes nothing, and the sum over partitions is the truth for the minute.

use std::time::Duration;

use bytes::Bytes;
use pipeline::{Context, DropReason, Envelope, Output, Stage, Verdict};
use schemas::CodecError;
use schemas::conversation::{Conversation, ConversationEvent};
use schemas::message::{DeliveryResult, Direction};
use schemas::state::MinuteMetrics;
use schemas::topics::{METRICS_STATE, Topic};

use crate::watch;

/// How long lines may be gathered before they are counted: the numbers are of minutes.
pub const GATHER: Duration = Duration::from_millis(250);

/// The stage.
#[derive(Debug, Clone, Copy, Default)]
pub struct Metrics;

/// It emits nothing: its state is its result.
#[derive(Debug)]
pub enum Nothing {}

impl Output for Nothing {
    fn topic(&self) -> Topic {
        METRICS_STATE
    }

    fn write(&self, _: &mut Vec<u8>) -> Result<(), CodecError> {
        Ok(())
    }
}

fn minute_of(time_ms: i64) -> i64 {
    time_ms.div_euclid(60_000)
}

impl Stage for Metrics {
    const NAME: &'static str = "metrics";
    type In = Conversation;
    type State = MinuteMetrics;
    type Out = Nothing;
    type Broadcast = ();

    fn state_key(&self, input: &Envelope<Conversation>) -> Bytes {
        let minute = minute_of(input.time_ms);
        format!("{}|{minute}|{}", input.body.tenant, input.partition).into()
    }

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Conversation>) -> Verdict {
        let record = &input.body;
        let names = counted(record, input.time_ms);
        if names.is_empty() {
            return Verdict::Drop(DropReason::Irrelevant);
        }
        let minute = cx.state.get_or_insert_with(|| MinuteMetrics {
            tenant: record.tenant.clone(),
            minute: minute_of(input.time_ms),
            source_partition: i32::try_from(input.partition).unwrap_or(i32::MAX),
            values: std::collections::BTreeMap::new(),
        });
        for (name, by) in names {
            *minute.values.entry(name).or_default() += by;
        }
        Verdict::Done
    }
}

/// Names of what a record counts for, and by how much.
fn counted(record: &Conversation, time_ms: i64) -> Vec<(String, i64)> {
    let channel = record.channel.as_str();
    let mut names = Vec::new();
    let mut one = |name: String| names.push((name, 1));
    match &record.event {
        ConversationEvent::Opened(_) => one(format!("opened/{channel}")),
        // What someone of ours wrote is in no turn and never settles: counted apart.
        ConversationEvent::MessageReceived(received) => match received.head.direction {
            Direction::Outbound => one(format!("outbound/{channel}")),
            // Nor does an edit or a deletion, nor what was deleted before it came.
            Direction::Inbound if received.head.changes_another() || received.head.deleted => {
                one(format!("changes/{channel}"));
            }
            Direction::Inbound => one(format!("messages/{channel}")),
        },
        ConversationEvent::TurnDecided(decided) => {
            one(format!("turns/{}/{}", decided.route.as_str(), decided.reason.as_str()));
            if let Some(c) = &decided.classification {
                let intent = c.intent().unwrap_or("none");
                one(format!("intents/{intent}/{}", decided.route.as_str()));
                one(format!("sentiment/{}", c.sentiment.as_str()));
                names.extend(watch::of_classification(c));
            }
        }
        ConversationEvent::ReplySent(sent) => {
            one(format!("replies/{}/{}", sent.purpose.as_str(), name_of(sent.result)));
            if let Some(since_ms) = sent.since_ms {
                one(format!("answer_ms/{}", bucket_of(time_ms - since_ms)));
            }
        }
        ConversationEvent::Queued(queued) => one(format!("queued/{}", queued.reason.as_str())),
        ConversationEvent::Assigned(_) => {
            one(format!("taken/{}", record.queue.as_deref().unwrap_or("none")));
        }
        ConversationEvent::Resolved(resolved) => {
            one(format!("resolved/{}", if resolved.by.is_some() { "human" } else { "auto" }));
        }
        ConversationEvent::SlaBreached(_) => one("sla_breached".to_owned()),
        ConversationEvent::CsatAsked(_) => one("csat/asked".to_owned()),
        ConversationEvent::CsatAnswered(answered) => {
            one("csat/answered".to_owned());
            names.push(("csat/score".to_owned(), i64::from(answered.score)));
        }
        ConversationEvent::Labeled(labeled) => names.extend(watch::of_label(labeled)),
        _ => {}
    }
    for settled in &record.settled {
        names.push((format!("settled/{}", settled.route.as_str()), i64::from(settled.messages)));
        names.push((
            format!("settled_{channel}/{}", settled.route.as_str()),
            i64::from(settled.messages),
        ));
    }
    names
}

fn name_of(result: DeliveryResult) -> &'static str {
    match result {
        DeliveryResult::Sent | DeliveryResult::ReturnedToCaller => "sent",
        DeliveryResult::Failed => "failed",
        DeliveryResult::Uncertain => "uncertain",
        DeliveryResult::Expired => "expired",
        DeliveryResult::Superseded => "superseded",
    }
}

/// Each bucket of times is a tenth wider than the one before it.
const WIDER: f64 = 1.1;

/// The bucket of a time in milliseconds.
#[must_use]
pub fn bucket_of(ms: i64) -> u32 {
    #[allow(clippy::cast_precision_loss)] // times are far below 2^53 ms
    let ms = ms.clamp(0, 86_400_000) as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 192
    let bucket = (ms + 1.0).log(WIDER).ceil() as u32;
    bucket
}

/// The longest time that falls into a bucket, in milliseconds.
#[must_use]
pub fn longest_of(bucket: u32) -> f64 {
    WIDER.powi(i32::try_from(bucket).unwrap_or(i32::MAX)) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_a_tenth_wide() {
        for ms in [0, 1, 7, 80, 199, 200, 8_000, 86_400_000] {
            let longest = longest_of(bucket_of(ms));
            #[allow(clippy::cast_precision_loss)]
            let ms = ms as f64;
            assert!(longest >= ms - 1e-6 && longest <= ms * 1.1 + 1.0, "{ms} in {longest}");
        }
    }
}
