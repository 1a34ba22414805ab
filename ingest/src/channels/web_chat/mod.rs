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
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use crate::door::Door;

/// Name of the adapter.
pub const PROVIDER: &str = "web_chat";
/// Largest frame of a customer, in bytes.
const FRAME_BYTES_MAX: usize = 64 << 10;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The page customers write on: path, content type, content.
const FILES: &[(&str, &str, &str)] = &[
    ("/chat", HTML, include_str!("page/chat.html")),
    ("/chat/mark.svg", SVG, include_str!("page/mark.svg")),
    ("/chat/chat.css", CSS, include_str!("page/chat.css")),
    ("/chat/messages.css", CSS, include_str!("page/messages.css")),
    ("/chat/chat.js", JS, include_str!("page/chat.js")),
    ("/chat/session.js", JS, include_str!("page/session.js")),
    ("/chat/link.js", JS, include_str!("page/link.js")),
    ("/chat/outbox.js", JS, include_str!("page/outbox.js")),
    ("/chat/talk.js", JS, include_str!("page/talk.js")),
    ("/chat/view.js", JS, include_str!("page/view.js")),
    ("/chat/text.js", JS, include_str!("page/text.js")),
    ("/chat/words.js", JS, include_str!("page/words.js")),
    ("/chat/dom.js", JS, include_str!("page/dom.js")),
];

#[derive(Clone)]
struct Chat {
    door: Door,
    default_tenant: Arc<str>,
    stop: CancellationToken,
}

/// The routes. Sockets are closed when `stop` is cancelled.
pub fn routes(door: Door, default_tenant: &str, stop: CancellationToken) -> Router {
    let pages: Router<Chat> = FILES.iter().fold(Router::new(), |router, &(path, kind, content)| {
        router.route(path, get(move || async move { file(kind, content) }))
    });
    pages.route("/v1/chat/ws", get(socket)).with_state(Chat {
        door,
        default_tenant: default_tenant.into(),
        stop,
    })
}

fn file(kind: &'static str, content: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        // The page and its socket come from one binary: never a page of another release.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, content).into_response()
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
