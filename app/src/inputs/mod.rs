//! Side inputs: what stages are configured with, by version. Each version is written to a compacted
//! topic before it is used, and so is which of them are in use: a span replayed after a restart finds
//! the versions it first ran with, and a new version reaches every running process.

mod apply;
mod follow;
mod in_use;
mod kind;
mod lint;

use std::sync::Arc;

use anyhow::{Context, anyhow};
use ingest::turns;
use parking_lot::RwLock;
use pipeline::Log;
use pipeline::broadcast::{Broadcasts, Missing, PerTenant, Swapped, Versioned};
use responder::Catalogue;
use schemas::ops::SettingInUse;

use self::kind::Texts;
use crate::config::Settings;
use crate::layout;

pub use apply::{Applied, Apply, Refused};
pub use follow::Follower;
pub use in_use::{Known, read};
pub use kind::Kind;
pub use lint::{Told, in_file, lint};

/// Who puts into use what the configuration says.
const CONFIGURATION: &str = "configuration";

/// The side inputs of the stages.
#[derive(Clone)]
pub struct Inputs {
    /// Of `turns`.
    pub grouping: Arc<Swapped<turns::Settings>>,
    /// Of `router`.
    pub policy: Arc<Swapped<PerTenant<router::Settings>>>,
    /// Of `plan`.
    pub catalogue: Arc<Swapped<PerTenant<Catalogue>>>,
    /// What the log says of them.
    pub known: Arc<RwLock<Known>>,
}

/// How messages are grouped where a tenant has nothing of its own, from the configuration.
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

/// What is wrong with what the configuration names, a line each.
///
/// # Errors
/// When a file cannot be read.
pub fn mistakes(settings: &Settings) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let tenants = std::iter::once(None).chain(settings.tenants.keys().map(|name| Some(&**name)));
    for tenant in tenants {
        for kind in [Kind::Policy, Kind::Answers] {
            let Some(text) = kind.configured(settings, tenant)? else { continue };
            let told = lint_beside_configured(kind, kind.shown(&text), settings, tenant)?;
            let named = match tenant {
                Some(tenant) => format!("{} of {tenant}", kind.name()),
                None => kind.name().to_owned(),
            };
            wrong.extend(in_file(&named, &told).lines().map(str::to_owned));
        }
    }
    Ok(wrong)
}

/// What is wrong with `text`, beside the tenant's other text as it is configured.
///
/// # Errors
/// When a file cannot be read.
pub fn lint_beside_configured(
    kind: Kind,
    text: &str,
    settings: &Settings,
    tenant: Option<&str>,
) -> anyhow::Result<Vec<Told>> {
    let other = kind.beside();
    let beside = match other.configured(settings, tenant)? {
        Some(own) => own,
        None => other.configured(settings, None)?.unwrap_or_default(),
    };
    Ok(lint(kind, text, &beside, &apply::scored(settings)))
}

impl Inputs {
    /// Whether the stages of this process have been handed what is known to be in use.
    pub fn are_handed_on(&self, kind: Kind) -> bool {
        let handed = match kind {
            Kind::Grouping => self.grouping.latest().version.clone(),
            Kind::Policy => self.policy.latest().version.clone(),
            Kind::Answers => self.catalogue.latest().version.clone(),
        };
        self.known.read().combination(kind).is_some_and(|known| handed == known)
    }

    /// Reads what is in use, after what the configuration newly says has been put into use.
    ///
    /// # Errors
    /// When an input is wrong or the log does not take it.
    pub async fn load(
        log: &dyn Log,
        settings: &Settings,
        now_ms: i64,
    ) -> anyhow::Result<(Self, Follower)> {
        let (mut known, tail) = read(log, now_ms).await?;
        layout::hold(log, settings.line.layout, known.layout.as_deref(), now_ms).await?;
        take_configured(log, &mut known, settings, now_ms).await?;
        let known = Arc::new(RwLock::new(known));
        let inputs = Self {
            grouping: swapped(Kind::Grouping, &known, kind::groupings)?,
            policy: swapped(Kind::Policy, &known, kind::policies)?,
            catalogue: swapped(Kind::Answers, &known, kind::catalogues)?,
            known,
        };
        let follower = Follower::new(inputs.clone(), tail);
        Ok((inputs, follower))
    }
}

/// Puts into use what the configuration says now and did not say when a process last began. What was
/// applied since stays in use otherwise.
async fn take_configured(
    log: &dyn Log,
    known: &mut Known,
    settings: &Settings,
    now_ms: i64,
) -> anyhow::Result<()> {
    let (mut contents, mut puttings) = (Vec::new(), Vec::new());
    let tenants = std::iter::once(None).chain(settings.tenants.keys().map(|name| Some(&**name)));
    for (tenant, kind) in tenants.flat_map(|tenant| Kind::ALL.map(|kind| (tenant, kind))) {
        let Some((text, in_use)) = newly_said(known, settings, (kind, tenant), now_ms)? else {
            continue;
        };
        if let Some(text) = &text {
            kind.check(text).map_err(|error| anyhow!("{} is wrong: {error}", kind.name()))?;
            contents.push(in_use::content(kind, text, now_ms)?);
            known.put_text(kind, text);
        }
        puttings.push(in_use::putting(log, &in_use)?);
        known.put(kind, in_use);
    }
    // Nobody is told of a version before it is there.
    for records in [contents, puttings] {
        if !records.is_empty() {
            log.append(records).await?;
        }
    }
    Ok(())
}

/// What is to be put into use of an input, if anything: its text, and the record that says so.
fn newly_said(
    known: &Known,
    settings: &Settings,
    (kind, tenant): (Kind, Option<&str>),
    now_ms: i64,
) -> anyhow::Result<Option<(Option<String>, SettingInUse)>> {
    let text = kind.configured(settings, tenant)?;
    let configured = kind.mark(settings, tenant, text.as_deref());
    let name = tenant.unwrap_or_default();
    let own = known.own(kind, name);
    let said_before = own.map_or("", |own| &own.configured) == configured;
    let applied = own.filter(|own| said_before && !own.by.starts_with(CONFIGURATION));
    let text = match applied {
        // The tenants' clocks are the configuration's, whoever wrote the rest.
        Some(own) => known.text(kind, &own.version).map(|it| kind.kept(kind.shown(it), settings)),
        None => text,
    };
    let version = text.as_deref().map(in_use::version_of).unwrap_or_default();
    if said_before && own.map_or("", |own| &own.version) == version {
        return Ok(None);
    }
    let in_use = SettingInUse {
        name: kind.name().to_owned(),
        tenant: name.to_owned(),
        version,
        configured,
        by: applied.map_or(CONFIGURATION, |own| &own.by).to_owned(),
        at_ms: now_ms,
    };
    Ok(Some((text, in_use)))
}

/// A side input as it is in use; earlier combinations are made again from what is known.
fn swapped<B: Send + Sync + 'static>(
    kind: Kind,
    known: &Arc<RwLock<Known>>,
    put_together: fn(&Texts) -> Result<B, String>,
) -> anyhow::Result<Arc<Swapped<B>>> {
    let missing = move |version: &str, remedy: String| Missing {
        name: kind.name().to_owned(),
        version: version.into(),
        remedy,
    };
    let known = Arc::clone(known);
    let name = known.read().combination(kind);
    let name = name.with_context(|| format!("no {} is in use", kind.name()))?;
    let load = move |combination: &str| {
        let texts = known.read().texts(kind, combination).map_err(|version| {
            missing(&version, "restore the data directory from a backup".to_owned())
        })?;
        let content = put_together(&texts).map_err(|why| {
            let remedy =
                format!("this release cannot read it ({why}); drain with the release before");
            missing(combination, remedy)
        })?;
        Ok(Arc::new(Versioned { version: combination.into(), content }))
    };
    let first = load(&name)?;
    Ok(Arc::new(Swapped::new(first, load)))
}

/// What earlier clients call the kind of an intent: by who takes it.
pub fn group(policy: &router::Settings, intent: &str) -> &'static str {
    match policy.intents.get(intent).map(|policy| policy.queue.as_str()) {
        Some("suporte") => "technical",
        Some("financeiro") => "financial",
        Some("vendas") => "commercial",
        Some("admin") => "administrative",
        _ => "general",
    }
}
