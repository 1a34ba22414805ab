//! Why a model cannot be used, and what to do about it.

use std::path::PathBuf;

/// A model could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The table of facts cannot be read.
    #[error("{path} is not a table of facts; mend or delete it: {source}")]
    Context {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
    /// The file or directory cannot be read.
    #[error("cannot read {path}: {source}; check the path, or train a model into it")]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file does not begin as a model does.
    #[error("{name} is not a model file; train one in its place")]
    NotAModel {
        /// File name.
        name: String,
    },
    /// The file was written in another format.
    #[error("{name} has format {found}, this program reads format {known}; retrain it")]
    Format {
        /// File name.
        name: String,
        /// Format of the file.
        found: u32,
        /// Format of this program.
        known: u32,
    },
    /// The text is normalised differently today.
    #[error("{name} was trained with text recipe {found}, this program has {known}; retrain it")]
    Recipe {
        /// File name.
        name: String,
        /// Recipe version of the file.
        found: u32,
        /// Recipe version of this program.
        known: u32,
    },
    /// The check sum does not match the content.
    #[error("{name} is damaged (its SHA-256 does not match); copy it again or retrain it")]
    Damaged {
        /// File name.
        name: String,
    },
    /// The content contradicts itself.
    #[error("{name} is inconsistent ({what}); retrain it")]
    Inconsistent {
        /// File name.
        name: String,
        /// Which part.
        what: &'static str,
    },
    /// The golden messages do not score as they did in training.
    #[error("{name} fails its self-test: {text:?} scores {difference:e} off; retrain it here")]
    SelfTest {
        /// File name.
        name: String,
        /// The golden message.
        text: String,
        /// Largest difference of a score.
        difference: f64,
    },
    /// The file holds another head than its name says.
    #[error("{name} holds the {found} head; rename it to {found}.model")]
    WrongTask {
        /// File name.
        name: String,
        /// The task it holds.
        found: &'static str,
    },
}
