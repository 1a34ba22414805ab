//! What a door answers when it does not accept: problem details (RFC 9457), never a 5xx for what a
//! caller did wrong.

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use pipeline::log::AppendError;
use schemas::sealed::SealError;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::AcceptError;
use super::history::HistoryError;

/// Longest explanation of a refusal, in characters.
const DETAIL_CHARS_MAX: usize = 400;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    /// Short code for programs.
    code: &'static str,
    /// What to do about it, for people.
    detail: String,
    retry_after_s: Option<u64>,
}

impl Problem {
    /// A refusal with `status`; `code` is for programs, `detail` says what to do.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after_s: None }
    }

    /// 422: read, and makes no sense.
    #[must_use]
    pub fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 404.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 429: this caller wrote more than it may.
    #[must_use]
    pub fn too_many(detail: impl Into<String>, retry_after_s: u64) -> Self {
        Self {
            retry_after_s: Some(retry_after_s.max(1)),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail)
        }
    }

    /// 503: not now.
    #[must_use]
    pub fn unavailable(code: &'static str, detail: impl Into<String>, retry_after_s: u64) -> Self {
        Self {
            retry_after_s: Some(retry_after_s.max(1)),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // What was sent is quoted in part at most.
        let detail: String = self.detail.chars().take(DETAIL_CHARS_MAX).collect();
        let body = json!({
            "type": format!("urn:correnteza:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("refused"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": detail,
        });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Busy { retry_after } => Self::unavailable(
                "busy",
                "nothing can be written at present; nothing was accepted, send it again",
                retry_after.as_secs(),
            ),
            AppendError::Failed(why) => {
                tracing::error!(why, "an append failed");
                Self::unavailable(
                    "log_unavailable",
                    "it is not known whether it was kept; send it again with the same \
                     Idempotency-Key or provider id, and it is the same message",
                    1,
                )
            }
            AppendError::TooLarge { .. } => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "it is larger than what can be kept; send less at once",
            ),
        }
    }
}

impl From<SealError> for Problem {
    fn from(error: SealError) -> Self {
        match error {
            SealError::UnknownTenant(_) => Self::invalid("unknown_tenant", error.to_string()),
            _ => Self::unavailable("keys_unavailable", error.to_string(), 5),
        }
    }
}

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Seal(error) => error.into(),
            AcceptError::Inactive(_) => {
                Self::new(StatusCode::FORBIDDEN, "tenant_inactive", error.to_string())
            }
            AcceptError::Append(error) => error.into(),
            AcceptError::Store(error) => {
                tracing::error!(%error, "files that came with a message are not kept");
                Self::unavailable(
                    "files_unavailable",
                    "its files cannot be kept at present; nothing was accepted, send it again",
                    30,
                )
            }
        }
    }
}

impl From<HistoryError> for Problem {
    fn from(error: HistoryError) -> Self {
        tracing::warn!(%error, "the store was asked in vain");
        Self::unavailable("store_unavailable", "the store does not answer; try again", 1)
    }
}

/// Largest body, for [`RawBody`] and [`JsonBody`]; put into the router as an extension.
#[derive(Debug, Clone, Copy)]
struct BodyLimit(usize);

/// Of a body too large so many bytes more are read and dropped: who is answered while still sending may
/// never see the answer.
const DRAINED_BYTES_MAX: usize = 16 << 20;

/// Sets the largest body, in bytes, for these extractors and the framework's own.
pub fn body_limit<S: Clone + Send + Sync + 'static>(
    router: axum::Router<S>,
    bytes_max: usize,
) -> axum::Router<S> {
    router.layer(axum::Extension(BodyLimit(bytes_max))).layer(DefaultBodyLimit::max(bytes_max))
}

/// A whole body, within the limit.
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let limit = request.extensions().get::<BodyLimit>().map_or(1 << 20, |limit| limit.0);
        read(request.into_body(), limit).await.map(Self)
    }
}

async fn read(mut body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let mut bytes = BytesMut::new();
    let mut seen = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            Problem::new(StatusCode::BAD_REQUEST, "cut_off", "the body ended before its end")
        })?;
        let Some(data) = frame.data_ref() else { continue };
        seen = seen.saturating_add(data.len());
        if seen <= bytes_max {
            bytes.extend_from_slice(data);
        } else if seen > bytes_max.saturating_add(DRAINED_BYTES_MAX) {
            break;
        }
    }
    if seen > bytes_max {
        let detail = format!("the body is larger than {bytes_max} bytes; send less at once");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail));
    }
    Ok(bytes.freeze())
}

/// A JSON body, within the limit and of the right type.
pub struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = kind.is_some_and(|kind| {
            let essence = kind.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json")
                || essence.to_ascii_lowercase().ends_with("+json")
        });
        if !is_json {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "send the body as Content-Type: application/json",
            ));
        }
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            // The library's words name fields and places, never values of ours.
            let (code, status) = if error.is_data() {
                ("wrong_shape", StatusCode::UNPROCESSABLE_ENTITY)
            } else {
                ("malformed_json", StatusCode::BAD_REQUEST)
            };
            Problem::new(status, code, format!("the body cannot be read: {error}"))
        })
    }
}
