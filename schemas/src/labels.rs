//! What people say of turns, and what follows for the automatic path of an intent.

use serde::{Deserialize, Serialize};

use crate::codec::avro;
use crate::conversation::Route;
use crate::ids::{CommandId, ConversationId, MessageId};
use crate::line::Sentiment;
use crate::message::Channel;
use crate::names::named;

named! {
    /// How a label came about.
    LabelSource default Unknown {
        /// Of a later release.
        Unknown = "unknown",
        /// Somebody saw a turn and said what it was about.
        Correction = "correction",
        /// The turn had been picked for a look by chance.
        Check = "check",
    }
}

/// What a person says a turn was about, and what the models had said of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelGiven {
    /// Which turn.
    pub turn: i64,
    /// Of which messages.
    pub messages: Vec<MessageId>,
    /// What it was about: an intent, known or new.
    pub intent: String,
    /// In which tone; absent when nothing was said of it.
    pub sentiment: Option<Sentiment>,
    /// Which models.
    pub model_version: String,
    /// What they had said.
    pub predicted: String,
    /// How sure they were.
    pub confidence: f64,
    /// The tone they had heard.
    pub predicted_sentiment: Sentiment,
    /// Who answered the turn.
    pub route: Route,
}

/// A person said what a turn was about. Nothing changes for the customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Labeled {
    /// Who.
    pub agent: String,
    /// How it came about.
    pub source: LabelSource,
    /// Which turn.
    pub turn: i64,
    /// What it was about.
    pub intent: String,
    /// In which tone; absent when nothing was said of it.
    pub sentiment: Option<Sentiment>,
    /// Which models had said otherwise, or the same.
    pub model_version: String,
    /// What they had said.
    pub predicted: String,
    /// How sure they were.
    pub confidence: f64,
    /// Who answered the turn.
    pub route: Route,
}

/// A labelled turn: what models are trained with, and held to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// The command it was given with; the same when repeated.
    pub label_id: CommandId,
    /// Whose customer.
    pub tenant: String,
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// Which turn.
    pub turn: i64,
    /// Of which messages.
    pub messages: Vec<MessageId>,
    /// How it came.
    pub channel: Channel,
    /// The texts of the turn, masked.
    pub text_masked: String,
    /// What it was about: an intent, known or new.
    pub intent: String,
    /// In which tone; absent when nothing was said of it.
    pub sentiment: Option<Sentiment>,
    /// Which models.
    pub model_version: String,
    /// What they had said.
    pub predicted: String,
    /// How sure they were.
    pub confidence: f64,
    /// The tone they had heard.
    pub predicted_sentiment: Sentiment,
    /// Who answered the turn.
    pub route: Route,
    /// How the label came about.
    pub source: LabelSource,
    /// Who gave it.
    pub by: String,
    /// When (Unix, ms).
    pub at_ms: i64,
}

/// The automatic path of an intent was closed or opened again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AutomaticPath {
    /// Whose.
    pub tenant: String,
    /// Of which intent.
    pub intent: String,
    /// Opened again, or closed.
    pub open: bool,
    /// Closed: until when checks were counted. Open: from when they count anew (Unix, ms).
    pub at_ms: i64,
    /// Operator; absent when the watch closed it.
    pub by: Option<String>,
    /// Whose answers were overridden.
    pub model_version: String,
    /// How many automatic answers people had looked at.
    pub checked: i64,
    /// How many of them they took for something else.
    pub overridden: i64,
    /// Lower end of the Wilson interval of that share.
    pub override_rate_min: f64,
}

impl AutomaticPath {
    /// What decides the partition, the same for all of them: who has read one written last has read
    /// them all.
    pub const PARTITIONED_BY: &[u8] = b"automatic-paths";

    /// Key in the topic: closings and openings keep apart, so that the later moment holds whatever
    /// the order they are read in.
    #[must_use]
    pub fn key(&self) -> String {
        let what = if self.open { "open" } else { "closed" };
        format!("{}|{}|{what}", self.tenant, self.intent)
    }
}

avro!(Label, AutomaticPath);
