//! The answer catalogue: everything the machine says to customers, in Portuguese, in one TOML file a
//! provider can make its own. A side input: pinned by version, checked before it is used.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE32_DNSSEC;
use schemas::message::{Button, Channel};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The catalogue that comes with the product.
pub const BUILT_IN: &str = include_str!("../catalogue.toml");

/// Longest text with buttons that every channel takes, in characters.
const TEXT_WITH_BUTTONS_MAX: usize = 1_024;
const BUTTONS_MAX: usize = 3;
/// Words that claim something of a customer's own affairs: only what was looked up or done may say so.
const CLAIMS: &[&str] =
    &["em dia", "está liberad", "foi liberad", "agendei", "está agendad", "está suspens"];
/// Placeholders every answer may use.
const ALWAYS: &[&str] = &["protocolo", "nome", "fila", "data", "data_efetiva"];

/// Why a catalogue cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// Not TOML, or keys that mean nothing.
    #[error("the answer catalogue cannot be read: {0}")]
    Unreadable(String),
    /// Readable, and wrong.
    #[error("the answer catalogue is wrong: {}", .0.join("; "))]
    Wrong(Vec<String>),
}

/// Everything the machine says.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// Hash of the file: names this content.
    pub version: String,
    file: File,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Added to the first answer of a conversation.
    protocol: String,
    /// What queues are called when customers hear of them.
    queues: BTreeMap<String, String>,
    /// Values that come with what the CRM may find.
    findings: BTreeMap<String, Vec<String>>,
    answer: Vec<Answer>,
}

/// For what an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// Answers a turn.
    Answer,
    /// Tells that a person will.
    HandoffNotice,
    /// Asks how it was, 1 to 5: buttons are `csat:1` to `csat:5`.
    Csat,
    /// Thanks for the answer.
    CsatThanks,
}

/// One text and when it is said. Conditions left out hold always.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Names it in the history and in reports.
    pub id: String,
    /// For what it is written.
    #[serde(rename = "use", default = "answer")]
    pub purpose: Use,
    /// One of these intents.
    #[serde(default)]
    pub intents: Vec<String>,
    /// The CRM found this.
    pub finding: Option<String>,
    /// On one of these channels.
    #[serde(default)]
    pub channels: Vec<Channel>,
    /// In this tone.
    pub sentiment: Option<String>,
    /// Handed over for this reason.
    pub reason: Option<String>,
    /// With `{placeholders}`.
    pub text: String,
    /// Offered with it.
    #[serde(default)]
    pub buttons: Vec<Button>,
}

fn answer() -> Use {
    Use::Answer
}

/// What an answer is chosen by.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// For what it is needed.
    pub purpose: Use,
    /// What the customer wants, if known.
    pub intent: Option<&'a str>,
    /// What the CRM found, if it was asked.
    pub finding: Option<&'a str>,
    /// How the customer reached us.
    pub channel: Channel,
    /// In which tone.
    pub sentiment: Option<&'a str>,
    /// Why people were asked.
    pub reason: Option<&'a str>,
}

impl Answer {
    /// How many of its conditions hold; `None` when one does not.
    fn fits(&self, occasion: &Occasion<'_>) -> Option<usize> {
        let mut score = 0;
        let mut holds = |set: bool, holds: bool| {
            score += usize::from(set && holds);
            !set || holds
        };
        let intent =
            occasion.intent.is_some_and(|intent| self.intents.iter().any(|id| id == intent));
        let all = self.purpose == occasion.purpose
            && holds(!self.intents.is_empty(), intent)
            && holds(self.finding.is_some(), self.finding.as_deref() == occasion.finding)
            && holds(!self.channels.is_empty(), self.channels.contains(&occasion.channel))
            && holds(self.sentiment.is_some(), self.sentiment.as_deref() == occasion.sentiment)
            && holds(self.reason.is_some(), self.reason.as_deref() == occasion.reason);
        all.then_some(score)
    }

    /// Names of its placeholders.
    fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
    }
}

impl Catalogue {
    /// The catalogue that comes with the product.
    ///
    /// # Errors
    /// Never in a released binary: a test reads it.
    pub fn built_in() -> Result<Self, CatalogueError> {
        Self::parse(BUILT_IN)
    }

    /// Reads a catalogue and checks it, telling everything that is wrong at once.
    ///
    /// # Errors
    /// [`CatalogueError`].
    pub fn parse(toml: &str) -> Result<Self, CatalogueError> {
        let file: File =
            toml::from_str(toml).map_err(|error| CatalogueError::Unreadable(error.to_string()))?;
        let wrong = mistakes(&file);
        if !wrong.is_empty() {
            return Err(CatalogueError::Wrong(wrong));
        }
        let hash = Sha256::digest(toml.as_bytes());
        let version = BASE32_DNSSEC.encode(hash.get(..10).unwrap_or_default());
        Ok(Self { version, file })
    }

    /// The text for `occasion` whose placeholders are all in `values`, the most specific one first.
    #[must_use]
    pub fn choose(
        &self,
        occasion: &Occasion<'_>,
        values: &BTreeMap<String, String>,
    ) -> Option<(&Answer, String)> {
        let mut fitting: Vec<(usize, &Answer)> = self
            .file
            .answer
            .iter()
            .filter_map(|answer| Some((answer.fits(occasion)?, answer)))
            .collect();
        // Stable: of two equally specific answers the first in the file is said.
        fitting.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        fitting.into_iter().find_map(|(_, answer)| Some((answer, fill(&answer.text, values)?)))
    }

    /// What tells the protocol number.
    #[must_use]
    pub fn protocol(&self, values: &BTreeMap<String, String>) -> Option<String> {
        fill(&self.file.protocol, values)
    }

    /// What customers call `queue`.
    #[must_use]
    pub fn queue_name<'a>(&'a self, queue: &'a str) -> &'a str {
        self.file.queues.get(queue).map_or(queue, String::as_str)
    }

    /// Ids of all answers, in the order of the file.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.file.answer.iter().map(|answer| answer.id.as_str())
    }
}

/// Fills the placeholders; `None` when a value is missing: then another text must be found, because
/// nothing may be claimed that nobody looked up.
fn fill(text: &str, values: &BTreeMap<String, String>) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        out.push_str(before);
        out.push_str(values.get(name)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

fn mistakes(file: &File) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut ids = BTreeSet::new();
    for answer in &file.answer {
        let id = &answer.id;
        if !ids.insert(id) {
            wrong.push(format!("{id}: the id is used twice"));
        }
        if answer.text.trim().is_empty() {
            wrong.push(format!("{id}: the text is empty"));
        }
        let fields = answer.finding.as_ref().map(|finding| file.findings.get(finding));
        if let (Some(None), Some(finding)) = (fields, &answer.finding) {
            wrong.push(format!("{id}: finding '{finding}' is not listed under [findings]"));
        }
        let known = fields.flatten().map_or(&[][..], Vec::as_slice);
        for name in answer.placeholders() {
            if !ALWAYS.contains(&name) && !known.iter().any(|field| field == name) {
                wrong.push(format!("{id}: nothing gives a value to {{{name}}}"));
            }
        }
        let text = answer.text.to_lowercase();
        let claim = CLAIMS.iter().find(|claim| answer.finding.is_none() && text.contains(**claim));
        if let Some(claim) = claim {
            wrong.push(format!("{id}: says '{claim}', which only an answer with a finding may"));
        }
        if answer.text.matches('{').count() != answer.placeholders().count() {
            wrong.push(format!("{id}: a placeholder is not closed"));
        }
        if answer.buttons.len() > BUTTONS_MAX {
            wrong.push(format!("{id}: more than {BUTTONS_MAX} buttons"));
        }
        if !answer.buttons.is_empty() && answer.text.chars().count() > TEXT_WITH_BUTTONS_MAX {
            wrong.push(format!("{id}: more than {TEXT_WITH_BUTTONS_MAX} characters with buttons"));
        }
    }
    for purpose in [Use::Answer, Use::HandoffNotice] {
        let bare = Occasion {
            purpose,
            intent: None,
            finding: None,
            channel: Channel::Other,
            sentiment: None,
            reason: None,
        };
        let fallback = file.answer.iter().any(|answer| {
            answer.fits(&bare).is_some()
                && answer.placeholders().all(|name| ["protocolo", "fila", "data"].contains(&name))
        });
        if !fallback {
            wrong.push(format!("there is no {purpose:?} without conditions to fall back on"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const SMALL: &str = r#"
        protocol = "Protocolo {protocolo}."
        [queues]
        suporte = "suporte técnico"
        [findings]
        open = ["valor"]
        [[answer]]
        id = "a"
        text = "padrão"
        [[answer]]
        id = "b"
        intents = ["pix"]
        text = "pix sem consulta"
        [[answer]]
        id = "c"
        intents = ["pix"]
        finding = "open"
        text = "pix de {valor}"
        [[answer]]
        id = "n"
        use = "handoff_notice"
        text = "fila {fila}"
    "#;

    #[test]
    fn the_built_in_catalogue_is_sound_and_answers_every_automatic_intent() {
        let catalogue = Catalogue::built_in().unwrap();
        assert!(catalogue.ids().count() > 30);
        assert_eq!(catalogue.version, Catalogue::built_in().unwrap().version);
    }

    #[test]
    fn says_the_most_specific_text_whose_values_are_known() {
        let catalogue = Catalogue::parse(SMALL).unwrap();
        let mut occasion = Occasion {
            purpose: Use::Answer,
            intent: Some("pix"),
            finding: Some("open"),
            channel: Channel::WebChat,
            sentiment: None,
            reason: None,
        };
        let say = |occasion: &Occasion<'_>, values| {
            catalogue.choose(occasion, &values).map(|(answer, text)| (answer.id.clone(), text))
        };
        let id = |id: &str, text: &str| Some((id.to_owned(), text.to_owned()));
        assert_eq!(say(&occasion, values(&[("valor", "R$ 99,90")])), id("c", "pix de R$ 99,90"));
        assert_eq!(say(&occasion, values(&[])), id("b", "pix sem consulta"));
        occasion.finding = None;
        assert_eq!(say(&occasion, values(&[])), id("b", "pix sem consulta"));
        occasion.intent = Some("outra");
        assert_eq!(say(&occasion, values(&[])), id("a", "padrão"));
        occasion.purpose = Use::HandoffNotice;
        assert_eq!(say(&occasion, values(&[("fila", "x")])), id("n", "fila x"));
    }

    #[test]
    fn tells_all_mistakes_at_once() {
        let text = SMALL
            .replace("id = \"b\"", "id = \"a\"")
            .replace("finding = \"open\"", "finding = \"closed\"")
            .replace("padrão", "padrão {ninguem}")
            .replace("pix sem consulta", "sua conta está em dia")
            .replace("fila {fila}", "fila {fila");
        let Err(CatalogueError::Wrong(wrong)) = Catalogue::parse(&text) else { panic!() };
        assert_eq!(wrong.len(), 7, "{wrong:#?}");
        assert!(matches!(Catalogue::parse("x = 1"), Err(CatalogueError::Unreadable(_))));
    }
}
