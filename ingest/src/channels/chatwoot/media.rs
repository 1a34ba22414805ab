//! Files at Chatwoot: their addresses come with the message and are open to whoever has them.

use std::collections::HashMap;

use async_trait::async_trait;

use crate::media::{Credentials, FetchError, Located, Source, Wanted, Web};

/// The files at these addresses of Chatwoot, by tenant.
pub struct Files(pub HashMap<String, String>);

#[async_trait]
impl Source for Files {
    async fn locate(&self, _: &Web, wanted: &Wanted<'_>) -> Result<Located, FetchError> {
        let home = self.0.get(wanted.tenant).ok_or_else(FetchError::refused)?.clone();
        let url = wanted.attachment.reference.clone();
        Ok(Located { url, credentials: Credentials::None, home })
    }
}
