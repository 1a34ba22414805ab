//! What an id means. Threads that poll a group do not wait for it: somebody else asks meanwhile, and
//! they look again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use schemas::known;

use super::{Registry, RegistryError};

/// Pause before a registry that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// A registry's follower may not have heard of a schema yet: it is asked twice, this far apart.
const TWICE: Duration = Duration::from_millis(500);
/// How long an id that does not exist is taken for that.
const NOTHING_FOR: Duration = Duration::from_secs(60);
/// Ids that do not exist, remembered at once.
const NOTHINGS_MAX: usize = 1_024;

/// What an id means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The schema with this fingerprint.
    Schema(u64),
    /// The registry has no such id, or no schema behind it that can be read.
    Nothing,
    /// Nobody knows yet.
    Asking,
}

/// How far asking for an id is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    /// Under way.
    Running,
    /// Not answered; to be asked again then.
    Failed(Instant),
    /// Not there when first asked; to be asked again then.
    MissedOnce(Instant),
    /// Not there; so until then.
    Nothing(Instant),
}

impl Registry {
    pub(super) fn meaning(self: &Arc<Self>, id: u32) -> Meaning {
        if let Some(fingerprint) = self.ids.read().read(id) {
            return Meaning::Schema(fingerprint);
        }
        let mut asked = self.asked.lock();
        let now = Instant::now();
        let before = asked.get(&id).copied();
        match before {
            Some(Asked::Nothing(until)) if now < until => return Meaning::Nothing,
            Some(Asked::Running) => return Meaning::Asking,
            Some(Asked::Failed(at) | Asked::MissedOnce(at)) if now < at => return Meaning::Asking,
            _ => {}
        }
        if asked.len() >= NOTHINGS_MAX {
            asked.retain(|_, asked| !matches!(asked, Asked::Nothing(_)));
        }
        let missed = matches!(before, Some(Asked::MissedOnce(_)));
        let registry = Arc::clone(self);
        let started = std::thread::Builder::new()
            .name("schema-registry".to_owned())
            .spawn(move || registry.ask_for(id, missed));
        let state = if started.is_ok() { Asked::Running } else { Asked::Failed(now + AGAIN) };
        asked.insert(id, state);
        Meaning::Asking
    }

    /// Asks once and notes what came of it.
    fn ask_for(&self, id: u32, missed: bool) {
        let answer = self.ask(id);
        let now = Instant::now();
        let mut asked = self.asked.lock();
        match answer {
            Ok(Some(_)) => asked.remove(&id),
            Ok(None) if missed => {
                tracing::warn!(
                    id,
                    "the schema registry has no such schema; its records are rejected"
                );
                asked.insert(id, Asked::Nothing(now + NOTHING_FOR))
            }
            Ok(None) => asked.insert(id, Asked::MissedOnce(now + TWICE)),
            Err(error) => {
                tracing::warn!(id, %error, "records wait for the schema they were written with");
                asked.insert(id, Asked::Failed(now + AGAIN))
            }
        };
    }

    /// The fingerprint of the schema called `id`; `None` when there is none that can be read.
    pub(super) fn ask(&self, id: u32) -> Result<Option<u64>, RegistryError> {
        let known = self.ids.read().read(id);
        if known.is_some() {
            return Ok(known);
        }
        let found = self.api.schema(id)?.and_then(|schema| known::fingerprint_of(&schema));
        if let Some(fingerprint) = found {
            // Somebody else may have learned it meanwhile; what was learned first holds.
            let _ = self.ids.write().learn(None, fingerprint, id);
        }
        Ok(found)
    }
}
