//! Providers' requests as they came, run through their adapters again: on one machine while its server
//! does not run. Messages are known by their ids, so what was heard before is not heard twice.

use std::path::Path;

use anyhow::Context;
use ingest::door;
use schemas::Avro;
use schemas::ops::RawRequest;
use schemas::topics::RAW;

use super::{cluster, peek, print, settings};
use crate::channels::webhooks;
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
    let (_, webhook) = webhooks.get(channel, account).with_context(|| {
        format!("no account '{account}' of {channel}: see [channels] of the configuration")
    })?;
    let kept = peek::all(settings, RAW).await?;
    let Backend { log, keyring, clock, .. } = cluster::backend(settings).await?;
    let (mut requests, mut told, mut unreadable) = (0, 0, 0);
    for record in kept {
        let request = RawRequest::from_bytes(record.value.as_deref().unwrap_or_default())?;
        if request.provider != channel || request.account != account {
            continue;
        }
        requests += 1;
        match webhook.adapt(&request.headers, &request.body) {
            Ok(events) => {
                let records = door::sealed(&keyring, webhook.tenant(), events, clock.now_ms())?;
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
        "{requests} requests told {told} messages and statuses again, {unreadable} were unreadable; \
         what was heard before is known by its id"
    ))
}
