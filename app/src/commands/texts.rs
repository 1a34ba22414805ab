//! `answers` and `policy`: what the machine says and which turns it answers. On Kafka they write to the
//! log themselves. Without, the log belongs to one process: a running server is asked to, and where
//! none runs the log is opened here.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use parking_lot::RwLock;
use pipeline::Log;
use pipeline::clock::{Clock, SystemClock};
use reqwest::Method;

use super::releases::asker;
use super::server::{Server, Way, way};
use super::{print, settings};
use crate::cli::texts::{Asked, Texts};
use crate::config::Settings;
use crate::inputs::{self, Applied, Apply, Kind, Refused};

/// Does what is asked of the texts of `kind`.
pub(super) fn run(kind: Kind, asked: &Texts, file: Option<&Path>) -> anyhow::Result<()> {
    let settings = settings(file, asked.data_dir.as_deref())?;
    super::runtime()?.block_on(act(kind, asked, &settings))
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

async fn act(kind: Kind, asked: &Texts, settings: &Settings) -> anyhow::Result<()> {
    let tenant = asked.tenant.as_deref();
    match &asked.asked {
        Asked::Lint { file } => {
            let wrong = inputs::lint_beside_configured(kind, &read(file)?, settings, tenant)?;
            if !wrong.is_empty() {
                bail!("{}", inputs::in_file(&file.display().to_string(), &wrong));
            }
            print(&format!("{} is sound", file.display()))
        }
        Asked::Apply { file } => {
            let text = read(file)?;
            // Here already, so that mistakes are told with the name of the file.
            let named = file.display().to_string();
            let applied = reach(asked, settings).await?.apply(kind, tenant, &named, &text).await?;
            print(&told(kind, &applied))
        }
        Asked::Show => {
            print(reach(asked, settings).await?.show(kind, tenant).await?.text.trim_end())
        }
        Asked::Reset => {
            let applied = reach(asked, settings).await?.reset(kind, tenant).await?;
            print(&told(kind, &applied))
        }
    }
}

fn told(kind: Kind, applied: &Applied) -> String {
    let whose = match &applied.tenant {
        Some(tenant) if !applied.inherited => format!("of {tenant}"),
        Some(tenant) => format!("of all, and of {tenant} with them,"),
        None => "of all tenants without their own".to_owned(),
    };
    format!("the {} {whose} is {} now", kind.name(), applied.version)
}

/// How the texts in use are got at.
enum Reach<'a> {
    Log(Arc<dyn Log>, RwLock<inputs::Known>, &'a Settings),
    Server(Server),
}

async fn reach<'a>(asked: &Texts, settings: &'a Settings) -> anyhow::Result<Reach<'a>> {
    let named = (asked.url.as_deref(), asked.token.as_deref());
    match way::<Applied>(named, "/v1/answers", settings).await? {
        Way::Log(log) => opened(log, settings).await,
        Way::Server(server) => Ok(Reach::Server(server)),
    }
}

async fn opened(log: Arc<dyn Log>, settings: &Settings) -> anyhow::Result<Reach<'_>> {
    let (known, _) = inputs::read(&*log, SystemClock.now_ms()).await?;
    Ok(Reach::Log(log, RwLock::new(known), settings))
}

/// `/v1/answers?by=…&tenant=…`
fn path(kind: Kind, tenant: Option<&str>) -> String {
    let kind = if kind == Kind::Answers { "answers" } else { "policy" };
    let tenant = tenant.map(|tenant| format!("&tenant={tenant}")).unwrap_or_default();
    format!("/v1/{kind}?by={}{tenant}", asker())
}

impl Reach<'_> {
    async fn show(&self, kind: Kind, tenant: Option<&str>) -> anyhow::Result<Applied> {
        match self {
            Self::Log(log, known, settings) => {
                Ok(Apply { log: &**log, settings, known }.shown(kind, tenant)?)
            }
            Self::Server(server) => server.get(&path(kind, tenant)).await,
        }
    }

    async fn apply(
        &self,
        kind: Kind,
        tenant: Option<&str>,
        file: &str,
        text: &str,
    ) -> anyhow::Result<Applied> {
        match self {
            Self::Log(log, known, settings) => {
                let by = (&*asker(), SystemClock.now_ms());
                let apply = Apply { log: &**log, settings, known };
                match apply.apply(kind, tenant, text, by).await {
                    Ok(_) => again(log, settings, kind, tenant).await,
                    Err(Refused::Wrong(wrong)) => bail!("{}", inputs::in_file(file, &wrong)),
                    Err(refused) => Err(refused.into()),
                }
            }
            Self::Server(server) => {
                let text = text.to_owned();
                server.ask(Method::PUT, &path(kind, tenant), |it| Ok(it.body(text))).await
            }
        }
    }

    async fn reset(&self, kind: Kind, tenant: Option<&str>) -> anyhow::Result<Applied> {
        match self {
            Self::Log(log, known, settings) => {
                let by = (&*asker(), SystemClock.now_ms());
                Apply { log: &**log, settings, known }.reset(kind, tenant, by).await?;
                again(log, settings, kind, tenant).await
            }
            Self::Server(server) => server.ask(Method::DELETE, &path(kind, tenant), Ok).await,
        }
    }
}

/// What the log says now.
async fn again(
    log: &Arc<dyn Log>,
    settings: &Settings,
    kind: Kind,
    tenant: Option<&str>,
) -> anyhow::Result<Applied> {
    let (known, _) = inputs::read(&**log, SystemClock.now_ms()).await?;
    let known = RwLock::new(known);
    Ok(Apply { log: &**log, settings, known: &known }.shown(kind, tenant)?)
}
