//! What is wrong with a catalogue: by itself, so that it is never used, and beside what the rest of the
//! product knows, so that it is not put into use.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::broadcast::Mistake;
use schemas::message::Channel;

use super::{Answer, Catalogue, File, Occasion, Use};

/// Longest text with buttons that every channel takes, in characters.
const TEXT_WITH_BUTTONS_MAX: usize = 1_024;
const BUTTONS_MAX: usize = 3;
/// Longest title of what opens them, in characters: WhatsApp's.
const OPTIONS_MAX: usize = 20;
/// Words that claim something of a customer's own affairs, and what must have been found or done for them
/// to be true.
const CLAIMS: &[(&str, &[&str])] = &[
    ("em dia", &["no_invoice"]),
    ("está liberad", &["unlocked"]),
    ("foi liberad", &["unlocked"]),
    ("agendei", &["visit_scheduled"]),
    ("está agendad", &["visit_scheduled", "visit_booked"]),
    ("passa a ser o", &["plan_changed"]),
    ("vencimento passa para", &["due_date_changed"]),
    ("está suspens", &["suspended", "not_suspended"]),
];
/// Placeholders every answer may use.
const ALWAYS: &[&str] = &["protocolo", "nome", "fila", "data", "data_efetiva", "marca"];
/// Those of them that always have a value.
const CERTAIN: &[&str] = &["protocolo", "fila", "data", "data_efetiva"];

/// What the rest of the product knows of what answers name.
#[derive(Debug, Clone, Default)]
pub struct Known<'a> {
    /// Intents that have a policy.
    pub intents: BTreeSet<&'a str>,
    /// Those the machine answers after the CRM was asked for something.
    pub looked_up: BTreeSet<&'a str>,
    /// What the CRM may find, and the values that come with it.
    pub findings: BTreeMap<&'a str, &'a [&'a str]>,
}

fn place(at: usize, key: &str) -> String {
    format!("answer.{at}.{key}")
}

/// What makes no sense by itself: such a catalogue is not used.
pub(super) fn mistakes(file: &File) -> Vec<Mistake> {
    let mut wrong = Vec::new();
    let mut ids = BTreeSet::new();
    for (at, answer) in file.answer.iter().enumerate() {
        let id = &answer.id;
        let mut tell = |key: &str, what: String| {
            wrong.push(Mistake::new(place(at, key), format!("{id}: {what}")));
        };
        if !ids.insert(id) {
            tell("id", "the id is used twice; give this answer another".to_owned());
        }
        if answer.text.trim().is_empty() {
            tell("text", "the text is empty".to_owned());
        }
        let fields = answer.finding.as_ref().map(|finding| file.findings.get(finding));
        if let (Some(None), Some(finding)) = (fields, &answer.finding) {
            tell("finding", format!("finding '{finding}' is not listed under [findings]"));
        }
        let known = fields.flatten().map_or(&[][..], Vec::as_slice);
        for name in answer.placeholders() {
            if !ALWAYS.contains(&name) && !known.iter().any(|field| field == name) {
                let remedy = "name the finding that brings it, or take it out";
                tell("text", format!("nothing gives a value to {{{name}}}; {remedy}"));
            }
        }
        let claim = claims(answer).find(|_| answer.finding.is_none());
        if let Some((claim, _)) = claim {
            tell("text", format!("says '{claim}', which only an answer with a finding may"));
        }
        if let Some(what) = template(answer) {
            tell("template", what);
        }
        if answer.text.matches('{').count() != answer.placeholders().count() {
            tell("text", "a placeholder is not closed".to_owned());
        }
        if answer.buttons.len() > BUTTONS_MAX {
            tell("buttons", format!("more than {BUTTONS_MAX} buttons; leave out some"));
        }
        if !answer.buttons.is_empty() && answer.text.chars().count() > TEXT_WITH_BUTTONS_MAX {
            tell("text", format!("more than {TEXT_WITH_BUTTONS_MAX} characters with buttons"));
        }
        if let (Some(from), Some(to)) = (answer.valid_from, answer.valid_to)
            && to < from
        {
            tell("valid_to", format!("is never said: {to} is before {from}"));
        }
    }
    wrong.extend(fallbacks(file));
    wrong.extend(file.web_chat.mistakes());
    if file.options.as_ref().is_some_and(|title| title.chars().count() > OPTIONS_MAX) {
        let told = format!("options must be {OPTIONS_MAX} characters at most");
        wrong.push(Mistake::new("options", told));
    }
    let within = |chars: &usize| (80..=4_000).contains(chars);
    if file.split_chars_max.as_ref().is_some_and(|chars| !within(chars)) {
        let told = "split_chars_max must be 80 to 4000; leave it out to send texts whole";
        wrong.push(Mistake::new("split_chars_max", told));
    }
    wrong
}

/// What keeps providers from sending an answer as the template it is said to be.
fn template(answer: &Answer) -> Option<String> {
    let Some(approved) = &answer.template else {
        let needs = answer.purpose == Use::Template;
        return needs.then(|| "one for agents needs what providers know it by".to_owned());
    };
    let stray = approved.params(std::iter::empty());
    let stray = stray.into_iter().find(|name| !answer.placeholders().any(|known| known == *name));
    let stray = stray.map(|name| format!("the template's {name} does not stand in the text"));
    approved.mistake().or(stray)
}

/// Something must be left to say when nothing else fits.
fn fallbacks(file: &File) -> impl Iterator<Item = Mistake> {
    [Use::Answer, Use::HandoffNotice].into_iter().filter_map(|purpose| {
        let bare = bare(purpose, None);
        let fallback = file.answer.iter().any(|answer| {
            answer.fits(&bare).is_some()
                && answer.placeholders().all(|name| CERTAIN.contains(&name))
        });
        let told = format!("there is no {purpose:?} without conditions to fall back on");
        (!fallback).then(|| Mistake::new("answer", told))
    })
}

/// Nothing is known but the wish.
fn bare(purpose: Use, intent: Option<&str>) -> Occasion<'_> {
    Occasion {
        purpose,
        intent,
        finding: None,
        channel: Channel::Other,
        sentiment: None,
        reason: None,
        today: None,
    }
}

/// What an answer claims, and what must have been found for it.
fn claims(answer: &Answer) -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    let text = answer.text.to_lowercase();
    CLAIMS.iter().copied().filter(move |(claim, _)| text.contains(claim))
}

impl Catalogue {
    /// What names something nobody knows, claims what was not found, or leaves nothing to say when the
    /// CRM does not answer. A catalogue in use may: what it names may have been known to the release it
    /// was written for.
    #[must_use]
    pub fn lint(&self, known: &Known<'_>) -> Vec<Mistake> {
        let mut wrong = Vec::new();
        for (at, answer) in self.file.answer.iter().enumerate() {
            let id = &answer.id;
            for intent in answer.intents.iter().filter(|id| !known.intents.contains(id.as_str())) {
                let told = format!(
                    "{id}: the policy has no intent '{intent}'; correct the name, or add it there"
                );
                wrong.push(Mistake::new(place(at, "intents"), told));
            }
            let finding = answer.finding.as_deref();
            for (claim, found) in claims(answer) {
                if finding.is_some_and(|finding| !found.contains(&finding)) {
                    let told = format!(
                        "{id}: says '{claim}', which is true of {} only; say it there, or otherwise",
                        found.join(" and ")
                    );
                    wrong.push(Mistake::new(place(at, "text"), told));
                }
            }
            let placeholders = answer.placeholders().any(|name| name == "marca");
            if placeholders && self.file.brand.is_none() {
                let told = format!("{id}: {{marca}} has no value; write brand = \"…\" at the top");
                wrong.push(Mistake::new(place(at, "text"), told));
            }
        }
        wrong.extend(self.findings(known));
        wrong.extend(self.unsaid(known));
        wrong
    }

    fn findings(&self, known: &Known<'_>) -> Vec<Mistake> {
        let mut wrong = Vec::new();
        for (finding, fields) in &self.file.findings {
            let at = format!("findings.{finding}");
            let Some(brought) = known.findings.get(finding.as_str()) else {
                let told =
                    format!("{at}: the CRM finds no such thing; correct the name or remove it");
                wrong.push(Mistake::new(at, told));
                continue;
            };
            for field in fields.iter().filter(|field| !brought.contains(&field.as_str())) {
                let told =
                    format!("{at}: no '{field}' comes with it; there is {}", brought.join(", "));
                wrong.push(Mistake::new(&*at, told));
            }
        }
        wrong
    }

    /// Where the CRM is asked first and does not know the customer, something of the same wish must be
    /// left to say: that it is looked into, or how to find out.
    fn unsaid(&self, known: &Known<'_>) -> Vec<Mistake> {
        let missing = known.looked_up.iter().filter(|intent| {
            let bare = bare(Use::Answer, Some(intent));
            !self.file.answer.iter().any(|answer| {
                answer.intents.iter().any(|id| id == *intent)
                    && answer.fits(&bare).is_some()
                    && answer.placeholders().all(|name| CERTAIN.contains(&name))
            })
        });
        let told = missing.map(|intent| {
            let told = format!(
                "{intent}: the CRM is asked first, and nothing is left to say when it does not know; add \
                 an answer without a finding (\"vou verificar\")"
            );
            Mistake::new("answer", told)
        });
        told.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known<'static> {
        Known {
            intents: ["pix", "upgrade"].into(),
            looked_up: ["pix"].into(),
            findings: [("open_invoice", &["valor", "pix"][..]), ("no_invoice", &[][..])].into(),
        }
    }

    const SOUND: &str = r#"
        protocol = "Protocolo {protocolo}."
        [queues]
        [findings]
        open_invoice = ["valor"]
        no_invoice = []
        [[answer]]
        id = "a"
        text = "padrão"
        [[answer]]
        id = "n"
        use = "handoff_notice"
        text = "fila {fila}"
        [[answer]]
        id = "pix.aberta"
        intents = ["pix"]
        finding = "open_invoice"
        text = "são {valor}"
        [[answer]]
        id = "pix.nada"
        intents = ["pix"]
        finding = "no_invoice"
        text = "você está em dia"
        [[answer]]
        id = "pix.guia"
        intents = ["pix"]
        text = "vou verificar"
    "#;

    #[test]
    fn each_mistake_is_told_with_its_place() {
        let lint = |from: &str, to: &str| {
            assert!(SOUND.contains(from), "{from}");
            let found = Catalogue::parse(&SOUND.replace(from, to));
            found.map(|it| it.lint(&known())).unwrap_or_else(|error| match error {
                super::super::CatalogueError::Wrong(wrong) => wrong,
                error => panic!("{error}"),
            })
        };
        assert_eq!(lint("padrão", "olá"), []);
        for (from, to, at, told) in [
            (
                "intents = [\"pix\"]\n        text",
                "intents = [\"piks\"]\n        text",
                "answer.4.intents",
                "piks",
            ),
            ("são {valor}", "está em dia: {valor}", "answer.2.text", "no_invoice only"),
            ("são {valor}", "são {pix}", "answer.2.text", "{pix}"),
            ("vou verificar", "você está em dia", "answer.4.text", "em dia"),
            ("vou verificar", "{nome}, um momento", "answer", "vou verificar"),
            ("vou verificar", "{marca} vai verificar", "answer.4.text", "brand"),
            ("no_invoice = []", "nothing = []\nno_invoice = []", "findings.nothing", "no such"),
            ("[\"valor\"]", "[\"valor\", \"juros\"]", "findings.open_invoice", "juros"),
            (
                "text = \"padrão\"",
                "text = \"padrão\"\nvalid_from = \"2026-12-25\"\nvalid_to = \"2026-12-24\"",
                "answer.0.valid_to",
                "never said",
            ),
            (
                "text = \"fila {fila}\"",
                "text = \"fila {fila}\"\nbuttons = [{id=\"1\",title=\"a\"},{id=\"2\",title=\"b\"},\
                 {id=\"3\",title=\"c\"},{id=\"4\",title=\"d\"}]",
                "answer.1.buttons",
                "3 buttons",
            ),
        ] {
            let found = lint(from, to);
            let hit = found.iter().any(|wrong| wrong.at == at && wrong.wrong.contains(told));
            assert!(hit, "{from} → {to}: {found:?}");
        }
        let long =
            format!("text = \"{}\"\nbuttons = [{{id=\"1\",title=\"a\"}}]", "x".repeat(1_025));
        assert_eq!(lint("text = \"padrão\"", &long)[0].at, "answer.0.text");
    }
}
