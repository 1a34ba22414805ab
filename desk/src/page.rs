//! The live page, embedded in the binary. It holds no data of its own.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn file(kind: &'static str, content: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        // The page and its API come from one binary: never a page of another release.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, content).into_response()
}

/// The page's routes.
pub(crate) fn routes() -> Router {
    Router::new()
        .route(
            "/",
            get(|| async { file("text/html; charset=utf-8", include_str!("../web/desk.html")) }),
        )
        .route(
            "/desk.css",
            get(|| async { file("text/css; charset=utf-8", include_str!("../web/desk.css")) }),
        )
        .route(
            "/desk.js",
            get(|| async {
                file("text/javascript; charset=utf-8", include_str!("../web/desk.js"))
            }),
        )
}
