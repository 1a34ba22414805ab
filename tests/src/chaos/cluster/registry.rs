//! The schema registry of an installation: the fake one `pipeline` is tested with.

#[path = "../../../../pipeline/tests/fake_registry/mod.rs"]
#[allow(dead_code, missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]
// a test's: it fails loudly
mod fake_registry;

pub use fake_registry::{FakeRegistry, Mood};
