//! What is configured of web chats: the sites they are on.

use serde::{Deserialize, Serialize};

/// `[channels.web_chat.<account>]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct WebChat {
    pub tenant: String,
    #[serde(default)]
    pub origins: String,
    #[serde(default)]
    pub site_secret: String,
    #[serde(default = "visitor_hours")]
    pub visitor_hours: u32,
    #[serde(default = "messages_per_minute")]
    pub messages_per_minute: u32,
}

fn visitor_hours() -> u32 {
    30 * 24
}

fn messages_per_minute() -> u32 {
    30
}

/// Shortest secret that is worth the name, in characters.
const SECRET_MIN: usize = 32;

impl WebChat {
    /// Each origin.
    pub fn each_origin(&self) -> impl Iterator<Item = &str> {
        self.origins.split(',').map(str::trim).filter(|origin| !origin.is_empty())
    }

    /// What makes no sense about it, by key.
    pub(super) fn mistakes(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let is_origin = |origin: &&str| {
            let at = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            **origin == *"*" || at.is_some_and(|at| !at.is_empty() && !at.contains(['/', ' ']))
        };
        for origin in self.each_origin().filter(|origin| !is_origin(origin)) {
            wrong.push(format!("origins: '{origin}' is no origin; write https://host and no path"));
        }
        if !self.site_secret.is_empty() && self.site_secret.len() < SECRET_MIN {
            wrong.push(format!("site_secret must have {SECRET_MIN} characters at least"));
        }
        if !(1..=8760).contains(&self.visitor_hours) {
            wrong.push("visitor_hours must be 1 to 8760".to_owned());
        }
        if !(1..=6000).contains(&self.messages_per_minute) {
            wrong.push("messages_per_minute must be 1 to 6000".to_owned());
        }
        wrong
    }
}
