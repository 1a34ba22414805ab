//! Recordings of calls: kept by Asterisk under their names (`/ari/recordings/stored/…/file`).

use std::collections::HashMap;

use async_trait::async_trait;

use super::Server;
use crate::media::{Credentials, FetchError, Located, Source, Wanted, Web};

/// The recordings at these servers, by the names of their accounts; each with whose customers call.
pub struct Files(pub HashMap<String, (String, Server)>);

#[async_trait]
impl Source for Files {
    async fn locate(&self, _: &Web, wanted: &Wanted<'_>) -> Result<Located, FetchError> {
        let found = self.0.get(wanted.account).filter(|(tenant, _)| tenant == wanted.tenant);
        let (_, server) = found.ok_or_else(FetchError::refused)?;
        let name = &wanted.attachment.reference;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || !name.chars().all(plain) || name.starts_with('.') {
            return Err(FetchError::refused());
        }
        let url = server.url.trim_end_matches('/');
        Ok(Located {
            url: format!("{url}/ari/recordings/stored/{name}/file"),
            credentials: Credentials::Basic {
                user: server.user.clone(),
                password: server.password.clone(),
            },
            home: server.url.clone(),
        })
    }
}
