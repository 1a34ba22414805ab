//! What is configured of channels: accounts at providers, by the name they have in addresses.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::email::Email;
use super::phone::Phone;
use super::web_chat::WebChat;

macro_rules! accounts {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident),+ $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(missing_docs)] // default.toml is the documentation
        pub struct $name { $($(#[$field_meta])* pub $field: String),+ }
    )+};
}

/// `[channels]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct Channels {
    pub email: BTreeMap<String, Email>,
    pub whatsapp_cloud: BTreeMap<String, WhatsappCloud>,
    pub twilio: BTreeMap<String, Twilio>,
    pub telegram: BTreeMap<String, Telegram>,
    pub chatwoot: BTreeMap<String, Chatwoot>,
    pub web_chat: BTreeMap<String, WebChat>,
    pub phone: BTreeMap<String, Phone>,
}

accounts! {
    /// `[channels.whatsapp_cloud.<account>]`
    WhatsappCloud {
        tenant,
        app_secret,
        verify_token,
        #[serde(default)]
        phone_number_id,
        #[serde(default)]
        access_token,
        #[serde(default = "graph")]
        api_url,
        #[serde(default)]
        business_account_id,
    }
    /// `[channels.twilio.<account>]`
    Twilio {
        tenant,
        account_sid,
        auth_token,
        public_url,
        #[serde(default)]
        numbers,
        #[serde(default = "twilio")]
        api_url,
        #[serde(default = "twilio_content")]
        content_url,
    }
    /// `[channels.telegram.<account>]`
    Telegram {
        tenant,
        secret_token,
        #[serde(default)]
        bot_token,
        #[serde(default = "telegram")]
        api_url,
    }
    /// `[channels.chatwoot.<account>]`
    Chatwoot {
        tenant,
        webhook_secret,
        #[serde(default)]
        account_id,
        #[serde(default)]
        access_token,
        #[serde(default)]
        api_url,
        #[serde(default)]
        mirror_inbox_id,
        #[serde(default = "masked")]
        mirror_text,
    }
}

impl Twilio {
    /// Its numbers, each as the provider writes it.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = &str> {
        self.numbers.split([',', ' ']).filter(|number| !number.is_empty())
    }
}

impl Channels {
    /// Accounts of one tenant at one provider that cannot be told apart: which of them a customer is answered by
    /// would be left to chance.
    pub(super) fn mistaken_for_another(&self) -> Vec<String> {
        let whatsapp = self.whatsapp_cloud.iter().filter(|(_, it)| !it.access_token.is_empty());
        let whatsapp = whatsapp.map(|(name, account)| {
            let place = format!("channels.whatsapp_cloud.{name}.phone_number_id");
            (place, &account.tenant, account.phone_number_id.as_str())
        });
        let twilio = self.twilio.iter().flat_map(|(name, account)| {
            let place = format!("channels.twilio.{name}.numbers");
            let none = account.numbers().next().is_none().then_some("");
            let all = account.numbers().map(without_channel).chain(none).collect::<BTreeSet<_>>();
            all.into_iter().map(move |number| (place.clone(), &account.tenant, number))
        });
        let chatwoot = self.chatwoot.iter().filter(|(_, it)| !it.access_token.is_empty());
        let chatwoot = chatwoot.map(|(name, account)| {
            let place = format!("channels.chatwoot.{name}.account_id");
            (place, &account.tenant, account.account_id.as_str())
        });
        let mut wrong = Vec::new();
        for channel in [whatsapp.collect::<Vec<_>>(), twilio.collect(), chatwoot.collect()] {
            let mut seen = BTreeSet::new();
            for (place, tenant, number) in channel {
                if !seen.insert((tenant, number)) {
                    let what = if number.is_empty() { "nothing" } else { number };
                    wrong.push(format!(
                        "{place}: another account of tenant '{tenant}' says {what} too; each must name its own"
                    ));
                }
            }
        }
        wrong
    }
}

impl Chatwoot {
    /// What keeps its conversations from being shown, if they are to be.
    pub(super) fn mirror_mistake(&self) -> Option<String> {
        if !matches!(self.mirror_text.as_str(), "masked" | "whole") {
            return Some("mirror_text must be \"masked\" or \"whole\"".to_owned());
        }
        if self.mirror_inbox_id.is_empty() {
            return None;
        }
        if self.mirror_inbox_id.parse::<i64>().is_err() || self.account_id.parse::<i64>().is_err() {
            return Some("mirror_inbox_id and account_id must be their numbers".to_owned());
        }
        let missing = [("access_token", &self.access_token), ("api_url", &self.api_url)];
        let missing = missing.into_iter().find(|(_, value)| value.is_empty());
        missing.map(|(key, _)| format!("{key} must not be empty where mirror_inbox_id is set"))
    }
}

/// A number without what Twilio writes before those of WhatsApp, and without its `+`.
fn without_channel(number: &str) -> &str {
    number.strip_prefix("whatsapp:").unwrap_or(number).trim_start_matches('+')
}

fn graph() -> String {
    "https://graph.facebook.com/v23.0".to_owned()
}

fn twilio() -> String {
    "https://api.twilio.com".to_owned()
}

fn twilio_content() -> String {
    "https://content.twilio.com".to_owned()
}

fn masked() -> String {
    "masked".to_owned()
}

fn telegram() -> String {
    "https://api.telegram.org".to_owned()
}

/// An account as it is checked: whose it is, and what must not be empty.
pub(super) struct Configured<'a> {
    /// `channels.<channel>.<account>`
    pub(super) place: String,
    pub(super) tenant: &'a str,
    /// Key and value.
    pub(super) needed: Vec<(&'static str, &'a str)>,
}

impl Channels {
    /// Every account.
    pub(super) fn configured(&self) -> Vec<Configured<'_>> {
        let whatsapp = self.whatsapp_cloud.iter().map(|(name, account)| Configured {
            place: format!("channels.whatsapp_cloud.{name}"),
            tenant: &account.tenant,
            needed: vec![
                ("app_secret", account.app_secret.as_str()),
                ("verify_token", &account.verify_token),
            ],
        });
        let email = self.email.iter().map(|(name, account)| Configured {
            place: format!("channels.email.{name}"),
            tenant: &account.tenant,
            needed: account.needed(),
        });
        let twilio = self.twilio.iter().map(|(name, account)| Configured {
            place: format!("channels.twilio.{name}"),
            tenant: &account.tenant,
            needed: vec![
                ("account_sid", account.account_sid.as_str()),
                ("auth_token", &account.auth_token),
                ("public_url", &account.public_url),
            ],
        });
        let telegram = self.telegram.iter().map(|(name, account)| Configured {
            place: format!("channels.telegram.{name}"),
            tenant: &account.tenant,
            needed: vec![("secret_token", account.secret_token.as_str())],
        });
        let chatwoot = self.chatwoot.iter().map(|(name, account)| Configured {
            place: format!("channels.chatwoot.{name}"),
            tenant: &account.tenant,
            needed: vec![("webhook_secret", account.webhook_secret.as_str())],
        });
        let phone = self.phone.iter().map(|(name, account)| Configured {
            place: format!("channels.phone.{name}"),
            tenant: &account.tenant,
            needed: account.needed(),
        });
        let web_chat = self.web_chat.iter().map(|(name, account)| Configured {
            place: format!("channels.web_chat.{name}"),
            tenant: &account.tenant,
            needed: Vec::new(),
        });
        let all = whatsapp.chain(twilio).chain(telegram).chain(email).chain(chatwoot);
        all.chain(web_chat).chain(phone).collect()
    }

    /// Every account: channel, name, and whose it is.
    pub fn accounts(&self) -> impl Iterator<Item = (String, String, &str)> {
        self.configured().into_iter().filter_map(|account| {
            let place = account.place.strip_prefix("channels.")?;
            let (channel, name) = place.split_once('.')?;
            Some((channel.to_owned(), name.to_owned(), account.tenant))
        })
    }

    /// Everything nobody else may see.
    pub(super) fn secrets(&mut self) -> Vec<&mut String> {
        let email = self.email.values_mut().flat_map(Email::secrets);
        let whatsapp = self.whatsapp_cloud.values_mut().flat_map(|account| {
            [&mut account.app_secret, &mut account.verify_token, &mut account.access_token]
        });
        let twilio = self.twilio.values_mut().map(|account| &mut account.auth_token);
        let telegram = self
            .telegram
            .values_mut()
            .flat_map(|account| [&mut account.secret_token, &mut account.bot_token]);
        let chatwoot = self
            .chatwoot
            .values_mut()
            .flat_map(|account| [&mut account.webhook_secret, &mut account.access_token]);
        let phone = self.phone.values_mut().map(|account| &mut account.password);
        let web_chat = self.web_chat.values_mut().map(|account| &mut account.site_secret);
        let all = whatsapp.chain(twilio).chain(telegram).chain(email).chain(chatwoot);
        all.chain(web_chat).chain(phone).collect()
    }
}
