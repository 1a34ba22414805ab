//! Who may use the desk: on loopback anybody who can reach it, elsewhere whoever has the token.

use axum::extract::{Query, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use crate::problem::Problem;

/// A token in the address.
#[derive(serde::Deserialize)]
struct Shown {
    token: Option<String>,
}

/// The token asked for, if one is.
#[derive(Clone, Default)]
pub struct Access(Option<std::sync::Arc<str>>);

impl Access {
    /// Asks everybody for `token`.
    #[must_use]
    pub fn token(token: &str) -> Self {
        Self(Some(token.into()))
    }

    /// Asks nobody: only for a door on loopback.
    #[must_use]
    pub fn open() -> Self {
        Self(None)
    }

    /// Lets only those through to `routes` who may use the desk.
    pub fn guard(&self, routes: axum::Router) -> axum::Router {
        routes.layer(axum::middleware::from_fn_with_state(self.clone(), check))
    }

    fn admits(&self, request: &Request) -> bool {
        let Some(token) = &self.0 else { return true };
        let bearer = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.split_once(' '))
            .and_then(|(scheme, token)| {
                scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
            });
        // A browser's event stream cannot send headers.
        let by_query = Query::<Shown>::try_from_uri(request.uri()).ok();
        let by_query = by_query.and_then(|Query(shown)| shown.token);
        let shown = bearer.or(by_query.as_deref()).unwrap_or_default();
        bool::from(shown.as_bytes().ct_eq(token.as_bytes()))
    }
}

/// Lets through whoever may use the desk.
async fn check(State(access): State<Access>, request: Request, next: Next) -> Response {
    if access.admits(&request) {
        next.run(request).await
    } else {
        Problem::unauthorized().into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn request(uri: &str, bearer: Option<&str>) -> Request {
        let mut request = Request::builder().uri(uri);
        if let Some(bearer) = bearer {
            request = request.header(AUTHORIZATION, bearer);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn asks_for_the_token_and_nothing_else_will_do() {
        let access = Access::token("s3cret");
        assert!(access.admits(&request("/v1/queues", Some("Bearer s3cret"))));
        assert!(access.admits(&request("/v1/queues", Some("bearer s3cret"))));
        assert!(access.admits(&request("/v1/stream?tenant=demo&token=s3cret", None)));
        assert!(access.admits(&request("/v1/stream?token=s3%63ret", None)));
        for (uri, bearer) in [
            ("/v1/queues", None),
            ("/v1/queues", Some("Bearer ")),
            ("/v1/queues", Some("s3cret")),
            ("/v1/queues?token=", None),
            ("/v1/queues?token=s3cre", None),
        ] {
            assert!(!access.admits(&request(uri, bearer)), "{uri} {bearer:?}");
        }
        assert!(Access::open().admits(&request("/", None)));
    }
}
