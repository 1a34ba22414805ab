//! How models travel: which version decides, what each is made of, and what a candidate beside the
//! live version would have decided.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codec::avro;
use crate::names::named;

/// What the log says of models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// What it says.
    pub body: ModelBody,
}

/// What the log says of models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // each is documented at its type
pub enum ModelBody {
    ModelsInUse(ModelsInUse),
    ModelPublished(ModelPublished),
    Look(Look),
}

named! {
    /// What was done to the models in use.
    ModelsChange default Begun {
        /// The installation's first models.
        Begun = "begun",
        /// Another version decides.
        Promoted = "promoted",
        /// The version before decides again.
        RolledBack = "rolled_back",
        /// A candidate is scored beside the live version.
        ShadowBegun = "shadow_begun",
        /// It is not any more.
        ShadowEnded = "shadow_ended",
    }
}

/// Which models decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelsInUse {
    /// Version that decides.
    pub live: String,
    /// Version that decided before: what a rollback returns to.
    pub previous: Option<String>,
    /// Version that is scored beside it and decides nothing.
    pub candidate: Option<String>,
    /// What was done last.
    pub change: ModelsChange,
    /// Who did it.
    pub changed_by: String,
    /// When (Unix, ms).
    pub changed_at_ms: i64,
}

/// A version whose content is in `model-chunks`, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelPublished {
    /// Hash of the content.
    pub version: String,
    /// In how many pieces.
    pub chunks: i32,
    /// Of all pieces.
    pub size_bytes: i64,
    /// Of all pieces, one after the other, in hex.
    pub sha256: String,
    /// What it decides on: intent, sentiment …
    pub heads: Vec<String>,
    /// Who published it.
    pub published_by: String,
    /// When (Unix, ms).
    pub published_at_ms: i64,
}

/// Says nothing: behind it, whoever appended it has read everything before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Where it stands.
    pub partition: i32,
}

/// A piece of a version: of the encoding of [`ModelFiles`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelChunk {
    /// Of which version.
    pub version: String,
    /// From 0.
    pub index: i32,
    /// The piece.
    #[serde(with = "serde_bytes")]
    pub content: Vec<u8>,
}

/// The files of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFiles {
    /// By name.
    pub files: Vec<ModelFile>,
}

/// A file of a model directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// E.g. `intent.model`.
    pub name: String,
    /// The bytes.
    #[serde(with = "serde_bytes")]
    pub content: Vec<u8>,
}

/// What a candidate would have decided, as counted on one partition of `turns`. Absolute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShadowTally {
    /// Version that decided.
    pub live: String,
    /// Version that was scored beside it.
    pub candidate: String,
    /// Partition it was counted on.
    pub source_partition: i32,
    /// Time of the first turn counted (Unix, ms).
    pub since_ms: i64,
    /// Time of the last one (Unix, ms).
    pub until_ms: i64,
    /// Turns with text, scored by both.
    pub turns: i64,
    /// Turns whose intent differs, by `live intent>candidate intent`.
    pub intents: BTreeMap<String, i64>,
    /// Turns that would have gone elsewhere, by `live route>candidate route`; a route is `auto` or a
    /// queue.
    pub routes: BTreeMap<String, i64>,
    /// Sum over the turns.
    pub confidence_live: f64,
    /// Sum over the turns.
    pub confidence_candidate: f64,
    /// Turns whose confidence is higher by a tenth or more.
    pub raised: i64,
    /// Turns whose confidence is lower by a tenth or more.
    pub lowered: i64,
    /// A few of the turns that differ.
    pub examples: Vec<ShadowExample>,
}

/// A turn on which two versions differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShadowExample {
    /// When it closed (Unix, ms).
    pub time_ms: i64,
    /// Shortened.
    pub text_masked: String,
    /// What the live version says.
    pub live: ShadowVerdict,
    /// What the candidate says.
    pub candidate: ShadowVerdict,
}

/// What a version says of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShadowVerdict {
    /// Best intent.
    pub intent: String,
    /// Probability that it is right, calibrated.
    pub confidence: f64,
    /// `auto`, or a queue.
    pub route: String,
}

avro!(ModelRecord, ModelChunk, ModelFiles, ShadowTally);
