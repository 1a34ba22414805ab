//! A reply as Chatwoot's application API takes it. Pure.

use serde_json::{Value, json};

use crate::deliver::sender::{Outgoing, SendError, listed};

/// The scope of a contact's id that names the conversation.
const CONVERSATION: &str = "chatwoot_conversation";

/// The body of a new message. What inboxes make of buttons differs, so they are written out; by the mark the
/// adapter knows our own words again.
pub(super) fn body(outgoing: &Outgoing) -> Value {
    json!({
        "content": listed(&outgoing.text, &outgoing.buttons),
        "message_type": "outgoing",
        "private": false,
        "content_attributes": { "correnteza_id": outgoing.id },
    })
}

/// Where it goes, below the server's address.
///
/// # Errors
/// [`SendError::Refused`], when the contact has no conversation there.
pub(super) fn path(outgoing: &Outgoing) -> Result<String, SendError> {
    let ids = outgoing.contact.ids.iter();
    let number = |text: &str| text.parse::<u64>().ok();
    let conversation =
        ids.filter(|id| id.scope.as_deref() == Some(CONVERSATION)).find_map(|id| number(&id.value));
    let (Some(account), Some(conversation)) = (number(&outgoing.account), conversation) else {
        return Err(SendError::Refused("the contact has no Chatwoot conversation".to_owned()));
    };
    Ok(format!("/api/v1/accounts/{account}/conversations/{conversation}/messages"))
}
