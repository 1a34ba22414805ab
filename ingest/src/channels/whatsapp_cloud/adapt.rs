//! From a webhook's bytes to normalized messages, statuses and notices: every entry, change, message, status,
//! call and error of a body. Pure; nothing it is given makes it fail but JSON that is not JSON.

use std::collections::BTreeMap;

use schemas::message::{
    Attachment, Channel, Choice, Contact, ContactId, ContactIdKind, Direction, MessageKind,
    ProviderStatusKind,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::shown;
use super::notices;
use super::wire::{Body, Change, Status, WireContact, WireMessage};
use crate::door::{Event, HeardMessage, HeardStatus, Identity, Malformed, phone_number};

/// What another number of the same customer is scoped by.
pub(crate) const NEW_NUMBER: &str = "changed_to";

/// How long after the customer's last message free texts may be sent, in milliseconds.
const REPLY_WINDOW_MS: i64 = 24 * 3_600_000;

/// Everything a body tells, in its order.
///
/// # Errors
/// [`Malformed`], when the bytes are not JSON of a webhook.
pub(super) fn adapt(body: &[u8]) -> Result<Vec<Event>, Malformed> {
    let body: Body = serde_json::from_slice(body).map_err(|error| Malformed::json(&error))?;
    let changes = body.entry.into_iter().flat_map(|entry| entry.changes);
    Ok(changes.flat_map(of_change).collect())
}

fn of_change(change: Change) -> Vec<Event> {
    let Change { field, value: changed } = change;
    let mut events = Vec::new();
    let account = changed.metadata.as_ref().map(|meta| meta.phone_number_id.as_str());
    let (account, contacts) = (account.unwrap_or_default(), &changed.contacts);
    for value in &changed.messages {
        let heard = |wire| message(wire, account, contacts, Direction::Inbound);
        events.push(event(value, "message", heard, Event::Message));
    }
    for value in &changed.message_echoes {
        let heard = |wire| message(wire, account, contacts, Direction::Outbound);
        events.push(event(value, "echo", heard, Event::Message));
    }
    for value in &changed.calls {
        events.push(event(value, "call", |wire| call(wire, account, contacts), Event::Message));
    }
    for value in &changed.statuses {
        events.push(event(value, "status", |wire| status(wire, contacts), Event::Status));
    }
    events.extend(notices::of(&field, &changed).into_iter().map(Event::Notice));
    events
}

/// An element of a list. One that cannot be read, or is about nobody, is told to operators and passed over: the
/// others of the body are not.
fn event<W: DeserializeOwned, H>(
    value: &Value,
    what: &str,
    heard: impl FnOnce(W) -> Option<H>,
    told: impl FnOnce(Box<H>) -> Event,
) -> Event {
    // The error's own words quote the value, which may be the customer's.
    match W::deserialize(value).map(heard) {
        Ok(Some(heard)) => told(Box::new(heard)),
        Ok(None) => Event::Notice(notices::passed_over(what, "names nobody")),
        Err(_) => Event::Notice(notices::passed_over(what, "unreadable")),
    }
}

/// Who wrote. The business-scoped id comes first where there is one: the phone may be missing, and
/// is not the contact's name then.
fn contact(
    phone: Option<&str>,
    user_id: Option<&str>,
    contacts: &[WireContact],
) -> Option<Contact> {
    let filled = |id: Option<&str>| id.filter(|id| !id.is_empty()).map(str::to_owned);
    let (phone, user_id) = (filled(phone), filled(user_id));
    let known = contacts
        .iter()
        .find(|known| {
            (phone.is_some() && known.wa_id == phone)
                || (user_id.is_some() && known.user_id == user_id)
        })
        .or_else(|| contacts.first().filter(|_| phone.is_none() && user_id.is_none()));
    let user_id = user_id.or_else(|| known.and_then(|known| known.user_id.clone()));
    let phone = phone.or_else(|| known.and_then(|known| known.wa_id.clone()));
    let mut ids = Vec::new();
    if let Some(value) = user_id {
        ids.push(ContactId { kind: ContactIdKind::Bsuid, value, scope: None });
    }
    if let Some(phone) = phone {
        let value = phone_number(&phone);
        ids.push(ContactId { kind: ContactIdKind::WaPhone, value, scope: None });
    }
    let name = known.and_then(|known| known.profile.as_ref()?.name.clone());
    (!ids.is_empty()).then_some(Contact { ids, name })
}

/// A customer who has another number now: both are theirs, and `turns` links what was written under the one to
/// what is written under the other.
fn with_new_number(mut contact: Contact, named: &str, part: &Value) -> Contact {
    let number = ["wa_id", "new_wa_id"].into_iter().find_map(|name| at(part, &[name]));
    if named == "system"
        && changes_number(part)
        && let Some(number) = number
    {
        let (value, scope) = (phone_number(number), Some(NEW_NUMBER.to_owned()));
        contact.ids.push(ContactId { kind: ContactIdKind::WaPhone, value, scope });
    }
    contact
}

fn changes_number(part: &Value) -> bool {
    at(part, &["type"]).is_some_and(|kind| kind.contains("changed_number"))
}

fn time_ms(seconds: Option<&str>) -> Option<i64> {
    seconds?.parse::<i64>().ok()?.checked_mul(1000)
}

fn message(
    wire: WireMessage,
    account: &str,
    contacts: &[WireContact],
    direction: Direction,
) -> Option<HeardMessage> {
    let contact = match direction {
        Direction::Inbound => {
            contact(wire.from.as_deref(), wire.from_user_id.as_deref(), contacts)?
        }
        Direction::Outbound => contact(wire.to.as_deref(), wire.to_user_id.as_deref(), contacts)?,
    };
    let named = wire.kind.as_deref().unwrap_or("unsupported");
    let part = wire.parts.get(named).cloned().unwrap_or_default();
    let contact = with_new_number(contact, named, &part);
    let kind = kind_of(named, &part);
    let choice = choice_of(named, &part);
    let text = text_of(named, &part).or_else(|| choice.as_ref().map(|choice| choice.title.clone()));
    let identity = wire.id.filter(|id| !id.is_empty()).map_or(Identity::None, Identity::Provider);
    let from = (Channel::Whatsapp, contact);
    Some(HeardMessage {
        direction,
        text,
        choice,
        attachments: attachment_of(&part).into_iter().collect(),
        reply_to: wire.context.and_then(|context| context.id).or_else(|| about(named, &part)),
        event_time_ms: time_ms(wire.timestamp.as_deref()),
        reply_window_ms: Some(REPLY_WINDOW_MS),
        attributes: attributes_of(named, &part, &wire.parts),
        ..HeardMessage::of(super::PROVIDER, account, from, identity, kind)
    })
}

/// Calls are told by another list and are kept as messages: people must see them.
fn call(wire: WireMessage, account: &str, contacts: &[WireContact]) -> Option<HeardMessage> {
    let text = |name: &str| wire.parts.get(name).and_then(Value::as_str).map(str::to_owned);
    let event = text("event").unwrap_or_else(|| "call".to_owned());
    let ours = text("direction").as_deref() == Some("BUSINESS_INITIATED");
    let direction = if ours { Direction::Outbound } else { Direction::Inbound };
    let id = wire.id.clone();
    let mut heard = message(
        WireMessage { kind: Some("call".to_owned()), ..wire },
        account,
        contacts,
        direction,
    )?;
    // A call's events share its id and are different messages.
    heard.identity = id.map_or(Identity::None, |id| Identity::Provider(format!("{id}/{event}")));
    heard.kind = MessageKind::Call;
    heard.attributes.insert("call_event".to_owned(), event);
    Some(heard)
}

fn status(wire: Status, contacts: &[WireContact]) -> Option<HeardStatus> {
    let phone = wire.recipient_participant_id.as_deref().or(wire.recipient_id.as_deref());
    let user_id =
        wire.recipient_participant_user_id.as_deref().or(wire.recipient_user_id.as_deref());
    Some(HeardStatus {
        channel: Channel::Whatsapp,
        contact: contact(phone, user_id, contacts)?,
        provider_message_id: wire.id.filter(|id| !id.is_empty())?,
        status: ProviderStatusKind::named(wire.status.as_deref().unwrap_or_default())
            .unwrap_or_default(),
        error_code: wire.errors.first().and_then(|error| error.code).map(|code| code.to_string()),
        event_time_ms: time_ms(wire.timestamp.as_deref()).unwrap_or_default(),
        callback: wire.biz_opaque_callback_data,
    })
}

fn kind_of(named: &str, part: &Value) -> MessageKind {
    match named {
        "revoke" => MessageKind::Delete,
        "interactive" if part.is_null() => MessageKind::Unsupported,
        other => MessageKind::named(other).unwrap_or_default(),
    }
}

fn at<'a>(part: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(part, |value, name| value.get(name))?.as_str()
}

/// What a part says; of what is no text, what a person needs to know of it.
fn text_of(named: &str, part: &Value) -> Option<String> {
    let text = match named {
        "location" => return place_of(part),
        "interactive" => return filled_in(part),
        // The provider's own words are English, and hold both numbers.
        "system" if changes_number(part) => Some(shown::NEW_NUMBER),
        "contacts" => return cards_of(part),
        "text" => at(part, &["body"]),
        "button" => at(part, &["text"]),
        "order" => at(part, &["text"]),
        "reaction" => at(part, &["emoji"]),
        "edit" => at(part, &["message", "text", "body"]),
        _ => at(part, &["caption"]),
    };
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// What was filled in in a form (a Flow): a line for each field, but for what names the form itself.
fn filled_in(part: &Value) -> Option<String> {
    let fields = at(part, &["nfm_reply", "response_json"])?;
    let fields: serde_json::Map<String, Value> = serde_json::from_str(fields).ok()?;
    let line = |(name, value): (&String, &Value)| match value {
        Value::String(text) if name != "flow_token" => Some(format!("{name}: {text}")),
        Value::Number(_) | Value::Bool(_) | Value::Array(_) => Some(format!("{name}: {value}")),
        _ => None,
    };
    let lines: Vec<String> = fields.iter().filter_map(line).collect();
    let body = at(part, &["nfm_reply", "body"]).map(str::to_owned);
    if lines.is_empty() { body } else { Some(lines.join("\n")) }
}

fn place_of(part: &Value) -> Option<String> {
    let number = |name: &str| part.get(name).and_then(Value::as_f64);
    let at = (number("latitude")?, number("longitude")?);
    Some(shown::place(at, self::at(part, &["name"]), self::at(part, &["address"])))
}

fn cards_of(part: &Value) -> Option<String> {
    let card = |card: &Value| {
        let phones = card.get("phones").and_then(Value::as_array).into_iter().flatten();
        let name = at(card, &["name", "formatted_name"]).unwrap_or_default();
        shown::card(name, phones.filter_map(|phone| at(phone, &["phone"])))
    };
    let cards: Vec<String> = part.as_array()?.iter().filter_map(card).collect();
    (!cards.is_empty()).then(|| cards.join("\n"))
}

fn choice_of(named: &str, part: &Value) -> Option<Choice> {
    let choice = |id: Option<&str>, title: Option<&str>| {
        Some(Choice { id: id?.to_owned(), title: title.unwrap_or_default().to_owned() })
    };
    match named {
        "button" => choice(at(part, &["payload"]), at(part, &["text"])),
        "interactive" => ["button_reply", "list_reply"]
            .into_iter()
            .find_map(|kind| choice(at(part, &[kind, "id"]), at(part, &[kind, "title"]))),
        _ => None,
    }
}

fn attachment_of(part: &Value) -> Option<Attachment> {
    let mime = at(part, &["mime_type"])?;
    Some(Attachment {
        reference: at(part, &["id"]).unwrap_or_default().to_owned(),
        mime: mime.to_owned(),
        filename: at(part, &["filename"]).map(str::to_owned),
        size_bytes: None,
        sha256: at(part, &["sha256"]).map(str::to_owned),
        transcript_sealed: None,
        confidence: None,
    })
}

/// Which earlier message an edit, a deletion or a reaction is about.
fn about(named: &str, part: &Value) -> Option<String> {
    let id = match named {
        "reaction" => at(part, &["message_id"]),
        "edit" | "revoke" => at(part, &["original_message_id"]),
        _ => None,
    };
    id.map(str::to_owned)
}

/// What is worth keeping besides: short codes, never what a customer wrote.
fn attributes_of(
    named: &str,
    part: &Value,
    parts: &serde_json::Map<String, Value>,
) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    let mut keep = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            kept.insert(name.to_owned(), value.chars().take(200).collect());
        }
    };
    if MessageKind::named(named).is_none() {
        keep("provider_kind", Some(named));
    }
    keep("system_type", at(part, &["type"]).filter(|_| named == "system"));
    let referral = parts.get("referral").unwrap_or(&Value::Null);
    keep("referral_source_id", at(referral, &["source_id"]));
    keep("referral_click_id", at(referral, &["ctwa_clid"]));
    kept
}

#[cfg(test)]
mod tests;
