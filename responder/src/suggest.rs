//! What the machine would have said, for the person who has the conversation: a text to begin with, never
//! one that is sent by itself. Pure: made of the history and the catalogue.

use schemas::conversation::{ActionDone, Conversation, ConversationEvent, TurnDecided};
use schemas::sealed::SealedText;

use crate::catalogue::{Answer, Catalogue, Occasion, Use};
use crate::plan::{Plan, open_fields};

/// A text of the catalogue that fits what the customer wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Which answer.
    pub answer_id: String,
    /// What it says.
    pub text: String,
    /// What the customer wants, as the models see it.
    pub intent: String,
}

/// What the history says of the customer's last wish.
#[derive(Default)]
struct Wish<'a> {
    decided: Option<&'a TurnDecided>,
    done: Option<&'a ActionDone>,
    contact: Option<&'a SealedText>,
}

impl<'a> Wish<'a> {
    fn of(lines: &'a [(i64, Conversation)]) -> Self {
        let mut wish = Self::default();
        for (_, line) in lines {
            match &line.event {
                ConversationEvent::Opened(opened) => wish.contact = Some(&opened.contact_sealed),
                ConversationEvent::TurnDecided(decided) if decided.classification.is_some() => {
                    wish.decided = Some(decided);
                }
                ConversationEvent::ActionDone(done) => wish.done = Some(done),
                _ => {}
            }
        }
        wish
    }
}

/// A text an agent may send by a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateText {
    /// Which answer.
    pub answer_id: String,
    /// What it says.
    pub text: String,
}

impl Plan {
    /// What agents may send in a conversation where the channel takes no free text any more.
    #[must_use]
    pub fn templates(
        &self,
        catalogue: &Catalogue,
        lines: &[(i64, Conversation)],
        now_ms: i64,
    ) -> Vec<TemplateText> {
        let Some((_, last)) = lines.last() else { return Vec::new() };
        let Ok(keys) = self.keyring.of(&last.tenant) else { return Vec::new() };
        let values = self.values(keys, catalogue, last, Wish::of(lines).contact, now_ms);
        let offered = catalogue.templates(&values);
        let shown =
            |(answer, text): (&Answer, String)| TemplateText { answer_id: answer.id.clone(), text };
        offered.map(shown).collect()
    }

    /// What the catalogue would answer to the last turn of a conversation, with what the CRM told; `None`
    /// when only words that fit everything would do.
    #[must_use]
    pub fn suggest(
        &self,
        catalogue: &Catalogue,
        lines: &[(i64, Conversation)],
        now_ms: i64,
    ) -> Option<Suggestion> {
        let (_, last) = lines.last()?;
        let keys = self.keyring.of(&last.tenant).ok()?;
        let wish = Wish::of(lines);
        let c = wish.decided?.classification.as_ref().filter(|c| c.in_scope)?;
        let intent = c.intent()?;
        let mut values = self.values(keys, catalogue, last, wish.contact, now_ms);
        // What was looked up for another wish says nothing of this one.
        let done = wish.done.filter(|done| done.intent == intent);
        if let Some(sealed) = done.and_then(|done| done.fields_sealed.as_ref()) {
            values.extend(open_fields(keys, sealed).ok()?);
        }
        let occasion = Occasion {
            purpose: Use::Answer,
            intent: Some(intent),
            finding: done.map(|done| done.finding.as_str()),
            channel: last.channel,
            sentiment: Some(c.sentiment.as_str()),
            reason: None,
            today: self.today(&last.tenant, now_ms),
        };
        let (answer, text) = catalogue.choose(&occasion, &values)?;
        let fits = answer.intents.iter().any(|id| id == intent);
        fits.then(|| Suggestion { answer_id: answer.id.clone(), text, intent: intent.to_owned() })
    }
}
