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

/// The files of these accounts, one a tenant.
pub struct Files(pub Vec<MediaAccount>);

#[async_trait]
impl Source for Files {
    async fn locate(&self, _: &Web, wanted: &Wanted<'_>) -> Result<Located, FetchError> {
        let account = self.0.iter().find(|account| account.tenant == wanted.tenant);
        let account = account.ok_or_else(FetchError::refused)?;
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
