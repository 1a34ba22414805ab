//! Whether the server is fit to be sent work: every stage runs, the log is followed.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// What is wrong, by part.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<BTreeMap<String, String>>);

impl Health {
    /// A part has broken down.
    pub(super) fn broke(&self, part: &str, why: String) {
        self.0.lock().insert(part.to_owned(), why);
    }

    /// Everything that is wrong.
    pub(super) fn wrong(&self) -> BTreeMap<String, String> {
        self.0.lock().clone()
    }
}
