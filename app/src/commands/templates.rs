//! `templates`: what the providers have approved, beside what the catalogue says of it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, bail};
use responder::Catalogue;
use responder::deliver::{twilio, whatsapp_cloud};
use responder::template::{Approved, Listed};

use super::{print, settings};
use crate::channels::{twilio_accounts, whatsapp_accounts};
use crate::cli::Templates;
use crate::config::Settings;
use crate::inputs::Kind;

/// What one account has at its provider.
struct Found {
    /// `channels.<channel>.<account>`
    place: String,
    /// Whose catalogue names what is there.
    tenant: String,
    /// What the catalogue calls a template there.
    called: fn(&Approved) -> (&str, Option<&str>),
    listed: Vec<Listed>,
}

/// Does what is asked of templates.
pub(super) async fn run(asked: &Templates, file: Option<&Path>) -> anyhow::Result<()> {
    let settings = settings(file, None)?;
    let found = found(&settings).await?;
    if found.is_empty() {
        bail!(
            "no account has templates: set access_token and business_account_id in \
             channels.whatsapp_cloud.<account>, or add a channels.twilio.<account>"
        );
    }
    match asked {
        Templates::List => print(table(&found).trim_end()),
        Templates::Check => {
            let mut wrong = Vec::new();
            for one in &found {
                wrong.extend(one.mistakes(&catalogue(&settings, &one.tenant)?));
            }
            if wrong.is_empty() {
                return print("every template of the catalogue may be sent");
            }
            bail!("{}", wrong.join("\n"))
        }
    }
}

/// The tenant's answers as they are configured.
fn catalogue(settings: &Settings, tenant: &str) -> anyhow::Result<Catalogue> {
    let own = Kind::Answers.configured(settings, Some(tenant))?;
    let text = match own {
        Some(text) => text,
        None => Kind::Answers.configured(settings, None)?.unwrap_or_default(),
    };
    Ok(Catalogue::parse(Kind::Answers.shown(&text))?)
}

/// Asks every account that can be asked.
async fn found(settings: &Settings) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for (name, account) in whatsapp_accounts(&settings.channels) {
        if account.business_account_id.is_empty() {
            continue;
        }
        let place = format!("channels.whatsapp_cloud.{name}");
        let listed = whatsapp_cloud::listed(&account).await.map_err(anyhow::Error::msg);
        let listed = listed.with_context(|| place.clone())?;
        let tenant = account.tenant;
        found.push(Found { place, tenant, called: |it| (&it.name, Some(&it.language)), listed });
    }
    for (name, account) in twilio_accounts(&settings.channels) {
        let place = format!("channels.twilio.{name}");
        let listed = twilio::listed(&account).await.map_err(anyhow::Error::msg);
        let listed = listed.with_context(|| place.clone())?;
        let tenant = account.tenant;
        found.push(Found { place, tenant, called: |it| (&it.content_sid, None), listed });
    }
    Ok(found)
}

fn table(found: &[Found]) -> String {
    let mut text =
        format!("{:<36} {:<8} {:<10} {:>4}  account\n", "template", "language", "status", "gaps");
    for one in found {
        for Listed { name, language, status, gaps, .. } in &one.listed {
            let _ =
                writeln!(text, "{name:<36} {language:<8} {status:<10} {gaps:>4}  {}", one.place);
        }
    }
    text
}

impl Found {
    /// What keeps the catalogue's templates from being sent by this account.
    fn mistakes(&self, catalogue: &Catalogue) -> Vec<String> {
        let mut wrong = Vec::new();
        for (answer, approved) in catalogue.with_templates() {
            let (name, language) = (self.called)(approved);
            if name.is_empty() {
                continue;
            }
            let listed = self.listed.iter().find(|listed| {
                listed.name == name && language.is_none_or(|language| listed.language == language)
            });
            let mistake = match listed {
                None => Some("is not known there".to_owned()),
                Some(listed) => listed.mistake(answer.gaps()),
            };
            wrong.extend(
                mistake
                    .map(|why| format!("{}: template {name} of {} {why}", self.place, answer.id)),
            );
        }
        wrong
    }
}
