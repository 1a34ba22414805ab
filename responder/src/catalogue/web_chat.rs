//! How a tenant's web chat looks, and what it says before anybody has written. What is left out is as it is
//! for all.

use pipeline::broadcast::Mistake;
use serde::{Deserialize, Serialize};

/// Longest texts, in characters: they have to fit on a telephone.
const TITLE_MAX: usize = 40;
const GREETING_MAX: usize = 80;
const INTRODUCTION_MAX: usize = 400;
const SUGGESTION_MAX: usize = 60;
const SUGGESTIONS_MAX: usize = 6;
/// Least contrast of white letters on the colour (WCAG 2.2, 1.4.3).
const CONTRAST_MIN: f64 = 4.5;

/// `[web_chat]` of a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebChat {
    /// At the top of it, and of the browser's window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Said to whoever has not written yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greeting: Option<String>,
    /// Below that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introduction: Option<String>,
    /// What may be sent with one tap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestions: Option<Vec<String>>,
    /// Of its head and its buttons, `#rrggbb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
}

impl WebChat {
    /// What makes no sense by itself.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let mut wrong = Vec::new();
        let mut tell = |key: &str, what: String| {
            wrong.push(Mistake::new(format!("web_chat.{key}"), format!("web_chat.{key} {what}")));
        };
        for (key, text, most) in [
            ("title", &self.title, TITLE_MAX),
            ("greeting", &self.greeting, GREETING_MAX),
            ("introduction", &self.introduction, INTRODUCTION_MAX),
        ] {
            if text.as_deref().is_some_and(|text| !fits(text, most)) {
                tell(key, format!("must be 1 to {most} characters"));
            }
        }
        let suggestions = self.suggestions.as_deref().unwrap_or_default();
        let fit = suggestions.iter().all(|one| fits(one, SUGGESTION_MAX));
        if suggestions.len() > SUGGESTIONS_MAX || !fit {
            let most =
                format!("must be {SUGGESTIONS_MAX} at most, of 1 to {SUGGESTION_MAX} characters");
            tell("suggestions", most);
        }
        match self.color.as_deref().map(luminance) {
            Some(None) => tell("color", "must be written #rrggbb".to_owned()),
            Some(Some(light)) if 1.05 / (light + 0.05) < CONTRAST_MIN => {
                tell("color", "is too light for white letters on it; take a darker one".to_owned());
            }
            _ => {}
        }
        wrong
    }
}

fn fits(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most
}

/// Relative luminance of `#rrggbb`, 0 to 1 (WCAG 2.2).
fn luminance(color: &str) -> Option<f64> {
    let digits = color.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let part = |from: usize| {
        let value = u8::from_str_radix(digits.get(from..from + 2)?, 16).ok()?;
        let share = f64::from(value) / 255.0;
        Some(if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) })
    };
    Some(0.2126 * part(0)? + 0.7152 * part(2)? + 0.0722 * part(4)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_refused() {
        let wrong = |toml: &str| {
            let chat: WebChat = toml::from_str(toml).unwrap();
            chat.mistakes().into_iter().map(|mistake| mistake.at).collect::<Vec<_>>()
        };
        let sound = "title = 'Fibra Sul'\ncolor = '#7a1f5c'\nsuggestions = ['Oi']";
        assert_eq!(wrong(sound), Vec::<String>::new());
        for light in ["#ffd400", "#7a1f5", "7a1f5c", "#7a1f5ç", "#gggggg", "red"] {
            assert_eq!(wrong(&format!("color = '{light}'")), ["web_chat.color"], "{light}");
        }
        let long = format!("title = '{}'\ngreeting = ' '", "x".repeat(41));
        assert_eq!(wrong(&long), ["web_chat.title", "web_chat.greeting"]);
        assert_eq!(wrong("suggestions = ['a','b','c','d','e','f','g']"), ["web_chat.suggestions"]);
        assert!(toml::from_str::<WebChat>("colour = '#000000'").is_err());
    }

    #[test]
    fn black_and_white_are_as_far_apart_as_can_be() {
        assert_eq!(luminance("#000000"), Some(0.0));
        assert!((luminance("#ffffff").unwrap() - 1.0).abs() < 1e-9);
    }
}
