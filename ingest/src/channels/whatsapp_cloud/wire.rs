//! The provider's JSON, as far as it is understood. Fields come and go unannounced: everything is
//! optional, what is not known is passed over.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// `null` is as good as nothing.
fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// A webhook's body.
#[derive(Deserialize)]
pub(super) struct Body {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) entry: Vec<Entry>,
}

#[derive(Deserialize)]
pub(super) struct Entry {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) changes: Vec<Change>,
}

#[derive(Deserialize)]
pub(super) struct Change {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) field: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) value: Changed,
}

/// What changed. Lists may hold things of kinds yet unknown, so each element is read by itself.
#[derive(Deserialize, Default)]
pub(super) struct Changed {
    pub(super) metadata: Option<Metadata>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) contacts: Vec<WireContact>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) messages: Vec<Value>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) message_echoes: Vec<Value>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) statuses: Vec<Value>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) calls: Vec<Value>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) errors: Vec<WireError>,
    /// Of a field that is about the account: what it tells.
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

#[derive(Deserialize)]
pub(super) struct Metadata {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) phone_number_id: String,
}

#[derive(Deserialize)]
pub(super) struct WireContact {
    pub(super) profile: Option<Profile>,
    pub(super) wa_id: Option<String>,
    pub(super) user_id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Profile {
    pub(super) name: Option<String>,
}

/// A message, an echo of one of ours, or a call.
#[derive(Deserialize)]
pub(super) struct WireMessage {
    pub(super) id: Option<String>,
    pub(super) from: Option<String>,
    pub(super) from_user_id: Option<String>,
    pub(super) to: Option<String>,
    pub(super) to_user_id: Option<String>,
    pub(super) timestamp: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) context: Option<Context>,
    /// The part named like the kind, and the rest.
    #[serde(flatten)]
    pub(super) parts: Map<String, Value>,
}

#[derive(Deserialize)]
pub(super) struct Context {
    pub(super) id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Status {
    pub(super) id: Option<String>,
    pub(super) status: Option<String>,
    pub(super) timestamp: Option<String>,
    pub(super) recipient_id: Option<String>,
    pub(super) recipient_user_id: Option<String>,
    pub(super) recipient_participant_id: Option<String>,
    pub(super) recipient_participant_user_id: Option<String>,
    pub(super) biz_opaque_callback_data: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) errors: Vec<WireError>,
}

#[derive(Deserialize)]
pub(super) struct WireError {
    pub(super) code: Option<i64>,
    pub(super) title: Option<String>,
}
