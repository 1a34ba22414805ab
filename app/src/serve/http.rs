//! The HTTP server: doors, desk, health, metrics, and one form for everything that is refused.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use pipeline::telemetry::metrics::Metrics;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutLayer;

use super::health::Health;
use crate::openapi;

/// How long a request may take to be answered; streams are answered at once and go on.
const REQUEST_WITHIN: Duration = Duration::from_secs(60);

#[derive(Clone)]
struct Operations {
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

/// Everything the server answers.
pub(super) fn router(doors: Router, metrics: Arc<Metrics>, health: Arc<Health>) -> Router {
    let operations = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(expose))
        .route("/openapi.json", get(describe))
        .with_state(Operations { metrics, health });
    doors
        .merge(operations)
        .fallback(|| async { StatusCode::NOT_FOUND })
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_WITHIN))
        .layer(middleware::from_fn(refusals))
}

async fn ready(State(operations): State<Operations>) -> Response {
    let wrong = operations.health.wrong();
    if wrong.is_empty() {
        "ready\n".into_response()
    } else {
        let problem = json!({
            "type": "urn:correnteza:problem:not_ready",
            "title": "Service Unavailable",
            "status": 503,
            "code": "not_ready",
            "detail": "a part of the line has stopped; the log says why",
            "not_ready": wrong,
        });
        let kind = [(CONTENT_TYPE, "application/problem+json")];
        (StatusCode::SERVICE_UNAVAILABLE, kind, problem.to_string()).into_response()
    }
}

async fn describe() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], openapi::DOCUMENT)
}

async fn expose(State(operations): State<Operations>) -> Response {
    match operations.metrics.text() {
        Ok(text) => {
            ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Refusals of the framework (no such route, wrong method, wrong type of a parameter) in the form of
/// all others: problem details, RFC 9457.
async fn refusals(request: axum::extract::Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let plain = kind.is_none_or(|kind| kind.starts_with("text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || !plain {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let words = axum::body::to_bytes(body, 4096).await.unwrap_or_default();
    let words = String::from_utf8_lossy(&words).trim().to_owned();
    let title = status.canonical_reason().unwrap_or("refused");
    let code = title.to_lowercase().replace(' ', "_");
    let problem = json!({
        "type": format!("urn:correnteza:problem:{code}"),
        "title": title,
        "status": status.as_u16(),
        "code": code,
        "detail": if words.is_empty() { "see /openapi.json for what there is" } else { &words },
    });
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(problem.to_string()))
}

/// Binds the address.
pub(super) async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen}; is another server running? Choose another --listen")
    })
}

/// Serves until `stop`, then lets requests in hand finish.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let stopped = async move { stop.cancelled().await };
    // A bare router is copied with all its routes for each connection: 70 KB, for as long as that lasts.
    let shared = router.into_make_service();
    axum::serve(listener, shared).with_graceful_shutdown(stopped).await?;
    Ok(())
}
