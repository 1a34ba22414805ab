//! Who may use the desk: on loopback anybody who can reach it, elsewhere whoever has the token.

use axum::extract::{Query, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use crate::problem::Problem;

/// A token in the address.
#[derive(serde::Deserialize)]
struct InAddress {
    token: Option<String>,
}

/// Where the token may be.
#[derive(Clone, Copy)]
enum Shows {
    Header,
    HeaderOrAddress,
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

    /// Lets only those through to `routes` who show the token, in a header: an address ends up in
    /// logs and in a browser's history.
    pub fn guard(&self, routes: axum::Router) -> axum::Router {
        self.asking(Shows::Header, routes)
    }

    /// The same for event streams, where a browser cannot send headers: the address will do.
    pub(crate) fn guard_stream(&self, routes: axum::Router) -> axum::Router {
        self.asking(Shows::HeaderOrAddress, routes)
    }

    fn asking(&self, shows: Shows, routes: axum::Router) -> axum::Router {
        routes.layer(axum::middleware::from_fn_with_state((self.clone(), shows), check))
    }

    fn admits(&self, shows: Shows, request: &Request) -> bool {
        let Some(token) = &self.0 else { return true };
        let bearer = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.split_once(' '))
            .and_then(|(scheme, token)| {
                scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
            });
        let in_address = match shows {
            Shows::Header => None,
            Shows::HeaderOrAddress => Query::<InAddress>::try_from_uri(request.uri()).ok(),
        };
        let in_address = in_address.and_then(|Query(shown)| shown.token);
        let shown = bearer.or(in_address.as_deref()).unwrap_or_default();
        bool::from(shown.as_bytes().ct_eq(token.as_bytes()))
    }
}

/// Lets through whoever may use the desk.
async fn check(
    State((access, shows)): State<(Access, Shows)>,
    request: Request,
    next: Next,
) -> Response {
    if access.admits(shows, &request) {
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
        use Shows::{Header, HeaderOrAddress};
        let access = Access::token("s3cret");
        for shows in [Header, HeaderOrAddress] {
            assert!(access.admits(shows, &request("/", Some("Bearer s3cret"))));
            assert!(access.admits(shows, &request("/", Some("bearer s3cret"))));
        }
        for uri in ["/v1/stream?tenant=demo&token=s3cret", "/v1/stream?token=s3%63ret"] {
            assert!(access.admits(HeaderOrAddress, &request(uri, None)), "{uri}");
            assert!(!access.admits(Header, &request(uri, None)), "{uri}");
        }
        for (uri, bearer) in [
            ("/v1/queues", None),
            ("/v1/queues", Some("Bearer ")),
            ("/v1/queues", Some("s3cret")),
            ("/v1/queues?token=", None),
            ("/v1/queues?token=s3cre", None),
        ] {
            assert!(!access.admits(Header, &request(uri, bearer)), "{uri} {bearer:?}");
            assert!(!access.admits(HeaderOrAddress, &request(uri, bearer)), "{uri} {bearer:?}");
        }
        assert!(Access::open().admits(Header, &request("/", None)));
    }
}
