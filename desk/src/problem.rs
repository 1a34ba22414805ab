//! What the desk answers when it does not do as asked: problem details (RFC 9457).

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use pipeline::log::AppendError;
use schemas::sealed::SealError;
use serde_json::json;
use sink::StoreError;

/// A refusal.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: String,
    detail: String,
    retry_after_s: Option<u64>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), detail: detail.into(), retry_after_s: None }
    }

    pub(crate) fn unauthorized() -> Self {
        let detail = "send the desk's token as Authorization: Bearer …";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    pub(crate) fn of_the_installation() -> Self {
        let detail = "this concerns all tenants: it needs the installation's token";
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("no such {what}"))
    }

    pub(crate) fn invalid(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    fn unavailable(code: &str, detail: &str) -> Self {
        Self { retry_after_s: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": format!("urn:correnteza:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("refused"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "the store was asked in vain");
        Self::unavailable("store_unavailable", "the store does not answer; try again")
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        if matches!(error, AppendError::TooLarge { .. }) {
            let detail = "it is larger than what can be kept; write less at once";
            return Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail);
        }
        tracing::warn!(%error, "a command was not appended");
        Self::unavailable("log_unavailable", "it could not be written; try again")
    }
}

impl From<SealError> for Problem {
    fn from(error: SealError) -> Self {
        Self::invalid("unknown_tenant", error.to_string())
    }
}
