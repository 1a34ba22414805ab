//! Web chat: a customer's browser on a WebSocket, and the small page that opens one.
//!
//! A message sent again under the same client id is the same message; a browser that comes back says
//! how far it had come and gets the rest; one that does not keep up is let go of, not buffered for.

mod frames;
mod session;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use crate::door::Door;

/// Name of the adapter.
pub const PROVIDER: &str = "web_chat";
/// Largest frame of a customer, in bytes.
const FRAME_BYTES_MAX: usize = 64 << 10;

/// The page customers write on.
const PAGE: &str = include_str!("page.html");

#[derive(Clone)]
struct Chat {
    door: Door,
    default_tenant: Arc<str>,
    stop: CancellationToken,
}

/// The routes. Sockets are closed when `stop` is cancelled.
pub fn routes(door: Door, default_tenant: &str, stop: CancellationToken) -> Router {
    Router::new()
        .route("/chat", get(page))
        .route("/v1/chat/ws", get(socket))
        .with_state(Chat { door, default_tenant: default_tenant.into(), stop })
}

async fn page() -> Response {
    let mut response = Html(PAGE).into_response();
    response.headers_mut().insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
             connect-src 'self'; base-uri 'none'; form-action 'none'",
        ),
    );
    response
}

async fn socket(State(chat): State<Chat>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .on_upgrade(move |socket| serve(chat, socket))
}

async fn serve(chat: Chat, socket: WebSocket) {
    let stop = chat.stop.clone();
    let ended = tokio::select! {
        ended = session::run(&chat.door, &chat.default_tenant, socket) => ended,
        () = stop.cancelled() => Ok(()),
    };
    if let Err(why) = ended {
        tracing::debug!(%why, "a web chat ended");
    }
}
