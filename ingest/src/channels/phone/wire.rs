//! What Asterisk tells (ARI, `rest-api/api-docs/events.json`), as far as it is understood.

use serde::Deserialize;

/// An event. What is not of its kind is absent; kinds of other releases are passed over.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    pub(super) timestamp: Option<String>,
    pub(super) channel: Option<Channel>,
    pub(super) digit: Option<String>,
    pub(super) playback: Option<Playback>,
    pub(super) recording: Option<Recording>,
}

/// A leg of a call.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Channel {
    pub(super) id: String,
    #[serde(default)]
    pub(super) caller: Caller,
    #[serde(default)]
    pub(super) dialplan: Dialplan,
}

/// Who calls.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Caller {
    pub(super) name: String,
    pub(super) number: String,
}

/// Where the call is in Asterisk.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Dialplan {
    pub(super) app_name: String,
    pub(super) app_data: String,
}

/// Something that is played.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Playback {
    pub(super) id: String,
}

/// Something that is recorded.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Recording {
    pub(super) name: String,
    /// In seconds; with silence, and without.
    pub(super) duration: Option<i64>,
    pub(super) talking_duration: Option<i64>,
}

/// Reads an event. `None`: it is of no shape that is understood.
pub(super) fn event(text: &str) -> Option<Event> {
    serde_json::from_str(text).ok()
}
