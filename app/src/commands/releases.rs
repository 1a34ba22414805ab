//! `model`: which models decide. On Kafka it writes to the log itself. Without, the log belongs to one
//! process: a running server is asked to, and where none runs the log is opened here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use classifier::Models;
use pipeline::Log;
use pipeline::clock::{Clock, SystemClock};
use pipeline::log::Tail;
use reqwest::{Method, RequestBuilder};
use schemas::Avro;
use schemas::models::{ModelFiles, ModelPublished};
use schemas::topics::SHADOW_STATE;
use serde_json::Value;

use super::server::{Server, Way, way};
use super::{print, settings};
use crate::cli::model::{Asked, Model};
use crate::config::Settings;
use crate::models::chunks;
use crate::models::installed::{Installed, Listed, cards};
use crate::models::kept::{Kept, files_of};
use crate::models::releases::{self, By, Change, Releases};
use crate::models::shadowed::{Report, Tallies};

/// How long the log may say nothing, at first and then, before all counts have been heard.
const FIRST_WORD: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(1);
/// A log that never falls silent is heard for so long.
const HEARD_MAX: Duration = Duration::from_secs(10);
/// Where a server is asked.
const MODELS: &str = "/v1/models";

/// Does what is asked.
pub(super) fn run(asked: &Model, file: Option<&Path>) -> anyhow::Result<()> {
    let settings = settings(file, asked.data_dir.as_deref())?;
    super::runtime()?.block_on(act(asked, &settings))
}

async fn act(asked: &Model, settings: &Settings) -> anyhow::Result<()> {
    if let Asked::Show { model: Some(dir) } = &asked.asked
        && Path::new(dir).is_dir()
    {
        return print(&serde_json::to_string_pretty(&cards(&Models::open(Path::new(dir))?)?)?);
    }
    let mut models = reach(asked, settings).await?;
    match &asked.asked {
        Asked::List { json: true } => print(&serde_json::to_string(&models.listed().await?)?),
        Asked::List { json: false } => print(&table(&models.listed().await?)),
        Asked::Show { model } => {
            let version = match model {
                Some(version) => version.clone(),
                None => models.listed().await?.in_use.context("none is live yet")?.live,
            };
            print(&serde_json::to_string_pretty(&models.show(&version).await?)?)
        }
        Asked::Publish { dir } => {
            let published = models.publish(dir).await?;
            print(&format!("{} is published", published.version))
        }
        Asked::Promote { model } => {
            let version = models.version_of(model).await?;
            models.change(&Change::Promote(version)).await
        }
        Asked::Rollback => models.change(&Change::Rollback).await,
        Asked::Shadow { stop: true, .. } => models.change(&Change::EndShadow).await,
        Asked::Shadow { report: true, json, .. } => {
            let report = models.report().await?;
            print(&if *json { serde_json::to_string(&report)? } else { report.table() })
        }
        Asked::Shadow { model, .. } => {
            let model = model.as_deref().context("name a version or a directory")?;
            let version = models.version_of(model).await?;
            models.change(&Change::Shadow(version)).await
        }
    }
}

/// How the installation's models are got at.
enum Reach {
    Log(Box<Opened>),
    Server(Server),
}

/// The log, read.
struct Opened {
    installed: Installed,
    releases: Releases,
    tallies: Tallies,
    tail: Box<dyn Tail>,
}

async fn reach(asked: &Model, settings: &Settings) -> anyhow::Result<Reach> {
    let named = (asked.url.as_deref(), asked.token.as_deref());
    match way::<Listed>(named, MODELS, settings).await? {
        Way::Log(log) => opened(log, settings).await,
        Way::Server(server) => Ok(Reach::Server(server)),
    }
}

async fn opened(log: Arc<dyn Log>, settings: &Settings) -> anyhow::Result<Reach> {
    let mut tallies = Tallies::default();
    let now_ms = SystemClock.now_ms();
    let (releases, tail) = releases::read(&*log, now_ms, |record| tallies.hear(record)).await?;
    let kept = Kept::of(&settings.server.data_dir);
    let installed = Installed { log, kept, layout: settings.line.layout };
    Ok(Reach::Log(Box::new(Opened { installed, releases, tallies, tail })))
}

/// Who asks.
fn by() -> By {
    By { name: asker(), now_ms: SystemClock.now_ms() }
}

/// The name of who asks.
pub(super) fn asker() -> String {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let mut name = name.unwrap_or_else(|_| "somebody".to_owned());
    // It becomes part of an address.
    name.retain(|letter| letter.is_alphanumeric() || "-_.".contains(letter));
    name
}

impl Reach {
    async fn listed(&self) -> anyhow::Result<Listed> {
        match self {
            Self::Log(log) => Ok(Listed::of(&log.releases, None)),
            Self::Server(server) => server.get(MODELS).await,
        }
    }

    async fn show(&self, version: &str) -> anyhow::Result<Value> {
        match self {
            Self::Log(log) => log.installed.show(&log.releases, version).await,
            Self::Server(server) => server.get(&format!("{MODELS}/{version}")).await,
        }
    }

    /// The version of what was named; a directory is published, unless it is already.
    async fn version_of(&mut self, named: &str) -> anyhow::Result<String> {
        let dir = Path::new(named);
        if !dir.is_dir() {
            return Ok(named.to_owned());
        }
        let version = Models::open(dir)?.version().to_owned();
        let there = self.listed().await?.versions.iter().any(|one| one.version == version);
        if there { Ok(version) } else { Ok(self.publish(dir).await?.version) }
    }

    async fn publish(&mut self, dir: &Path) -> anyhow::Result<ModelPublished> {
        // Here already, so that what is wrong with it is told by its own name.
        Models::open(dir)?;
        let files: ModelFiles = files_of(dir)?;
        match self {
            Self::Log(log) => {
                let published = log.installed.publish(files, &by()).await?;
                log.releases.published.insert(published.version.clone(), published.clone());
                Ok(published)
            }
            Self::Server(server) => {
                let path = format!("{MODELS}?by={}", by().name);
                let with = |request: RequestBuilder| Ok(request.body(files.to_bytes()?));
                server.ask(Method::POST, &path, with).await
            }
        }
    }

    async fn change(&mut self, change: &Change) -> anyhow::Result<()> {
        let listed = match self {
            Self::Log(log) => {
                let in_use = log.installed.change(&log.releases, change, &by()).await?;
                log.releases.in_use = Some(in_use);
                let (releases, reader) = (&log.releases, log.installed.reader());
                let now_ms = SystemClock.now_ms();
                for gone in chunks::trim(&*log.installed.log, releases, &reader, now_ms).await? {
                    print(&format!("{gone} has gone: there were too many"))?;
                }
                Listed::of(&log.releases, None)
            }
            Self::Server(server) => {
                let path = format!("{MODELS}/in-use?by={}", by().name);
                let with = |request: RequestBuilder| Ok(request.json(change));
                server.ask::<Listed>(Method::POST, &path, with).await?
            }
        };
        let in_use = listed.in_use.context("the models in use are not known")?;
        if listed.ready.as_ref().is_some_and(|ready| *ready != in_use.live) {
            bail!("{} is live, but the server did not take it up: its log says why", in_use.live);
        }
        print(&match (change, &in_use.candidate) {
            (Change::Shadow(_), Some(candidate)) => format!(
                "{candidate} is scored beside {}; `model shadow --report` tells how they differ",
                in_use.live
            ),
            (Change::EndShadow, _) => format!("{} is alone", in_use.live),
            _ => format!(
                "{} is live; before: {}",
                in_use.live,
                in_use.previous.as_deref().unwrap_or("none")
            ),
        })
    }

    async fn report(&mut self) -> anyhow::Result<Report> {
        match self {
            Self::Log(log) => {
                log.hear_counts().await?;
                let in_use = log.releases.in_use.as_ref();
                let pair =
                    in_use.and_then(|now| Some((now.live.as_str(), now.candidate.as_deref()?)));
                log.tallies.report(pair).context("no candidate has been shadowed")
            }
            Self::Server(server) => server.get(&format!("{MODELS}/shadow")).await,
        }
    }
}

impl Opened {
    /// Hears the counts there are.
    async fn hear_counts(&mut self) -> anyhow::Result<()> {
        let until = tokio::time::Instant::now() + HEARD_MAX;
        let mut patience = FIRST_WORD;
        while tokio::time::Instant::now() < until {
            let Ok(records) = tokio::time::timeout(patience, self.tail.next()).await else {
                return Ok(());
            };
            patience = SILENCE;
            records?
                .iter()
                .filter(|record| record.topic == SHADOW_STATE)
                .for_each(|record| self.tallies.hear(record));
        }
        Ok(())
    }
}

fn table(listed: &Listed) -> String {
    let mut text = format!("{:<14} {:<10} {:>9}  {:<12} by\n", "version", "", "bytes", "published");
    let role = |version: &str| {
        let Some(now) = &listed.in_use else { return "" };
        match version {
            version if version == now.live => "live",
            version if now.candidate.as_deref() == Some(version) => "candidate",
            version if now.previous.as_deref() == Some(version) => "previous",
            _ => "",
        }
    };
    for one in &listed.versions {
        let (version, role, bytes) = (&one.version, role(&one.version), one.size_bytes);
        let when = ago(one.published_at_ms);
        text += &format!("{version:<14} {role:<10} {bytes:>9}  {when:<12} {}\n", one.published_by);
    }
    if let Some(now) = &listed.in_use {
        let (change, when) = (now.change.as_str(), ago(now.changed_at_ms));
        text += &format!("last change: {change}, {when}, by {}", now.changed_by);
    }
    text
}

fn ago(time_ms: i64) -> String {
    let minutes = (SystemClock.now_ms() - time_ms).max(0) / 60_000;
    match minutes {
        0..120 => format!("{minutes} min ago"),
        120..2_880 => format!("{} h ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1_440),
    }
}
