//! The schema sources: one `.avsc` file a named type, and their expansion into self-contained
//! schemas.
//!
//! The files in `avro/` are the source of truth; a type is written once and referred to by name.
//! What a subscriber is given, and what a fingerprint is taken of, is the expanded form, in which
//! the first mention of each name carries its definition.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Every named type and its source text.
pub(crate) const SOURCES: &[(&str, &str)] = &[
    ("ActionDone", include_str!("../avro/action_done.avsc")),
    ("ActionOutcome", include_str!("../avro/action_outcome.avsc")),
    ("ActionRequest", include_str!("../avro/action_request.avsc")),
    ("ActionResult", include_str!("../avro/action_result.avsc")),
    ("Address", include_str!("../avro/address.avsc")),
    ("AgentReplied", include_str!("../avro/agent_replied.avsc")),
    ("Alias", include_str!("../avro/alias.avsc")),
    ("AnsweredThread", include_str!("../avro/answered_thread.avsc")),
    ("AnswerDue", include_str!("../avro/answer_due.avsc")),
    ("AnswerVia", include_str!("../avro/answer_via.avsc")),
    ("AskedIdentity", include_str!("../avro/asked_identity.avsc")),
    ("Assigned", include_str!("../avro/assigned.avsc")),
    ("Attachment", include_str!("../avro/attachment.avsc")),
    ("AutomaticPath", include_str!("../avro/automatic_path.avsc")),
    ("Button", include_str!("../avro/button.avsc")),
    ("Channel", include_str!("../avro/channel.avsc")),
    ("Choice", include_str!("../avro/choice.avsc")),
    ("Classification", include_str!("../avro/classification.avsc")),
    ("Classified", include_str!("../avro/classified.avsc")),
    ("ClassifiedTurn", include_str!("../avro/classified_turn.avsc")),
    ("Closed", include_str!("../avro/closed.avsc")),
    ("Command", include_str!("../avro/command.avsc")),
    ("CommandAction", include_str!("../avro/command_action.avsc")),
    ("CommandId", include_str!("../avro/command_id.avsc")),
    ("Contact", include_str!("../avro/contact.avsc")),
    ("ContactId", include_str!("../avro/contact_id.avsc")),
    ("ContactIdKind", include_str!("../avro/contact_id_kind.avsc")),
    ("ContactKey", include_str!("../avro/contact_key.avsc")),
    ("ContactNamed", include_str!("../avro/contact_named.avsc")),
    ("Conversation", include_str!("../avro/conversation.avsc")),
    ("ConversationId", include_str!("../avro/conversation_id.avsc")),
    ("ConversationState", include_str!("../avro/conversation_state.avsc")),
    ("CustomerLink", include_str!("../avro/customer_link.avsc")),
    ("CustomerNews", include_str!("../avro/customer_news.avsc")),
    ("CustomerRecord", include_str!("../avro/customer_record.avsc")),
    ("CsatAnswered", include_str!("../avro/csat_answered.avsc")),
    ("CsatAsked", include_str!("../avro/csat_asked.avsc")),
    ("DeadLetter", include_str!("../avro/dead_letter.avsc")),
    ("DeadLetterReason", include_str!("../avro/dead_letter_reason.avsc")),
    ("DeliveryOutcome", include_str!("../avro/delivery_outcome.avsc")),
    ("DeliveryResult", include_str!("../avro/delivery_result.avsc")),
    ("Direction", include_str!("../avro/direction.avsc")),
    ("Elsewhere", include_str!("../avro/elsewhere.avsc")),
    ("Handoff", include_str!("../avro/handoff.avsc")),
    ("Inbound", include_str!("../avro/inbound.avsc")),
    ("IntentScore", include_str!("../avro/intent_score.avsc")),
    ("KnownFact", include_str!("../avro/known_fact.avsc")),
    ("KnownIntent", include_str!("../avro/known_intent.avsc")),
    ("Label", include_str!("../avro/label.avsc")),
    ("LabelGiven", include_str!("../avro/label_given.avsc")),
    ("LabelSource", include_str!("../avro/label_source.avsc")),
    ("Labeled", include_str!("../avro/labeled.avsc")),
    ("Linked", include_str!("../avro/linked.avsc")),
    ("LinkedContact", include_str!("../avro/linked_contact.avsc")),
    ("LinkSource", include_str!("../avro/link_source.avsc")),
    ("Look", include_str!("../avro/look.avsc")),
    ("MailCursor", include_str!("../avro/mail_cursor.avsc")),
    ("MediaFetched", include_str!("../avro/media_fetched.avsc")),
    ("MediaResult", include_str!("../avro/media_result.avsc")),
    ("Message", include_str!("../avro/message.avsc")),
    ("MessageHead", include_str!("../avro/message_head.avsc")),
    ("MessageId", include_str!("../avro/message_id.avsc")),
    ("MessageKind", include_str!("../avro/message_kind.avsc")),
    ("MessageReceived", include_str!("../avro/message_received.avsc")),
    ("MinuteMetrics", include_str!("../avro/minute_metrics.avsc")),
    ("ModelChunk", include_str!("../avro/model_chunk.avsc")),
    ("ModelFile", include_str!("../avro/model_file.avsc")),
    ("ModelFiles", include_str!("../avro/model_files.avsc")),
    ("ModelPublished", include_str!("../avro/model_published.avsc")),
    ("ModelRecord", include_str!("../avro/model_record.avsc")),
    ("ModelsChange", include_str!("../avro/models_change.avsc")),
    ("ModelsInUse", include_str!("../avro/models_in_use.avsc")),
    ("NgramWeight", include_str!("../avro/ngram_weight.avsc")),
    ("Noted", include_str!("../avro/noted.avsc")),
    ("OpenElsewhere", include_str!("../avro/open_elsewhere.avsc")),
    ("OpenMessage", include_str!("../avro/open_message.avsc")),
    ("OpenTurn", include_str!("../avro/open_turn.avsc")),
    ("Opened", include_str!("../avro/opened.avsc")),
    ("PendingTurn", include_str!("../avro/pending_turn.avsc")),
    ("Priority", include_str!("../avro/priority.avsc")),
    ("ProviderStatus", include_str!("../avro/provider_status.avsc")),
    ("ProviderStatusKind", include_str!("../avro/provider_status_kind.avsc")),
    ("Queued", include_str!("../avro/queued.avsc")),
    ("RawRequest", include_str!("../avro/raw_request.avsc")),
    ("Received", include_str!("../avro/received.avsc")),
    ("Refused", include_str!("../avro/refused.avsc")),
    ("Reopened", include_str!("../avro/reopened.avsc")),
    ("Reply", include_str!("../avro/reply.avsc")),
    ("ReplyPurpose", include_str!("../avro/reply_purpose.avsc")),
    ("ReplySent", include_str!("../avro/reply_sent.avsc")),
    ("Resolved", include_str!("../avro/resolved.avsc")),
    ("Route", include_str!("../avro/route.avsc")),
    ("RouteReason", include_str!("../avro/route_reason.avsc")),
    ("RouterState", include_str!("../avro/router_state.avsc")),
    ("SealedText", include_str!("../avro/sealed_text.avsc")),
    ("SeenMessage", include_str!("../avro/seen_message.avsc")),
    ("SentReply", include_str!("../avro/sent_reply.avsc")),
    ("Sentiment", include_str!("../avro/sentiment.avsc")),
    ("Setting", include_str!("../avro/setting.avsc")),
    ("SettingInUse", include_str!("../avro/setting_in_use.avsc")),
    ("Settlement", include_str!("../avro/settlement.avsc")),
    ("ShadowExample", include_str!("../avro/shadow_example.avsc")),
    ("ShadowTally", include_str!("../avro/shadow_tally.avsc")),
    ("ShadowVerdict", include_str!("../avro/shadow_verdict.avsc")),
    ("Site", include_str!("../avro/site.avsc")),
    ("SlaBreached", include_str!("../avro/sla_breached.avsc")),
    ("Snoozed", include_str!("../avro/snoozed.avsc")),
    ("StatusChanged", include_str!("../avro/status_changed.avsc")),
    ("Thread", include_str!("../avro/thread.avsc")),
    ("Tick", include_str!("../avro/tick.avsc")),
    ("ToldMedia", include_str!("../avro/told_media.avsc")),
    ("ToldStatus", include_str!("../avro/told_status.avsc")),
    ("Transcribed", include_str!("../avro/transcribed.avsc")),
    ("TranscriptResult", include_str!("../avro/transcript_result.avsc")),
    ("Transferred", include_str!("../avro/transferred.avsc")),
    ("Turn", include_str!("../avro/turn.avsc")),
    ("TurnClosedBy", include_str!("../avro/turn_closed_by.avsc")),
    ("TurnDecided", include_str!("../avro/turn_decided.avsc")),
    ("TurnMessage", include_str!("../avro/turn_message.avsc")),
    ("Turns", include_str!("../avro/turns.avsc")),
    ("TurnsState", include_str!("../avro/turns_state.avsc")),
    ("WaitingAudio", include_str!("../avro/waiting_audio.avsc")),
    ("Woken", include_str!("../avro/woken.avsc")),
];

/// The namespace of all our types.
pub const NAMESPACE: &str = "correnteza";

/// The self-contained schema of `name` as JSON, documentation included.
///
/// `None` when there is no such type.
#[must_use]
pub fn expanded(name: &str) -> Option<Value> {
    let sources: BTreeMap<&str, Value> = SOURCES
        .iter()
        .filter_map(|(name, text)| Some((*name, serde_json::from_str(text).ok()?)))
        .collect();
    let mut defined = BTreeSet::new();
    define(name, &sources, &mut defined)
}

fn define(
    name: &str,
    sources: &BTreeMap<&str, Value>,
    defined: &mut BTreeSet<String>,
) -> Option<Value> {
    let source = sources.get(name)?;
    defined.insert(name.to_owned());
    let mut schema = source.clone();
    if let Some(fields) = schema.get_mut("fields").and_then(Value::as_array_mut) {
        for field in fields {
            if let Some(kind) = field.get_mut("type") {
                *kind = inline(kind, sources, defined);
            }
        }
    }
    Some(schema)
}

/// Replaces the first mention of each of our names within `kind` by its definition.
fn inline(kind: &Value, sources: &BTreeMap<&str, Value>, defined: &mut BTreeSet<String>) -> Value {
    match kind {
        Value::String(name) if sources.contains_key(name.as_str()) => {
            if defined.contains(name) {
                return Value::String(format!("{NAMESPACE}.{name}"));
            }
            define(name, sources, defined).unwrap_or_else(|| kind.clone())
        }
        Value::Array(branches) => {
            Value::Array(branches.iter().map(|branch| inline(branch, sources, defined)).collect())
        }
        Value::Object(object) => {
            let mut object = object.clone();
            for slot in ["items", "values"] {
                if let Some(inner) = object.get_mut(slot) {
                    *inner = inline(inner, sources, defined);
                }
            }
            Value::Object(object)
        }
        other => other.clone(),
    }
}
