//! What the watch says of the models, for whoever asks: how they do, and which intents have lost their
//! automatic path. Told by `app`; nothing here is decided.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use schemas::labels::AutomaticPath;
use sink::watch::Watch;

/// What was told last.
#[derive(Default)]
pub struct Board {
    watches: Mutex<BTreeMap<String, Watch>>,
    closed: Mutex<Vec<AutomaticPath>>,
}

impl Board {
    /// Tells how the models do for `tenant`.
    pub fn watched(&self, tenant: &str, watch: Watch) {
        self.watches.lock().insert(tenant.to_owned(), watch);
    }

    /// Tells everything that is closed.
    pub fn closed(&self, closed: Vec<AutomaticPath>) {
        *self.closed.lock() = closed;
    }

    pub(crate) fn watch_of(&self, tenant: &str) -> Watch {
        self.watches.lock().get(tenant).cloned().unwrap_or_default()
    }

    pub(crate) fn closed_of(&self, tenant: &str) -> Vec<AutomaticPath> {
        self.closed.lock().iter().filter(|path| path.tenant == tenant).cloned().collect()
    }
}
