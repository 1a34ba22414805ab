//! A reply as Twilio's Messages resource takes it. Pure.

use schemas::message::{Channel, ContactIdKind};

use crate::deliver::sender::{Outgoing, SendError, listed};

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
    let text = listed(&outgoing.text, &outgoing.buttons);
    if text.chars().count() > TEXT_MAX {
        return Err(SendError::Refused(format!("longer than {TEXT_MAX} characters")));
    }
    Ok(vec![
        ("To", recipient(outgoing)?),
        ("From", outgoing.account.clone()),
        ("Body", text),
        ("StatusCallback", status_url.to_owned()),
    ])
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
