//! The answer catalogue: everything the machine says to customers, in Portuguese, in one TOML file a
//! provider can make its own. A side input: pinned by version, checked before it is used.

mod lint;
mod web_chat;

use std::collections::BTreeMap;

use data_encoding::BASE32_DNSSEC;
use jiff::civil::Date;
use pipeline::broadcast::{Mistake, line_at, told};
use schemas::message::{Button, Channel};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

use crate::template::{Approved, Template};

pub use lint::Known;
pub use web_chat::WebChat;

/// The catalogue that comes with the product.
pub const BUILT_IN: &str = include_str!("../catalogue.toml");

/// Why a catalogue cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// Not TOML, or keys that mean nothing.
    #[error("the answer catalogue cannot be read: line {line}: {why}")]
    Unreadable {
        /// In which line.
        line: usize,
        /// Why.
        why: String,
    },
    /// Readable, and wrong.
    #[error("the answer catalogue is wrong: {}", told(.0))]
    Wrong(Vec<Mistake>),
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
    /// What customers call the provider: the value of `{marca}`.
    brand: Option<String>,
    /// Longer texts are sent as several messages of about so many characters; left out: whole.
    split_chars_max: Option<usize>,
    /// Added to the first answer of a conversation.
    protocol: String,
    /// Opens the buttons where a channel folds them away.
    options: Option<String>,
    /// What queues are called when customers hear of them.
    queues: BTreeMap<String, String>,
    /// Values that come with what the CRM may find.
    findings: BTreeMap<String, Vec<String>>,
    answer: Vec<Answer>,
    /// How the web chat looks.
    #[serde(default)]
    web_chat: WebChat,
}

/// For what an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// Answers a turn.
    Answer,
    /// Tells that a person will.
    HandoffNotice,
    /// Said by an agent to whom the channel takes no free text any more; never by itself.
    Template,
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
    /// From this day on, by the tenant's clock.
    #[serde(default, deserialize_with = "day")]
    pub valid_from: Option<Date>,
    /// Up to and including this day.
    #[serde(default, deserialize_with = "day")]
    pub valid_to: Option<Date>,
    /// With `{placeholders}`.
    pub text: String,
    /// Offered with it.
    #[serde(default)]
    pub buttons: Vec<Button>,
    /// What providers know it by: said so when a free text comes too late.
    pub template: Option<Approved>,
}

/// A day, written `2026-12-25`.
fn day<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Date>, D::Error> {
    let text = String::deserialize(from)?;
    let wrong = |_| serde::de::Error::custom(format!("'{text}' is not like \"2026-12-25\""));
    text.parse().map(Some).map_err(wrong)
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
    /// Which day it is where the customer is.
    pub today: Option<Date>,
}

impl Answer {
    /// How many of its conditions hold; `None` when one does not.
    fn fits(&self, occasion: &Occasion<'_>) -> Option<usize> {
        if !self.is_valid(occasion.today) {
            return None;
        }
        let mut score = usize::from(self.valid_from.is_some() || self.valid_to.is_some());
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

    fn is_valid(&self, today: Option<Date>) -> bool {
        let always = self.valid_from.is_none() && self.valid_to.is_none();
        let within = |today: Date| {
            self.valid_from.is_none_or(|from| from <= today)
                && self.valid_to.is_none_or(|to| today <= to)
        };
        always || today.is_some_and(within)
    }

    /// Names of its placeholders.
    fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
    }

    /// How many gaps its template has.
    #[must_use]
    pub fn gaps(&self) -> usize {
        let approved = self.template.as_ref();
        approved.map_or(0, |approved| approved.params(self.placeholders()).len())
    }

    /// As its provider approved it, filled; `None` where it was not or a value is missing.
    #[must_use]
    pub fn approved(&self, values: &BTreeMap<String, String>) -> Option<Template> {
        let approved = self.template.as_ref()?;
        approved.fill(&approved.params(self.placeholders()), values)
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
        match Self::read(toml)? {
            (catalogue, wrong) if wrong.is_empty() => Ok(catalogue),
            (_, wrong) => Err(CatalogueError::Wrong(wrong)),
        }
    }

    /// Reads a catalogue that may be wrong, with everything that is.
    ///
    /// # Errors
    /// [`CatalogueError::Unreadable`].
    pub fn read(toml: &str) -> Result<(Self, Vec<Mistake>), CatalogueError> {
        let file: File = toml::from_str(toml).map_err(|error| CatalogueError::Unreadable {
            line: line_at(toml, error.span().map_or(0, |span| span.start)),
            why: error.message().to_owned(),
        })?;
        let hash = Sha256::digest(toml.as_bytes());
        let version = BASE32_DNSSEC.encode(hash.get(..10).unwrap_or_default());
        let wrong = lint::mistakes(&file);
        Ok((Self { version, file }, wrong))
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

    /// What agents may say by a template, filled; without those of which a value is missing.
    pub fn templates<'a>(
        &'a self,
        values: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = (&'a Answer, String)> {
        let offered = self.file.answer.iter().filter(|answer| answer.purpose == Use::Template);
        offered.filter_map(|answer| Some((answer, fill(&answer.text, values)?)))
    }

    /// Every answer that has a template, whoever says it.
    pub fn with_templates(&self) -> impl Iterator<Item = (&Answer, &Approved)> {
        self.file.answer.iter().filter_map(|answer| Some((answer, answer.template.as_ref()?)))
    }

    /// What tells the protocol number.
    #[must_use]
    pub fn protocol(&self, values: &BTreeMap<String, String>) -> Option<String> {
        fill(&self.file.protocol, values)
    }

    /// What opens the buttons where a channel folds them away; empty: they are told as words there.
    #[must_use]
    pub fn options_title(&self) -> &str {
        self.file.options.as_deref().unwrap_or_default()
    }

    /// What customers call the provider.
    #[must_use]
    pub fn brand(&self) -> Option<&str> {
        self.file.brand.as_deref()
    }

    /// How the web chat looks.
    #[must_use]
    pub fn web_chat(&self) -> &WebChat {
        &self.file.web_chat
    }

    /// About how long a message is, in characters, before it is sent as several.
    #[must_use]
    pub fn split_chars_max(&self) -> Option<usize> {
        self.file.split_chars_max
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
            today: None,
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
    fn an_answer_is_said_within_its_days_only() {
        let dated = r#"
            [[answer]]
            id = "natal"
            valid_from = "2026-12-24"
            valid_to = "2026-12-25"
            text = "{marca}: Feliz Natal"
        "#;
        let catalogue = Catalogue::parse(&format!("brand = \"Acme\"\n{SMALL}{dated}")).unwrap();
        let values = values(&[("marca", catalogue.brand().unwrap())]);
        let said = |today: Option<&str>| {
            let occasion = Occasion {
                purpose: Use::Answer,
                intent: None,
                finding: None,
                channel: Channel::WebChat,
                sentiment: None,
                reason: None,
                today: today.map(|day| day.parse().unwrap()),
            };
            catalogue.choose(&occasion, &values).unwrap().1
        };
        for day in ["2026-12-24", "2026-12-25"] {
            assert_eq!(said(Some(day)), "Acme: Feliz Natal");
        }
        for day in [None, Some("2026-12-23"), Some("2026-12-26")] {
            assert_eq!(said(day), "padrão");
        }
        let wrong = SMALL.replace("id = \"b\"", "id = \"b\"\nvalid_from = \"25/12/2026\"");
        let error = Catalogue::parse(&wrong).unwrap_err().to_string();
        assert!(error.contains("2026-12-25"), "{error}");
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
        assert!(matches!(Catalogue::parse("x = 1"), Err(CatalogueError::Unreadable { .. })));
    }

    #[test]
    fn what_agents_say_by_template_is_never_said_by_itself() {
        let with = |template: &str| {
            let more =
                "[[answer]]\nid = \"m\"\nuse = \"template\"\ntext = \"Oi, {nome}: {protocolo}\"";
            Catalogue::parse(&format!("{SMALL}\n{more}\n{template}"))
        };
        let catalogue = with("template = { name = \"retorno\" }").unwrap();
        let known = values(&[("nome", "Ana"), ("protocolo", "2026")]);
        let offered: Vec<_> = catalogue.templates(&known).collect();
        let [(answer, text)] = offered.as_slice() else { panic!("{offered:?}") };
        assert_eq!((answer.id.as_str(), text.as_str()), ("m", "Oi, Ana: 2026"));
        assert_eq!(answer.approved(&known).unwrap().params, ["Ana", "2026"]);
        assert_eq!(catalogue.templates(&values(&[("nome", "Ana")])).count(), 0);
        for wrong in ["", "template = {}", "template = { name = \"x\", params = [\"valor\"] }"] {
            let Err(CatalogueError::Wrong(told)) = with(wrong) else { panic!("{wrong}") };
            assert_eq!(told.len(), 1, "{told:?}");
        }
    }
}
