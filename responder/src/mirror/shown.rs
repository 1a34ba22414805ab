//! What of a line is shown, and as what. Pure.

use schemas::conversation::{Conversation, ConversationEvent};
use schemas::message::{Contact, DeliveryResult, Direction, MessageKind};
use schemas::sealed::{SealError, SealedText, TenantKeys};

/// A line as a team elsewhere sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    /// It began, with this customer.
    Opened(Contact),
    /// The customer wrote.
    Incoming(String),
    /// We wrote.
    Outgoing(String),
    /// For colleagues only.
    Note(String),
    /// It is done, or goes on.
    Status(&'static str),
}

impl Shown {
    /// Who the customer is, where the line says so.
    pub(super) fn contact(&self) -> Option<&Contact> {
        match self {
            Self::Opened(contact) => Some(contact),
            _ => None,
        }
    }
}

/// What is shown of `line`; texts `whole`, or masked.
pub(super) fn shown(
    keys: &TenantKeys,
    line: &Conversation,
    whole: bool,
) -> Result<Option<Shown>, SealError> {
    let text = |sealed: Option<&SealedText>, masked: Option<&str>| match sealed {
        Some(sealed) if whole => keys.open_text(sealed).map(Some),
        _ => Ok(masked.map(str::to_owned)),
    };
    Ok(match &line.event {
        ConversationEvent::Opened(opened) => {
            // What is at a Chatwoot already needs no mirror there.
            let contact = (opened.provider != "chatwoot")
                .then(|| keys.open_contact(&opened.contact_sealed))
                .transpose()?;
            contact.map(|contact| Shown::Opened(named(contact, whole)))
        }
        ConversationEvent::MessageReceived(message) if message.head.provider != "chatwoot" => {
            let head = &message.head;
            let said = text(head.text_sealed.as_ref(), head.text_masked.as_deref())?;
            let deleted = head.kind == MessageKind::Delete || head.deleted;
            let kind = if deleted { MessageKind::Delete } else { head.kind };
            let said = said.or_else(|| without_text(kind));
            let inbound = head.direction == Direction::Inbound;
            said.map(if inbound { Shown::Incoming } else { Shown::Outgoing })
        }
        ConversationEvent::ReplySent(sent) if sent.result == DeliveryResult::Sent => {
            text(sent.text_sealed.as_ref(), sent.text_masked.as_deref())?.map(Shown::Outgoing)
        }
        ConversationEvent::Noted(noted) => {
            text(Some(&noted.text_sealed), Some(&noted.text_masked))?.map(Shown::Note)
        }
        ConversationEvent::Resolved(_) => Some(Shown::Status("resolved")),
        ConversationEvent::Reopened(_) => Some(Shown::Status("open")),
        _ => None,
    })
}

/// Only the name, unless texts go whole too.
fn named(contact: Contact, whole: bool) -> Contact {
    if whole { contact } else { Contact { ids: Vec::new(), name: contact.name } }
}

/// A picture, say; what colleagues read instead of it.
fn without_text(kind: MessageKind) -> Option<String> {
    let word = match kind {
        MessageKind::Audio => "áudio",
        MessageKind::Image => "imagem",
        MessageKind::Video => "vídeo",
        MessageKind::Document => "documento",
        MessageKind::Location => "localização",
        MessageKind::Contacts => "contato",
        MessageKind::Delete => "mensagem apagada",
        _ => return None,
    };
    Some(format!("[{word}]"))
}
