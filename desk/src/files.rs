//! The files customers sent, to whoever works on the conversation.

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use schemas::conversation::ConversationEvent;
use schemas::ids::ConversationId;
use schemas::media::MediaFetched;

use crate::access::Scope;
use crate::api::{Desk, HISTORY_LINES_MAX};
use crate::problem::Problem;

/// Where files are kept.
#[async_trait]
pub trait Files: Send + Sync {
    /// What has this digest, if it is still kept.
    ///
    /// # Errors
    /// When it cannot be read now, in words.
    async fn read(&self, tenant: &str, digest: &str) -> Result<Option<Vec<u8>>, String>;
}

/// A file of the conversation. It came from outside: it is saved, never shown as a page of ours.
pub(crate) async fn file(
    State(desk): State<Desk>,
    scope: Scope,
    Path((id, digest)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let row = desk.row(&scope, &id).await?;
    let fetched = fetched(&desk, row.conversation_id, &digest).await?;
    let bytes = desk.files.read(&row.tenant, &digest).await.map_err(|why| {
        tracing::warn!(why, "a file cannot be read");
        let detail = "the file cannot be read now; try again";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "files_unavailable", detail)
    })?;
    let bytes = bytes.ok_or_else(|| Problem::not_found("file"))?;
    let mime = fetched.mime.as_deref().and_then(|mime| HeaderValue::from_str(mime).ok());
    let name = disposition(fetched.filename.as_deref());
    let mut response = Body::from(bytes).into_response();
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, mime.unwrap_or(plain));
    headers.insert(CONTENT_DISPOSITION, name);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}

/// The line that tells of the file: only who knows of it there may have it.
async fn fetched(desk: &Desk, id: ConversationId, digest: &str) -> Result<MediaFetched, Problem> {
    let mut after = 0;
    loop {
        let lines = desk.store.history(id, after, HISTORY_LINES_MAX).await?;
        let told = lines.iter().find_map(|(_, line)| match &line.event {
            ConversationEvent::MediaFetched(fetched)
                if fetched.sha256.as_deref() == Some(digest) =>
            {
                Some(fetched.clone())
            }
            _ => None,
        });
        match (told, lines.last()) {
            (Some(fetched), _) => return Ok(fetched),
            (None, Some((_, last))) if lines.len() == HISTORY_LINES_MAX => after = last.seq,
            (None, _) => return Err(Problem::not_found("file")),
        }
    }
}

/// How the file is saved (RFC 6266, RFC 8187).
fn disposition(filename: Option<&str>) -> HeaderValue {
    let attachment = HeaderValue::from_static("attachment");
    let Some(name) = filename.filter(|name| !name.is_empty()) else { return attachment };
    let mut shown = String::from("attachment; filename*=UTF-8''");
    for byte in name.bytes().take(200) {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            shown.push(char::from(byte));
        } else {
            shown.push_str(&format!("%{byte:02X}"));
        }
    }
    HeaderValue::from_str(&shown).unwrap_or(attachment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_whatever_it_holds() {
        let shown = |name| disposition(Some(name)).to_str().unwrap().to_owned();
        assert_eq!(shown("boleto.pdf"), "attachment; filename*=UTF-8''boleto.pdf");
        assert_eq!(shown("conta maio.pdf"), "attachment; filename*=UTF-8''conta%20maio.pdf");
        assert_eq!(shown("a\";\r\nb/é"), "attachment; filename*=UTF-8''a%22%3B%0D%0Ab%2F%C3%A9");
        assert_eq!(disposition(None), "attachment");
    }
}
