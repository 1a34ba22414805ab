//! `[channels.email.<account>]`: an address of ours, how its mails come and how they go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An address of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct Email {
    pub tenant: String,
    pub address: String,
    #[serde(default)]
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imap: Option<Imap>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<Smtp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sendgrid: Option<Shown>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailgun: Option<Signed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postmark: Option<Shown>,
}

/// `[channels.email.<account>.imap]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct Imap {
    pub host: String,
    #[serde(default)]
    pub port: Option<u16>,
    #[serde(default)]
    pub security: MailSecurity,
    pub user: String,
    pub password: String,
    #[serde(default = "inbox")]
    pub folder: String,
    #[serde(default)]
    pub ca_file: String,
    #[serde(default = "a_day")]
    pub first_hours: i64,
}

/// `[channels.email.<account>.smtp]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct Smtp {
    pub host: String,
    #[serde(default)]
    pub port: Option<u16>,
    #[serde(default)]
    pub security: MailSecurity,
    #[serde(default)]
    pub user: String,
    #[serde(default)]
    pub password: String,
    #[serde(default)]
    pub ca_file: String,
}

/// What a provider shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct Shown {
    pub secret: String,
}

/// What a provider signs with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct Signed {
    pub signing_key: String,
    #[serde(default)]
    pub api_key: String,
    #[serde(default = "mailgun")]
    pub api_url: String,
}

/// How a mail server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the names are the documentation
pub enum MailSecurity {
    #[default]
    Tls,
    Starttls,
    None,
}

fn inbox() -> String {
    "INBOX".to_owned()
}

fn mailgun() -> String {
    "https://api.mailgun.net".to_owned()
}

fn a_day() -> i64 {
    24
}

impl Imap {
    /// The port, by the security where none is named.
    #[must_use]
    pub fn port(&self) -> u16 {
        let usual = if self.security == MailSecurity::Tls { 993 } else { 143 };
        self.port.unwrap_or(usual)
    }
}

impl Smtp {
    /// The port, by the security where none is named.
    #[must_use]
    pub fn port(&self) -> u16 {
        let usual = match self.security {
            MailSecurity::Tls => 465,
            MailSecurity::Starttls => 587,
            MailSecurity::None => 25,
        };
        self.port.unwrap_or(usual)
    }
}

impl Email {
    /// What must not be shown.
    pub(super) fn secrets(&mut self) -> Vec<&mut String> {
        let imap = self.imap.as_mut().map(|imap| &mut imap.password);
        let smtp = self.smtp.as_mut().map(|smtp| &mut smtp.password);
        let shown = [self.sendgrid.as_mut(), self.postmark.as_mut()];
        let shown = shown.into_iter().flatten().map(|shown| &mut shown.secret);
        let signed = self.mailgun.as_mut();
        let signed = signed.map(|signed| [&mut signed.signing_key, &mut signed.api_key]);
        let signed = signed.into_iter().flatten();
        imap.into_iter().chain(smtp).chain(shown).chain(signed).collect()
    }
}

impl Email {
    /// What must not be empty: key and value.
    pub(super) fn needed(&self) -> Vec<(&'static str, &str)> {
        let imap = self.imap.iter().flat_map(|imap| {
            let (host, folder) = (("imap.host", &imap.host), ("imap.folder", &imap.folder));
            [host, folder, ("imap.user", &imap.user), ("imap.password", &imap.password)]
        });
        let smtp = self.smtp.iter().map(|smtp| ("smtp.host", &smtp.host));
        let mailgun =
            self.mailgun.iter().map(|signed| ("mailgun.signing_key", &signed.signing_key));
        let all = imap.chain(smtp).chain(mailgun);
        all.map(|(key, value)| (key, value.as_str())).collect()
    }
}

/// Everything that makes no sense in `accounts`, but for what is missing, in words.
pub(super) fn mistakes(accounts: &BTreeMap<String, Email>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, account) in accounts {
        let mut say =
            |key: &str, detail: &str| wrong.push(format!("channels.email.{name}.{key} {detail}"));
        let parts = account.address.split_once('@');
        if parts.is_none_or(|(local, domain)| local.is_empty() || domain.is_empty()) {
            say("address", "must be an address, as suporte@provedor.com.br");
        }
        if let Some(imap) = &account.imap {
            if !(0..=720).contains(&imap.first_hours) {
                say("imap.first_hours", "must be 0 to 720");
            }
            if imap.security == MailSecurity::None && !is_here(&imap.host) {
                say(
                    "imap.security",
                    "may be \"none\" on this machine only: passwords would go in clear",
                );
            }
        }
        if let Some(smtp) = &account.smtp
            && smtp.security == MailSecurity::None
            && !is_here(&smtp.host)
        {
            say("smtp.security", "may be \"none\" on this machine only: mails would go in clear");
        }
        let shown =
            [("sendgrid.secret", &account.sendgrid), ("postmark.secret", &account.postmark)];
        for (key, shown) in shown {
            if shown.as_ref().is_some_and(|shown| shown.secret.len() < 16) {
                say(key, "must have 16 characters at least");
            }
        }
    }
    wrong
}

fn is_here(host: &str) -> bool {
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
