//! Files of WhatsApp: the Graph API tells for a media id where it is, and that place wants the token, too.

use async_trait::async_trait;
use schemas::media::MediaResult;
use serde_json::Value;

use crate::media::{Answer, Credentials, FetchError, Located, Source, Wanted, Web};

/// Codes of the Graph API that pass: unknown and temporary errors, and limits (Graph API, "Error codes").
const PASSING: &[i64] = &[1, 2, 4, 17, 341, 80_007, 130_429, 131_056];

/// One app at the provider.
#[derive(Clone)]
pub struct MediaAccount {
    /// Whose customers write.
    pub tenant: String,
    /// Our number at the provider, by its id; empty: every number of this tenant.
    pub phone_number_id: String,
    /// Of a system user, with `whatsapp_business_messaging`.
    pub access_token: String,
    /// The Graph API with its version.
    pub api_url: String,
}

/// The files of these apps.
pub struct Files(pub Vec<MediaAccount>);

#[async_trait]
impl Source for Files {
    async fn locate(&self, web: &Web, wanted: &Wanted<'_>) -> Result<Located, FetchError> {
        let of_tenant = || self.0.iter().filter(|account| account.tenant == wanted.tenant);
        let account = of_tenant()
            .find(|account| account.phone_number_id == wanted.account)
            .or_else(|| of_tenant().find(|account| account.phone_number_id.is_empty()));
        let account = account.ok_or_else(FetchError::refused)?;
        let id = &wanted.attachment.reference;
        // It becomes part of an address.
        let plain = !id.is_empty()
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if !plain {
            return Err(FetchError::refused());
        }
        let credentials = Credentials::Bearer(account.access_token.clone());
        let url = format!("{}/{id}", account.api_url.trim_end_matches('/'));
        let told = web.ask(&url, &credentials).await?;
        meaning(&told)?;
        let size = told.body.get("file_size").and_then(Value::as_u64);
        if size.is_some_and(|size| size > web.bytes_max() as u64) {
            return Err(FetchError::Never(MediaResult::TooLarge));
        }
        let url = told.body.get("url").and_then(Value::as_str).ok_or_else(FetchError::refused)?;
        Ok(Located { url: url.to_owned(), credentials, home: account.api_url.clone() })
    }
}

fn meaning(told: &Answer) -> Result<(), FetchError> {
    match told.body.pointer("/error/code").and_then(Value::as_i64) {
        Some(code) if PASSING.contains(&code) => Err(FetchError::Later(format!("code {code}"))),
        _ => told.accepted(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn errors_are_told_by_their_codes() {
        let meaning = |status, code: i64| {
            let told = meaning(&Answer { status, body: json!({ "error": { "code": code } }) });
            told.map_err(|error| error.result())
        };
        assert_eq!(meaning(400, 130_429), Err(MediaResult::Unreachable));
        assert_eq!(meaning(401, 190), Err(MediaResult::Unreachable), "a token may be renewed");
        assert_eq!(meaning(500, 131_000), Err(MediaResult::Unreachable));
        assert_eq!(meaning(400, 100), Err(MediaResult::Refused), "no such file any more");
        assert!(super::meaning(&Answer { status: 200, body: json!({ "url": "x" }) }).is_ok());
    }
}
