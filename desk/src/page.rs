//! The live page, embedded in the binary. It holds no data of its own.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Everything the page is made of: path, content type, content.
const FILES: &[(&str, &str, &str)] = &[
    ("/", HTML, include_str!("../web/desk.html")),
    ("/desk/mark.svg", SVG, include_str!("../web/mark.svg")),
    ("/desk/base.css", CSS, include_str!("../web/base.css")),
    ("/desk/layout.css", CSS, include_str!("../web/layout.css")),
    ("/desk/live.css", CSS, include_str!("../web/live.css")),
    ("/desk/queues.css", CSS, include_str!("../web/queues.css")),
    ("/desk/conversation.css", CSS, include_str!("../web/conversation.css")),
    ("/desk/numbers.css", CSS, include_str!("../web/numbers.css")),
    ("/desk/checks.css", CSS, include_str!("../web/checks.css")),
    ("/desk/tenants.css", CSS, include_str!("../web/tenants.css")),
    ("/desk/desk.js", JS, include_str!("../web/desk.js")),
    ("/desk/routes.js", JS, include_str!("../web/routes.js")),
    ("/desk/api.js", JS, include_str!("../web/api.js")),
    ("/desk/stream.js", JS, include_str!("../web/stream.js")),
    ("/desk/dom.js", JS, include_str!("../web/dom.js")),
    ("/desk/words.js", JS, include_str!("../web/words.js")),
    ("/desk/format.js", JS, include_str!("../web/format.js")),
    ("/desk/people.js", JS, include_str!("../web/people.js")),
    ("/desk/live.js", JS, include_str!("../web/live.js")),
    ("/desk/arrivals.js", JS, include_str!("../web/arrivals.js")),
    ("/desk/card.js", JS, include_str!("../web/card.js")),
    ("/desk/decision.js", JS, include_str!("../web/decision.js")),
    ("/desk/queues.js", JS, include_str!("../web/queues.js")),
    ("/desk/conversation.js", JS, include_str!("../web/conversation.js")),
    ("/desk/timeline.js", JS, include_str!("../web/timeline.js")),
    ("/desk/composer.js", JS, include_str!("../web/composer.js")),
    ("/desk/suggested.js", JS, include_str!("../web/suggested.js")),
    ("/desk/templates.js", JS, include_str!("../web/templates.js")),
    ("/desk/customer.js", JS, include_str!("../web/customer.js")),
    ("/desk/letters.css", CSS, include_str!("../web/letters.css")),
    ("/desk/letters.js", JS, include_str!("../web/letters.js")),
    ("/desk/typing.js", JS, include_str!("../web/typing.js")),
    ("/desk/handling.js", JS, include_str!("../web/handling.js")),
    ("/desk/numbers.js", JS, include_str!("../web/numbers.js")),
    ("/desk/checks.js", JS, include_str!("../web/checks.js")),
    ("/desk/verdict.js", JS, include_str!("../web/verdict.js")),
    ("/desk/model.js", JS, include_str!("../web/model.js")),
    ("/desk/tenants.js", JS, include_str!("../web/tenants.js")),
    ("/desk/chart.js", JS, include_str!("../web/chart.js")),
];

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
    FILES.iter().fold(Router::new(), |router, &(path, kind, content)| {
        router.route(path, get(move || async move { file(kind, content) }))
    })
}
