//! Files of Telegram: `getFile` tells a path, good for an hour, below an address with the bot's secret.

use std::collections::HashMap;

use async_trait::async_trait;
use schemas::media::MediaResult;
use serde_json::Value;

use crate::media::{Answer, Credentials, FetchError, Located, Source, Wanted, Web};

/// One bot.
#[derive(Clone)]
pub struct MediaAccount {
    /// Whose customers write.
    pub tenant: String,
    /// Its secret; part of addresses, which are therefore never logged.
    pub bot_token: String,
    /// The API.
    pub api_url: String,
}

/// The files of these bots, by their names in the configuration.
pub struct Files(pub HashMap<String, MediaAccount>);

#[async_trait]
impl Source for Files {
    async fn locate(&self, web: &Web, wanted: &Wanted<'_>) -> Result<Located, FetchError> {
        let bot = self.0.get(wanted.account).filter(|bot| bot.tenant == wanted.tenant);
        let bot = bot.ok_or_else(FetchError::refused)?;
        let (api, token) = (bot.api_url.trim_end_matches('/'), &bot.bot_token);
        let id: String =
            form_urlencoded::byte_serialize(wanted.attachment.reference.as_bytes()).collect();
        let url = format!("{api}/bot{token}/getFile?file_id={id}");
        let told = web.ask(&url, &Credentials::None).await?;
        let path = path(&told)?;
        let url = format!("{api}/file/bot{token}/{path}");
        Ok(Located { url, credentials: Credentials::None, home: bot.api_url.clone() })
    }
}

/// Where the file is, or why it is nowhere: files of more than 20 MB are not given to bots.
fn path(told: &Answer) -> Result<&str, FetchError> {
    let text = |pointer: &str| told.body.pointer(pointer).and_then(Value::as_str);
    if text("/description").is_some_and(|why| why.contains("too big")) {
        return Err(FetchError::Never(MediaResult::TooLarge));
    }
    told.accepted()?;
    let path = text("/result/file_path").ok_or_else(FetchError::refused)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let within = path.chars().all(plain) && !path.contains("..") && !path.starts_with('/');
    if within { Ok(path) } else { Err(FetchError::refused()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_stays_below_the_bot() {
        let path = |status, body: Value| {
            path(&Answer { status, body }).map(str::to_owned).map_err(|error| error.result())
        };
        let at = |file: &str| json!({ "ok": true, "result": { "file_path": file } });
        assert_eq!(path(200, at("voice/file_1.oga")), Ok("voice/file_1.oga".to_owned()));
        for strange in ["../../bot2/getMe", "/etc/passwd", "a b", "http://x", ""] {
            let found = path(200, at(strange));
            assert!(found.is_err() || strange.is_empty(), "{strange}");
        }
        let big = json!({ "ok": false, "description": "Bad Request: file is too big" });
        assert_eq!(path(400, big), Err(MediaResult::TooLarge));
        assert_eq!(path(429, json!({})), Err(MediaResult::Unreachable));
        assert_eq!(path(404, json!({})), Err(MediaResult::Refused));
    }
}
