//! The channels put together: which accounts hear, and which way out each adapter has. A new channel is
//! named here, in the configuration and nowhere else.

pub(crate) mod files;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ingest::channels::email::{Inbox, Mailgun, Postmark, SendGrid, imap};
use ingest::channels::webhook::Webhooks;
use ingest::channels::{chatwoot, email, phone, telegram, twilio, web_chat, whatsapp_cloud};
use responder::deliver::chatwoot::Chatwoot;
use responder::deliver::email::{Account, Email, Security, Server};
use responder::deliver::phone::Phone;
use responder::deliver::telegram::Telegram;
use responder::deliver::twilio::Twilio;
use responder::deliver::whatsapp_cloud::WhatsappCloud;
use responder::deliver::{self, HttpCallback, InProduct, Sender};
use responder::mirror;

use crate::config::{Channels, MailSecurity, Settings};

/// Every account whose provider calls us.
pub(crate) fn webhooks(settings: &Settings) -> Webhooks {
    let mut webhooks = Webhooks::default();
    let Channels {
        whatsapp_cloud: whatsapp,
        twilio: sms,
        telegram: bots,
        chatwoot: desks,
        email: _,
        web_chat: _,
        phone: _,
    } = &settings.channels;
    mails(settings, &mut webhooks);
    for (name, account) in whatsapp {
        let account = whatsapp_cloud::Account {
            tenant: account.tenant.clone(),
            app_secret: account.app_secret.clone(),
            verify_token: account.verify_token.clone(),
        };
        webhooks.add(whatsapp_cloud::PROVIDER, name, Arc::new(account));
    }
    for (name, account) in sms {
        let account = twilio::Account {
            tenant: account.tenant.clone(),
            auth_token: account.auth_token.clone(),
            public_url: account.public_url.clone(),
        };
        webhooks.add(twilio::PROVIDER, name, Arc::new(account));
    }
    for (name, account) in desks {
        let account = chatwoot::Account {
            tenant: account.tenant.clone(),
            webhook_secret: account.webhook_secret.clone(),
            mirror_inbox_id: account.mirror_inbox_id.parse().ok(),
        };
        webhooks.add(chatwoot::PROVIDER, name, Arc::new(account));
    }
    for (name, account) in bots {
        let account = telegram::Account {
            name: name.clone(),
            tenant: account.tenant.clone(),
            secret_token: account.secret_token.clone(),
        };
        webhooks.add(telegram::PROVIDER, name, Arc::new(account));
    }
    webhooks
}

/// Every site customers chat on.
pub(crate) fn web_chats(settings: &Settings) -> web_chat::Accounts {
    let accounts = settings.channels.web_chat.iter().map(|(name, account)| web_chat::Account {
        origins: account.each_origin().map(str::to_owned).collect(),
        site_secret: account.site_secret.clone(),
        visitor_lasts: Duration::from_secs(u64::from(account.visitor_hours) * 3600),
        messages_per_minute: NonZeroU32::new(account.messages_per_minute)
            .unwrap_or(NonZeroU32::MIN),
        ..web_chat::Account::plain(name, &account.tenant)
    });
    let tenants = settings.tenants.keys().map(String::as_str);
    web_chat::Accounts::new(accounts.collect(), tenants, settings.default_tenant())
}

/// What providers of inbound mail post.
fn mails(settings: &Settings, webhooks: &mut Webhooks) {
    for (inbox, account) in inboxes(settings) {
        let name = inbox.name.clone();
        if let Some(shown) = &account.sendgrid {
            let (inbox, secret) = (inbox.clone(), shown.secret.clone());
            webhooks.add("sendgrid", &name, Arc::new(SendGrid { inbox, secret }));
        }
        if let Some(shown) = &account.postmark {
            let (inbox, secret) = (inbox.clone(), shown.secret.clone());
            webhooks.add("postmark", &name, Arc::new(Postmark { inbox, secret }));
        }
        if let Some(signed) = &account.mailgun {
            webhooks.add("mailgun", &name, Arc::new(Mailgun::new(inbox, &signed.signing_key)));
        }
    }
}

/// Every e-mail address of ours.
fn inboxes(settings: &Settings) -> impl Iterator<Item = (Inbox, &crate::config::Email)> {
    let accounts = &settings.channels.email;
    let own: Vec<String> = accounts.values().map(|email| email.address.to_lowercase()).collect();
    accounts.iter().map(move |(name, email)| {
        let (name, tenant) = (name.clone(), email.tenant.clone());
        (Inbox { name, tenant, own: own.clone() }, email)
    })
}

/// Reads a mail as it stood in the mailbox of `account` again, if that is an address of ours.
pub(crate) fn mailbox(settings: &Settings, account: &str) -> Option<Inbox> {
    inboxes(settings).map(|(inbox, _)| inbox).find(|inbox| inbox.name == account)
}

/// Every mailbox that is read, with the address it is of.
pub(crate) fn mailboxes(settings: &Settings) -> Vec<(Inbox, imap::Mailbox)> {
    let with_box = inboxes(settings).filter_map(|(inbox, email)| {
        // Nothing of an inactive tenant is taken in: its mails stay where they are.
        settings.tenants.get(&inbox.tenant).filter(|tenant| tenant.active)?;
        let found = email.imap.as_ref()?;
        let mailbox = imap::Mailbox {
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
        };
        Some((inbox, mailbox))
    });
    with_box.collect()
}

/// The way out of every address that has one.
fn mail(settings: &Settings) -> anyhow::Result<Email> {
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
        let account = Account::new(&email.address, &email.name, server);
        let account = account.map_err(anyhow::Error::msg);
        let place = || format!("channels.email.{name}.address");
        accounts.insert(name.clone(), account.with_context(place)?);
    }
    Ok(Email::new(accounts))
}

fn filled(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
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
    senders.insert(email::PROVIDER, Arc::new(mail(settings)?));
    senders.insert(whatsapp_cloud::PROVIDER, Arc::new(whatsapp_out(&settings.channels)?));
    let texts: Arc<dyn Sender> = Arc::new(twilio_out(&settings.channels)?);
    senders.insert(phone::PROVIDER, Arc::new(phone_out(&settings.channels, &texts)));
    senders.insert(twilio::PROVIDER, texts);
    senders.insert(telegram::PROVIDER, Arc::new(telegram_out(&settings.channels)?));
    senders.insert(chatwoot::PROVIDER, Arc::new(chatwoot_out(&settings.channels)?));
    Ok(senders)
}

fn whatsapp_out(channels: &Channels) -> anyhow::Result<WhatsappCloud> {
    let accounts = whatsapp_accounts(channels).map(|(_, account)| account);
    WhatsappCloud::new(accounts.collect()).map_err(anyhow::Error::msg)
}

/// Every account replies go out by, with its name.
pub(crate) fn whatsapp_accounts(
    channels: &Channels,
) -> impl Iterator<Item = (&str, deliver::whatsapp_cloud::Account)> {
    let able =
        channels.whatsapp_cloud.iter().filter(|(_, account)| !account.access_token.is_empty());
    able.map(|(name, account)| {
        let account = deliver::whatsapp_cloud::Account {
            tenant: account.tenant.clone(),
            phone_number_id: account.phone_number_id.clone(),
            access_token: account.access_token.clone(),
            api_url: account.api_url.clone(),
            business_account_id: account.business_account_id.clone(),
        };
        (name.as_str(), account)
    })
}

fn twilio_out(channels: &Channels) -> anyhow::Result<Twilio> {
    let accounts = twilio_accounts(channels).map(|(_, account)| account);
    Twilio::new(accounts.collect()).map_err(anyhow::Error::msg)
}

/// Every account replies go out by, with its name.
pub(crate) fn twilio_accounts(
    channels: &Channels,
) -> impl Iterator<Item = (&str, deliver::twilio::Account)> {
    channels.twilio.iter().map(|(name, account)| {
        let account = deliver::twilio::Account {
            tenant: account.tenant.clone(),
            account_sid: account.account_sid.clone(),
            auth_token: account.auth_token.clone(),
            numbers: account.numbers().map(str::to_owned).collect(),
            status_url: account.public_url.clone(),
            api_url: account.api_url.clone(),
            content_url: account.content_url.clone(),
        };
        (name.as_str(), account)
    })
}

fn phone_out(channels: &Channels, texts: &Arc<dyn Sender>) -> Phone {
    let accounts = channels.phone.iter().map(|(name, account)| {
        let account = deliver::phone::Account {
            tenant: account.tenant.clone(),
            sms_from: account.sms_from.clone(),
        };
        (name.clone(), account)
    });
    Phone::new(accounts.collect(), Arc::clone(texts))
}

/// Every number whose calls are taken.
pub(crate) fn phones(settings: &Settings) -> Vec<phone::Account> {
    // Calls of an inactive tenant are left to the dial plan.
    let active = settings.channels.phone.iter().filter(|(_, account)| {
        settings.tenants.get(&account.tenant).is_some_and(|tenant| tenant.active)
    });
    let accounts = active.map(|(name, account)| phone::Account {
        name: name.clone(),
        tenant: account.tenant.clone(),
        server: asterisk(account),
        menu: phone::Menu {
            greeting: account.greeting.clone(),
            thanks: account.thanks.clone(),
            digits: account.menu.clone(),
            record_s_max: account.record_s_max,
        },
    });
    accounts.collect()
}

/// The Asterisk of an account.
fn asterisk(account: &crate::config::Phone) -> phone::Server {
    phone::Server {
        url: account.url.clone(),
        user: account.user.clone(),
        password: account.password.clone(),
        app: account.app.clone(),
    }
}

fn telegram_out(channels: &Channels) -> anyhow::Result<Telegram> {
    let able = channels.telegram.iter().filter(|(_, account)| !account.bot_token.is_empty());
    let accounts = able.map(|(name, account)| {
        let account = deliver::telegram::Account {
            tenant: account.tenant.clone(),
            bot_token: account.bot_token.clone(),
            api_url: account.api_url.clone(),
        };
        (name.clone(), account)
    });
    Telegram::new(accounts.collect()).map_err(anyhow::Error::msg)
}

/// Where conversations are shown to teams that work elsewhere.
pub(crate) fn mirrors(channels: &Channels) -> Vec<mirror::Account> {
    let mirrored = channels.chatwoot.values().filter_map(|account| {
        Some(mirror::Account {
            tenant: account.tenant.clone(),
            account_id: account.account_id.clone(),
            inbox_id: account.mirror_inbox_id.parse().ok()?,
            access_token: account.access_token.clone(),
            api_url: account.api_url.clone(),
            whole: account.mirror_text == "whole",
        })
    });
    mirrored.collect()
}

fn chatwoot_out(channels: &Channels) -> anyhow::Result<Chatwoot> {
    let able = channels.chatwoot.values().filter(|account| !account.access_token.is_empty());
    let accounts = able.map(|account| {
        let number = account.account_id.clone();
        let account = deliver::chatwoot::Account {
            tenant: account.tenant.clone(),
            access_token: account.access_token.clone(),
            api_url: account.api_url.clone(),
        };
        (number, account)
    });
    Chatwoot::new(accounts.collect()).map_err(anyhow::Error::msg)
}
