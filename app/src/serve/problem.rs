//! A refusal of the routes that concern tenants and their texts: problem details (RFC 9457).

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::inputs::{Refused, Told};

/// A refusal.
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// Of a text that is wrong, each with its line.
    mistakes: Vec<Told>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), mistakes: Vec::new() }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("no such {what}"))
    }

    /// Of what went wrong here; the log says what.
    pub(super) fn unavailable(error: &anyhow::Error) -> Self {
        tracing::error!(error = %format!("{error:#}"), "a setting could not be put into use");
        let detail = "it could not be written; try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "log_unavailable", detail)
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let detail = refused.to_string();
        match refused {
            Refused::NoTenant(_) => Self::new(StatusCode::NOT_FOUND, "not_found", detail),
            Refused::Wrong(mistakes) => {
                Self { mistakes, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "wrong", detail) }
            }
            Refused::Other(error) => Self::unavailable(&error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("urn:correnteza:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("refused"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let (Some(body), false) = (body.as_object_mut(), self.mistakes.is_empty()) {
            body.insert("mistakes".to_owned(), json!(self.mistakes));
        }
        let kind = [(CONTENT_TYPE, "application/problem+json")];
        (self.status, kind, body.to_string()).into_response()
    }
}
