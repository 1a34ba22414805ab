//! Putting a new version into use: held to what the product knows, written down, then told to everybody.
//!
//! Writes `settings`, `answers` and `settings-in-use`. Invariant: a version is durable before anybody is
//! told of it.

use std::collections::BTreeSet;

use classifier::{Models, Task};
use parking_lot::RwLock;
use pipeline::Log;
use schemas::ops::SettingInUse;
use serde::{Deserialize, Serialize};

use super::CONFIGURATION;
use super::in_use::{self, Known};
use super::kind::Kind;
use super::lint::{Told, lint};
use crate::config::Settings;
use crate::models::kept::Kept;

/// Why nothing was put into use.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The installation has no such tenant.
    #[error("there is no tenant '{0}'")]
    NoTenant(String),
    /// The text is wrong.
    #[error("it is wrong and was not put into use:\n{}", super::in_file("", .0))]
    Wrong(Vec<Told>),
    /// The log did not take it.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// What is in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Whose; absent: of all tenants without their own.
    pub tenant: Option<String>,
    /// The version.
    pub version: String,
    /// The tenant has none of its own: it is the one for all.
    pub inherited: bool,
    /// It is what the configuration says.
    pub configured: bool,
    /// Who put it into use.
    pub by: String,
    /// Since when (Unix, ms).
    pub at_ms: i64,
    /// The text.
    pub text: String,
}

/// What the models score, as far as this process can tell without a server.
pub(super) fn scored(settings: &Settings) -> BTreeSet<String> {
    let built_in = router::Settings::built_in().map(|policy| policy.intents).unwrap_or_default();
    let mut scored: BTreeSet<String> = built_in.into_keys().collect();
    let live = Kept::of(&settings.server.data_dir).live();
    if let Some(models) = live.and_then(|dir| Models::open(&dir).ok()) {
        scored.extend(models.labels(Task::Intent).iter().cloned());
    }
    scored
}

/// Puts things into use.
pub struct Apply<'a> {
    /// Where versions are.
    pub log: &'a dyn Log,
    /// Whose tenants, and which models.
    pub settings: &'a Settings,
    /// What the log says.
    pub known: &'a RwLock<Known>,
}

impl Apply<'_> {
    fn tenant<'t>(&self, tenant: Option<&'t str>) -> Result<&'t str, Refused> {
        match tenant {
            Some(name) if !self.settings.tenants.contains_key(name) => {
                Err(Refused::NoTenant(name.to_owned()))
            }
            tenant => Ok(tenant.unwrap_or_default()),
        }
    }

    /// What is in use for `tenant`, or for all.
    ///
    /// # Errors
    /// [`Refused::NoTenant`].
    pub fn shown(&self, kind: Kind, tenant: Option<&str>) -> Result<Applied, Refused> {
        let name = self.tenant(tenant)?;
        let known = self.known.read();
        let found = known.of(kind, name);
        let found = found.ok_or_else(|| anyhow::anyhow!("no {} is in use", kind.name()))?;
        let text = known.text(kind, &found.version).unwrap_or_default();
        Ok(Applied {
            tenant: tenant.map(str::to_owned),
            version: found.version.clone(),
            inherited: found.tenant != name,
            configured: found.by.starts_with(CONFIGURATION),
            by: found.by.clone(),
            at_ms: found.at_ms,
            text: kind.shown(text).to_owned(),
        })
    }

    /// Puts `text` into use for `tenant`, or for all that have none of their own.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn apply(
        &self,
        kind: Kind,
        tenant: Option<&str>,
        text: &str,
        (by, now_ms): (&str, i64),
    ) -> Result<SettingInUse, Refused> {
        let name = self.tenant(tenant)?;
        let beside = self.shown(kind.beside(), tenant)?.text;
        let wrong = lint(kind, text, &beside, &scored(self.settings));
        if !wrong.is_empty() {
            return Err(Refused::Wrong(wrong));
        }
        let kept = kind.kept(text, self.settings);
        let content = in_use::content(kind, &kept, now_ms)?;
        self.log.append(vec![content]).await.map_err(anyhow::Error::from)?;
        self.put(kind, name, &in_use::version_of(&kept), (by, now_ms)).await
    }

    /// Puts what the configuration says into use again; a tenant of which it says nothing has none of
    /// its own any more.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn reset(
        &self,
        kind: Kind,
        tenant: Option<&str>,
        (by, now_ms): (&str, i64),
    ) -> Result<SettingInUse, Refused> {
        let name = self.tenant(tenant)?;
        let by = format!("{CONFIGURATION}, asked for by {by}");
        let Some(text) = kind.configured(self.settings, tenant)? else {
            return self.put(kind, name, "", (&by, now_ms)).await;
        };
        kind.check(&text).map_err(anyhow::Error::msg)?;
        let content = in_use::content(kind, &text, now_ms)?;
        self.log.append(vec![content]).await.map_err(anyhow::Error::from)?;
        self.put(kind, name, &in_use::version_of(&text), (&by, now_ms)).await
    }

    async fn put(
        &self,
        kind: Kind,
        name: &str,
        version: &str,
        (by, at_ms): (&str, i64),
    ) -> Result<SettingInUse, Refused> {
        let configured = self.known.read().own(kind, name).map(|own| own.configured.clone());
        let in_use = SettingInUse {
            name: kind.name().to_owned(),
            tenant: name.to_owned(),
            version: version.to_owned(),
            configured: configured.unwrap_or_default(),
            by: by.to_owned(),
            at_ms,
        };
        let record = in_use::putting(self.log, &in_use)?;
        self.log.append(vec![record]).await.map_err(anyhow::Error::from)?;
        Ok(in_use)
    }
}
