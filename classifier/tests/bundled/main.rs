//! The bundled model from end to end: training, files, classification, explanation, evaluation.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod files;
mod messages;
mod training;

use classifier::{Models, train_bundled};
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

/// Trained once for all tests here.
static BUNDLED: LazyLock<(TempDir, Models)> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    train_bundled(dir.path(), &mut |_| {}).unwrap();
    let models = Models::open(dir.path()).unwrap();
    (dir, models)
});

fn dir() -> &'static Path {
    BUNDLED.0.path()
}

fn models() -> &'static Models {
    &BUNDLED.1
}
