//! A reply as the Bot API takes it. Pure.

use schemas::message::{Button, ContactIdKind};
use serde_json::{Value, json};

use crate::deliver::sender::{Outgoing, SendError, listed};

/// Longest text, in UTF-16 units.
const TEXT_MAX: usize = 4096;
/// Longest data of a button, in bytes.
const DATA_BYTES_MAX: usize = 64;

/// The body of `sendMessage`.
///
/// # Errors
/// [`SendError::Refused`], when the channel cannot say it.
pub(super) fn body(outgoing: &Outgoing) -> Result<Value, SendError> {
    // One that does not fit behind a button is written out.
    let fit = outgoing.buttons.iter().all(|button| button.id.len() <= DATA_BYTES_MAX);
    let buttons: &[Button] = if fit { &outgoing.buttons } else { &[] };
    let text = if fit { outgoing.text.clone() } else { listed(&outgoing.text, &outgoing.buttons) };
    if text.encode_utf16().count() > TEXT_MAX {
        return Err(SendError::Refused(format!("longer than {TEXT_MAX} characters")));
    }
    let mut body = json!({ "chat_id": recipient(outgoing)?, "text": text });
    if let (Some(object), false) = (body.as_object_mut(), buttons.is_empty()) {
        let row = |button: &Button| json!([{ "text": button.title, "callback_data": button.id }]);
        let rows: Vec<Value> = buttons.iter().map(row).collect();
        object.insert("reply_markup".to_owned(), json!({ "inline_keyboard": rows }));
    }
    Ok(body)
}

/// The customer's chat.
pub(super) fn recipient(outgoing: &Outgoing) -> Result<String, SendError> {
    let chat = outgoing.contact.id(ContactIdKind::Telegram);
    let unknown = || SendError::Refused("the contact has no Telegram chat".to_owned());
    chat.map(str::to_owned).ok_or_else(unknown)
}
