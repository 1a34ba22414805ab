//! What customers, agents, providers and the CRM say: the bodies of `inbound`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codec::avro;
pub use crate::contact::{Contact, ContactId, ContactIdKind};
use crate::ids::{CommandId, ContactKey, ConversationId, MessageId};
use crate::labels::LabelGiven;
use crate::names::named;
pub use crate::provider_status::{ProviderStatus, ProviderStatusKind};
use crate::sealed::SealedText;

named! {
    /// How the customer reached us.
    #[allow(missing_docs)] // the names are the documentation
    Channel default Other {
        Other = "other",
        Api = "api",
        Whatsapp = "whatsapp",
        Sms = "sms",
        Email = "email",
        WebChat = "web_chat",
        Phone = "phone",
        Telegram = "telegram",
    }
}

named! {
    /// Who wrote.
    Direction {
        /// The customer.
        Inbound = "inbound",
        /// Someone of ours, outside this product (the business app on a phone, say).
        Outbound = "outbound",
    }
}

named! {
    /// What a message is made of.
    #[allow(missing_docs)] // the names are the documentation
    MessageKind default Unsupported {
        Unsupported = "unsupported",
        Text = "text",
        Button = "button",
        Audio = "audio",
        Image = "image",
        Video = "video",
        Document = "document",
        Sticker = "sticker",
        Location = "location",
        Contacts = "contacts",
        Interactive = "interactive",
        Reaction = "reaction",
        Edit = "edit",
        Delete = "delete",
        Order = "order",
        Call = "call",
        System = "system",
    }
}

named! {
    /// Where an answer goes.
    AnswerVia default Channel {
        /// Out on the channel the customer used.
        Channel = "channel",
        /// Only back to the program that waits for it.
        Caller = "caller",
    }
}

/// A button or list row the customer tapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What the program that offered it calls it.
    pub id: String,
    /// What the customer saw.
    pub title: String,
}

/// Something other than text; the bytes stay out of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// Provider media id or object-store reference.
    pub reference: String,
    /// Media type as the provider named it.
    pub mime: String,
    /// Name the customer's device gave it.
    pub filename: Option<String>,
    /// Size in bytes, when known.
    pub size_bytes: Option<i64>,
    /// Hex digest, when the provider gives one.
    pub sha256: Option<String>,
    /// What was said, when something transcribed it.
    pub transcript_sealed: Option<SealedText>,
    /// Of the transcript, 0..1.
    pub confidence: Option<f64>,
}

/// Where the customer's line is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[allow(missing_docs)] // network terms, outermost first
pub struct Site {
    pub city: Option<String>,
    pub district: Option<String>,
    pub olt: Option<String>,
    pub pon: Option<String>,
    pub cto: Option<String>,
}

/// Everything of a customer's message but its plain text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageHead {
    /// Identity: a message with an id already seen is a repeat.
    pub message_id: MessageId,
    /// How it came.
    pub channel: Channel,
    /// Adapter that heard it.
    pub provider: String,
    /// Our number, inbox or site at the provider.
    pub account: String,
    /// Who wrote.
    pub direction: Direction,
    /// What it is made of.
    pub kind: MessageKind,
    /// The provider's own id of it.
    pub provider_message_id: Option<String>,
    /// Provider id of the message this one answers.
    pub reply_to: Option<String>,
    /// The e-mail thread it belongs to: a protocol number, or a keyed digest of the subject.
    pub thread_key: Option<String>,
    /// Record [`Contact`], sealed.
    pub contact_sealed: SealedText,
    /// The text, sealed.
    pub text_sealed: Option<SealedText>,
    /// The text with personal numbers masked.
    pub text_masked: Option<String>,
    /// What was tapped.
    pub choice: Option<Choice>,
    /// What came with it.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// Where the customer's line is.
    pub site: Option<Site>,
    /// Written by a machine: never answered.
    #[serde(default)]
    pub auto_generated: bool,
    /// The channel or the caller vouches for who the contact is.
    #[serde(default)]
    pub verified: bool,
    /// When the customer wrote (Unix, ms), by the provider's clock, at most a minute ahead of ours.
    pub event_time_ms: i64,
    /// After this only templates may be sent (Unix, ms).
    pub reply_window_until_ms: Option<i64>,
    /// Where an answer goes.
    #[serde(default)]
    pub answer_via: AnswerVia,
    /// Anything else a provider told.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Record [`crate::thread::Thread`], sealed.
    pub thread_sealed: Option<SealedText>,
    /// The message an edit or a deletion is about.
    pub changes: Option<MessageId>,
    /// Its author has taken it back: nothing of what it said is left.
    #[serde(default)]
    pub deleted: bool,
}

impl MessageHead {
    /// Its author takes it back: that it came stays, what it said does not.
    pub fn take_back(&mut self) {
        self.text_sealed = None;
        self.text_masked = None;
        self.choice = None;
        self.attachments.clear();
        self.deleted = true;
    }

    /// An edit or a deletion: it changes another message, and is in no turn.
    #[must_use]
    pub fn changes_another(&self) -> bool {
        matches!(self.kind, MessageKind::Edit | MessageKind::Delete)
    }
}

/// A customer's message as a door normalized it. Holds plain text: transport topics only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// All but the text.
    pub head: MessageHead,
    /// What the customer wrote.
    pub text: Option<String>,
    /// Closes the turn at once: somebody waits for the answer.
    #[serde(default)]
    pub flush: bool,
}

named! {
    /// What an agent may ask of a conversation.
    CommandAction default Unknown {
        /// Of a later release.
        Unknown = "unknown",
        /// Take it.
        Claim = "claim",
        /// Give it back to its queue.
        Release = "release",
        /// Write to the customer.
        Reply = "reply",
        /// Consider it done.
        Resolve = "resolve",
        /// Say what a turn was about.
        Label = "label",
        /// Pass it on, to a queue or to a colleague.
        Transfer = "transfer",
        /// Write something for colleagues.
        Note = "note",
        /// Put it aside for a while.
        Snooze = "snooze",
        /// End the turn that is being grouped, whoever has the conversation.
        Flush = "flush",
        /// Write down how it was for the customer.
        Csat = "csat",
    }
}

/// An agent's or a program's wish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Identity: a repeat is not obeyed twice.
    pub command_id: CommandId,
    /// Of which conversation.
    pub conversation_id: ConversationId,
    /// Who asks.
    pub agent: String,
    /// What is asked.
    pub action: CommandAction,
    /// The text of a reply or a note, sealed.
    pub text_sealed: Option<SealedText>,
    /// The text of a reply, a note, or of the turn that is labelled, masked.
    pub text_masked: Option<String>,
    /// What is said of a turn.
    pub label: Option<LabelGiven>,
    /// Where to, of a transfer.
    pub queue: Option<String>,
    /// To whom, of a transfer.
    pub to_agent: Option<String>,
    /// Until when, of a snooze (Unix, ms).
    pub until_ms: Option<i64>,
    /// Which answer of the catalogue a reply was taken from.
    #[serde(default)]
    pub answer_id: Option<String>,
    /// 1 to 5, of a csat.
    pub score: Option<i32>,
}

named! {
    /// How an action ended.
    ActionResult default Failed {
        /// It did not work.
        Failed = "failed",
        /// It worked.
        Done = "done",
        /// The CRM knows the contact but has nothing of the kind.
        NotFound = "not_found",
        /// The CRM does not know who this is.
        IdentityRequired = "identity_required",
        /// It may or may not have happened.
        Uncertain = "uncertain",
    }
}

/// What the CRM or the network said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionOutcome {
    /// Of which conversation.
    pub conversation_id: ConversationId,
    /// Asked for by which turn.
    pub turn: i64,
    /// What was asked.
    pub action: String,
    /// How it ended.
    pub result: ActionResult,
    /// Short code the answers are chosen by.
    pub finding: String,
    /// Values for placeholders (JSON object of strings), sealed.
    pub fields_sealed: Option<SealedText>,
    /// What else is known of the customer now, by name.
    #[serde(default)]
    pub facts: BTreeMap<String, bool>,
    /// The customer of the CRM the contact was confirmed to be.
    pub customer: Option<ContactKey>,
}

named! {
    /// Why a reply is sent.
    ReplyPurpose {
        /// Answers a turn.
        Answer = "answer",
        /// Tells that a person will.
        HandoffNotice = "handoff_notice",
        /// A person's own words.
        AgentReply = "agent_reply",
        /// Asks how it was, or thanks for the answer.
        Csat = "csat",
    }
}

named! {
    /// How a delivery ended.
    DeliveryResult default Failed {
        /// The customer does not have it.
        Failed = "failed",
        /// The channel has it.
        Sent = "sent",
        /// The waiting caller has it; nothing went out.
        ReturnedToCaller = "returned_to_caller",
        /// The provider may or may not have it; never resent blindly.
        Uncertain = "uncertain",
        /// Too late to be of use.
        Expired = "expired",
        /// A person took over before it went out.
        Superseded = "superseded",
    }
}

/// A quick reply offered with an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are the documentation
pub struct Button {
    pub id: String,
    pub title: String,
}

/// What became of a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryOutcome {
    /// Of which conversation.
    pub conversation_id: ConversationId,
    /// Which turn it answers (for an agent's own words: the last one).
    pub turn: i64,
    /// Why it was sent.
    pub purpose: ReplyPurpose,
    /// Number within the purpose.
    pub part: i32,
    /// In so many texts it was sent.
    #[serde(default = "one")]
    pub parts: i32,
    /// How it ended.
    pub result: DeliveryResult,
    /// The provider's id of it.
    pub provider_message_id: Option<String>,
    /// What went wrong, without customer data.
    pub error: Option<String>,
    /// Who wrote it; absent for the machine.
    pub agent: Option<String>,
    /// Which answer of the catalogue.
    pub answer_id: Option<String>,
    /// The text, sealed.
    pub text_sealed: Option<SealedText>,
    /// The text, masked.
    pub text_masked: Option<String>,
    /// Quick replies offered.
    #[serde(default)]
    pub buttons: Vec<Button>,
    /// What it was about, as far as the machine knew.
    pub intent: Option<String>,
}

/// Of texts that are sent whole.
fn one() -> i32 {
    1
}

/// A deadline has passed. Acted on only if the state still waits for this very deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// Whose deadline.
    pub stage: String,
    /// Key of the state that waits.
    #[serde(with = "serde_bytes")]
    pub state_key: Vec<u8>,
    /// What it waits for (Unix, ms).
    pub deadline_ms: i64,
}

avro!(MessageHead, Message, Command, ActionOutcome, DeliveryOutcome, Tick);
