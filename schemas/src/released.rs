//! The schemas of earlier releases, so that what they wrote stays readable.
//!
//! `released/<version>.json` maps each type to its self-contained schema, as `correnteza schema
//! export` printed it at that release.

use serde_json::{Map, Value};

/// Release and its schemas.
pub(crate) const RELEASES: &[(&str, &str)] = &[("0.1.0", include_str!("../released/0.1.0.json"))];

/// The schemas of one release by type name.
pub(crate) fn schemas(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Every released schema of `name`, oldest first.
pub(crate) fn schemas_of(name: &str) -> Vec<Value> {
    RELEASES.iter().filter_map(|(_, text)| schemas(text).remove(name)).collect()
}
