//! What is registered: every schema of every topic, those of earlier releases first, so that the
//! registry can hold each next one against all before it.

use schemas::known::{self, Known};
use schemas::topics::{Topic, TopicSpec};

use super::{Registry, RegistryError, distinct};
use crate::log::LogError;

/// What a topic's schemas may become. Public ones are a contract; the others are read by this
/// program alone, which has the schemas of every release compiled in.
fn level(spec: &TopicSpec) -> &'static str {
    if spec.public { "BACKWARD_TRANSITIVE" } else { "NONE" }
}

impl Registry {
    /// Registers the schemas of `topics`. A registry that is away is no reason not to start while
    /// all that is going to be written is known.
    pub(in super::super) fn conform(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        let topics = distinct(topics);
        self.specs.write().extend(topics.iter().map(|spec| (spec.topic, *spec)));
        for spec in &topics {
            match self.conform_one(spec) {
                Ok(()) => {}
                Err(RegistryError::Unavailable(why)) => {
                    let unknown: Vec<&str> = topics
                        .iter()
                        .filter(|spec| !self.remembers(spec))
                        .map(|spec| spec.topic.0)
                        .collect();
                    if unknown.is_empty() {
                        tracing::warn!(%why, "starting without the schema registry");
                        return Ok(());
                    }
                    return Err(LogError::Redeliver(format!(
                        "{why}; it has to be there before {} can be written for the first time",
                        unknown.join(", ")
                    )));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn conform_one(&self, spec: &TopicSpec) -> Result<(), RegistryError> {
        let subject = self.subject(spec.topic);
        let mut known = known::schemas_of(spec.record).into_iter();
        // Some registries set nothing for a subject that has no schema yet.
        if let Some(first) = known.next() {
            self.register(spec.topic, &first)?;
        }
        let level = level(spec);
        if self.api.compatibility(&subject)?.as_deref() != Some(level) {
            self.api.set_compatibility(&subject, level)?;
        }
        known.try_for_each(|later| self.register(spec.topic, &later).map(|_| ()))
    }

    fn register(&self, topic: Topic, known: &Known) -> Result<u32, RegistryError> {
        let subject = self.subject(topic);
        let id = self.api.register(&subject, &known.schema)?;
        self.ids.write().learn(Some(&subject), known.fingerprint, id).map_err(|_| {
            RegistryError::Refused(format!(
                "the registry at {} gives the id {id} to another schema than before: it is not the \
                 registry that the records in the topics were written with. Restore its content, or \
                 use another prefix",
                self.api.url()
            ))
        })?;
        self.written.write().insert((topic, known.fingerprint), id);
        Ok(id)
    }

    /// Whether what this release writes to a topic has a known id.
    fn remembers(&self, spec: &TopicSpec) -> bool {
        let subject = self.subject(spec.topic);
        known::schemas_of(spec.record)
            .last()
            .is_none_or(|known| self.ids.read().written(&subject, known.fingerprint).is_some())
    }

    /// The id for `fingerprint` in `topic`: known from before, or asked for. `None` when it is not a
    /// schema of that topic.
    pub(super) fn id_of(
        &self,
        topic: Topic,
        fingerprint: u64,
    ) -> Result<Option<u32>, RegistryError> {
        let Some(spec) = self.spec(topic) else { return Ok(None) };
        let known = self.ids.read().written(&self.subject(topic), fingerprint);
        if let Some(id) = known {
            self.written.write().insert((topic, fingerprint), id);
            return Ok(Some(id));
        }
        let schemas = known::schemas_of(spec.record);
        let found = schemas.iter().find(|known| known.fingerprint == fingerprint);
        found.map(|known| self.register(topic, known)).transpose()
    }
}
