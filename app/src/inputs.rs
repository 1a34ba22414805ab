//! Side inputs: what stages are configured with, by version. Each version is written to a compacted
//! topic before it is used, so that a span replayed after a restart finds the version it first ran
//! with, whatever the files say by then.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::Context;
use data_encoding::BASE32_DNSSEC;
use ingest::turns;
use pipeline::Log;
use pipeline::Record;
use pipeline::broadcast::{Missing, Swapped, Versioned};
use pipeline::log::From;
use responder::Catalogue;
use schemas::Avro;
use schemas::ops::Setting;
use schemas::topics::{ANSWERS, SETTINGS, Topic};
use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use crate::config::Settings;
use crate::layout;

const GROUPING: &str = "grouping";
const POLICY: &str = "policy";
const CATALOGUE: &str = "catalogue";

/// The side inputs of the stages.
pub struct Inputs {
    /// Of `turns`.
    pub grouping: Arc<Swapped<turns::Settings>>,
    /// Of `router`.
    pub policy: Arc<Swapped<router::Settings>>,
    /// Of `plan`.
    pub catalogue: Arc<Swapped<Catalogue>>,
    /// What earlier clients call the kind of each intent.
    pub intent_groups: BTreeMap<String, String>,
}

/// How messages are grouped, from the configuration.
pub fn grouping(settings: &Settings) -> turns::Settings {
    let configured = &settings.grouping;
    turns::Settings {
        default: turns::Grouping {
            enabled: configured.enabled,
            window_ms: configured.window_ms,
            age_ms_max: configured.age_ms_max,
            messages_max: configured.messages_max,
            ..turns::Grouping::default()
        },
        context_hours: settings.models.context_hours,
        transcript_wait_ms: match settings.transcriber.url.as_str() {
            "" => 0,
            _ => settings.transcriber.wait_s * 1000,
        },
        ..turns::Settings::default()
    }
}

/// The routing policy: the file's, or the built-in one; the tenants' clocks are the configuration's.
pub fn policy(settings: &Settings) -> anyhow::Result<router::Settings> {
    let file = &settings.router.policy_file;
    let mut policy = if file.is_empty() {
        router::Settings::built_in()?
    } else {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
        router::Settings::parse(&text).with_context(|| format!("in {file}"))?
    };
    policy.utc_offset_minutes = settings
        .tenants
        .iter()
        .map(|(name, tenant)| (name.clone(), tenant.utc_offset_minutes))
        .collect();
    Ok(policy)
}

/// The text of the answer catalogue: the file's, or the built-in one.
pub fn catalogue_text(settings: &Settings) -> anyhow::Result<String> {
    let file = &settings.answers.file;
    if file.is_empty() {
        return Ok(responder::catalogue::BUILT_IN.to_owned());
    }
    std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))
}

/// Names content by its hash.
fn version_of(content: &str) -> SmolStr {
    let hash = Sha256::digest(content.as_bytes());
    BASE32_DNSSEC.encode(hash.get(..10).unwrap_or_default()).into()
}

impl Inputs {
    /// Reads the configured inputs, writes their versions down, and learns the earlier ones.
    ///
    /// # Errors
    /// When an input is wrong or the log does not take it.
    pub async fn load(log: &dyn Log, settings: &Settings, now_ms: i64) -> anyhow::Result<Self> {
        let policy = policy(settings)?;
        let intent_groups = groups(&policy);
        let texts = [
            (SETTINGS, GROUPING, toml::to_string(&grouping(settings))?),
            (SETTINGS, POLICY, toml::to_string(&policy)?),
            (ANSWERS, CATALOGUE, catalogue_text(settings)?),
        ];
        Catalogue::parse(&texts[2].2).context("the answer catalogue is wrong")?;
        let versions = Arc::new(written(log, &texts, now_ms).await?);
        let begun = versions.keys().find(|(name, _)| name == layout::SETTING);
        let begun = begun.map(|(_, layout)| layout.as_str());
        layout::hold(log, settings.line.layout, begun, now_ms).await?;
        let [(_, _, grouping), (_, _, policy), (_, _, catalogue)] = &texts;
        Ok(Self {
            grouping: swapped(GROUPING, grouping, &versions, |text| {
                toml::from_str(text).map_err(|error| error.to_string())
            })?,
            policy: swapped(POLICY, policy, &versions, |text| {
                router::Settings::parse(text).map_err(|error| error.to_string())
            })?,
            catalogue: swapped(CATALOGUE, catalogue, &versions, |text| {
                Catalogue::parse(text).map_err(|error| error.to_string())
            })?,
            intent_groups,
        })
    }
}

/// What earlier clients call the kinds of intents: by who takes them.
fn groups(policy: &router::Settings) -> BTreeMap<String, String> {
    let group = |queue: &str| match queue {
        "suporte" => "technical",
        "financeiro" => "financial",
        "vendas" => "commercial",
        "admin" => "administrative",
        _ => "general",
    };
    policy
        .intents
        .iter()
        .map(|(intent, policy)| (intent.clone(), group(&policy.queue).to_owned()))
        .collect()
}

type Versions = HashMap<(String, String), String>;

/// Writes the versions in use down and reads back every version there is.
async fn written(
    log: &dyn Log,
    texts: &[(Topic, &str, String)],
    now_ms: i64,
) -> anyhow::Result<Versions> {
    let mut tail = log.tail(&[SETTINGS, ANSWERS], From::Start).await?;
    let mut records = Vec::new();
    for (topic, name, content) in texts {
        let version = version_of(content).to_string();
        let key = format!("{name}|{version}");
        let setting =
            Setting { name: (*name).to_owned(), version, content: content.as_bytes().to_vec() };
        records.push(Record::new(*topic, key.into_bytes(), setting.to_bytes()?, now_ms));
    }
    let topics: Vec<Topic> = records.iter().map(|record| record.topic).collect();
    let placed = log.append(records).await?.0;
    let mut open: Vec<_> = topics
        .iter()
        .zip(&placed)
        .map(|(topic, (partition, offset))| (*topic, *partition, *offset))
        .collect();
    let mut versions = Versions::new();
    while !open.is_empty() {
        for record in tail.next().await? {
            open.retain(|place| *place != (record.topic, record.partition, record.offset));
            let Some(value) = &record.value else { continue };
            let setting = Setting::from_bytes(value)?;
            let content = String::from_utf8(setting.content).unwrap_or_default();
            if setting.name == layout::SETTING {
                // The layout is one at a time: the last one written.
                versions.retain(|(name, _), _| name != layout::SETTING);
            }
            versions.insert((setting.name, setting.version), content);
        }
    }
    Ok(versions)
}

/// A side input whose newest version is `text` and whose earlier ones are in `versions`.
fn swapped<B: Send + Sync + 'static>(
    name: &'static str,
    text: &str,
    versions: &Arc<Versions>,
    parse: impl Fn(&str) -> Result<B, String> + Send + Sync + 'static,
) -> anyhow::Result<Arc<Swapped<B>>> {
    let content = parse(text).map_err(anyhow::Error::msg)?;
    let first = Arc::new(Versioned { version: version_of(text), content });
    let versions = Arc::clone(versions);
    let missing = move |version: &str, remedy: &str| Missing {
        name: name.to_owned(),
        version: version.into(),
        remedy: remedy.to_owned(),
    };
    let load = move |version: &str| {
        let text = versions
            .get(&(name.to_owned(), version.to_owned()))
            .ok_or_else(|| missing(version, "restore the data directory from a backup"))?;
        let content = parse(text).map_err(|why| {
            missing(
                version,
                &format!("this release cannot read it ({why}); drain with the release before"),
            )
        })?;
        Ok(Arc::new(Versioned { version: version.into(), content }))
    };
    Ok(Arc::new(Swapped::new(first, load)))
}
