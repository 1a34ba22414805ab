//! Texts a provider has approved beforehand: the only ones it takes after the reply window.
//!
//! The catalogue names them; a plan fills their gaps; a sender that takes them sends them when a free text
//! would come too late. Wire formats: WhatsApp Cloud API "Message templates", Twilio "Content API".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Longest name, in characters, and longest text for a gap.
const NAME_MAX: usize = 512;
const GAP_MAX: usize = 1_024;

/// What an answer of the catalogue is called by providers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approved {
    /// At WhatsApp: lower-case letters, digits and `_`.
    #[serde(default)]
    pub name: String,
    /// Its language at WhatsApp.
    #[serde(default = "portuguese")]
    pub language: String,
    /// At Twilio: `HX…`.
    #[serde(default)]
    pub content_sid: String,
    /// What stands in its gaps, in their order. Left out: the placeholders of the text, each once.
    pub params: Option<Vec<String>>,
}

fn portuguese() -> String {
    "pt_BR".to_owned()
}

/// One with its gaps filled. Holds plain text: kept sealed, never logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// At WhatsApp.
    pub name: String,
    /// At WhatsApp.
    pub language: String,
    /// At Twilio.
    pub content_sid: String,
    /// What stands in its gaps, in their order.
    pub params: Vec<String>,
}

/// One as its provider lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// At WhatsApp its name, at Twilio its `HX…`.
    pub name: String,
    /// Its language, as the provider writes it.
    pub language: String,
    /// In the provider's word, in lower case: `approved` alone may be sent.
    pub status: String,
    /// How many gaps its body has.
    pub gaps: usize,
    /// It has a picture, or gaps in its title or buttons: those are not filled here.
    pub needs_more: bool,
}

impl Listed {
    /// What keeps a template of so many gaps from being sent as this one, in words.
    #[must_use]
    pub fn mistake(&self, gaps: usize) -> Option<String> {
        match () {
            () if self.status != "approved" => Some(format!("is {}", self.status)),
            () if self.needs_more => Some("has a picture or gaps outside its body".to_owned()),
            () if self.gaps != gaps => Some(format!("has {} gaps, not {gaps}", self.gaps)),
            () => None,
        }
    }
}

impl Approved {
    /// Names of what stands in its gaps, where `placeholders` are the text's.
    #[must_use]
    pub fn params<'a>(&'a self, placeholders: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        if let Some(params) = &self.params {
            return params.iter().map(String::as_str).collect();
        }
        let mut once = Vec::new();
        for name in placeholders {
            if !once.contains(&name) {
                once.push(name);
            }
        }
        once
    }

    /// Filled; `None` when a value is missing.
    #[must_use]
    pub fn fill(&self, params: &[&str], values: &BTreeMap<String, String>) -> Option<Template> {
        let params = params.iter().map(|name| values.get(*name).map(|value| one_line(value)));
        Some(Template {
            name: self.name.clone(),
            language: self.language.clone(),
            content_sid: self.content_sid.clone(),
            params: params.collect::<Option<_>>()?,
        })
    }

    /// What is wrong with it, in words.
    #[must_use]
    pub fn mistake(&self) -> Option<String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if self.name.is_empty() && self.content_sid.is_empty() {
            return Some(
                "a template needs the name or the content_sid it is approved under".into(),
            );
        }
        if !self.name.chars().all(plain) || self.name.len() > NAME_MAX {
            return Some(format!("'{}' is no template name: a-z, 0-9 and _ only", self.name));
        }
        let is_sid = self.content_sid.len() == 34 && self.content_sid.starts_with("HX");
        let wrong_sid = !self.content_sid.is_empty() && !is_sid;
        wrong_sid.then(|| format!("'{}' is no content_sid: HX and 32 more", self.content_sid))
    }
}

/// Gaps take neither line breaks nor tabs nor more than four spaces in a row.
fn one_line(value: &str) -> String {
    let words: Vec<&str> = value.split_whitespace().collect();
    words.join(" ").chars().take(GAP_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approved(name: &str, content_sid: &str) -> Approved {
        Approved {
            name: name.to_owned(),
            language: portuguese(),
            content_sid: content_sid.to_owned(),
            params: None,
        }
    }

    #[test]
    fn gaps_are_filled_in_the_order_of_the_text_each_once_and_on_one_line() {
        let template = approved("retorno", "");
        let params = template.params(["nome", "protocolo", "nome"].into_iter());
        assert_eq!(params, ["nome", "protocolo"]);
        let mut values = BTreeMap::from([("nome".to_owned(), "Ana\n\tMaria     Souza".to_owned())]);
        assert_eq!(template.fill(&params, &values), None, "nobody gave a protocol");
        values.insert("protocolo".to_owned(), "2026".to_owned());
        assert_eq!(template.fill(&params, &values).unwrap().params, ["Ana Maria Souza", "2026"]);
        let explicit = Approved { params: Some(vec!["protocolo".to_owned()]), ..template };
        assert_eq!(explicit.params(["nome"].into_iter()), ["protocolo"]);
    }

    #[test]
    fn only_names_that_providers_take() {
        let sid = format!("HX{}", "0".repeat(32));
        for (name, content_sid, right) in [
            ("retorno_2", "", true),
            ("", sid.as_str(), true),
            ("retorno", &sid, true),
            ("", "", false),
            ("Retorno", "", false),
            ("retorno-2", "", false),
            ("", "HX1", false),
        ] {
            let mistake = approved(name, content_sid).mistake();
            assert_eq!(mistake.is_none(), right, "{name} {content_sid} {mistake:?}");
        }
    }
}
