//! Files at Chatwoot: their addresses come with the message and are open to whoever has them.

use std::collections::HashMap;

use async_trait::async_trait;

use crate::media::{Credentials, FetchError, Located, Source, Wanted, Web};

/// The files at these addresses of Chatwoot, by tenant and number of the account; without a number, every account
/// of the tenant that is not named.
pub struct Files(pub HashMap<(String, String), String>);

#[async_trait]
impl Source for Files {
    async fn locate(&self, _: &Web, wanted: &Wanted<'_>) -> Result<Located, FetchError> {
        let of = |account: &str| self.0.get(&(wanted.tenant.to_owned(), account.to_owned()));
        let home = of(wanted.account).or_else(|| of("")).ok_or_else(FetchError::refused)?.clone();
        let url = wanted.attachment.reference.clone();
        Ok(Located { url, credentials: Credentials::None, home })
    }
}
