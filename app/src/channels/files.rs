//! Where each channel's files come from, and who writes down what is said in them.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use ingest::channels::{chatwoot, email, phone, telegram, twilio, whatsapp_cloud};
use ingest::media::{Fetcher, Intake, Limits, Source, Transcriber, Whisper};
use schemas::sealed::Keyring;

use crate::config::{Channels, Settings};
use crate::media::Directory;

/// Fetches the files of every channel that has any.
pub(crate) fn fetcher(settings: &Settings) -> anyhow::Result<Fetcher> {
    let channels = &settings.channels;
    let sources: HashMap<&'static str, Arc<dyn Source>> = HashMap::from([
        (whatsapp_cloud::PROVIDER, Arc::new(of_whatsapp(channels)) as Arc<dyn Source>),
        (twilio::PROVIDER, Arc::new(of_twilio(channels))),
        (telegram::PROVIDER, Arc::new(of_telegram(channels))),
        (chatwoot::PROVIDER, Arc::new(of_chatwoot(channels))),
        (phone::PROVIDER, Arc::new(of_phones(channels))),
        (email::PROVIDER, Arc::new(of_mails(channels))),
    ]);
    Fetcher::new(sources, limits(settings)).map_err(anyhow::Error::msg)
}

/// Keeps the files that come with their message.
pub(crate) fn intake(settings: &Settings, keyring: &Arc<Keyring>) -> Intake {
    Intake::new(Arc::new(Directory::configured(settings, keyring)), limits(settings))
}

fn limits(settings: &Settings) -> Limits {
    let media = &settings.media;
    Limits { bytes_max: media.bytes_max, types: media.types.clone() }
}

/// Writes down what is said in recordings, if anybody does.
pub(crate) fn transcriber(settings: &Settings) -> anyhow::Result<Option<Arc<dyn Transcriber>>> {
    let asked = &settings.transcriber;
    if asked.url.is_empty() {
        return Ok(None);
    }
    let whisper = Whisper::new(&asked.url, &asked.api_key, &asked.model, &asked.language);
    let whisper = whisper.map_err(anyhow::Error::msg).context("transcriber.url")?;
    Ok(Some(Arc::new(whisper)))
}

fn of_whatsapp(channels: &Channels) -> whatsapp_cloud::Files {
    let able = channels.whatsapp_cloud.values().filter(|account| !account.access_token.is_empty());
    let accounts = able.map(|account| whatsapp_cloud::MediaAccount {
        tenant: account.tenant.clone(),
        phone_number_id: account.phone_number_id.clone(),
        access_token: account.access_token.clone(),
        api_url: account.api_url.clone(),
    });
    whatsapp_cloud::Files(accounts.collect())
}

fn of_twilio(channels: &Channels) -> twilio::Files {
    let accounts = channels.twilio.values().map(|account| twilio::MediaAccount {
        tenant: account.tenant.clone(),
        account_sid: account.account_sid.clone(),
        auth_token: account.auth_token.clone(),
        api_url: account.api_url.clone(),
    });
    twilio::Files(accounts.collect())
}

fn of_telegram(channels: &Channels) -> telegram::Files {
    let able = channels.telegram.iter().filter(|(_, account)| !account.bot_token.is_empty());
    let accounts = able.map(|(name, account)| {
        let account = telegram::MediaAccount {
            tenant: account.tenant.clone(),
            bot_token: account.bot_token.clone(),
            api_url: account.api_url.clone(),
        };
        (name.clone(), account)
    });
    telegram::Files(accounts.collect())
}

fn of_chatwoot(channels: &Channels) -> chatwoot::Files {
    let able = channels.chatwoot.values().filter(|account| !account.api_url.is_empty());
    let homes = able.map(|account| {
        ((account.tenant.clone(), account.account_id.clone()), account.api_url.clone())
    });
    chatwoot::Files(homes.collect())
}

fn of_mails(channels: &Channels) -> email::Files {
    let able = channels.email.iter().filter_map(|(name, account)| {
        let mailgun = account.mailgun.as_ref().filter(|mailgun| !mailgun.api_key.is_empty())?;
        let account = email::MediaAccount {
            tenant: account.tenant.clone(),
            api_key: mailgun.api_key.clone(),
            api_url: mailgun.api_url.clone(),
        };
        Some((name.clone(), account))
    });
    email::Files(able.collect())
}

fn of_phones(channels: &Channels) -> phone::Files {
    let accounts = channels
        .phone
        .iter()
        .map(|(name, account)| (name.clone(), (account.tenant.clone(), super::asterisk(account))));
    phone::Files(accounts.collect())
}
