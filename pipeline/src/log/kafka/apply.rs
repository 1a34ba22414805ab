//! Topics as the brokers have them, made to be as they are wanted.
//!
//! Invariants: nothing is changed where anything stands in the way; what is asked of the brokers
//! does not grow with the number of topics, but for those made anew.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rdkafka::admin::{
    AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewTopic, OwnedResourceSpecifier,
    ResourceSpecifier, TopicReplication,
};
use rdkafka::error::RDKafkaErrorCode;
use schemas::topics::TopicSpec;

use super::client::log_error;
use super::topology::{Difference, Found, How, Wanted, differences, wanted};
use super::{REQUEST_WITHIN, Shared, blocking, look};
use crate::log::LogError;

/// What [`super::KafkaLog::apply`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// What it changed.
    pub changed: Vec<Difference>,
    /// What is left for people.
    pub left: Vec<Difference>,
}

/// Topics as they are, with the settings somebody made.
struct Topics {
    wanted: Vec<Wanted>,
    found: HashMap<String, Found>,
    made: HashMap<String, HashMap<String, String>>,
}

impl Topics {
    fn differences(&self) -> Vec<Difference> {
        self.wanted.iter().flat_map(|one| differences(one, self.found.get(&one.name))).collect()
    }
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(REQUEST_WITHIN))
        .operation_timeout(Some(REQUEST_WITHIN))
}

/// Creates what is missing and refuses what is otherwise than it should be.
pub(super) async fn ensure(shared: &Arc<Shared>, specs: &[TopicSpec]) -> Result<(), LogError> {
    let topics = found(shared, specs).await?;
    let differences = topics.differences();
    let words: Vec<String> = differences
        .iter()
        .filter(|difference| difference.how != How::Missing)
        .map(ToString::to_string)
        .collect();
    if !words.is_empty() {
        return Err(LogError::Fatal(format!(
            "topics are not as they should be: {}",
            words.join("; ")
        )));
    }
    create(shared, &topics, &differences).await
}

/// How the topics differ from what they should be.
pub(super) async fn describe(
    shared: &Arc<Shared>,
    specs: &[TopicSpec],
) -> Result<Vec<Difference>, LogError> {
    Ok(found(shared, specs).await?.differences())
}

/// Creates what is missing and changes what can be changed.
pub(super) async fn apply(shared: &Arc<Shared>, specs: &[TopicSpec]) -> Result<Applied, LogError> {
    let topics = found(shared, specs).await?;
    let (changed, left): (Vec<Difference>, Vec<Difference>) =
        topics.differences().into_iter().partition(Difference::can_be_applied);
    create(shared, &topics, &changed).await?;
    alter(shared, &topics, &changed).await?;
    Ok(Applied { changed, left })
}

/// One request for all shapes, and one for all settings.
async fn found(shared: &Arc<Shared>, specs: &[TopicSpec]) -> Result<Topics, LogError> {
    let wanted: Vec<Wanted> =
        specs.iter().map(|spec| wanted(shared.clients.options(), spec)).collect();
    let names: BTreeSet<String> = wanted.iter().map(|one| one.name.clone()).collect();
    let asking = Arc::clone(shared);
    let mut topics = blocking(move || look::topics(&asking.clients, &names)).await?;
    let mut made = HashMap::new();
    if !topics.is_empty() {
        let admin = shared.clients.admin()?;
        let asked: Vec<ResourceSpecifier<'_>> =
            topics.keys().map(|name| ResourceSpecifier::Topic(name)).collect();
        let failed = |error| log_error("read the settings of topics", &error);
        let told = admin.describe_configs(&asked, &options()).await.map_err(failed)?;
        for one in told {
            let one = one.map_err(|code| {
                LogError::Redeliver(format!("the settings of a topic cannot be read: {code}"))
            })?;
            let OwnedResourceSpecifier::Topic(name) = &one.specifier else { continue };
            if let Some(found) = topics.get_mut(name) {
                found.settings = settings(&one, |_| true).collect();
            }
            let theirs = settings(&one, |source| *source == ConfigSource::DynamicTopic).collect();
            made.insert(name.clone(), theirs);
        }
    }
    Ok(Topics { wanted, found: topics, made })
}

fn settings(
    of: &ConfigResource,
    from: impl Fn(&ConfigSource) -> bool,
) -> impl Iterator<Item = (String, String)> {
    let entries = of.entries.iter().filter(move |entry| from(&entry.source));
    entries.filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)))
}

async fn create(
    shared: &Arc<Shared>,
    topics: &Topics,
    differences: &[Difference],
) -> Result<(), LogError> {
    let missing: BTreeSet<&str> = differences
        .iter()
        .filter(|difference| difference.how == How::Missing)
        .map(|difference| difference.topic.as_str())
        .collect();
    let mut new = Vec::new();
    for one in topics.wanted.iter().filter(|one| missing.contains(one.name.as_str())) {
        let partitions = i32::try_from(one.partitions).unwrap_or(i32::MAX);
        let bare = NewTopic::new(&one.name, partitions, TopicReplication::Fixed(one.replication));
        let set = one.settings.iter().fold(bare, |topic, (name, value)| topic.set(name, value));
        new.push(set);
    }
    if new.is_empty() {
        return Ok(());
    }
    let admin = shared.clients.admin()?;
    let failed = |error| log_error("create topics", &error);
    for result in admin.create_topics(&new, &options()).await.map_err(failed)? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                return Err(LogError::Fatal(format!("cannot create topic {name}: {code}")));
            }
        }
    }
    // Made, but perhaps without leaders yet: nobody is let in before every partition answers.
    let names: Vec<String> = missing.into_iter().map(str::to_owned).collect();
    let shared = Arc::clone(shared);
    blocking(move || {
        for name in &names {
            for partition in 0..shared.partitions {
                shared.ends(name, partition)?;
            }
        }
        Ok(())
    })
    .await
}

/// Changes settings. The brokers reset what a request does not name, so that it names all that
/// somebody set.
async fn alter(
    shared: &Arc<Shared>,
    topics: &Topics,
    differences: &[Difference],
) -> Result<(), LogError> {
    let mut changed: HashMap<&str, HashMap<String, String>> = HashMap::new();
    for difference in differences {
        let How::Setting { name, wanted, .. } = &difference.how else { continue };
        let topic = difference.topic.as_str();
        let settings = changed
            .entry(topic)
            .or_insert_with(|| topics.made.get(topic).cloned().unwrap_or_default());
        settings.insert((*name).to_owned(), wanted.clone());
    }
    if changed.is_empty() {
        return Ok(());
    }
    let asked: Vec<AlterConfig<'_>> = changed
        .iter()
        .map(|(topic, settings)| {
            let bare = AlterConfig::new(ResourceSpecifier::Topic(topic));
            settings.iter().fold(bare, |asked, (name, value)| asked.set(name, value))
        })
        .collect();
    let admin = shared.clients.admin()?;
    let failed = |error| log_error("change the settings of topics", &error);
    for result in admin.alter_configs(&asked, &options()).await.map_err(failed)? {
        if let Err((OwnedResourceSpecifier::Topic(name), code)) = result {
            return Err(LogError::Fatal(format!("cannot change the settings of {name}: {code}")));
        }
    }
    Ok(())
}
