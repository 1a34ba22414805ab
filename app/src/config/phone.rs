//! `[channels.phone.<account>]`: an application of Asterisk, what callers hear, and what digits mean.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A number of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct Phone {
    pub tenant: String,
    pub url: String,
    pub user: String,
    pub password: String,
    pub app: String,
    pub greeting: String,
    pub thanks: String,
    #[serde(default)]
    pub sms_from: String,
    #[serde(default = "two_minutes")]
    pub record_s_max: u32,
    /// What each digit stands for, in a customer's words.
    #[serde(default)]
    pub menu: BTreeMap<String, String>,
}

fn two_minutes() -> u32 {
    120
}

impl Phone {
    /// What must not be empty.
    pub(super) fn needed(&self) -> Vec<(&'static str, &str)> {
        let Self { url, user, password, app, greeting, thanks, .. } = self;
        let needed = [
            ("url", url),
            ("user", user),
            ("password", password),
            ("app", app),
            ("greeting", greeting),
            ("thanks", thanks),
        ];
        needed.map(|(key, value)| (key, value.as_str())).to_vec()
    }
}

/// Everything that makes no sense, in words.
pub(super) fn mistakes(accounts: &BTreeMap<String, Phone>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, account) in accounts {
        let place = format!("channels.phone.{name}");
        if !["http://", "https://"].iter().any(|scheme| account.url.starts_with(scheme)) {
            wrong.push(format!("{place}.url must begin with http:// or https://"));
        }
        if !(1..=600).contains(&account.record_s_max) {
            wrong.push(format!("{place}.record_s_max must be 1 to 600"));
        }
        let digit = |key: &str| key.len() == 1 && key.bytes().all(|c| b"0123456789*#".contains(&c));
        for (key, words) in &account.menu {
            if !digit(key) || words.trim().is_empty() {
                wrong.push(format!("{place}.menu: \"{key}\" must be one digit, with words for it"));
            }
        }
    }
    wrong
}
