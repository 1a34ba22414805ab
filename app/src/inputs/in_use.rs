//! Which versions of the side inputs are in use: what the log says, for all tenants and for some, and
//! the name of each combination.
//!
//! Reads and writes `settings`, `answers` and `settings-in-use`. A combination is named by all that is
//! in it, `<version>` or `<version>+<tenant>=<version>…`: it can be made again from the versions alone,
//! whatever was in use before or since.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use data_encoding::BASE32_DNSSEC;
use pipeline::log::{From, Tail};
use pipeline::{Log, Offset, Record, Stored, partition};
use schemas::Avro;
use schemas::ops::{Setting, SettingInUse};
use schemas::topics::{ANSWERS, SETTINGS, SETTINGS_IN_USE, Topic};
use sha2::{Digest, Sha256};

use super::kind::{Kind, Texts};
use crate::layout;

/// A record behind which all earlier ones of its partition have been read.
const LOOK: &str = "look";
/// Between the versions of a combination.
const AND: char = '+';

/// Names content by its hash.
pub fn version_of(content: &str) -> String {
    let hash = Sha256::digest(content.as_bytes());
    BASE32_DNSSEC.encode(hash.get(..10).unwrap_or_default())
}

/// What the log says.
#[derive(Debug, Default)]
pub struct Known {
    /// By input and version.
    texts: HashMap<(Kind, String), String>,
    /// By input and tenant; the empty one stands for all others.
    in_use: BTreeMap<(Kind, String), SettingInUse>,
    /// The layout that was written last.
    pub(super) layout: Option<String>,
}

/// The record of one version.
pub fn content(kind: Kind, text: &str, now_ms: i64) -> anyhow::Result<Record> {
    let (name, version) = (kind.name().to_owned(), version_of(text));
    let key = format!("{name}|{version}");
    let setting = Setting { name, version, content: text.as_bytes().to_vec() };
    Ok(Record::new(kind.topic(), key.into_bytes(), setting.to_bytes()?, now_ms))
}

/// The record that puts a version into use.
pub fn putting(log: &dyn Log, in_use: &SettingInUse) -> anyhow::Result<Record> {
    let key = in_use.key().into_bytes();
    let record = Record::new(SETTINGS_IN_USE, key, in_use.to_bytes()?, in_use.at_ms);
    let within = partition::of(SettingInUse::PARTITIONED_BY, log.partitions());
    Ok(Record { partition: Some(within), ..record })
}

/// Records that nobody reads, one in every partition there is to read.
fn looks(log: &dyn Log, now_ms: i64) -> anyhow::Result<Vec<Record>> {
    let setting = Setting { name: LOOK.to_owned(), version: String::new(), content: Vec::new() };
    let setting = setting.to_bytes()?;
    let in_use = SettingInUse {
        name: LOOK.to_owned(),
        tenant: String::new(),
        version: String::new(),
        configured: String::new(),
        by: String::new(),
        at_ms: now_ms,
    };
    let mut looks = vec![putting(log, &in_use)?];
    for topic in [SETTINGS, ANSWERS] {
        looks.extend((0..log.partitions()).map(|within| Record {
            partition: Some(within),
            ..Record::new(topic, LOOK, setting.clone(), now_ms)
        }));
    }
    Ok(looks)
}

/// Reads all there is; what comes later is in the tail.
///
/// # Errors
/// When the log cannot be read or written.
pub async fn read(log: &dyn Log, now_ms: i64) -> anyhow::Result<(Known, Box<dyn Tail>)> {
    let mut tail = log.tail(&[SETTINGS, ANSWERS, SETTINGS_IN_USE], From::Start).await?;
    let looks = looks(log, now_ms)?;
    let topics: Vec<Topic> = looks.iter().map(|record| record.topic).collect();
    let placed = log.append(looks).await?.0;
    let mut open: Vec<(Topic, u32, Offset)> = topics
        .into_iter()
        .zip(placed)
        .map(|(topic, (partition, offset))| (topic, partition, offset))
        .collect();
    let mut known = Known::default();
    while !open.is_empty() {
        for record in tail.next().await? {
            open.retain(|(topic, partition, offset)| {
                (*topic, *partition) != (record.topic, record.partition) || *offset > record.offset
            });
            known.hear(&record)?;
        }
    }
    Ok((known, tail))
}

impl Known {
    /// Takes account of a record; says whether it changes what is known.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn hear(&mut self, record: &Stored) -> anyhow::Result<bool> {
        let Some(value) = &record.value else { return Ok(false) };
        if record.topic == SETTINGS_IN_USE {
            let told = SettingInUse::from_bytes(value)?;
            let Some(kind) = Kind::named(&told.name) else { return Ok(false) };
            self.put(kind, told);
            return Ok(true);
        }
        let setting = Setting::from_bytes(value)?;
        if setting.name == layout::SETTING {
            self.layout = Some(setting.version);
            return Ok(false);
        }
        let Some(kind) = Kind::named(&setting.name) else { return Ok(false) };
        let text = String::from_utf8(setting.content).context("a setting is not text")?;
        self.texts.insert((kind, setting.version), text);
        Ok(true)
    }

    /// As if the log had said so.
    pub(super) fn put(&mut self, kind: Kind, in_use: SettingInUse) {
        self.in_use.insert((kind, in_use.tenant.clone()), in_use);
    }

    pub(super) fn put_text(&mut self, kind: Kind, text: &str) {
        self.texts.insert((kind, version_of(text)), text.to_owned());
    }

    /// What is in use for `tenant`, by its own or by what holds for all.
    pub fn of(&self, kind: Kind, tenant: &str) -> Option<&SettingInUse> {
        let own = self.own(kind, tenant).filter(|own| !own.version.is_empty());
        own.or_else(|| self.own(kind, ""))
    }

    /// What was said of `tenant` last; of all with the empty name.
    pub fn own(&self, kind: Kind, tenant: &str) -> Option<&SettingInUse> {
        self.in_use.get(&(kind, tenant.to_owned()))
    }

    /// The text of a version.
    pub fn text(&self, kind: Kind, version: &str) -> Option<&str> {
        self.texts.get(&(kind, version.to_owned())).map(String::as_str)
    }

    /// Names what is in use; `None` while nothing is for all.
    pub fn combination(&self, kind: Kind) -> Option<String> {
        let mut name = self.own(kind, "")?.version.clone();
        for ((of, tenant), own) in &self.in_use {
            if *of == kind && !tenant.is_empty() && !own.version.is_empty() {
                name.push(AND);
                name += &format!("{tenant}={}", own.version);
            }
        }
        Some(name)
    }

    /// The texts of a combination; an error names the version that is missing.
    pub fn texts(&self, kind: Kind, combination: &str) -> Result<Texts, String> {
        let text = |version: &str| match self.text(kind, version) {
            Some(text) => Ok((version.to_owned(), text.to_owned())),
            None => Err(version.to_owned()),
        };
        let mut parts = combination.split(AND);
        let all = text(parts.next().unwrap_or_default())?;
        let own = parts.filter_map(|part| part.split_once('='));
        let own = own.map(|(tenant, version)| Ok((tenant.to_owned(), text(version)?)));
        Ok(Texts { all, own: own.collect::<Result<_, String>>()? })
    }
}

#[cfg(test)]
mod tests {
    use pipeline::log::memory::MemoryLog;

    use super::*;

    fn in_use(tenant: &str, text: &str, at_ms: i64) -> SettingInUse {
        SettingInUse {
            name: Kind::Answers.name().to_owned(),
            tenant: tenant.to_owned(),
            version: if text.is_empty() { String::new() } else { version_of(text) },
            configured: String::new(),
            by: "Ana".to_owned(),
            at_ms,
        }
    }

    #[tokio::test]
    async fn what_is_in_use_is_read_back_and_its_name_tells_all_of_it() {
        let log = MemoryLog::new(3);
        for text in ["a", "b", "c"] {
            log.append(vec![content(Kind::Answers, text, 1).unwrap()]).await.unwrap();
        }
        let put = async |tenant: &str, text: &str, at_ms: i64| {
            let record = putting(&log, &in_use(tenant, text, at_ms)).unwrap();
            log.append(vec![record]).await.unwrap();
        };
        put("", "a", 1).await;
        assert_eq!(read(&log, 2).await.unwrap().0.combination(Kind::Policy), None);
        put("demo", "b", 3).await;
        put("acme", "c", 4).await;
        let (known, _) = read(&log, 5).await.unwrap();
        let [a, b, c] = ["a", "b", "c"].map(version_of);
        let name = known.combination(Kind::Answers).unwrap();
        assert_eq!(name, format!("{a}+acme={c}+demo={b}"));
        let texts = known.texts(Kind::Answers, &name).unwrap();
        assert_eq!(texts.all, (a.clone(), "a".to_owned()));
        assert_eq!(texts.own["acme"], (c, "c".to_owned()));
        assert_eq!(known.of(Kind::Answers, "demo").unwrap().version, b);
        assert_eq!(known.of(Kind::Answers, "other").unwrap().version, a);
        put("acme", "", 6).await;
        let (known, _) = read(&log, 7).await.unwrap();
        assert_eq!(known.combination(Kind::Answers).unwrap(), format!("{a}+demo={b}"));
        assert_eq!(known.of(Kind::Answers, "acme").unwrap().version, a);
        // What was in use before can be made again.
        assert_eq!(known.texts(Kind::Answers, &name).unwrap(), texts);
        assert_eq!(known.texts(Kind::Answers, "gone"), Err("gone".to_owned()));
    }
}
