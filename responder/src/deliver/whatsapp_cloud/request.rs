//! A reply as the Graph API takes it. Pure.

use schemas::message::{Button, ContactIdKind};
use serde_json::{Value, json};

use crate::deliver::WINDOW_CLOSED;
use crate::deliver::sender::{Outgoing, SendError, listed};
use crate::template::Template;

/// Longest texts, in characters: alone, with buttons, of a button, of a row of a list.
const TEXT_MAX: usize = 4096;
const TEXT_WITH_BUTTONS_MAX: usize = 1024;
const BUTTON_MAX: usize = 20;
const ROW_MAX: usize = 24;
/// Most buttons, and most rows of a list.
const BUTTONS_MAX: usize = 3;
const ROWS_MAX: usize = 10;

/// The body of `POST /{number}/messages`.
///
/// # Errors
/// [`SendError::Refused`], when the channel cannot say it.
pub(super) fn body(outgoing: &Outgoing) -> Result<Value, SendError> {
    let (kind, content) = content(outgoing)?;
    let mut body = json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "type": kind,
        // Echoed in statuses: what became of a reply whose answer was lost.
        "biz_opaque_callback_data": outgoing.id,
    });
    let (field, recipient) = recipient(outgoing)?;
    if let Some(object) = body.as_object_mut() {
        object.insert(kind.to_owned(), content);
        object.insert(field.to_owned(), json!(recipient));
    }
    Ok(body)
}

/// The number where it is known, else the business-scoped id: each has a field of its own.
pub(super) fn recipient(outgoing: &Outgoing) -> Result<(&'static str, String), SendError> {
    let contact = &outgoing.contact;
    if let Some(phone) = contact.id(ContactIdKind::WaPhone) {
        return Ok(("to", phone.trim_start_matches('+').to_owned()));
    }
    let scoped = contact.id(ContactIdKind::Bsuid);
    let unknown = || SendError::Refused("the contact has no WhatsApp id".to_owned());
    scoped.map(|id| ("recipient", id.to_owned())).ok_or_else(unknown)
}

fn content(outgoing: &Outgoing) -> Result<(&'static str, Value), SendError> {
    if let Some(approved) = &outgoing.template {
        return template(approved);
    }
    let (text, buttons) = (&outgoing.text, &outgoing.buttons);
    let fits = text.chars().count() <= TEXT_WITH_BUTTONS_MAX;
    match buttons.len() {
        0 => plain(text),
        1..=BUTTONS_MAX if fits => Ok(("interactive", quick_replies(text, buttons))),
        n if n <= ROWS_MAX && fits && !outgoing.options_title.is_empty() => {
            Ok(("interactive", list(text, buttons, &outgoing.options_title)))
        }
        _ => plain(&listed(text, buttons)),
    }
}

/// Its language must be one the template was approved in.
fn template(template: &Template) -> Result<(&'static str, Value), SendError> {
    if template.name.is_empty() {
        return Err(SendError::Refused(WINDOW_CLOSED.to_owned()));
    }
    let gap = |text: &String| json!({ "type": "text", "text": text });
    let gaps: Vec<Value> = template.params.iter().map(gap).collect();
    let body = json!({ "type": "body", "parameters": gaps });
    let components = if gaps.is_empty() { json!([]) } else { json!([body]) };
    let language = json!({ "code": template.language });
    let content = json!({ "name": template.name, "language": language, "components": components });
    Ok(("template", content))
}

fn plain(text: &str) -> Result<(&'static str, Value), SendError> {
    if text.chars().count() > TEXT_MAX {
        return Err(SendError::Refused(format!("longer than {TEXT_MAX} characters")));
    }
    Ok(("text", json!({ "body": text, "preview_url": false })))
}

fn quick_replies(text: &str, buttons: &[Button]) -> Value {
    let reply = |button: &Button| json!({ "type": "reply", "reply": { "id": button.id, "title": cut(&button.title, BUTTON_MAX) } });
    let buttons: Vec<Value> = buttons.iter().map(reply).collect();
    json!({ "type": "button", "body": { "text": text }, "action": { "buttons": buttons } })
}

fn list(text: &str, buttons: &[Button], title: &str) -> Value {
    let row = |button: &Button| json!({ "id": button.id, "title": cut(&button.title, ROW_MAX) });
    let rows: Vec<Value> = buttons.iter().map(row).collect();
    let action = json!({ "button": cut(title, BUTTON_MAX), "sections": [{ "rows": rows }] });
    json!({ "type": "list", "body": { "text": text }, "action": action })
}

fn cut(title: &str, chars: usize) -> String {
    title.chars().take(chars).collect()
}
