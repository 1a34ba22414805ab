//! The three side inputs of the line that people write: how each is read, and put together for all
//! tenants.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use ingest::turns;
use pipeline::broadcast::PerTenant;
use responder::Catalogue;
use schemas::topics::{ANSWERS, SETTINGS, Topic};

use super::in_use::version_of;
use crate::config::Settings;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// How messages are grouped.
    Grouping,
    /// Which turns the machine answers, and who answers the others.
    Policy,
    /// What it says.
    Answers,
}

/// The tenants' clocks stand behind a policy's own text, under this line.
const CLOCKS: &str = "# The tenants' clocks, by the configuration.\n";

/// Stands for what comes with the product.
const BUILT_IN: &str = "built-in";

impl Kind {
    pub const ALL: [Self; 3] = [Self::Grouping, Self::Policy, Self::Answers];

    /// What it is called in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grouping => "grouping",
            Self::Policy => "policy",
            Self::Answers => "catalogue",
        }
    }

    /// What its texts are held to.
    pub fn beside(self) -> Self {
        if self == Self::Policy { Self::Answers } else { Self::Policy }
    }

    /// Where its versions are.
    pub fn topic(self) -> Topic {
        match self {
            Self::Grouping | Self::Policy => SETTINGS,
            Self::Answers => ANSWERS,
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What the configuration says for all tenants, or for one; `None` where it says nothing.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn configured(
        self,
        settings: &Settings,
        tenant: Option<&str>,
    ) -> anyhow::Result<Option<String>> {
        let own = tenant.and_then(|tenant| settings.tenants.get(tenant));
        let none = String::new();
        let file = match (self, tenant) {
            (Self::Grouping, None) => {
                return Ok(Some(toml::to_string(&super::grouping(settings))?));
            }
            (Self::Grouping, Some(_)) => {
                let own = own.and_then(|own| own.grouping.as_ref());
                let own = own.map(|own| own.over(super::grouping(settings).default));
                return Ok(own.map(|own| toml::to_string(&own)).transpose()?);
            }
            (Self::Policy, None) => &settings.router.policy_file,
            (Self::Answers, None) => &settings.answers.file,
            (Self::Policy, Some(_)) => own.map_or(&none, |own| &own.policy_file),
            (Self::Answers, Some(_)) => own.map_or(&none, |own| &own.answers_file),
        };
        let text = match (file.as_str(), self) {
            ("", _) if tenant.is_some() => return Ok(None),
            ("", Self::Policy) => router::settings::BUILT_IN.to_owned(),
            ("", _) => responder::catalogue::BUILT_IN.to_owned(),
            (file, _) => {
                std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?
            }
        };
        Ok(Some(self.kept(&text, settings)))
    }

    /// What tells whether the configuration says something else than before. What comes with the product
    /// is always the same thing: a new release does not take the place of what was applied.
    pub fn mark(self, settings: &Settings, tenant: Option<&str>, text: Option<&str>) -> String {
        let built_in = match self {
            Self::Grouping => false,
            Self::Policy => settings.router.policy_file.is_empty(),
            Self::Answers => settings.answers.file.is_empty(),
        };
        match text {
            None => String::new(),
            Some(_) if tenant.is_none() && built_in => BUILT_IN.to_owned(),
            Some(text) => version_of(self.shown(text)),
        }
    }

    /// `text` as it is kept in the log: a policy with the tenants' clocks, so that what is pinned says
    /// all there is to say.
    pub fn kept(self, text: &str, settings: &Settings) -> String {
        if self != Self::Policy {
            return text.to_owned();
        }
        let own = self.shown(text);
        let has_clocks = own
            .parse::<toml::Table>()
            .is_ok_and(|policy| policy.get("utc_offset_minutes").is_some());
        if has_clocks {
            return own.to_owned();
        }
        let clocks = settings
            .tenants
            .iter()
            .map(|(name, tenant)| format!("{name} = {}\n", tenant.utc_offset_minutes));
        let clocks: String = clocks.collect();
        format!("{}\n\n{CLOCKS}[utc_offset_minutes]\n{clocks}", own.trim_end())
    }

    /// Whether `text` can be used.
    ///
    /// # Errors
    /// Why not.
    pub fn check(self, text: &str) -> Result<(), String> {
        let own = (String::new(), text.to_owned());
        let texts = Texts { all: own, own: BTreeMap::new() };
        match self {
            // A tenant's own, or all there is to say of everybody's.
            Self::Grouping => toml::from_str::<turns::Grouping>(text)
                .map(|_| ())
                .or_else(|_| groupings(&texts).map(|_| ())),
            Self::Policy => policies(&texts).map(|_| ()),
            Self::Answers => catalogues(&texts).map(|_| ()),
        }
    }

    /// The text of its author, of what is kept.
    pub fn shown(self, kept: &str) -> &str {
        match kept.split_once(CLOCKS) {
            Some((own, _)) if self == Self::Policy => own,
            _ => kept,
        }
    }
}

/// The texts of an input: for all tenants, and the tenants' own, each with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    pub all: (String, String),
    pub own: BTreeMap<String, (String, String)>,
}

/// How the groupings of all tenants are read.
pub fn groupings(texts: &Texts) -> Result<turns::Settings, String> {
    let mut settings: turns::Settings =
        toml::from_str(&texts.all.1).map_err(|error| error.to_string())?;
    for (tenant, (_, own)) in &texts.own {
        let own = toml::from_str(own).map_err(|error| format!("of {tenant}: {error}"))?;
        settings.tenants.insert(tenant.clone(), own);
    }
    Ok(settings)
}

/// How the policies are read.
pub fn policies(texts: &Texts) -> Result<PerTenant<router::Settings>, String> {
    per_tenant(texts, |(version, text)| {
        let policy = router::Settings::parse(text).map_err(|error| error.to_string())?;
        Ok(router::Settings { version: version.clone(), ..policy })
    })
}

/// How the catalogues are read.
pub fn catalogues(texts: &Texts) -> Result<PerTenant<Catalogue>, String> {
    per_tenant(texts, |(_, text)| Catalogue::parse(text).map_err(|error| error.to_string()))
}

fn per_tenant<B>(
    texts: &Texts,
    read: impl Fn(&(String, String)) -> Result<B, String>,
) -> Result<PerTenant<B>, String> {
    let own = texts.own.iter().map(|(tenant, text)| {
        let own = read(text).map_err(|error| format!("of {tenant}: {error}"))?;
        Ok((tenant.clone(), Arc::new(own)))
    });
    Ok(PerTenant::new(Arc::new(read(&texts.all)?), own.collect::<Result<_, String>>()?))
}
