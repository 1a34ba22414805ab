//! What every door does with what it heard: seal it, append it, answer only when it is durable, and
//! hear back what came of it.

mod caller;
mod event;
mod hear;
mod history;
mod normalize;
mod outcome;
mod problem;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pipeline::clock::Clock;
use pipeline::log::AppendError;
use pipeline::{Log, Record};
use schemas::ids::{LineKey, MessageId};
use schemas::message::{Channel, Contact};
use schemas::sealed::{Keyring, SealError};

use crate::media::{Intake, StoreError};

pub use caller::Caller;
pub use event::{Enclosed, Event, Malformed, Notice, sealed};
pub use hear::{Heard, Hub, Watch};
pub use history::{History, HistoryError, QueuePlace, Trace, Wait};
pub use normalize::{HeardMessage, HeardStatus, HeardThread, Identity, ThreadName, phone_number};
pub(crate) use normalize::{key_of, provider_message, random_bytes};
pub use outcome::{Decision, Progress};
pub use problem::{JsonBody, Problem, RawBody, body_limit};

/// A door: what channel adapters hand their messages to.
#[derive(Clone)]
pub struct Door {
    shared: Arc<Shared>,
}

struct Shared {
    log: Arc<dyn Log>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    hub: Arc<Hub>,
    history: Arc<dyn History>,
    intake: Intake,
    settings: DoorSettings,
}

/// How doors behave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorSettings {
    /// How long a caller that asked for the decision is kept waiting.
    pub wait: Duration,
    /// Tenants whose customers' messages are not taken in for now.
    pub inactive: BTreeSet<String>,
}

impl Default for DoorSettings {
    fn default() -> Self {
        Self { wait: Duration::from_secs(2), inactive: BTreeSet::new() }
    }
}

/// Why something was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The tenant is not one of this installation's.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Nothing of the tenant is taken in.
    #[error("tenant '{0}' is not active: nothing is taken in until tenants.{0}.active is set")]
    Inactive(String),
    /// The files that came with it cannot be kept now.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

impl Door {
    /// A door that appends to `log`, keeps files by `intake` and hears back through `hub`.
    #[must_use]
    pub fn new(
        log: Arc<dyn Log>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        hub: Arc<Hub>,
        history: Arc<dyn History>,
        intake: Intake,
        settings: DoorSettings,
    ) -> Self {
        Self { shared: Arc::new(Shared { log, keyring, clock, hub, history, intake, settings }) }
    }

    /// The tenants' keys.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.shared.keyring
    }

    /// What the store remembers.
    #[must_use]
    pub fn history(&self) -> &dyn History {
        self.shared.history.as_ref()
    }

    /// How this door behaves.
    #[must_use]
    pub fn settings(&self) -> &DoorSettings {
        &self.shared.settings
    }

    /// Now (Unix, ms).
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.shared.clock.now_ms()
    }

    /// What the contact is called in the log.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn contact(
        &self,
        tenant: &str,
        channel: Channel,
        contact: &Contact,
    ) -> Result<LineKey, SealError> {
        Ok(key_of(self.shared.keyring.of(tenant)?, tenant, channel, contact))
    }

    /// Follows what happens to a contact, from now on.
    #[must_use]
    pub fn watch(&self, key: &LineKey) -> Watch {
        self.shared.hub.watch(key)
    }

    /// What happened to a contact in the last moments, oldest first.
    #[must_use]
    pub fn recent(&self, key: &LineKey) -> Vec<Heard> {
        self.shared.hub.recent(key)
    }

    /// Makes the record of a message, with its identity and its contact.
    ///
    /// # Errors
    /// [`AcceptError`], but for the log's.
    pub fn seal(
        &self,
        tenant: &str,
        heard: HeardMessage,
    ) -> Result<(MessageId, LineKey, Record), AcceptError> {
        self.is_open_to(tenant)?;
        Ok(normalize::message(self.shared.keyring.of(tenant)?, tenant, heard, self.now_ms())?)
    }

    /// Whether anything of `tenant` is taken in.
    ///
    /// # Errors
    /// [`AcceptError::Inactive`].
    pub fn is_open_to(&self, tenant: &str) -> Result<(), AcceptError> {
        if self.shared.settings.inactive.contains(tenant) {
            return Err(AcceptError::Inactive(tenant.to_owned()));
        }
        Ok(())
    }

    /// The largest record the log takes, in bytes.
    #[must_use]
    pub fn record_bytes_max(&self) -> usize {
        self.shared.log.record_bytes_max()
    }

    /// Appends records and waits until they are durable.
    ///
    /// # Errors
    /// [`AppendError`].
    pub async fn append(&self, records: Vec<Record>) -> Result<(), AppendError> {
        self.shared.log.append(records).await.map(|_| ())
    }
}
