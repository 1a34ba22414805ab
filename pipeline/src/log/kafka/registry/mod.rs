//! Records as a schema registry frames them: a zero byte, the schema's id, big endian, and the datum
//! (Confluent's wire format), on the broker's side; with the schema's fingerprint, as the codec reads
//! and writes them, on ours.
//!
//! Invariants: what has no Avro header passes as it is; what is known of ids needs no registry; a
//! schema nobody can name now is waited for, and one the registry does not have leaves its record as
//! it came, for the reader to reject whole.

mod asking;
mod http;
mod ids;
mod register;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use schemas::known;
use schemas::topics::{Topic, TopicSpec};

use self::asking::Asked;
use self::http::Api;
use self::ids::Ids;
use super::Secret;
use crate::log::{LogError, Unit};
use crate::record::Record;

/// First byte of a record that a registry frames, and the length of its header.
const FRAMED: u8 = 0;
const FRAME_BYTES: usize = 5;

/// Where the schema registry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryOptions {
    /// `http://` or `https://`, with the path the Confluent interface has there.
    pub url: String,
    /// User, where it asks for one.
    pub username: Option<String>,
    /// That user's password.
    pub password: Option<Secret>,
    /// Certificates (PEM) of who may have signed the registry's; `None`: those the system trusts.
    pub ca_file: Option<PathBuf>,
    /// How long it may take to answer.
    pub within: Duration,
}

impl RegistryOptions {
    /// The defaults, at `url`.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            username: None,
            password: None,
            ca_file: None,
            within: Duration::from_secs(5),
        }
    }
}

/// What the registry could not be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RegistryError {
    /// Not now; perhaps later.
    #[error("{0}; records whose schemas are known go on, the rest is tried again")]
    Unavailable(String),
    /// The schema breaks what readers of the topic count on.
    #[error(
        "the schema registry refuses a schema as incompatible ({0}): a release may change a public \
         schema only so that readers of all earlier ones are served"
    )]
    Incompatible(String),
    /// An operator must look at it.
    #[error("{0}")]
    Refused(String),
}

impl From<RegistryError> for LogError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Unavailable(_) => Self::Redeliver(error.to_string()),
            _ => Self::Fatal(error.to_string()),
        }
    }
}

/// What a value read from a broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Read {
    /// As the stages read it.
    Value(Bytes),
    /// Its schema is being asked for: look again.
    Waits,
}

/// The registry, and what is known of it.
pub(super) struct Registry {
    api: Api,
    prefix: String,
    ids: RwLock<Ids>,
    /// The same for what is written, as it is looked up for each record.
    written: RwLock<HashMap<(Topic, u64), u32>>,
    /// Topics that [`super::KafkaLog`] was told of, beside those everybody knows.
    specs: RwLock<HashMap<Topic, TopicSpec>>,
    asked: Mutex<HashMap<u32, Asked>>,
}

impl Registry {
    /// Asks nobody yet. `dir`: where the ids are kept.
    pub(super) fn open(
        options: &RegistryOptions,
        prefix: &str,
        dir: Option<&Path>,
    ) -> Result<Arc<Self>, RegistryError> {
        let api = Api::new(options)?;
        let ids = Ids::open(dir, api.url());
        Ok(Arc::new(Self {
            api,
            prefix: prefix.to_owned(),
            ids: RwLock::new(ids),
            written: RwLock::default(),
            specs: RwLock::default(),
            asked: Mutex::default(),
        }))
    }

    fn spec(&self, topic: Topic) -> Option<TopicSpec> {
        let known = self.specs.read().get(&topic).copied();
        known.or_else(|| schemas::topics::named(topic.0).copied())
    }

    /// Under what the schemas of a topic are registered.
    fn subject(&self, topic: Topic) -> String {
        format!("{}{topic}-value", self.prefix)
    }

    /// `value` as it goes to the broker. Asks the registry for a schema it has not been asked for yet.
    pub(super) fn framed(&self, topic: Topic, value: &Bytes) -> Result<Bytes, RegistryError> {
        let Some((fingerprint, datum)) = known::take_apart(value) else { return Ok(value.clone()) };
        let known = self.written.read().get(&(topic, fingerprint)).copied();
        let id = match known {
            Some(id) => id,
            None => match self.id_of(topic, fingerprint)? {
                Some(id) => id,
                // Not a schema of this topic's: whoever reads it will say so.
                None => return Ok(value.clone()),
            },
        };
        let mut framed = Vec::with_capacity(FRAME_BYTES + datum.len());
        framed.push(FRAMED);
        framed.extend_from_slice(&id.to_be_bytes());
        framed.extend_from_slice(datum);
        Ok(framed.into())
    }

    /// Whether [`Self::framed`] would ask the registry, which takes time.
    fn would_ask(&self, record: &Record) -> bool {
        let apart = record.value.as_ref().and_then(|value| known::take_apart(value));
        apart.is_some_and(|(print, _)| !self.written.read().contains_key(&(record.topic, print)))
    }

    /// `records` as they go to the broker, from an async worker.
    pub(super) async fn framed_all(
        self: &Arc<Self>,
        records: Vec<Record>,
    ) -> Result<Vec<Record>, LogError> {
        if !records.iter().any(|record| self.would_ask(record)) {
            return Ok(self.framed_now(records)?);
        }
        let registry = Arc::clone(self);
        super::blocking(move || Ok(registry.framed_now(records)?)).await
    }

    /// The same, where waiting for the registry is nobody's loss.
    pub(super) fn framed_now(
        &self,
        mut records: Vec<Record>,
    ) -> Result<Vec<Record>, RegistryError> {
        for record in &mut records {
            if let Some(value) = &record.value {
                record.value = Some(self.framed(record.topic, value)?);
            }
        }
        Ok(records)
    }

    /// `unit` with its states as they go to `changelog`.
    pub(super) fn framed_unit(&self, changelog: Topic, unit: &Unit) -> Result<Unit, RegistryError> {
        let mut unit = unit.clone();
        let changes = unit.partitions.iter_mut().flat_map(|part| &mut part.changes);
        for row in changes.filter_map(|(_, row)| row.as_mut()) {
            row.value = self.framed(changelog, &row.value)?;
        }
        Ok(unit)
    }

    /// `value` as the stages read it. Does not wait: what is not known is asked for meanwhile.
    pub(super) fn read(self: &Arc<Self>, value: &Bytes) -> Read {
        let Some((id, datum)) = take_apart(value) else { return Read::Value(value.clone()) };
        match self.meaning(id) {
            asking::Meaning::Schema(print) => Read::Value(known::put_together(print, datum).into()),
            asking::Meaning::Nothing => Read::Value(value.clone()),
            asking::Meaning::Asking => Read::Waits,
        }
    }

    /// The same, waiting for the registry.
    pub(super) fn read_now(&self, value: &Bytes) -> Result<Bytes, RegistryError> {
        let Some((id, datum)) = take_apart(value) else { return Ok(value.clone()) };
        Ok(match self.ask(id)? {
            Some(print) => known::put_together(print, datum).into(),
            None => value.clone(),
        })
    }
}

/// The id and the datum of what a registry frames; ids begin with 1.
fn take_apart(value: &[u8]) -> Option<(u32, &[u8])> {
    let (header, datum) = value.split_first_chunk::<FRAME_BYTES>()?;
    let (first, id) = header.split_first()?;
    let id = u32::from_be_bytes(*id.first_chunk::<4>()?);
    (*first == FRAMED && id != 0).then_some((id, datum))
}

/// What is asked of the registry at a start, each once.
fn distinct(topics: &[TopicSpec]) -> Vec<TopicSpec> {
    let mut seen = HashSet::new();
    topics.iter().filter(|spec| seen.insert(spec.topic)).copied().collect()
}
