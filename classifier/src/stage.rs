//! The `classify` stage: turns get what the models say of them.
//!
//! Reads `turns`; writes `classified`. Invariants: the same models give the same turn the same
//! classification, by its text and by the facts that go with it; plain text goes no further; what is not a turn is passed on in its place.

use std::any::Any;
use std::sync::Mutex;

use pipeline::{Context, Envelope, Output, Stage, Stateless, Verdict};
use schemas::line::{
    Classification, Classified, ClassifiedBody, ClassifiedTurn, IntentScore, NgramWeight,
    Sentiment, Turn, Turns, TurnsBody,
};
use schemas::topics::{CLASSIFIED, Topic};
use schemas::{Avro, CodecError};

use crate::{Models, Scratch};

/// N-grams that explain a decision.
const TELLING_NGRAMS: usize = 5;
/// A threshold no confidence reaches: the intent is never answered by the machine.
const NEVER: f64 = 2.0;

/// The stage. Its scratch memory is no state: it only saves allocations.
#[derive(Default)]
pub struct Classify {
    scratch: Mutex<Scratch>,
}

/// What it tells.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifyOut(pub Classified);

impl Output for ClassifyOut {
    fn topic(&self) -> Topic {
        CLASSIFIED
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
        self.0.write(to)
    }

    fn into_input(self) -> Option<Box<dyn Any + Send>> {
        Some(Box::new(self.0))
    }
}

impl Stage for Classify {
    const NAME: &'static str = "classify";
    type In = Turns;
    type State = Stateless;
    type Out = ClassifyOut;
    type Broadcast = Models;

    fn process(&self, cx: &mut Context<'_, Self>, input: Envelope<Turns>) -> Verdict {
        let body = match input.body.body {
            TurnsBody::Turn(mut turn) => {
                let text = turn.text.take();
                // Whatever a panic left in the scratch memory is overwritten before it is read.
                let mut scratch =
                    self.scratch.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let classification =
                    text.map(|text| classification(cx.broadcast(), &turn, &text, &mut scratch));
                ClassifiedBody::ClassifiedTurn(Box::new(ClassifiedTurn {
                    turn: *turn,
                    classification,
                }))
            }
            TurnsBody::Received(received) => ClassifiedBody::Received(received),
            TurnsBody::Command(command) => ClassifiedBody::Command(command),
            TurnsBody::ProviderStatus(status) => ClassifiedBody::ProviderStatus(status),
            TurnsBody::ActionOutcome(outcome) => ClassifiedBody::ActionOutcome(outcome),
            TurnsBody::DeliveryOutcome(outcome) => ClassifiedBody::DeliveryOutcome(outcome),
            TurnsBody::Tick(tick) => ClassifiedBody::Tick(tick),
            TurnsBody::CustomerLink(link) => ClassifiedBody::CustomerLink(link),
            TurnsBody::CustomerNews(news) => ClassifiedBody::CustomerNews(news),
            TurnsBody::MediaFetched(fetched) => ClassifiedBody::MediaFetched(fetched),
            TurnsBody::Transcribed(transcribed) => ClassifiedBody::Transcribed(transcribed),
        };
        cx.emit(ClassifyOut(Classified { body }));
        Verdict::Done
    }
}

/// What the models say of a turn's text, and of what is known beside it, as it travels.
pub(crate) fn classification(
    models: &Models,
    turn: &Turn,
    text: &str,
    scratch: &mut Scratch,
) -> Classification {
    let c = models.classify_in(text, &crate::Context::of(turn), scratch);
    let intents = c
        .intents
        .iter()
        .map(|(id, probability)| IntentScore { id: (*id).to_owned(), probability: *probability })
        .collect();
    let (confidence, in_scope, would_answer) = (c.confidence, c.in_scope, c.would_answer);
    let threshold = if c.threshold.is_finite() { c.threshold } else { NEVER };
    let sentiment = c.sentiment.and_then(Sentiment::named).unwrap_or_default();
    let sentiment_confidence = c.sentiment_confidence.unwrap_or_default();
    let frustrated = c.frustrated.is_some_and(|(yes, _)| yes);
    let urgent = c.urgent.is_some_and(|(yes, _)| yes);
    let unknown_share = c.unknown_share;
    let explanation = models
        .explain_last(TELLING_NGRAMS, scratch)
        .into_iter()
        .map(|telling| NgramWeight { ngram: telling.ngram, weight: telling.weight })
        .collect();
    Classification {
        model_version: models.version().to_owned(),
        intents,
        confidence,
        in_scope,
        threshold,
        would_answer,
        sentiment,
        sentiment_confidence,
        frustrated,
        urgent,
        unknown_share,
        explanation,
    }
}
