//! From a webhook's form to a normalized message or status. Pure.

use std::collections::BTreeMap;

use schemas::message::{
    Attachment, Channel, Choice, Contact, ContactId, ContactIdKind, MessageKind, ProviderStatusKind,
};

use super::super::shown;
use super::wire::Form;
use crate::door::{Event, HeardMessage, HeardStatus, Identity, Malformed, phone_number};

/// How long after the customer's last message free texts may be sent by WhatsApp, in milliseconds.
const REPLY_WINDOW_MS: i64 = 24 * 3_600_000;
/// What numbers of WhatsApp begin with.
const WHATSAPP: &str = "whatsapp:";
/// Attachments of one message.
const MEDIA_MAX: usize = 10;

/// Everything a body tells: one message or one status.
///
/// # Errors
/// [`Malformed`], when it is of neither.
pub(super) fn adapt(content_type: &str, body: &[u8]) -> Result<Vec<Event>, Malformed> {
    if content_type.contains("json") {
        // Events of other products come as JSON to the same address.
        return serde_json::from_slice::<serde_json::Value>(body)
            .map(|_| Vec::new())
            .map_err(|error| Malformed::json(&error));
    }
    let form = Form::parse(body);
    let id = form.get("MessageSid").or(form.get("SmsMessageSid")).or(form.get("SmsSid"));
    let id = id.ok_or_else(|| Malformed("the form names no MessageSid".to_owned()))?;
    let status = form.get("MessageStatus").or(form.get("SmsStatus")).unwrap_or("received");
    let event = if matches!(status, "received" | "receiving") {
        message(&form, id).map(|message| Event::Message(Box::new(message)))
    } else {
        told(&form, id, status).map(|status| Event::Status(Box::new(status)))
    };
    let nobody = || Malformed("the form names nobody (From, To)".to_owned());
    Ok(vec![event.ok_or_else(nobody)?])
}

/// The channel and the contact behind `whatsapp:+5511…` or `+5511…`.
fn contact(address: &str, name: Option<&str>) -> Option<(Channel, Contact)> {
    let (channel, kind, number) = match address.strip_prefix(WHATSAPP) {
        Some(number) => (Channel::Whatsapp, ContactIdKind::WaPhone, number),
        None => (Channel::Sms, ContactIdKind::E164, address),
    };
    // Short codes and names of senders are somebody, too, but never a number to be made longer.
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let value = if digits >= 10 { phone_number(number) } else { number.to_owned() };
    let ids = vec![ContactId { kind, value, scope: None }];
    let found = Contact { ids, name: name.map(str::to_owned) };
    (!number.is_empty()).then_some((channel, found))
}

fn message(form: &Form, id: &str) -> Option<HeardMessage> {
    let (channel, contact) = contact(form.get("From")?, form.get("ProfileName"))?;
    let attachments = attachments(form);
    let title = form.get("ButtonText").or(form.get("ListTitle"));
    let choice = form.get("ButtonPayload").or(form.get("ListId")).map(|id| Choice {
        id: id.to_owned(),
        title: title.or(form.get("Body")).unwrap_or_default().to_owned(),
    });
    let mut attributes = BTreeMap::new();
    if let Some(referral) = form.get("ReferralSourceId") {
        attributes.insert("referral_source_id".to_owned(), referral.chars().take(200).collect());
    }
    let account = form.get("To").unwrap_or_default();
    let kind = kind(form, choice.is_some(), attachments.first());
    let identity = Identity::Provider(id.to_owned());
    Some(HeardMessage {
        text: form.get("Body").map(str::to_owned).or_else(|| place(form)),
        choice,
        attachments,
        reply_to: form.get("OriginalRepliedMessageSid").map(str::to_owned),
        reply_window_ms: (channel == Channel::Whatsapp).then_some(REPLY_WINDOW_MS),
        attributes,
        ..HeardMessage::of(super::PROVIDER, account, (channel, contact), identity, kind)
    })
}

fn place(form: &Form) -> Option<String> {
    let number = |name: &str| form.get(name)?.parse::<f64>().ok();
    let at = (number("Latitude")?, number("Longitude")?);
    Some(shown::place(at, form.get("Label"), form.get("Address")))
}

fn kind(form: &Form, chosen: bool, first: Option<&Attachment>) -> MessageKind {
    if chosen {
        return MessageKind::Button;
    }
    if let Some(attachment) = first {
        let family = attachment.mime.split('/').next().unwrap_or_default();
        return match family {
            "audio" => MessageKind::Audio,
            "image" => MessageKind::Image,
            "video" => MessageKind::Video,
            "text" if attachment.mime.contains("vcard") => MessageKind::Contacts,
            _ => MessageKind::Document,
        };
    }
    match form.get("Body") {
        _ if form.get("Latitude").is_some() => MessageKind::Location,
        Some(_) => MessageKind::Text,
        None => MessageKind::Unsupported,
    }
}

fn attachments(form: &Form) -> Vec<Attachment> {
    let count = form.get("NumMedia").and_then(|count| count.parse().ok()).unwrap_or(0);
    let attachment = |at: usize| {
        Some(Attachment {
            reference: form.get(&format!("MediaUrl{at}"))?.to_owned(),
            mime: form.get(&format!("MediaContentType{at}")).unwrap_or_default().to_owned(),
            filename: None,
            size_bytes: None,
            sha256: None,
            transcript_sealed: None,
            confidence: None,
        })
    };
    (0..MEDIA_MAX.min(count)).filter_map(attachment).collect()
}

fn told(form: &Form, id: &str, status: &str) -> Option<HeardStatus> {
    let (channel, contact) = contact(form.get("To")?, None)?;
    Some(HeardStatus {
        channel,
        contact,
        provider_message_id: id.to_owned(),
        status: match status {
            "sent" => ProviderStatusKind::Sent,
            "delivered" => ProviderStatusKind::Delivered,
            "read" => ProviderStatusKind::Read,
            "failed" | "undelivered" | "canceled" => ProviderStatusKind::Failed,
            _ => ProviderStatusKind::Unknown, // accepted, scheduled, queued, sending
        },
        error_code: form.get("ErrorCode").map(str::to_owned),
        event_time_ms: 0,
        callback: None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(body: &str) -> Event {
        adapt("application/x-www-form-urlencoded", body.as_bytes()).unwrap().remove(0)
    }

    fn heard(body: &str) -> HeardMessage {
        match one(body) {
            Event::Message(message) => *message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_form_gives_a_message() {
        let body = "MessageSid=SM1&From=whatsapp%3A%2B551187654321&To=whatsapp%3A%2B551140000000\
                    &Body=a+internet+caiu&ProfileName=Maria&NumMedia=0&Unheard=1";
        let message = heard(body);
        assert_eq!((message.channel, message.kind), (Channel::Whatsapp, MessageKind::Text));
        assert_eq!(message.contact.id(ContactIdKind::WaPhone), Some("+5511987654321"));
        assert_eq!(message.account, "whatsapp:+551140000000");
        assert_eq!(message.text.as_deref(), Some("a internet caiu"));
        assert_eq!(message.reply_window_ms, Some(REPLY_WINDOW_MS));
        let sms = heard("SmsSid=SM2&From=%2B5511987654321&To=%2B551140000000&Body=oi");
        assert_eq!((sms.channel, sms.reply_window_ms), (Channel::Sms, None));
    }

    #[test]
    fn case_12_a_voice_message_is_audio_and_has_no_text() {
        let body = "MessageSid=SM3&From=whatsapp%3A%2B5511987654321&NumMedia=1\
                    &MediaUrl0=https%3A%2F%2Fapi.example%2Fm&MediaContentType0=audio%2Fogg&Body=";
        let message = heard(body);
        assert_eq!((message.kind, message.text), (MessageKind::Audio, None));
        assert_eq!(message.attachments[0].reference, "https://api.example/m");
    }

    #[test]
    fn a_callback_gives_a_status_and_what_is_neither_is_malformed() {
        let status = "MessageSid=SM4&MessageStatus=undelivered&ErrorCode=63016\
                      &To=whatsapp%3A%2B5511987654321&From=whatsapp%3A%2B551140000000";
        let Event::Status(status) = one(status) else { panic!() };
        assert_eq!(status.status, ProviderStatusKind::Failed);
        assert_eq!(status.error_code.as_deref(), Some("63016"));
        for bad in ["", "x", "MessageSid=SM5", "From=1"] {
            assert!(adapt("", bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(adapt("application/json", br#"{"a":1}"#), Ok(Vec::new()));
        assert!(adapt("application/json", b"{").is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..300), json: bool) {
            let _ = adapt(if json { "application/json" } else { "" }, &bytes);
        }

        #[test]
        fn no_value_makes_it_fail(name in "(From|To|NumMedia|Body|MediaUrl0|MessageStatus)", value in "\\PC{0,40}") {
            let mut form = form_urlencoded::Serializer::new("MessageSid=1&From=2".to_owned());
            form.append_pair(&name, &value);
            let _ = adapt("", form.finish().as_bytes());
        }
    }
}
