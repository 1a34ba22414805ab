//! Files of Twilio: their addresses come with the message, and the account is shown there.

use async_trait::async_trait;

use crate::media::{Credentials, FetchError, Located, Source, Wanted, Web};

/// One account at the provider.
#[derive(Clone)]
pub struct MediaAccount {
    /// Whose customers write.
    pub tenant: String,
    /// Its name at the provider.
    pub account_sid: String,
    /// Its secret.
    pub auth_token: String,
    /// The API without a version: files are there.
    pub api_url: String,
}

/// The files of these accounts.
pub struct Files(pub Vec<MediaAccount>);

impl Files {
    /// The account whose file it is: its address names it.
    fn account(&self, wanted: &Wanted<'_>) -> Option<&MediaAccount> {
        let of_tenant = || self.0.iter().filter(|account| account.tenant == wanted.tenant);
        let url = &wanted.attachment.reference;
        let named = |it: &&MediaAccount| url.contains(&format!("/Accounts/{}/", it.account_sid));
        of_tenant().find(named).or_else(|| of_tenant().next())
    }
}

#[async_trait]
impl Source for Files {
    async fn locate(&self, _: &Web, wanted: &Wanted<'_>) -> Result<Located, FetchError> {
        let account = self.account(wanted).ok_or_else(FetchError::refused)?;
        let url = wanted.attachment.reference.clone();
        let api = account.api_url.trim_end_matches('/');
        // The secret is for the provider, whatever the form said.
        let ours = url.strip_prefix(api).is_some_and(|rest| rest.starts_with('/'));
        let credentials = if ours {
            Credentials::Basic {
                user: account.account_sid.clone(),
                password: account.auth_token.clone(),
            }
        } else {
            Credentials::None
        };
        Ok(Located { url, credentials, home: account.api_url.clone() })
    }
}

#[cfg(test)]
mod tests {
    use schemas::message::Attachment;

    use super::*;

    #[test]
    fn a_file_is_asked_for_by_the_account_it_is_of() {
        let account = |tenant: &str, sid: &str| MediaAccount {
            tenant: tenant.to_owned(),
            account_sid: sid.to_owned(),
            auth_token: String::new(),
            api_url: String::new(),
        };
        let files =
            Files(vec![account("acme", "AC0"), account("demo", "AC1"), account("demo", "AC2")]);
        let found = |tenant: &str, sid: &str| {
            let attachment = Attachment {
                reference: format!(
                    "https://api.twilio.com/2010-04-01/Accounts/{sid}/Messages/M/Media/E"
                ),
                mime: String::new(),
                filename: None,
                size_bytes: None,
                sha256: None,
                transcript_sealed: None,
                confidence: None,
            };
            let wanted = Wanted { tenant, account: "+551140000000", attachment: &attachment };
            files.account(&wanted).map(|account| account.account_sid.clone())
        };
        assert_eq!(found("demo", "AC2").as_deref(), Some("AC2"));
        assert_eq!(found("demo", "AC1").as_deref(), Some("AC1"));
        assert_eq!(found("demo", "AC0").as_deref(), Some("AC1"), "never another tenant's");
        assert_eq!(found("nobody", "AC1"), None);
    }
}
