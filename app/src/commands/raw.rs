//! Providers' requests as they came, run through their adapters again: on one machine while its server
//! does not run. Messages are known by their ids, so what was heard before is not heard twice. The mails of a
//! mailbox are requests of the channel `email`.

use std::path::Path;

use anyhow::Context;
use ingest::channels::email::{self, Inbox};
use ingest::channels::webhook::{Webhook, Webhooks};
use ingest::door::{self, Event, Malformed};
use schemas::Avro;
use schemas::ops::RawRequest;
use schemas::topics::RAW;

use super::{cluster, peek, print, settings};
use crate::channels::{files, mailbox, webhooks};
use crate::cli::Raw;
use crate::config::Settings;
use crate::serve::backend::Backend;

/// Does what is asked of raw requests.
pub fn run(asked: &Raw, file: Option<&Path>) -> anyhow::Result<()> {
    let Raw::Replay { channel, account, data_dir } = asked;
    let settings = settings(file, data_dir.as_deref())?;
    super::runtime()?.block_on(replay(&settings, channel, account))
}

async fn replay(settings: &Settings, channel: &str, account: &str) -> anyhow::Result<()> {
    let webhooks = webhooks(settings);
    let adapter = Adapter::of(settings, &webhooks, channel, account).with_context(|| {
        format!("no account '{account}' of {channel}: see [channels] of the configuration")
    })?;
    let kept = peek::all(settings, RAW).await?;
    let Backend { log, keyring, clock, .. } = cluster::backend(settings).await?;
    let intake = files::intake(settings, &keyring);
    let (mut requests, mut told, mut unreadable, mut too_large) = (0, 0, 0, 0);
    for record in kept {
        let request = RawRequest::from_bytes(record.value.as_deref().unwrap_or_default())?;
        if request.provider != channel || request.account != account {
            continue;
        }
        requests += 1;
        // One that was too large to be kept as it came.
        if request.body.is_empty() {
            too_large += 1;
            continue;
        }
        match adapter.read(&request) {
            Ok(events) => {
                let (tenant, now_ms) = (adapter.tenant(), clock.now_ms());
                let events = intake.kept(tenant, events, now_ms).await?;
                let records = door::sealed(&keyring, tenant, events, now_ms)?;
                told += records.len();
                log.append(records).await?;
            }
            Err(why) => {
                unreadable += 1;
                print(&format!("{}/{}: {why}", record.partition, record.offset))?;
            }
        }
    }
    print(&format!(
        "{requests} requests told {told} messages and statuses again, {unreadable} were unreadable, \
         {too_large} were too large to be kept; what was heard before is known by its id"
    ))
}

/// What reads an account's requests.
enum Adapter<'w> {
    Webhook(&'w dyn Webhook),
    Mailbox(Inbox),
}

impl<'w> Adapter<'w> {
    fn of(
        settings: &Settings,
        webhooks: &'w Webhooks,
        channel: &str,
        account: &str,
    ) -> Option<Self> {
        if channel == email::PROVIDER {
            return mailbox(settings, account).map(Self::Mailbox);
        }
        webhooks.get(channel, account).map(|(_, webhook)| Self::Webhook(webhook))
    }

    fn tenant(&self) -> &str {
        match self {
            Self::Webhook(webhook) => webhook.tenant(),
            Self::Mailbox(inbox) => &inbox.tenant,
        }
    }

    fn read(&self, request: &RawRequest) -> Result<Vec<Event>, Malformed> {
        match self {
            Self::Webhook(webhook) => webhook.adapt(&request.headers, &request.body),
            Self::Mailbox(inbox) => Ok(inbox.heard(&request.body)),
        }
    }
}
