//! E-mail as it is configured: accounts for the doors, servers for the replies.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use ingest::Door;
use ingest::channels::email::{Account, Accounts, imap};
use responder::deliver::email::{Account as Sending, Email, Security, Server};
use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use crate::config::{MailSecurity, Settings};

/// The addresses of this installation.
pub(super) fn accounts(settings: &Settings) -> Arc<Accounts> {
    let configured = settings.channels.email.iter();
    let by_name = configured.map(|(name, email)| {
        let mailbox = email.imap.as_ref().map(|found| imap::Mailbox {
            host: found.host.clone(),
            port: found.port(),
            security: match found.security {
                MailSecurity::Tls => imap::Security::Tls,
                MailSecurity::Starttls => imap::Security::Starttls,
                MailSecurity::None => imap::Security::None,
            },
            user: found.user.clone(),
            password: found.password.clone(),
            folder: found.folder.clone(),
            ca_file: filled(&found.ca_file),
            first_hours: found.first_hours,
        });
        let account = Account {
            tenant: email.tenant.clone(),
            address: email.address.clone(),
            mailbox,
            sendgrid: email.sendgrid.as_ref().map(|shown| shown.secret.clone()),
            mailgun: email.mailgun.as_ref().map(|signed| signed.signing_key.clone()),
            postmark: email.postmark.as_ref().map(|shown| shown.secret.clone()),
        };
        (name.clone(), account)
    });
    Arc::new(Accounts::new(by_name.collect()))
}

/// Reads the mailboxes until `stop`.
pub(super) fn read(
    backend: &Backend,
    door: Door,
    accounts: &Arc<Accounts>,
    stop: &CancellationToken,
) -> impl Future<Output = anyhow::Result<()>> + use<> {
    let reading = imap::read(door, Arc::clone(&backend.log), Arc::clone(accounts), stop.clone());
    async move { reading.await.map_err(|why| anyhow!("mailboxes are not read: {why}")) }
}

/// The way out of every address that has one.
pub(super) fn sender(settings: &Settings) -> anyhow::Result<Email> {
    let mut accounts = HashMap::new();
    for (name, email) in &settings.channels.email {
        let Some(smtp) = &email.smtp else { continue };
        let server = Server {
            host: smtp.host.clone(),
            port: smtp.port(),
            security: match smtp.security {
                MailSecurity::Tls => Security::Tls,
                MailSecurity::Starttls => Security::Starttls,
                MailSecurity::None => Security::None,
            },
            user: smtp.user.clone(),
            password: smtp.password.clone(),
            ca_file: filled(&smtp.ca_file),
        };
        let account = Sending::new(&email.address, &email.name, server).map_err(|why| anyhow!(why));
        let account = account.with_context(|| format!("channels.email.{name}.address"))?;
        accounts.insert(name.clone(), account);
    }
    Ok(Email::new(accounts))
}

fn filled(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}
