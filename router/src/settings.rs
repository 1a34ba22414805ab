//! What the router is configured with: which intents the machine may answer, who takes the others,
//! and how long everybody has. A side input: pinned by version, replaced at a commit boundary.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::broadcast::{Mistake, line_at, told};
use schemas::conversation::Priority;
use serde::{Deserialize, Serialize};

use crate::agreements::Agreement;
use crate::hours::Hours;

/// The policy that comes with the product.
pub const BUILT_IN: &str = include_str!("../policy.toml");

/// Why a policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not TOML, or keys that mean nothing.
    #[error("the routing policy cannot be read: line {line}: {why}")]
    Unreadable {
        /// In which line.
        line: usize,
        /// Why.
        why: String,
    },
    /// Readable, and wrong.
    #[error("the routing policy is wrong: {}", told(.0))]
    Wrong(Vec<Mistake>),
}

/// Everything the router decides by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What customers want, and what is to be done about it.
    pub intents: BTreeMap<String, IntentPolicy>,
    /// What the CRM may find that is told to the customer and still needs people.
    #[serde(default)]
    pub findings: BTreeMap<String, FindingPolicy>,
    /// What the CRM does once a customer agrees to what was said about an intent.
    #[serde(default)]
    pub agreements: BTreeMap<String, Agreement>,
    /// Who takes what no intent fits.
    pub default_queue: String,
    /// Minutes until a person should have answered, by queue.
    pub first_response_minutes: BTreeMap<String, i64>,
    /// Minutes of work until people should be done, by queue; a queue without has all the time. Not
    /// counted while the customer is waited for.
    #[serde(default)]
    pub resolution_minutes: BTreeMap<String, i64>,
    /// When people work, by tenant, `*` for those that are not named. Without, they always do.
    #[serde(default)]
    pub business_hours: BTreeMap<String, Hours>,
    /// How long everybody has.
    pub times: Times,
    /// When the machine steps back.
    pub limits: Limits,
    /// How the machine's answers are looked after.
    #[serde(default)]
    pub checks: Checks,
    /// Whether customers are asked how it was.
    #[serde(default)]
    pub csat: Csat,
    /// The tenants' own clocks, in minutes ahead of UTC; -180 where none is named.
    #[serde(default)]
    pub utc_offset_minutes: BTreeMap<String, i32>,
    /// Intents by tenant whose automatic path is closed. Not of the policy: see `closings.rs`.
    #[serde(skip)]
    pub closed: BTreeSet<(String, String)>,
    /// Names this policy: told with every decision. Not of the text.
    #[serde(skip)]
    pub version: String,
}

/// What is to be done about an intent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntentPolicy {
    /// Who takes it when the machine does not.
    pub queue: String,
    /// Whether the machine may answer at all.
    pub auto: bool,
    /// What the CRM is asked before the machine answers.
    pub action: Option<String>,
    /// Least priority when people take it.
    #[serde(default)]
    pub priority: Priority,
    /// Goes to people whatever the confidence: the wish itself is to reach one.
    #[serde(default)]
    pub person_at_once: bool,
    /// Least confidence for the machine to answer, in place of the model's: where an answer that is
    /// wrong does no harm.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// The customer has what they came for once it is answered.
    #[serde(default)]
    pub ends: bool,
}

/// Which people look after something the CRM found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingPolicy {
    /// Who.
    pub queue: String,
    /// How soon at least.
    #[serde(default)]
    pub priority: Priority,
}

/// How long everybody has, in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// The CRM for an action.
    pub action_s: i64,
    /// A planned reply before it is of no use any more.
    pub reply_age_s_max: i64,
    /// Delivery of a planned reply, beyond its age, before a person looks.
    pub delivery_s: i64,
    /// The customer after an automatic answer before it counts as the solution.
    pub bot_answered_s: i64,
    /// An agent who has claimed before they must have written.
    pub agent_silent_s: i64,
    /// The customer after an agent's answer before the conversation counts as done.
    pub waiting_customer_s: i64,
    /// The customer to come back under the same protocol.
    pub reopen_s: i64,
    /// A conversation in a queue nobody looks at before it counts as abandoned.
    pub queued_s_max: i64,
}

/// When the machine steps back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Automatic answers on one intent in a row; the next goes to people.
    pub same_intent_answers: i32,
    /// Automatic answers in one conversation; the next goes to people.
    pub bot_answers: i32,
    /// Least confidence at which an intent chooses the queue, 0..1.
    pub queue_confidence_min: f64,
}

/// Whether customers are asked how it was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Csat {
    /// After which conversations.
    pub after: CsatAfter,
}

/// After which conversations customers are asked how it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CsatAfter {
    /// None.
    #[default]
    Never,
    /// Those an agent ended.
    People,
    /// Those the machine ended, too.
    Always,
}

/// How the machine's answers are looked after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checks {
    /// Share of automatic answers a person is to look at, 0 to 1.
    pub share: f64,
    /// An intent loses its automatic path when more of its checked answers than this are overridden,
    /// 0 to 1, beyond what chance explains.
    pub override_rate_max: f64,
    /// Never before so many answers were overridden.
    pub overridden_min: i64,
    /// Checks are counted for so many days.
    pub days: i64,
}

impl Default for Checks {
    fn default() -> Self {
        Self { share: 0.015, override_rate_max: 0.05, overridden_min: 3, days: 14 }
    }
}

impl Settings {
    /// The built-in policy.
    ///
    /// # Errors
    /// Never in a released binary: a test reads it.
    pub fn built_in() -> Result<Self, SettingsError> {
        Self::parse(BUILT_IN)
    }

    /// Reads a policy and holds it to what makes sense, telling everything that is wrong at once.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn parse(toml: &str) -> Result<Self, SettingsError> {
        match Self::read(toml)? {
            (settings, wrong) if wrong.is_empty() => Ok(settings),
            (_, wrong) => Err(SettingsError::Wrong(wrong)),
        }
    }

    /// Reads a policy that may be wrong, with everything that is.
    ///
    /// # Errors
    /// [`SettingsError::Unreadable`].
    pub fn read(toml: &str) -> Result<(Self, Vec<Mistake>), SettingsError> {
        let settings: Self = toml::from_str(toml).map_err(|error| SettingsError::Unreadable {
            line: line_at(toml, error.span().map_or(0, |span| span.start)),
            why: error.message().to_owned(),
        })?;
        let wrong = settings.mistakes();
        Ok((settings, wrong))
    }

    /// Whether the machine may not answer `tenant`'s customers on `intent` for now.
    #[must_use]
    pub fn is_closed(&self, tenant: &str, intent: &str) -> bool {
        // Nearly always empty: then nothing is copied to look it up.
        !self.closed.is_empty() && self.closed.contains(&(tenant.to_owned(), intent.to_owned()))
    }

    /// Minutes ahead of UTC of `tenant`'s clock.
    #[must_use]
    pub fn utc_offset_minutes(&self, tenant: &str) -> i32 {
        self.utc_offset_minutes.get(tenant).copied().unwrap_or(-180)
    }

    /// Whether there is such a queue.
    #[must_use]
    pub fn has_queue(&self, queue: &str) -> bool {
        self.first_response_minutes.contains_key(queue)
    }

    /// When a person should have answered what came to `queue` at `now_ms` with `priority`: high
    /// halves the time, urgent quarters it, low doubles it.
    #[must_use]
    pub fn sla_due_ms(&self, tenant: &str, queue: &str, priority: Priority, now_ms: i64) -> i64 {
        let minutes = self.first_response_minutes.get(queue).copied().unwrap_or(60);
        let quarters = match priority {
            Priority::Low => 8,
            Priority::Normal => 4,
            Priority::High => 2,
            Priority::Urgent => 1,
        };
        self.after(tenant, now_ms, minutes * 15_000 * quarters)
    }

    /// The moment at which `tenant`'s people have worked for `ms` since `from_ms`.
    #[must_use]
    pub fn after(&self, tenant: &str, from_ms: i64, ms: i64) -> i64 {
        let offset = self.utc_offset_minutes(tenant);
        self.hours(tenant).map_or(from_ms + ms, |hours| hours.after(offset, from_ms, ms))
    }

    /// How long `tenant`'s people work between two moments; less than nothing when `to_ms` is past.
    #[must_use]
    pub fn working_ms(&self, tenant: &str, from_ms: i64, to_ms: i64) -> i64 {
        let offset = self.utc_offset_minutes(tenant);
        self.hours(tenant).map_or(to_ms - from_ms, |hours| hours.between(offset, from_ms, to_ms))
    }

    fn hours(&self, tenant: &str) -> Option<&Hours> {
        self.business_hours.get(tenant).or_else(|| self.business_hours.get("*"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_policy_covers_every_intent() {
        let settings = Settings::built_in().unwrap();
        assert_eq!(settings.intents.len(), 31, "30 intents and out of scope");
        assert!(
            !settings.intents["cancelar"].auto,
            "a cancellation is never a machine's to refuse"
        );
        assert!(settings.intents["falar_atendente"].person_at_once);
    }

    #[test]
    fn tells_all_mistakes_at_once() {
        let text = BUILT_IN
            .replace("action_s = 10", "action_s = 0")
            .replace("suporte = 15", "sup = 15")
            .replace("queue_confidence_min = 0.3", "queue_confidence_min = 3.0");
        let Err(SettingsError::Wrong(wrong)) = Settings::parse(&text) else { panic!() };
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(matches!(Settings::parse("a = 1"), Err(SettingsError::Unreadable { .. })));
    }

    #[test]
    fn priority_shortens_the_time() {
        let settings = Settings::built_in().unwrap();
        let minutes = |priority| settings.sla_due_ms("demo", "suporte", priority, 0) / 60_000;
        assert_eq!(minutes(Priority::Normal), 15);
        assert_eq!(minutes(Priority::Low), 30);
        assert_eq!(minutes(Priority::Urgent), 3);
    }
}
