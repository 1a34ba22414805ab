//! The API as an OpenAPI 3.1 document.

use serde_json::Value;

/// The document served at `/openapi.json`.
pub fn document() -> Value {
    serde_json::from_str(include_str!("openapi.json")).unwrap_or_default()
}
