//! Web chat: a customer's browser on a WebSocket or, where there is none, on an event stream and POST;
//! and the small page and widget that open one.
//!
//! Appends to `inbound`; follows `conversations`. A message sent again under the same client id is the
//! same message; a browser that comes back says how far it had come and gets the rest; one that does not
//! keep up is let go of, not buffered for. Both doors share everything but their wires: who somebody is
//! (`visitor`), what may be written (`say`), what is shown (`follow`, `view`).

mod account;
mod follow;
mod frames;
mod http;
mod limit;
mod look;
mod page;
mod rating;
mod read;
mod say;
mod socket;
mod token;
mod typing;
mod view;
mod visitor;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;

pub use self::account::{Account, Accounts};
pub use self::look::Looks;
pub use self::typing::TypingTold;
use crate::door::Door;

/// Name of the adapter.
pub const PROVIDER: &str = "web_chat";

#[derive(Clone)]
struct Chat {
    door: Door,
    accounts: Arc<Accounts>,
    typing: Arc<dyn TypingTold>,
    looks: Arc<dyn Looks>,
    stop: CancellationToken,
}

/// The routes. Sockets and streams are closed when `stop` is cancelled.
pub fn routes(
    door: Door,
    accounts: Accounts,
    (typing, looks): (Arc<dyn TypingTold>, Arc<dyn Looks>),
    stop: CancellationToken,
) -> Router {
    let accounts = Arc::new(accounts);
    let without_socket = Router::new()
        .route(
            "/v1/channels/web_chat/{account}/visitors",
            post(http::visitors).options(http::preflight),
        )
        .route(
            "/v1/channels/web_chat/{account}/messages",
            post(http::messages).options(http::preflight),
        )
        .route("/v1/channels/web_chat/{account}/csat", post(http::csat).options(http::preflight))
        .route(
            "/v1/channels/web_chat/{account}/typing",
            post(http::typing).options(http::preflight),
        )
        .route("/v1/channels/web_chat/{account}/look", get(look::look).options(http::preflight))
        .route("/v1/channels/web_chat/{account}/events", get(http::events).options(http::preflight))
        .layer(http::cors(Arc::clone(&accounts)));
    page::routes().route("/v1/chat/ws", get(socket::open)).merge(without_socket).with_state(Chat {
        door,
        accounts,
        typing,
        looks,
        stop,
    })
}

/// Takes bytes as what a visitor's side may send, a frame, a token and a place to go on from, and lets go what
/// comes of it: for those who try what upsets it (`fuzz/`). Whether it was a token of ours.
#[must_use]
pub fn take_bytes(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let _ = serde_json::from_str::<frames::Said>(&text);
    let _ = text.parse::<frames::Cursor>();
    token::verify::<serde_json::Value>(b"a key nobody knows", &text, 0).is_ok()
}
