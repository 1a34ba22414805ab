//! What is configured of a tenant: its clock, and what it has of its own in place of what holds for all.

use ingest::turns;
use serde::{Deserialize, Serialize};

/// `[tenants.<name>]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct Tenant {
    pub utc_offset_minutes: i32,
    #[serde(default = "yes")]
    pub active: bool,
    #[serde(default)]
    pub token: String,
    #[serde(default)]
    pub policy_file: String,
    #[serde(default)]
    pub answers_file: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grouping: Option<OwnGrouping>,
}

fn yes() -> bool {
    true
}

/// `[tenants.<name>.grouping]`: what is left out is as for all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct OwnGrouping {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_ms_max: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_max: Option<usize>,
}

impl OwnGrouping {
    /// In place of what holds for `all`.
    pub fn over(&self, all: turns::Grouping) -> turns::Grouping {
        turns::Grouping {
            enabled: self.enabled.unwrap_or(all.enabled),
            window_ms: self.window_ms.unwrap_or(all.window_ms),
            age_ms_max: self.age_ms_max.unwrap_or(all.age_ms_max),
            messages_max: self.messages_max.unwrap_or(all.messages_max),
            ..all
        }
    }
}
