//! From an event to a normalized message. Pure. The same event comes for what customers, agents and robots
//! write: only what a customer wrote asks for an answer.

use std::collections::BTreeMap;

use schemas::message::{
    Attachment, Channel, Contact, ContactId, ContactIdKind, Direction, MessageKind,
};
use serde_json::Value;

use super::wire::{self, Sender};
use crate::door::{Event, HeardMessage, Identity, Malformed, phone_number};

/// Marks what we wrote, in `content_attributes`.
const OURS: &str = "/correnteza_id";
/// What tells a contact's number from a conversation's, in the scopes of ids.
const CONTACT: &str = "chatwoot";
const CONVERSATION: &str = "chatwoot_conversation";

/// Everything an event tells, but of the inbox `mirror`.
///
/// # Errors
/// [`Malformed`], when the bytes are not an event.
pub(super) fn adapt(body: &[u8], mirror: Option<i64>) -> Result<Vec<Event>, Malformed> {
    let event: wire::Event =
        serde_json::from_slice(body).map_err(|error| Malformed::json(&error))?;
    let mirrored = mirror.is_some() && event.inbox.as_ref().map(|inbox| inbox.id) == mirror;
    let told = event.event == "message_created" && !mirrored;
    let message = told.then(|| message(event)).flatten();
    Ok(message.map(|message| Event::Message(Box::new(message))).into_iter().collect())
}

/// Who wrote it, if anybody did who counts.
fn direction(event: &wire::Event) -> Option<Direction> {
    let kind = event.message_type.as_ref()?;
    let ours = event.content_attributes.as_ref().is_some_and(|kept| kept.pointer(OURS).is_some());
    match (kind.as_str(), kind.as_i64()) {
        (Some("incoming"), _) | (_, Some(0)) => Some(Direction::Inbound),
        // An agent's own words, which customers see.
        (Some("outgoing"), _) | (_, Some(1)) if !ours && event.private != Some(true) => {
            Some(Direction::Outbound)
        }
        _ => None,
    }
}

fn message(event: wire::Event) -> Option<HeardMessage> {
    let direction = direction(&event)?;
    let conversation = event.conversation.as_ref()?;
    let number = conversation.display_id.or(conversation.id)?;
    let customer = match direction {
        Direction::Inbound => event.contact.as_ref().or(event.sender.as_ref()),
        Direction::Outbound => {
            event.contact.as_ref().or(conversation.meta.as_ref()?.sender.as_ref())
        }
    };
    let attachments: Vec<(MessageKind, Attachment)> =
        event.attachments.iter().flatten().filter_map(attachment).collect();
    let text = event.content.filter(|text| !text.trim().is_empty());
    let kind = match (attachments.first(), &text) {
        (Some((kind, _)), _) => *kind,
        (None, Some(_)) => MessageKind::Text,
        (None, None) => MessageKind::Unsupported,
    };
    let id = event.id.as_ref().and_then(|id| match id {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    });
    let account = event.account.as_ref()?.id;
    let inbox = event.inbox.iter().map(|inbox| ("inbox".to_owned(), inbox.id.to_string()));
    let from = (channel(conversation.channel.as_deref()), contact(customer?, account, number)?);
    let identity = id.map_or(Identity::None, Identity::Provider);
    Some(HeardMessage {
        direction,
        text,
        attachments: attachments.into_iter().map(|(_, attachment)| attachment).collect(),
        event_time_ms: event.created_at.as_ref().and_then(time_ms),
        attributes: BTreeMap::from_iter(inbox),
        ..HeardMessage::of(super::PROVIDER, &account.to_string(), from, identity, kind)
    })
}

/// How the customer reached Chatwoot, as far as it says.
fn channel(named: Option<&str>) -> Channel {
    match named.unwrap_or_default() {
        "Channel::Whatsapp" => Channel::Whatsapp,
        "Channel::Email" => Channel::Email,
        "Channel::Sms" | "Channel::TwilioSms" => Channel::Sms,
        "Channel::Telegram" => Channel::Telegram,
        _ => Channel::Other,
    }
}

/// The contact goes by its number at Chatwoot, whatever else is known; the conversation is where answers go.
fn contact(customer: &Sender, account: i64, conversation: i64) -> Option<Contact> {
    let id = |kind, value: String, scope: Option<&str>| ContactId {
        kind,
        value,
        scope: scope.map(str::to_owned),
    };
    let number = format!("{account}/{}", customer.id?);
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let mut ids = vec![
        id(ContactIdKind::Other, number, Some(CONTACT)),
        id(ContactIdKind::Other, conversation.to_string(), Some(CONVERSATION)),
    ];
    let phone = filled(&customer.phone_number);
    ids.extend(phone.map(|phone| id(ContactIdKind::E164, phone_number(&phone), None)));
    ids.extend(filled(&customer.email).map(|email| id(ContactIdKind::Email, email, None)));
    Some(Contact { ids, name: filled(&customer.name) })
}

fn attachment(value: &Value) -> Option<(MessageKind, Attachment)> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let (kind, mime) = match text("file_type")? {
        "image" => (MessageKind::Image, "image/*"),
        "audio" => (MessageKind::Audio, "audio/*"),
        "video" => (MessageKind::Video, "video/*"),
        "location" => (MessageKind::Location, ""),
        "contact" => (MessageKind::Contacts, ""),
        _ => (MessageKind::Document, "application/octet-stream"),
    };
    let attachment = Attachment {
        reference: text("data_url").unwrap_or_default().to_owned(),
        mime: mime.to_owned(),
        filename: None,
        size_bytes: value.get("file_size").and_then(Value::as_i64),
        sha256: None,
        transcript_sealed: None,
        confidence: None,
    };
    Some((kind, attachment))
}

/// Seconds since 1970, or RFC 3339.
fn time_ms(told: &Value) -> Option<i64> {
    match told {
        Value::Number(seconds) => seconds.as_i64()?.checked_mul(1_000),
        Value::String(text) => text.parse().ok().map(jiff::Timestamp::as_millisecond),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn heard(event: &Value) -> Vec<HeardMessage> {
        let events = adapt(event.to_string().as_bytes(), None).unwrap();
        let message = |event| match event {
            Event::Message(message) => *message,
            other => panic!("{other:?}"),
        };
        events.into_iter().map(message).collect()
    }

    fn event(part: &Value) -> Value {
        let mut event = json!({
            "event": "message_created", "id": 7, "content": "minha internet caiu", "message_type": "incoming",
            "created_at": "2026-11-20T13:32:11.000Z", "content_attributes": {}, "account": { "id": 1 },
            "sender": { "id": 9, "name": "Maria", "phone_number": "+5511987654321" },
            "inbox": { "id": 3 }, "conversation": { "id": 88, "channel": "Channel::Api",
                "meta": { "sender": { "id": 9, "name": "Maria" } } },
        });
        event.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        event
    }

    #[test]
    fn what_a_customer_writes_is_a_message() {
        let found = heard(&event(&json!({})));
        assert_eq!(found.len(), 1);
        let one = &found[0];
        assert_eq!((one.kind, one.direction), (MessageKind::Text, Direction::Inbound));
        assert_eq!(one.text.as_deref(), Some("minha internet caiu"));
        assert_eq!(one.identity, Identity::Provider("7".to_owned()));
        assert_eq!(one.event_time_ms, Some(1_795_181_531_000));
        assert_eq!(one.contact.ids[0].value, "1/9");
        assert_eq!(one.contact.ids[1].scope.as_deref(), Some(CONVERSATION));
        assert_eq!(one.contact.id(ContactIdKind::E164), Some("+5511987654321"));
    }

    #[test]
    fn case_21_what_others_write_is_not_answered() {
        let agent = heard(&event(
            &json!({ "message_type": "outgoing", "sender": { "id": 2, "name": "Ana" } }),
        ));
        assert_eq!(
            (agent.len(), agent[0].direction),
            (1, Direction::Outbound),
            "kept, not answered"
        );
        assert_eq!(agent[0].contact.ids[0].value, "1/9", "the customer's history, not the agent's");
        for passed_over in [
            json!({ "message_type": "outgoing", "content_attributes": { "correnteza_id": "c_1/1/answer/0" } }),
            json!({ "message_type": 1, "private": true }),
            json!({ "message_type": "template" }),
            json!({ "message_type": 2 }),
            json!({ "message_type": "activity" }),
            json!({ "event": "message_updated" }),
            json!({ "event": "conversation_resolved" }),
        ] {
            assert_eq!(heard(&event(&passed_over)), [], "{passed_over}");
        }
    }

    #[test]
    fn what_we_show_in_the_mirror_is_not_heard_from_there() {
        let body = event(&json!({})).to_string();
        assert_eq!(adapt(body.as_bytes(), Some(3)), Ok(Vec::new()));
        assert_eq!(adapt(body.as_bytes(), Some(4)).unwrap().len(), 1);
    }

    #[test]
    fn files_come_along() {
        let file = json!([{ "file_type": "audio", "data_url": "https://chat.example/a.ogg", "file_size": 9 }]);
        let found = heard(&event(&json!({ "content": null, "attachments": file })));
        assert_eq!((found[0].kind, found[0].text.as_deref()), (MessageKind::Audio, None));
        assert_eq!(found[0].attachments[0].reference, "https://chat.example/a.ogg");
    }

    #[test]
    fn the_providers_sample_is_understood() {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../shared/payloads/chatwoot/message_created.json");
        let Ok(body) = std::fs::read(sample) else {
            println!("SKIPPED: no provider samples in shared/payloads/chatwoot");
            return;
        };
        let found = heard(&serde_json::from_slice(&body).unwrap());
        assert_eq!((found.len(), found[0].text.as_deref()), (1, Some("Oi, minha internet caiu")));
    }

    #[test]
    fn what_is_no_event_is_malformed() {
        assert!(adapt(b"{}", None).is_err());
        assert!(adapt(b"[", None).is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = adapt(&bytes, None);
        }

        #[test]
        fn no_shape_makes_it_fail(
            part in "(id|content|message_type|created_at|attachments|conversation|contact|account)",
            junk in "\\PC{0,20}",
            n: i64,
        ) {
            for value in [json!(null), json!(n), json!(junk), json!([junk]), json!({ "id": n })] {
                let _ = adapt(event(&json!({ part.clone(): value })).to_string().as_bytes(), None);
            }
        }
    }
}
