//! The line: what travels `inbound` → `turns` → `classified`. Each stage replaces what is its own
//! and passes the rest on, so the order of a partition is the order of its conversations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codec::avro;
use crate::customers::{CustomerLink, CustomerNews, OpenElsewhere};
use crate::ids::{Alias, ContactKey, MessageId};
use crate::media::{MediaFetched, Transcribed};
use crate::message::{
    ActionOutcome, AnswerVia, Choice, Command, DeliveryOutcome, Message, MessageHead, MessageKind,
    ProviderStatus, Tick,
};
use crate::names::named;
use crate::sealed::SealedText;

/// All that can change a contact's conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    /// What happened.
    pub body: InboundBody,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // each is documented at its type
pub enum InboundBody {
    Message(Box<Message>),
    Command(Command),
    ProviderStatus(ProviderStatus),
    ActionOutcome(ActionOutcome),
    DeliveryOutcome(Box<DeliveryOutcome>),
    Tick(Tick),
    CustomerLink(Box<CustomerLink>),
    CustomerNews(Box<CustomerNews>),
    MediaFetched(MediaFetched),
    Transcribed(Transcribed),
}

/// A message seen for the first time, on its way to the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// The message without its plain text.
    pub head: MessageHead,
    /// What the contact goes by, when that is news.
    #[serde(default)]
    pub aliases: Vec<Alias>,
}

/// A message of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnMessage {
    /// Which one.
    pub message_id: MessageId,
    /// What it is made of.
    pub kind: MessageKind,
}

named! {
    /// Why a turn ended.
    TurnClosedBy default Window {
        /// The customer paused.
        Window = "window",
        /// It had grown for as long as a turn may.
        MaxAge = "max_age",
        /// A button was tapped.
        Choice = "choice",
        /// A program waits for the answer.
        Caller = "caller",
        /// The customer asked for a person.
        PersonAsked = "person_asked",
        /// A person has the conversation and reads along.
        Owner = "owner",
        /// Something came that is not text.
        Media = "media",
        /// It held as many messages as a turn may.
        Size = "size",
        /// An operator ended it.
        Flush = "flush",
        /// What was said in a recording is known.
        Transcript = "transcript",
    }
}

/// The messages of one contact, grouped: the unit that is classified, routed and answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Number of the turn of this contact, from 1.
    pub turn: i64,
    /// What it holds, oldest first.
    pub messages: Vec<TurnMessage>,
    /// All texts, a line each. Plain: absent once classified.
    pub text: Option<String>,
    /// All texts, masked.
    pub text_masked: Option<String>,
    /// Why it ended.
    pub closed_by: TurnClosedBy,
    /// Where its answer goes.
    pub answer_via: AnswerVia,
    /// Holds what no machine here understands.
    pub needs_person: bool,
    /// What was tapped.
    pub choice: Option<Choice>,
    /// Written by a machine.
    pub auto_generated: bool,
    /// What is known of the customer, by name; what is absent is not known.
    #[serde(default)]
    pub facts: BTreeMap<String, bool>,
    /// What the contact was told something about last, if not long ago.
    pub previous_intent: Option<String>,
    /// Contacts of the same customer that are told what happens.
    #[serde(default)]
    pub linked: Vec<ContactKey>,
    /// The customer's conversations elsewhere that people have or that wait for them.
    #[serde(default)]
    pub elsewhere: Vec<OpenElsewhere>,
    /// Who the customer says they are: record [`crate::message::Contact`], sealed.
    pub claims_sealed: Option<SealedText>,
    /// How sure the transcriber is of the text, 0..1; absent when it was written.
    pub transcript_confidence: Option<f64>,
}

/// What the turns stage tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turns {
    /// What happened.
    pub body: TurnsBody,
}

/// What the turns stage tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // each is documented at its type
pub enum TurnsBody {
    Received(Box<Received>),
    Turn(Box<Turn>),
    Command(Command),
    ProviderStatus(ProviderStatus),
    ActionOutcome(ActionOutcome),
    DeliveryOutcome(Box<DeliveryOutcome>),
    Tick(Tick),
    CustomerLink(Box<CustomerLink>),
    CustomerNews(Box<CustomerNews>),
    MediaFetched(MediaFetched),
    Transcribed(Transcribed),
}

named! {
    /// Tone of the words, not of the situation.
    #[allow(missing_docs)] // the names are the documentation
    Sentiment default Neutro {
        Neutro = "neutro",
        Positivo = "positivo",
        Negativo = "negativo",
    }
}

/// A label and its calibrated probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IntentScore {
    /// Label of the classifier.
    pub id: String,
    /// 0..1.
    pub probability: f64,
}

/// How much an n-gram spoke for the first intent against the second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NgramWeight {
    /// As the normaliser wrote it; in brackets, what was known beside the text (`[line_down]`).
    pub ngram: String,
    /// Natural-log units; positive speaks for the first intent.
    pub weight: f64,
}

/// What the models say of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// Which models.
    pub model_version: String,
    /// Best first, at most three.
    pub intents: Vec<IntentScore>,
    /// Probability that the first intent is right, calibrated.
    pub confidence: f64,
    /// Whether any intent fits.
    pub in_scope: bool,
    /// Least confidence at which this intent is answered by the machine.
    pub threshold: f64,
    /// The models' advice; the router decides.
    pub would_answer: bool,
    /// Tone.
    pub sentiment: Sentiment,
    /// 0..1.
    pub sentiment_confidence: f64,
    /// Anger, repetition, giving up.
    pub frustrated: bool,
    /// Harm or a deadline now.
    pub urgent: bool,
    /// Share of n-grams the model never saw.
    pub unknown_share: f64,
    /// What decided.
    pub explanation: Vec<NgramWeight>,
}

impl Classification {
    /// The best intent, if any scored.
    #[must_use]
    pub fn intent(&self) -> Option<&str> {
        self.intents.first().map(|best| best.id.as_str())
    }
}

/// A turn with what the models say of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassifiedTurn {
    /// Without plain text.
    pub turn: Turn,
    /// Absent when the turn has no text.
    pub classification: Option<Classification>,
}

/// What the classify stage tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Classified {
    /// What happened.
    pub body: ClassifiedBody,
}

/// What the classify stage tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // each is documented at its type
pub enum ClassifiedBody {
    Received(Box<Received>),
    ClassifiedTurn(Box<ClassifiedTurn>),
    Command(Command),
    ProviderStatus(ProviderStatus),
    ActionOutcome(ActionOutcome),
    DeliveryOutcome(Box<DeliveryOutcome>),
    Tick(Tick),
    CustomerLink(Box<CustomerLink>),
    CustomerNews(Box<CustomerNews>),
    MediaFetched(MediaFetched),
    Transcribed(Transcribed),
}

avro!(Inbound, Turns, Classified);
