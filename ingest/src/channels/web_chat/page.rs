//! What browsers are given: the page customers write on, whose parts a widget on any site uses, too.

use axum::Router;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The page customers write on, the widget, and a site with it: path, content type, content.
const FILES: &[(&str, &str, &str)] = &[
    ("/chat", HTML, include_str!("page/chat.html")),
    ("/chat/mark.svg", SVG, include_str!("page/mark.svg")),
    ("/chat/chat.css", CSS, include_str!("page/chat.css")),
    ("/chat/messages.css", CSS, include_str!("page/messages.css")),
    ("/chat/widget.css", CSS, include_str!("page/widget.css")),
    ("/chat/chat.js", JS, include_str!("page/chat.js")),
    ("/chat/app.js", JS, include_str!("page/app.js")),
    ("/chat/csat.js", JS, include_str!("page/csat.js")),
    ("/chat/panel.js", JS, include_str!("page/panel.js")),
    ("/chat/widget_panel.js", JS, include_str!("page/widget_panel.js")),
    ("/chat/visitor.js", JS, include_str!("page/visitor.js")),
    ("/chat/socket.js", JS, include_str!("page/socket.js")),
    ("/chat/stream.js", JS, include_str!("page/stream.js")),
    ("/chat/session.js", JS, include_str!("page/session.js")),
    ("/chat/link.js", JS, include_str!("page/link.js")),
    ("/chat/outbox.js", JS, include_str!("page/outbox.js")),
    ("/chat/talk.js", JS, include_str!("page/talk.js")),
    ("/chat/view.js", JS, include_str!("page/view.js")),
    ("/chat/text.js", JS, include_str!("page/text.js")),
    ("/chat/look.js", JS, include_str!("page/look.js")),
    ("/chat/words.js", JS, include_str!("page/words.js")),
    ("/chat/dom.js", JS, include_str!("page/dom.js")),
    ("/widget.js", JS, include_str!("page/widget.js")),
    ("/demo", HTML, include_str!("page/demo.html")),
    ("/demo/demo.css", CSS, include_str!("page/demo.css")),
];

/// The routes.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |router, &(path, kind, content)| {
        router.route(path, get(move || async move { file(kind, content) }))
    })
}

fn file(kind: &'static str, content: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        // The page and its socket come from one binary: never a page of another release.
        (CACHE_CONTROL, "no-cache"),
        // They hold nothing of anybody's, and a widget is loaded from another origin.
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, content).into_response()
}
