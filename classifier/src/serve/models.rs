//! A model directory: the intent head and, beside it, sentiment, frustration and urgency.

use super::decide::{Prediction, Ranked, decide};
use super::explain::{self, Telling};
use super::head::Head;
use super::index::{HEADS, Index};
use super::score::score;
use super::scratch::Scratch;
use super::second;
use crate::artifact::error::ModelError;
use crate::artifact::model::Model;
use crate::context::{Context, ContextTable};
use crate::rows::Task;
use crate::train::card::Card;
use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};
use std::path::Path;

/// The file of the table of facts in a model directory; need not be there.
pub const CONTEXT_FILE: &str = "context.json";

/// Letters of a version after its prefix.
const VERSION_LETTERS: usize = 10;

/// The heads of a model directory, sharing one index.
#[derive(Debug)]
pub struct Models {
    /// In the order of [`Task::ALL`].
    heads: [Option<Model>; HEADS],
    index: Index,
    context: ContextTable,
    version: String,
}

/// What all heads say of one message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Classified<'m> {
    /// The best in-scope intent.
    pub intent: &'m str,
    /// A second intent the message holds as well, if it seems to.
    pub secondary: Option<&'m str>,
    /// The probability that `intent` is right, 0..=1: low for a text out of scope.
    pub confidence: f64,
    /// The three best intents, with their probabilities given that the text is in scope.
    pub intents: Ranked<'m>,
    /// More likely in scope than not.
    pub in_scope: bool,
    /// The probability of being in scope, 0..=1.
    pub in_scope_probability: f64,
    /// May be answered without a person.
    pub would_answer: bool,
    /// The confidence from which this intent may be answered; over 1 if never.
    pub threshold: f64,
    /// This intent is suggested to a person, never answered alone.
    pub assist_only: bool,
    /// Sentiment, if the directory has that head.
    pub sentiment: Option<&'m str>,
    /// The probability that `sentiment` is right, 0..=1.
    pub sentiment_confidence: Option<f64>,
    /// Frustrated or not, and the probability of it, 0..=1.
    pub frustrated: Option<(bool, f64)>,
    /// Urgent or not, and the probability of it, 0..=1.
    pub urgent: Option<(bool, f64)>,
    /// Share of the text's n-grams the intent head has never seen, 0..=1.
    pub unknown_share: f64,
}

impl Models {
    /// Opens a model directory: `intent.model`, and whichever of `sentiment.model`,
    /// `frustrated.model` and `urgent.model` are there.
    ///
    /// # Errors
    /// The intent head is absent, or a file is damaged, of another version or fails its self-test;
    /// the error names the file.
    pub fn open(dir: &Path) -> Result<Self, ModelError> {
        let mut heads: Vec<Head> = Vec::new();
        for task in Task::ALL {
            let path = dir.join(task.file_name());
            if task == Task::Intent || path.exists() {
                let head = Head::open(&path)?;
                if head.task() != task {
                    let (name, found) = (path.display().to_string(), head.task().name());
                    return Err(ModelError::WrongTask { name, found });
                }
                heads.push(head);
            }
        }
        let path = dir.join(CONTEXT_FILE);
        let read = |source| ModelError::Read { path: path.clone(), source };
        let models = Self::from_heads(heads);
        if !path.exists() {
            return Ok(models);
        }
        let json = std::fs::read_to_string(&path).map_err(read)?;
        let damaged = |source| ModelError::Context { path: path.clone(), source };
        Ok(models.with_context(ContextTable::from_json(&json).map_err(damaged)?))
    }

    /// The same heads with a table of what other facts say of the intent; part of the version.
    #[must_use]
    pub fn with_context(self, context: ContextTable) -> Self {
        let version = version(self.heads.iter().flatten(), Some(&context));
        Self { context, version, ..self }
    }

    /// Joins heads, at most one a task (the last one counts).
    #[must_use]
    pub fn from_heads(heads: Vec<Head>) -> Self {
        let mut slots: [Option<Model>; HEADS] = [None, None, None, None];
        for head in heads {
            let place = Task::ALL.iter().position(|task| *task == head.task());
            if let Some(slot) = place.and_then(|place| slots.get_mut(place)) {
                *slot = Some(head.model);
            }
        }
        let index = Index::build(&slots.each_ref().map(Option::as_ref));
        let version = version(slots.iter().flatten(), None);
        Self { heads: slots, index, context: ContextTable::default(), version }
    }

    /// Name of this set of heads, derived from the content of their files: `m-` and ten letters.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The labels of a head, sorted; empty for a head that is not there.
    #[must_use]
    pub fn labels(&self, task: Task) -> &[String] {
        self.head(task).map_or(&[], |head| &head.header.labels)
    }

    /// The card of a head.
    #[must_use]
    pub fn card(&self, task: Task) -> Option<&Card> {
        self.head(task).map(|head| &head.header.card)
    }

    fn head(&self, task: Task) -> Option<&Model> {
        let place = Task::ALL.iter().position(|other| *other == task)?;
        self.heads.get(place)?.as_ref()
    }

    /// Classifies one message by every head. Deterministic; allocates nothing once `scratch` has
    /// grown. A text with nothing known in it is out of scope with confidence 0.
    pub fn classify(&self, text: &str, scratch: &mut Scratch) -> Classified<'_> {
        scratch.shifts.clear();
        self.classify_shifted(text, scratch, &[])
    }

    /// As [`Models::classify`], with what is known of the customer beside: it shifts the intents'
    /// prior as the directory's table says. Nothing known, or no table: nothing shifted.
    pub fn classify_in(
        &self,
        text: &str,
        context: &Context,
        scratch: &mut Scratch,
    ) -> Classified<'_> {
        let labels = self.labels(Task::Intent);
        scratch.shifts = self.context.shifts(context, labels);
        let mut nats = vec![0.0; if scratch.shifts.is_empty() { 0 } else { labels.len() }];
        for shift in &scratch.shifts {
            for (sum, nats) in nats.iter_mut().zip(&shift.nats) {
                *sum += nats;
            }
        }
        self.classify_shifted(text, scratch, &nats)
    }

    fn classify_shifted(&self, text: &str, scratch: &mut Scratch, nats: &[f64]) -> Classified<'_> {
        let heads = self.heads.each_ref().map(Option::as_ref);
        score(&self.index, &heads, text, scratch);
        let mut said: [Option<Prediction<'_>>; HEADS] = [None; HEADS];
        for ((said, head), scored) in said.iter_mut().zip(heads).zip(&mut scratch.heads) {
            let nats =
                if head.is_some_and(|head| head.header.task == Task::Intent) { nats } else { &[] };
            *said = head.map(|model| decide(model, scored, nats));
        }
        let [intent, sentiment, frustrated, urgent] = said;
        let intent = intent.unwrap_or(NOTHING);
        let [model, ..] = heads;
        let secondary = model.and_then(|model| second::name(&self.index, model, text, scratch));
        Classified {
            intent: intent.label,
            secondary,
            confidence: intent.confidence,
            intents: intent.ranked,
            in_scope: intent.in_scope,
            in_scope_probability: intent.in_scope_probability,
            would_answer: intent.would_answer,
            threshold: intent.threshold,
            assist_only: intent.assist_only,
            sentiment: sentiment.map(|said| said.label),
            sentiment_confidence: sentiment.map(|said| said.confidence),
            frustrated: frustrated.map(yes),
            urgent: urgent.map(yes),
            unknown_share: intent.unknown_share,
        }
    }

    /// The `k` parts of the text that speak most for the best intent against the second best,
    /// with what each adds to the difference of their scores (exact; negative parts speak
    /// against). Empty for a text with nothing known in it.
    pub fn explain(&self, text: &str, k: usize, scratch: &mut Scratch) -> Vec<Telling> {
        let heads = self.heads.each_ref().map(Option::as_ref);
        scratch.shifts.clear();
        score(&self.index, &heads, text, scratch);
        self.explain_last(k, scratch)
    }

    /// As [`Models::explain`], for the text that `scratch` was last used on by
    /// [`Models::classify`] of these same models: saves reading it again.
    #[must_use]
    pub fn explain_last(&self, k: usize, scratch: &Scratch) -> Vec<Telling> {
        let head = self.head(Task::Intent);
        head.map_or_else(Vec::new, |model| explain::tell(&self.index, model, scratch, k))
    }
}

/// What is said without an intent head, which cannot happen for an opened directory.
const NOTHING: Prediction<'_> = Prediction {
    label: "",
    secondary: None,
    confidence: 0.0,
    ranked: Ranked::EMPTY,
    in_scope: false,
    in_scope_probability: 0.0,
    would_answer: false,
    threshold: f64::INFINITY,
    assist_only: true,
    unknown_share: 1.0,
};

/// The decision and the probability of `true`.
fn yes(said: Prediction<'_>) -> (bool, f64) {
    let listed = said.ranked.iter().find(|(label, _)| *label == "true");
    (said.label == "true", listed.map_or(0.0, |(_, probability)| *probability))
}

fn version<'m>(heads: impl Iterator<Item = &'m Model>, context: Option<&ContextTable>) -> String {
    let mut hash = Sha256::new();
    for head in heads {
        hash.update(head.header.task.name());
        hash.update(head.digest);
    }
    if let Some(json) = context.and_then(|context| serde_json::to_vec(context).ok()) {
        hash.update(json);
    }
    let letters = BASE32_NOPAD.encode(&hash.finalize()).to_ascii_lowercase();
    format!("m-{}", letters.get(..VERSION_LETTERS).unwrap_or_default())
}
