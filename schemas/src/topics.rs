//! The topics: what travels where, how long it is kept and who may count on it.

/// The name of a topic as the product uses it; a deployment may put a prefix before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(pub &'static str);

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// What becomes of old records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Dropped after so many hours.
    Hours(u32),
    /// Kept as long as the history (`history_days`).
    History,
    /// Only the last record of each key is kept; a tombstone removes the key.
    Compacted,
    /// The same, and keys not written for so many hours are removed.
    CompactedHours(u32),
}

impl Retention {
    /// Whether only the last record of each key is kept.
    #[must_use]
    pub fn is_compacted(self) -> bool {
        matches!(self, Self::Compacted | Self::CompactedHours(_))
    }
}

/// One topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub topic: Topic,
    /// Record type of its values ([`crate::codec::Avro::NAME`]); the changelogs hold states.
    pub record: &'static str,
    /// What becomes of old records.
    pub retention: Retention,
    /// Whether subscribers outside may count on it: then its schema only changes compatibly.
    pub public: bool,
}

const fn topic(
    topic: Topic,
    record: &'static str,
    retention: Retention,
    public: bool,
) -> TopicSpec {
    TopicSpec { topic, record, retention, public }
}

/// Bytes as received; nobody's input.
pub const RAW: Topic = Topic("raw");
/// All that can change a conversation.
pub const INBOUND: Topic = Topic("inbound");
/// The same, messages grouped.
pub const TURNS: Topic = Topic("turns");
/// The same, turns classified.
pub const CLASSIFIED: Topic = Topic("classified");
/// Every decision and transition.
pub const CONVERSATIONS: Topic = Topic("conversations");
/// Texts to deliver.
pub const REPLIES: Topic = Topic("replies");
/// What the CRM is asked.
pub const ACTIONS: Topic = Topic("actions");
/// What people are asked.
pub const HANDOFFS: Topic = Topic("handoffs");
/// What people say turns were about.
pub const LABELS: Topic = Topic("labels");
/// Intents whose automatic path was closed or opened again.
pub const AUTOMATIC_PATHS: Topic = Topic("automatic-paths");
/// Links between contacts, and what contacts go by.
pub const CUSTOMERS: Topic = Topic("customers");
/// State of `turns`.
pub const TURNS_STATE: Topic = Topic("turns-state");
/// State of `router`.
pub const ROUTER_STATE: Topic = Topic("router-state");
/// States of `turns` and `router` where they run as links of one chain: keys begin with the stage's name.
pub const CHAIN_STATE: Topic = Topic("chain-state");
/// State of `metrics`, which is its result.
pub const METRICS_STATE: Topic = Topic("metrics-state");
/// What no stage could use.
pub const DEAD_LETTERS: Topic = Topic("dead-letters");
/// Versions of the settings stages are pinned to.
pub const SETTINGS: Topic = Topic("settings");
/// Versions of the answer catalogues.
pub const ANSWERS: Topic = Topic("answers");
/// Which of these versions are in use.
pub const SETTINGS_IN_USE: Topic = Topic("settings-in-use");
/// Which models decide, and which versions there are.
pub const MODELS: Topic = Topic("models");
/// What the versions are made of, in pieces.
pub const MODEL_CHUNKS: Topic = Topic("model-chunks");
/// How far mailboxes have been read.
pub const MAIL_CURSORS: Topic = Topic("mail-cursors");
/// State of `shadow`, which is its result.
pub const SHADOW_STATE: Topic = Topic("shadow-state");

/// Every topic of this release.
pub const TOPICS: &[TopicSpec] = &[
    topic(RAW, "RawRequest", Retention::Hours(72), false),
    topic(INBOUND, "Inbound", Retention::Hours(7 * 24), false),
    topic(TURNS, "Turns", Retention::Hours(7 * 24), false),
    topic(CLASSIFIED, "Classified", Retention::Hours(7 * 24), true),
    topic(CONVERSATIONS, "Conversation", Retention::History, true),
    topic(REPLIES, "Reply", Retention::Hours(7 * 24), false),
    topic(ACTIONS, "ActionRequest", Retention::Hours(7 * 24), false),
    topic(HANDOFFS, "Handoff", Retention::Hours(7 * 24), true),
    topic(LABELS, "Label", Retention::Hours(365 * 24), true),
    topic(AUTOMATIC_PATHS, "AutomaticPath", Retention::Compacted, false),
    topic(CUSTOMERS, "CustomerRecord", Retention::Compacted, false),
    topic(TURNS_STATE, "TurnsState", Retention::Compacted, false),
    topic(ROUTER_STATE, "RouterState", Retention::Compacted, false),
    // `TurnsState` as well: the name before the key says which.
    topic(CHAIN_STATE, "RouterState", Retention::Compacted, false),
    topic(METRICS_STATE, "MinuteMetrics", Retention::CompactedHours(48), false),
    topic(DEAD_LETTERS, "DeadLetter", Retention::Hours(7 * 24), false),
    topic(SETTINGS, "Setting", Retention::Compacted, false),
    topic(ANSWERS, "Setting", Retention::Compacted, false),
    topic(SETTINGS_IN_USE, "SettingInUse", Retention::Compacted, false),
    topic(MODELS, "ModelRecord", Retention::Compacted, false),
    topic(MODEL_CHUNKS, "ModelChunk", Retention::Compacted, false),
    topic(MAIL_CURSORS, "MailCursor", Retention::Compacted, false),
    topic(SHADOW_STATE, "ShadowTally", Retention::CompactedHours(7 * 24), false),
];

/// The topic called `name`.
#[must_use]
pub fn named(name: &str) -> Option<&'static TopicSpec> {
    TOPICS.iter().find(|spec| spec.topic.0 == name)
}
