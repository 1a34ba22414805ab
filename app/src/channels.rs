//! The channels put together: which accounts hear, and which way out each adapter has. A new channel is
//! named here, in the configuration and nowhere else.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use ingest::channels::webhook::Webhooks;
use ingest::channels::{web_chat, whatsapp_cloud};
use responder::deliver::{HttpCallback, InProduct, Sender};

use crate::config::Settings;

/// Every account whose provider calls us.
pub(crate) fn webhooks(settings: &Settings) -> Webhooks {
    let mut webhooks = Webhooks::default();
    for (name, account) in &settings.channels.whatsapp_cloud {
        let account = whatsapp_cloud::Account {
            tenant: account.tenant.clone(),
            app_secret: account.app_secret.clone(),
            verify_token: account.verify_token.clone(),
        };
        webhooks.add(whatsapp_cloud::PROVIDER, name, Arc::new(account));
    }
    webhooks
}

/// The way out of what each adapter heard.
pub(crate) fn senders(
    settings: &Settings,
) -> anyhow::Result<HashMap<&'static str, Arc<dyn Sender>>> {
    let mut senders: HashMap<&'static str, Arc<dyn Sender>> = HashMap::new();
    senders.insert(web_chat::PROVIDER, Arc::new(InProduct));
    let url = &settings.deliver.callback_url;
    let api: Arc<dyn Sender> = if url.is_empty() {
        Arc::new(InProduct)
    } else {
        let callback = HttpCallback::new(url).map_err(anyhow::Error::msg);
        Arc::new(callback.context("deliver.callback_url")?)
    };
    senders.insert("api", api);
    Ok(senders)
}
