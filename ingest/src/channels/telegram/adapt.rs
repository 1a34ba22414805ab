//! From an update to normalized messages. Pure. Only private chats are conversations with customers; what
//! bots write is passed over.

use schemas::message::{
    Attachment, Channel, Choice, Contact, ContactId, ContactIdKind, MessageKind,
};
use serde_json::Value;

use super::super::shown;
use super::wire::{Callback, Message, Update, User};
use crate::door::{Event, HeardMessage, Identity, Malformed};

/// Parts by which a message's kind is told, and what they usually hold.
const PARTS: &[(&str, MessageKind, &str)] = &[
    ("voice", MessageKind::Audio, "audio/ogg"),
    ("audio", MessageKind::Audio, "audio/mpeg"),
    ("video", MessageKind::Video, "video/mp4"),
    ("video_note", MessageKind::Video, "video/mp4"),
    ("document", MessageKind::Document, "application/octet-stream"),
    ("sticker", MessageKind::Sticker, "image/webp"),
    ("photo", MessageKind::Image, "image/jpeg"),
    ("location", MessageKind::Location, ""),
    ("contact", MessageKind::Contacts, ""),
];

/// Everything an update tells to the bot `account`.
///
/// # Errors
/// [`Malformed`], when the bytes are not an update.
pub(super) fn adapt(account: &str, body: &[u8]) -> Result<Vec<Event>, Malformed> {
    let update: Update = serde_json::from_slice(body).map_err(|error| Malformed::json(&error))?;
    let id = update.update_id;
    let written = update.message.and_then(|wire| message(account, wire, None));
    let edited = update.edited_message.and_then(|wire| message(account, wire, Some(id)));
    let tapped = update.callback_query.and_then(|wire| callback(account, wire));
    let events = [written, edited, tapped].into_iter().flatten();
    Ok(events.map(|message| Event::Message(Box::new(message))).collect())
}

/// The tap an update tells of, if it tells of one.
pub(super) fn tapped(body: &[u8]) -> Option<String> {
    serde_json::from_slice::<Update>(body).ok()?.callback_query.map(|tap| tap.id)
}

fn contact(chat: i64, user: Option<&User>) -> Contact {
    let name = user.map(|user| {
        let names = [user.first_name.as_deref(), user.last_name.as_deref()];
        names.into_iter().flatten().collect::<Vec<_>>().join(" ")
    });
    let ids =
        vec![ContactId { kind: ContactIdKind::Telegram, value: chat.to_string(), scope: None }];
    Contact { ids, name: name.filter(|name| !name.is_empty()) }
}

fn heard(account: &str, contact: Contact, id: String, kind: MessageKind) -> HeardMessage {
    let from = (Channel::Telegram, contact);
    HeardMessage::of(super::PROVIDER, account, from, Identity::Provider(id), kind)
}

/// A place or a card as words.
fn said(named: &str, part: &Value) -> Option<String> {
    let text = |name: &str| part.get(name).and_then(Value::as_str);
    let number = |name: &str| part.get(name).and_then(Value::as_f64);
    match named {
        "location" => Some(shown::place((number("latitude")?, number("longitude")?), None, None)),
        "contact" => {
            let names = [text("first_name"), text("last_name")].into_iter().flatten();
            let name = names.collect::<Vec<_>>().join(" ");
            shown::card(&name, text("phone_number").into_iter())
        }
        _ => None,
    }
}

/// A message, or with the number of its update an edit of one.
fn message(account: &str, wire: Message, edited: Option<i64>) -> Option<HeardMessage> {
    if wire.chat.kind.as_deref() != Some("private")
        || wire.from.as_ref().is_some_and(|user| user.is_bot)
    {
        return None;
    }
    let part = PARTS.iter().find_map(|found| Some((found, wire.parts.get(found.0)?)));
    let kind = match (&part, &wire.text) {
        (_, Some(_)) => MessageKind::Text,
        (Some(((_, kind, _), _)), None) => *kind,
        (None, None) => MessageKind::Unsupported,
    };
    let (id, kind, reply_to) = match edited {
        Some(update) => {
            (format!("edit/{update}"), MessageKind::Edit, Some(wire.message_id.to_string()))
        }
        None => {
            let reply_to = wire.reply_to_message.map(|replied| replied.message_id.to_string());
            (wire.message_id.to_string(), kind, reply_to)
        }
    };
    let contact = contact(wire.chat.id, wire.from.as_ref());
    let seconds = wire.edit_date.or(wire.date);
    Some(HeardMessage {
        text: wire
            .text
            .or(wire.caption)
            .or_else(|| part.and_then(|(known, part)| said(known.0, part))),
        attachments: part.and_then(|(known, part)| attachment(known.2, part)).into_iter().collect(),
        reply_to,
        event_time_ms: seconds.and_then(|seconds| seconds.checked_mul(1000)),
        ..heard(account, contact, id, kind)
    })
}

/// A tapped button. Its message may be too old to be told whole, but its chat is told.
fn callback(account: &str, wire: Callback) -> Option<HeardMessage> {
    let chat = wire.message.as_ref()?.pointer("/chat/id")?.as_i64()?;
    let data = wire.data?;
    // The title stands in the keyboard that was sent along.
    let rows = wire.message.as_ref().and_then(|m| m.pointer("/reply_markup/inline_keyboard"));
    let buttons = rows.and_then(Value::as_array).into_iter().flatten();
    let tapped = buttons
        .filter_map(Value::as_array)
        .flatten()
        .find(|button| button.get("callback_data").and_then(Value::as_str) == Some(&data));
    let title = tapped.and_then(|button| button.get("text")?.as_str()).unwrap_or(&data).to_owned();
    let contact = contact(chat, Some(&wire.from));
    Some(HeardMessage {
        text: Some(title.clone()),
        choice: Some(Choice { id: data, title }),
        ..heard(account, contact, format!("callback/{}", wire.id), MessageKind::Button)
    })
}

/// The file of a part; of a photo, which comes in several sizes, the largest.
fn attachment(mime: &str, part: &Value) -> Option<Attachment> {
    let file = part.as_array().and_then(|sizes| sizes.last()).unwrap_or(part);
    let text = |name: &str| file.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Attachment {
        reference: text("file_id")?,
        mime: text("mime_type").unwrap_or_else(|| mime.to_owned()),
        filename: text("file_name"),
        size_bytes: file.get("file_size").and_then(Value::as_i64),
        sha256: None,
        transcript_sealed: None,
        confidence: None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn heard(update: &Value) -> Vec<HeardMessage> {
        let events = adapt("bot", update.to_string().as_bytes()).unwrap();
        let message = |event| match event {
            Event::Message(message) => *message,
            other => panic!("{other:?}"),
        };
        events.into_iter().map(message).collect()
    }

    fn with(part: &Value) -> Value {
        let mut message = json!({ "message_id": 41, "date": 1_795_177_931,
            "from": { "id": 7, "is_bot": false, "first_name": "João" }, "chat": { "id": 7, "type": "private" } });
        message.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        message
    }

    #[test]
    fn case_19_the_providers_samples() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/payloads/telegram");
        for (name, kind, text) in [
            ("text.json", MessageKind::Text, "minha internet caiu"),
            ("callback.json", MessageKind::Button, "segunda_via"),
        ] {
            let Ok(body) = std::fs::read(folder.join(name)) else {
                println!("SKIPPED: no provider samples in shared/payloads/telegram");
                return;
            };
            let found = heard(&serde_json::from_slice(&body).unwrap());
            assert_eq!(found.len(), 1, "{name}");
            assert_eq!((found[0].kind, found[0].text.as_deref()), (kind, Some(text)), "{name}");
            assert_eq!(found[0].contact.id(ContactIdKind::Telegram), Some("700001"), "{name}");
        }
    }

    #[test]
    fn kinds_are_understood() {
        let voice = heard(&json!({ "update_id": 1, "message": with(&json!({
            "voice": { "file_id": "F", "mime_type": "audio/ogg", "file_size": 900 } })) }));
        assert_eq!(
            (voice[0].kind, voice[0].attachments[0].reference.as_str()),
            (MessageKind::Audio, "F")
        );
        let photo = heard(&json!({ "update_id": 2, "message": with(&json!({
            "photo": [{ "file_id": "small" }, { "file_id": "large" }], "caption": "o roteador" })) }));
        assert_eq!(photo[0].attachments[0].reference, "large");
        assert_eq!(photo[0].text.as_deref(), Some("o roteador"));
        let edited =
            heard(&json!({ "update_id": 3, "edited_message": with(&json!({ "text": "ligou" })) }));
        assert_eq!(
            (edited[0].kind, edited[0].reply_to.as_deref()),
            (MessageKind::Edit, Some("41"))
        );
        assert_ne!(edited[0].identity, voice[0].identity, "an edit is a message of its own");
        let strange =
            heard(&json!({ "update_id": 4, "message": with(&json!({ "hologram": {} })) }));
        assert_eq!(strange[0].kind, MessageKind::Unsupported);
    }

    #[test]
    fn groups_bots_and_other_updates_are_no_messages() {
        let mut group = with(&json!({ "text": "oi" }));
        group["chat"]["type"] = json!("group");
        let mut bot = with(&json!({ "text": "oi" }));
        bot["from"]["is_bot"] = json!(true);
        for update in
            [json!({ "message": group }), json!({ "message": bot }), json!({ "poll": {} })]
        {
            let mut update = update;
            update["update_id"] = json!(1);
            assert_eq!(heard(&update), []);
        }
        assert!(adapt("bot", b"{}").is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = adapt("bot", &bytes);
        }

        #[test]
        fn no_shape_makes_it_fail(part in "(voice|photo|text|location|caption)", junk in "\\PC{0,20}", n: i64) {
            for value in [json!(null), json!(n), json!(junk), json!([junk]), json!({ "file_id": n })] {
                let update = json!({ "update_id": n, "message": with(&json!({ part.clone(): value, "date": n })) });
                let _ = adapt("bot", update.to_string().as_bytes());
            }
        }
    }
}
