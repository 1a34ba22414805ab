//! How the chat looks at a tenant's site: asked for by the page and the widget before they show anything.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use serde_json::Value;

use super::{Chat, http};
use crate::door::Problem;

/// Who knows how it looks.
pub trait Looks: Send + Sync {
    /// The texts and the colour `tenant` has of its own, as the page reads them.
    fn look(&self, tenant: &str) -> Value;
}

/// `GET /v1/channels/web_chat/{account}/look`.
pub(super) async fn look(
    State(chat): State<Chat>,
    Path(account): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let site = http::site(&chat, &account)?;
    let look = chat.looks.look(&site.account.tenant);
    Ok(([(CACHE_CONTROL, "no-cache")], Json(look)))
}
