//! How a channel sends.

use std::time::Duration;

use async_trait::async_trait;
use schemas::ids::ConversationId;
use schemas::message::{Button, Channel, Contact};
use schemas::thread::Thread;

use crate::template::Template;

/// A reply as a channel needs it. Holds plain text: never logged.
#[derive(Clone)]
pub struct Outgoing {
    /// Names this reply and no other; given to the provider where it takes one.
    pub id: String,
    /// Whose customer.
    pub tenant: String,
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// What the customer quotes.
    pub protocol: String,
    /// How the customer wrote.
    pub channel: Channel,
    /// From which of our numbers, inboxes or bots: as the adapter that heard the customer calls it.
    pub account: String,
    /// To whom.
    pub contact: Contact,
    /// After this free texts are not taken any more (Unix, ms).
    pub reply_window_until_ms: Option<i64>,
    /// What.
    pub text: String,
    /// Quick replies offered.
    pub buttons: Vec<Button>,
    /// What opens them where the channel folds them away.
    pub options_title: String,
    /// What an answer by e-mail refers to.
    pub thread: Option<Thread>,
    /// The machine wrote it.
    pub automatic: bool,
    /// Goes out as this instead of its text and buttons: the reply window is closed.
    pub template: Option<Template>,
}

/// The channel has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sent {
    /// What the provider calls it.
    pub provider_message_id: Option<String>,
}

/// The channel does not have it, or nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Certainly not accepted; worth another try.
    #[error("not accepted: {why}")]
    NotAccepted {
        /// Why, without customer data.
        why: String,
        /// When the provider wants to hear of it again.
        retry_after: Option<Duration>,
    },
    /// Not accepted, and never will be.
    #[error("refused: {0}")]
    Refused(String),
    /// It may have been accepted.
    #[error("unknown: {0}")]
    Unknown(String),
}

/// A channel's way out.
#[async_trait]
pub trait Sender: Send + Sync {
    /// For logs.
    fn name(&self) -> &'static str;

    /// Whether sending the same reply twice shows as once.
    fn is_idempotent(&self) -> bool;

    /// Whether it sends what the provider has approved beforehand.
    fn takes_templates(&self) -> bool {
        false
    }

    /// Sends one reply. Never waits for a pace: what is too early is `NotAccepted` until then.
    ///
    /// # Errors
    /// [`SendError`].
    async fn send(&self, outgoing: &Outgoing) -> Result<Sent, SendError>;
}

/// Channels that live inside the product (web chat, replies fetched over the API): what is written
/// down in the history is what the customer sees, so writing it down is sending it.
#[derive(Debug, Clone, Copy)]
pub struct InProduct;

#[async_trait]
impl Sender for InProduct {
    fn name(&self) -> &'static str {
        "in_product"
    }

    fn is_idempotent(&self) -> bool {
        true
    }

    async fn send(&self, _: &Outgoing) -> Result<Sent, SendError> {
        Ok(Sent::default())
    }
}

/// A text with its quick replies as a list, for channels that have no buttons.
#[must_use]
pub(super) fn listed(text: &str, buttons: &[Button]) -> String {
    let lines = buttons.iter().map(|button| format!("\n• {}", button.title));
    std::iter::once(text.to_owned()).chain(lines).collect()
}

/// A reply to a customer with every kind of name.
#[cfg(test)]
pub(super) fn sample(buttons: usize) -> Outgoing {
    use schemas::ids::ContactKey;
    use schemas::message::{ContactId, ContactIdKind};

    let id = |kind, value: &str| ContactId { kind, value: value.to_owned(), scope: None };
    let ids = vec![
        id(ContactIdKind::Bsuid, "BR.1"),
        id(ContactIdKind::WaPhone, "+5511987654321"),
        id(ContactIdKind::E164, "+5511987654321"),
        id(ContactIdKind::Telegram, "700001"),
    ];
    let button =
        |n| Button { id: format!("b{n}"), title: format!("Opção {n} com um nome comprido") };
    Outgoing {
        id: "c_1/1/answer/0".to_owned(),
        tenant: "demo".to_owned(),
        conversation_id: ConversationId::new(ContactKey([1; 16]), 0),
        protocol: "2026".to_owned(),
        channel: Channel::Whatsapp,
        account: "111".to_owned(),
        contact: Contact { ids, name: None },
        reply_window_until_ms: None,
        automatic: true,
        thread: None,
        template: None,
        options_title: "Opções".to_owned(),
        text: "Olá".to_owned(),
        buttons: (1..=buttons).map(button).collect(),
    }
}

/// How a sender's answer is told in tables of tests.
#[cfg(test)]
pub(super) fn told(meaning: &Result<(), SendError>) -> String {
    match meaning {
        Ok(()) => "accepted".to_owned(),
        Err(SendError::NotAccepted { retry_after, .. }) => {
            format!("again in {:?} s", retry_after.map(|pause| pause.as_secs()))
        }
        Err(SendError::Refused(why)) => format!("refused {why}"),
        Err(SendError::Unknown(_)) => "nobody knows".to_owned(),
    }
}
