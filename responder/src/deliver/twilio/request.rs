//! A reply as Twilio's Messages resource takes it. Pure.

use schemas::message::{Channel, ContactIdKind};

use crate::deliver::WINDOW_CLOSED;
use crate::deliver::sender::{Outgoing, SendError, listed};
use crate::template::Template;

/// Longest body, in characters.
const TEXT_MAX: usize = 1_600;
/// What numbers of WhatsApp begin with.
const WHATSAPP: &str = "whatsapp:";

/// The form of `POST /Accounts/{sid}/Messages.json`.
///
/// # Errors
/// [`SendError::Refused`], when the channel cannot say it.
pub(super) fn form(
    outgoing: &Outgoing,
    status_url: &str,
) -> Result<Vec<(&'static str, String)>, SendError> {
    let mut form = vec![
        ("To", recipient(outgoing)?),
        ("From", outgoing.account.clone()),
        ("StatusCallback", status_url.to_owned()),
    ];
    if let Some(template) = &outgoing.template {
        form.extend(approved(template)?);
        return Ok(form);
    }
    let text = listed(&outgoing.text, &outgoing.buttons);
    if text.chars().count() > TEXT_MAX {
        return Err(SendError::Refused(format!("longer than {TEXT_MAX} characters")));
    }
    form.push(("Body", text));
    Ok(form)
}

/// Its gaps are numbered from 1.
fn approved(template: &Template) -> Result<[(&'static str, String); 2], SendError> {
    if template.content_sid.is_empty() {
        return Err(SendError::Refused(WINDOW_CLOSED.to_owned()));
    }
    let numbered = (1..).map(|n: u32| n.to_string()).zip(&template.params);
    let gaps: serde_json::Map<_, _> = numbered.map(|(n, text)| (n, text.as_str().into())).collect();
    let gaps = serde_json::Value::Object(gaps).to_string();
    Ok([("ContentSid", template.content_sid.clone()), ("ContentVariables", gaps)])
}

/// A number of ours without its channel: an account has it on each. Nor does the `+` count, which a number in the
/// environment is read without.
pub(super) fn plain(number: &str) -> &str {
    number.strip_prefix(WHATSAPP).unwrap_or(number).trim_start_matches('+')
}

/// The customer, by the channel they wrote on.
pub(super) fn recipient(outgoing: &Outgoing) -> Result<String, SendError> {
    let contact = &outgoing.contact;
    let number = match outgoing.channel {
        Channel::Whatsapp => contact.id(ContactIdKind::WaPhone).map(|n| format!("{WHATSAPP}{n}")),
        _ => contact.id(ContactIdKind::E164).map(str::to_owned),
    };
    number.ok_or_else(|| SendError::Refused("the contact has no number".to_owned()))
}
