//! What is configured of channels: accounts at providers, by the name they have in addresses.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::email::Email;

/// `[channels]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct Channels {
    pub email: BTreeMap<String, Email>,
    pub whatsapp_cloud: BTreeMap<String, WhatsappCloud>,
}

/// `[channels.whatsapp_cloud.<account>]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct WhatsappCloud {
    pub tenant: String,
    pub app_secret: String,
    pub verify_token: String,
}

/// An account as it is checked and shown: whose it is, and what nobody else may see.
pub(super) struct Configured<'a> {
    /// `channels.<channel>.<account>`
    pub(super) place: String,
    pub(super) tenant: &'a str,
    /// Secrets without which the account cannot work: key and value.
    pub(super) needed: Vec<(&'static str, &'a str)>,
}

impl Channels {
    /// Every account.
    pub(super) fn configured(&self) -> Vec<Configured<'_>> {
        let whatsapp = self.whatsapp_cloud.iter().map(|(name, account)| Configured {
            place: format!("channels.whatsapp_cloud.{name}"),
            tenant: &account.tenant,
            needed: vec![
                ("app_secret", &account.app_secret),
                ("verify_token", &account.verify_token),
            ],
        });
        let email = self.email.iter().map(|(name, account)| Configured {
            place: format!("channels.email.{name}"),
            tenant: &account.tenant,
            needed: account.needed(),
        });
        whatsapp.chain(email).collect()
    }

    /// Everything nobody else may see.
    pub(super) fn secrets(&mut self) -> Vec<&mut String> {
        let whatsapp = self.whatsapp_cloud.values_mut();
        let whatsapp =
            whatsapp.flat_map(|account| [&mut account.app_secret, &mut account.verify_token]);
        whatsapp.chain(self.email.values_mut().flat_map(Email::secrets)).collect()
    }
}
