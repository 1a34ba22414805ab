//! What people see of records and rows, as JSON.

use std::collections::HashSet;

use schemas::conversation::{Conversation, ConversationEvent};
use schemas::ids::MessageId;
use schemas::masking::mask;
use schemas::message::{ContactIdKind, MessageHead, MessageKind};
use schemas::sealed::{SealedText, TenantKeys};
use serde_json::{Value, json};
use sink::rows::ConversationRow;

/// How much of a text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    /// As the customer wrote it: to the agent who works on the conversation.
    Whole,
    /// Personal numbers masked: in lists and on the live page.
    Masked,
}

pub(crate) fn text(keys: &TenantKeys, sealed: Option<&SealedText>, how: Text) -> Value {
    let Some(sealed) = sealed else { return Value::Null };
    match (keys.open_text(sealed), how) {
        (Ok(text), Text::Whole) => Value::String(text),
        (Ok(text), Text::Masked) => Value::String(mask(&text)),
        (Err(_), _) => json!("[apagado]"),
    }
}

/// Who the customer is.
pub(crate) fn contact(keys: &TenantKeys, sealed: Option<&SealedText>, how: Text) -> Value {
    let Some(contact) = sealed.and_then(|sealed| keys.open_contact(sealed).ok()) else {
        return Value::Null;
    };
    let shown = |kind: ContactIdKind, value: &str| match (how, kind) {
        (Text::Masked, ContactIdKind::WaPhone | ContactIdKind::E164) => hidden(value),
        (Text::Masked, ContactIdKind::Email) => "[e-mail]".to_owned(),
        // Callers use numbers and addresses as ids of their own, too.
        (Text::Masked, _) => mask(value),
        _ => value.to_owned(),
    };
    let ids: Vec<Value> = contact
        .ids
        .iter()
        .map(|id| json!({ "kind": id.kind, "value": shown(id.kind, &id.value) }))
        .collect();
    json!({ "name": contact.name, "ids": ids })
}

/// All but the last four digits of a number.
fn hidden(number: &str) -> String {
    let total = number.chars().count();
    let last: String = number.chars().skip(total.saturating_sub(4)).collect();
    format!("•••• {last}")
}

/// A conversation in a list, or above its history.
pub(crate) fn conversation(keys: &TenantKeys, row: &ConversationRow, how: Text) -> Value {
    let turn = row.turn.as_ref();
    json!({
        "conversation_id": row.conversation_id,
        "contact_id": row.conversation_id.contact(),
        "protocol": row.protocol,
        "channel": row.channel,
        "state": row.state,
        "owner": row.owner,
        "queue": row.queue,
        "priority": row.priority,
        "sla_due_ms": row.sla_due_ms,
        "opened_at_ms": row.opened_at_ms,
        "updated_at_ms": row.updated_at_ms,
        "seq": row.seq,
        "customer": contact(keys, row.contact_sealed.as_ref(), how),
        "last_text": text(keys, row.last_text_sealed.as_ref(), how),
        "intent": turn.and_then(|turn| turn.intent.as_deref()),
        "confidence": turn.and_then(|turn| turn.confidence),
        "sentiment": turn.and_then(|turn| turn.sentiment.as_deref()),
        "route": turn.map(|turn| turn.route),
        "reason": turn.map(|turn| turn.reason),
    })
}

/// Lines of a history; messages that one of them edits are marked.
pub(crate) fn history(keys: &TenantKeys, lines: &[(i64, Conversation)], how: Text) -> Vec<Value> {
    let edited: HashSet<MessageId> = lines.iter().filter_map(|(_, line)| edits(line)).collect();
    let marked = |(at_ms, record): &(i64, Conversation)| {
        let mut shown = line(keys, *at_ms, record, how);
        if let ConversationEvent::MessageReceived(received) = &record.event
            && edited.contains(&received.head.message_id)
            && let Some(detail) = shown.get_mut("detail").and_then(Value::as_object_mut)
        {
            detail.insert("edited".to_owned(), json!(true));
        }
        shown
    };
    lines.iter().map(marked).collect()
}

/// The message a line edits.
fn edits(line: &Conversation) -> Option<MessageId> {
    let ConversationEvent::MessageReceived(received) = &line.event else { return None };
    received.head.changes.filter(|_| received.head.kind == MessageKind::Edit)
}

/// A line of the history.
pub(crate) fn line(keys: &TenantKeys, at_ms: i64, record: &Conversation, how: Text) -> Value {
    json!({
        "conversation_id": record.conversation_id,
        "protocol": record.protocol,
        "seq": record.seq,
        "at_ms": at_ms,
        "channel": record.channel,
        "state": record.state,
        "owner": record.owner,
        "queue": record.queue,
        "priority": record.priority,
        "sla_due_ms": record.sla_due_ms,
        "event": record.event.name(),
        "to_check": record.to_check,
        "detail": event(keys, &record.event, how),
    })
}

fn event(keys: &TenantKeys, event: &ConversationEvent, how: Text) -> Value {
    match event {
        ConversationEvent::Opened(opened) => json!({
            "provider": opened.provider,
            "customer": contact(keys, Some(&opened.contact_sealed), how),
        }),
        ConversationEvent::MessageReceived(received) => message(keys, &received.head, how),
        ConversationEvent::TurnDecided(decided) => json!({
            "turn": decided.turn,
            "messages": decided.messages,
            "closed_by": decided.closed_by,
            "route": decided.route,
            "reason": decided.reason,
            "action": decided.action,
            "policy_version": decided.policy_version,
            "classification": decided.classification,
            "transcript_confidence": decided.transcript_confidence,
        }),
        ConversationEvent::ActionDone(done) => json!({
            "turn": done.turn,
            "action": done.action,
            "result": done.result,
            "finding": done.finding,
        }),
        ConversationEvent::Queued(queued) => {
            json!({ "turn": queued.turn, "reason": queued.reason })
        }
        ConversationEvent::ReplySent(sent) => json!({
            "turn": sent.turn,
            "purpose": sent.purpose,
            "agent": sent.agent,
            "answer_id": sent.answer_id,
            "result": sent.result,
            "text": text(keys, sent.text_sealed.as_ref(), how),
            "buttons": sent.buttons,
        }),
        ConversationEvent::Resolved(resolved) => json!({ "by": resolved.by }),
        ConversationEvent::SlaBreached(breached) => {
            json!({ "due_ms": breached.due_ms, "resolution": breached.resolution })
        }
        ConversationEvent::StatusChanged(changed) => json!({
            "provider_message_id": changed.provider_message_id,
            "status": changed.status,
            "error_code": changed.error_code,
            "reply": changed.reply,
        }),
        ConversationEvent::Labeled(labeled) => json!({
            "agent": labeled.agent,
            "source": labeled.source,
            "turn": labeled.turn,
            "intent": labeled.intent,
            "sentiment": labeled.sentiment,
            "predicted": labeled.predicted,
            "confidence": labeled.confidence,
            "model_version": labeled.model_version,
            "route": labeled.route,
        }),
        event => of_files(keys, event, how),
    }
}

/// What became of files.
fn of_files(keys: &TenantKeys, event: &ConversationEvent, how: Text) -> Value {
    match event {
        ConversationEvent::MediaFetched(fetched) => json!({
            "message_id": fetched.message_id,
            "part": fetched.part,
            "result": fetched.result,
            "sha256": fetched.sha256,
            "mime": fetched.mime,
            "filename": fetched.filename,
            "size_bytes": fetched.size_bytes,
        }),
        ConversationEvent::Transcribed(transcribed) => json!({
            "message_id": transcribed.message_id,
            "part": transcribed.part,
            "result": transcribed.result,
            "text": text(keys, transcribed.text_sealed.as_ref(), how),
            "confidence": transcribed.confidence,
        }),
        event => of_the_team(keys, event, how),
    }
}

/// What agents did.
fn of_the_team(keys: &TenantKeys, event: &ConversationEvent, how: Text) -> Value {
    match event {
        ConversationEvent::Refused(refused) => json!({
            "agent": refused.agent,
            "action": refused.action,
            "reason": refused.reason,
        }),
        ConversationEvent::Assigned(assigned) => json!({ "agent": assigned.agent }),
        ConversationEvent::AgentReplied(replied) => json!({
            "agent": replied.agent,
            "text": text(keys, Some(&replied.text_sealed), how),
        }),
        ConversationEvent::Transferred(transferred) => json!({
            "agent": transferred.agent,
            "queue": transferred.queue,
            "to_agent": transferred.to_agent,
            "note": text(keys, transferred.note_sealed.as_ref(), how),
        }),
        ConversationEvent::Noted(noted) => json!({
            "agent": noted.agent,
            "text": text(keys, Some(&noted.text_sealed), how),
        }),
        ConversationEvent::CsatAnswered(answered) => json!({
            "score": answered.score,
            "comment": text(keys, answered.comment_sealed.as_ref(), how),
            "by": answered.by,
        }),
        ConversationEvent::Snoozed(snoozed) => {
            json!({ "agent": snoozed.agent, "until_ms": snoozed.until_ms })
        }
        ConversationEvent::Linked(linked) => json!({
            "agent": linked.by,
            "link_id": linked.link_id,
            "contact_id": linked.contact,
            "source": linked.source,
        }),
        _ => json!({}), // nothing more to tell than its name
    }
}

fn message(keys: &TenantKeys, head: &MessageHead, how: Text) -> Value {
    let attachments: Vec<Value> = head
        .attachments
        .iter()
        .map(|attachment| json!({ "mime": attachment.mime, "filename": attachment.filename }))
        .collect();
    json!({
        "message_id": head.message_id,
        "kind": head.kind,
        "direction": head.direction,
        "text": text(keys, head.text_sealed.as_ref(), how),
        "choice": head.choice,
        "attachments": attachments,
        "changes": head.changes,
        "deleted": head.deleted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_shows_its_last_four_digits() {
        assert_eq!(hidden("+5511987654321"), "•••• 4321");
        assert_eq!(hidden("1"), "•••• 1");
    }
}
