//! How messages are grouped. A side input: pinned by version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How messages are grouped, for every tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// For tenants without settings of their own.
    pub default: Grouping,
    /// Tenants with settings of their own.
    #[serde(default)]
    pub tenants: BTreeMap<String, Grouping>,
    /// How long message ids are remembered, in hours: as long as providers retry.
    pub seen_hours: i64,
    /// How long a contact without messages is remembered, in hours.
    pub forget_hours: i64,
    /// How long a fact about the customer, and what was talked of last, go with turns, in hours; 0:
    /// never.
    #[serde(default)]
    pub context_hours: i64,
    /// How long a recording waits for what was said in it, in milliseconds; 0: nobody writes that down.
    #[serde(default)]
    pub transcript_wait_ms: i64,
}

/// How messages of one tenant are grouped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grouping {
    /// Off: every message is a turn.
    pub enabled: bool,
    /// A turn ends after so long without a message, in milliseconds.
    pub window_ms: i64,
    /// A turn never grows for longer, in milliseconds.
    pub age_ms_max: i64,
    /// A turn never holds more messages.
    pub messages_max: usize,
    /// Texts that ask for a person: the turn ends at once. Compared without accents and case.
    pub person_phrases: Vec<String>,
}

impl Default for Grouping {
    fn default() -> Self {
        let phrases = [
            "atendente",
            "falar com atendente",
            "quero falar com atendente",
            "falar com um atendente",
            "quero falar com um atendente",
            "humano",
            "falar com humano",
            "falar com uma pessoa",
            "quero falar com uma pessoa",
            "pessoa de verdade",
        ];
        Self {
            enabled: true,
            window_ms: 8_000,
            age_ms_max: 20_000,
            messages_max: 20,
            person_phrases: phrases.map(str::to_owned).to_vec(),
        }
    }
}

impl Grouping {
    /// Everything that makes no sense: the key, and in words.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(&'static str, String)> {
        [
            ("window_ms", (0..=60_000).contains(&self.window_ms), "0 to 60000"),
            (
                "age_ms_max",
                (self.window_ms..=300_000).contains(&self.age_ms_max),
                "window_ms to 300000",
            ),
            ("messages_max", (1..=200).contains(&self.messages_max), "1 to 200"),
        ]
        .into_iter()
        .filter(|(_, fits, _)| !fits)
        .map(|(key, _, range)| (key, format!("{key} must be {range}")))
        .collect()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default: Grouping::default(),
            tenants: BTreeMap::new(),
            seen_hours: 7 * 24,
            forget_hours: 30 * 24,
            context_hours: 24,
            transcript_wait_ms: 0,
        }
    }
}

impl Settings {
    /// How `tenant`'s messages are grouped.
    #[must_use]
    pub fn of(&self, tenant: &str) -> &Grouping {
        self.tenants.get(tenant).unwrap_or(&self.default)
    }

    /// Everything that makes no sense, in words.
    #[must_use]
    pub fn mistakes(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let named = self.tenants.iter().map(|(name, grouping)| (name.as_str(), grouping));
        for (name, grouping) in named.chain([("default", &self.default)]) {
            let told = grouping.mistakes().into_iter();
            wrong.extend(told.map(|(_, told)| format!("grouping of {name}: {told}")));
        }
        if !(1..=24 * 60).contains(&self.seen_hours) {
            wrong.push("grouping: seen_hours must be 1 to 1440".to_owned());
        }
        if !(0..=self.forget_hours).contains(&self.context_hours) {
            wrong.push("models: context_hours must be 0 to 720".to_owned());
        }
        if !(0..=600_000).contains(&self.transcript_wait_ms) {
            wrong.push("transcriber: wait_s must be 0 to 600".to_owned());
        }
        if self.forget_hours < self.seen_hours {
            wrong.push("grouping: forget_hours must not be less than seen_hours".to_owned());
        }
        wrong
    }
}
