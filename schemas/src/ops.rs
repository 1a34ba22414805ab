//! Records of the running itself: raw requests, dead letters, versions of side inputs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codec::avro;
use crate::names::named;

/// Bytes as a provider sent them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawRequest {
    /// Adapter that heard it.
    pub provider: String,
    /// Our number, inbox or site at the provider.
    pub account: String,
    /// Our clock (Unix, ms).
    pub received_at_ms: i64,
    /// Those an adapter looks at.
    pub headers: BTreeMap<String, String>,
    /// As received.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
}

named! {
    /// Why a record was set aside.
    DeadLetterReason default Rejected {
        /// The bytes are not a record.
        Undecodable = "undecodable",
        /// The stage has no use for it.
        Rejected = "rejected",
        /// The stage broke on it.
        Panicked = "panicked",
        /// Written by a later release, or by a stranger.
        UnknownSchema = "unknown_schema",
        /// What the stage made of it is larger than the log takes.
        TooLarge = "too_large",
    }
}

/// A record no stage could use, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Who could not use it.
    pub stage: String,
    /// Why.
    pub reason: DeadLetterReason,
    /// In words, without customer data.
    pub detail: String,
    /// Where it stood.
    pub topic: String,
    /// Where it stood.
    pub partition: i32,
    /// Where it stood.
    pub offset: i64,
    /// Its key.
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
    /// Its value.
    #[serde(with = "serde_bytes")]
    pub value: Option<Vec<u8>>,
    /// Its headers, as the log encodes them.
    #[serde(with = "serde_bytes")]
    pub headers: Vec<u8>,
    /// Its time (Unix, ms).
    pub time_ms: i64,
}

/// One version of a side input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Which input.
    pub name: String,
    /// Hash of the content.
    pub version: String,
    /// The content.
    #[serde(with = "serde_bytes")]
    pub content: Vec<u8>,
}

/// Which version of a side input is in use, for all tenants or for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingInUse {
    /// Which input.
    pub name: String,
    /// Whose; empty: of all tenants without their own.
    pub tenant: String,
    /// Empty: the tenant has none of its own.
    pub version: String,
    /// The version the configuration named when a process last looked; a new one there takes the place
    /// of what was applied.
    pub configured: String,
    /// Who put it into use.
    pub by: String,
    /// Since when (Unix, ms).
    pub at_ms: i64,
}

impl SettingInUse {
    /// What decides the partition, the same for all of them: who has read one written last has read
    /// them all.
    pub const PARTITIONED_BY: &[u8] = b"settings-in-use";

    /// Key in the topic.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}|{}", self.name, self.tenant)
    }
}

avro!(RawRequest, DeadLetter, Setting, SettingInUse);
