//! Who may use the desk: on loopback anybody who can reach it, elsewhere whoever has a token. A tenant's
//! own token opens that tenant alone: of others it is told what is told of those that do not exist.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use crate::problem::Problem;

/// A token in the address.
#[derive(serde::Deserialize)]
struct InAddress {
    token: Option<String>,
}

/// Whose affairs a request may see and change. Routes behind [`Access::guard`] are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everybody's.
    All,
    /// One tenant's.
    Tenant(Arc<str>),
}

impl Scope {
    /// Whether `tenant`'s may be seen.
    #[must_use]
    pub fn admits(&self, tenant: &str) -> bool {
        match self {
            Self::All => true,
            Self::Tenant(own) => **own == *tenant,
        }
    }

    /// The tenant that is meant when `asked` is named, or nobody.
    #[must_use]
    pub fn meant<'a>(&'a self, asked: Option<&'a str>, default: &'a str) -> &'a str {
        asked.unwrap_or(match self {
            Self::All => default,
            Self::Tenant(own) => own,
        })
    }
}

impl<S: Sync> FromRequestParts<S> for Scope {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Told by the guard; a route without one is nobody's.
        parts.extensions.get().cloned().ok_or_else(Problem::unauthorized)
    }
}

/// Where the token may be.
#[derive(Clone, Copy)]
enum Shows {
    Header,
    HeaderOrAddress,
}

/// The tokens asked for, if any is.
#[derive(Clone, Default)]
pub struct Access {
    /// Of all tenants.
    token: Option<Arc<str>>,
    /// Tokens of single tenants.
    tenants: Vec<(Arc<str>, Arc<str>)>,
}

impl Access {
    /// Asks everybody for `token`.
    #[must_use]
    pub fn token(token: &str) -> Self {
        Self { token: Some(token.into()), tenants: Vec::new() }
    }

    /// Asks nobody: only for a door on loopback.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// With a token of `tenant`, which opens that tenant alone.
    #[must_use]
    pub fn with_tenant(mut self, tenant: &str, token: &str) -> Self {
        self.tenants.push((token.into(), tenant.into()));
        self
    }

    /// Lets only those through to `routes` who show a token, in a header: an address ends up in
    /// logs and in a browser's history.
    pub fn guard(&self, routes: axum::Router) -> axum::Router {
        self.asking(Shows::Header, routes)
    }

    /// The same, and only those who may see everybody's affairs: what concerns the installation.
    pub fn guard_whole(&self, routes: axum::Router) -> axum::Router {
        self.guard(routes.layer(axum::middleware::from_fn(whole)))
    }

    /// The same as [`Self::guard`] for event streams, where a browser cannot send headers: the address
    /// will do.
    pub(crate) fn guard_stream(&self, routes: axum::Router) -> axum::Router {
        self.asking(Shows::HeaderOrAddress, routes)
    }

    fn asking(&self, shows: Shows, routes: axum::Router) -> axum::Router {
        routes.layer(axum::middleware::from_fn_with_state((self.clone(), shows), check))
    }

    /// What the request may see, if anything.
    fn admits(&self, shows: Shows, request: &Request) -> Option<Scope> {
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
        let is = |token: &str| bool::from(shown.as_bytes().ct_eq(token.as_bytes()));
        // All are compared, whichever it is.
        let own = self.tenants.iter().fold(None, |found, (token, tenant)| {
            if is(token) { Some(Scope::Tenant(Arc::clone(tenant))) } else { found }
        });
        let whole = self.token.as_deref().is_none_or(is);
        own.or_else(|| whole.then_some(Scope::All))
    }
}

/// Lets through whoever may use the desk, and says what they may see.
async fn check(
    State((access, shows)): State<(Access, Shows)>,
    mut request: Request,
    next: Next,
) -> Response {
    match access.admits(shows, &request) {
        Some(scope) => {
            request.extensions_mut().insert(scope);
            next.run(request).await
        }
        None => Problem::unauthorized().into_response(),
    }
}

/// Lets through whoever may see everybody's affairs.
async fn whole(scope: Scope, request: Request, next: Next) -> Response {
    match scope {
        Scope::All => next.run(request).await,
        Scope::Tenant(_) => Problem::of_the_installation().into_response(),
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
            assert_eq!(
                access.admits(shows, &request("/", Some("Bearer s3cret"))),
                Some(Scope::All)
            );
            assert_eq!(
                access.admits(shows, &request("/", Some("bearer s3cret"))),
                Some(Scope::All)
            );
        }
        for uri in ["/v1/stream?tenant=demo&token=s3cret", "/v1/stream?token=s3%63ret"] {
            assert!(access.admits(HeaderOrAddress, &request(uri, None)).is_some(), "{uri}");
            assert!(access.admits(Header, &request(uri, None)).is_none(), "{uri}");
        }
        for (uri, bearer) in [
            ("/v1/queues", None),
            ("/v1/queues", Some("Bearer ")),
            ("/v1/queues", Some("s3cret")),
            ("/v1/queues?token=", None),
            ("/v1/queues?token=s3cre", None),
        ] {
            assert!(access.admits(Header, &request(uri, bearer)).is_none(), "{uri} {bearer:?}");
            assert!(
                access.admits(HeaderOrAddress, &request(uri, bearer)).is_none(),
                "{uri} {bearer:?}"
            );
        }
        assert!(Access::open().admits(Header, &request("/", None)).is_some());
    }

    #[test]
    fn a_tenants_token_opens_that_tenant_alone() {
        let access =
            Access::token("s3cret").with_tenant("acme", "acm3").with_tenant("demo", "d3mo");
        let scope = |bearer: &str| access.admits(Shows::Header, &request("/", Some(bearer)));
        assert_eq!(scope("Bearer s3cret"), Some(Scope::All));
        let acme = scope("Bearer acm3").unwrap();
        assert_eq!(acme, Scope::Tenant("acme".into()));
        assert!(acme.admits("acme") && !acme.admits("demo") && !acme.admits(""));
        assert_eq!((acme.meant(None, "demo"), acme.meant(Some("demo"), "x")), ("acme", "demo"));
        assert_eq!(Scope::All.meant(None, "demo"), "demo");
        assert_eq!(scope("Bearer other"), None);
        // Where nobody is asked for a token, whoever shows a tenant's is taken at their word.
        let open = Access::open().with_tenant("acme", "acm3");
        let shown = |bearer| open.admits(Shows::Header, &request("/", bearer));
        assert_eq!(shown(Some("Bearer acm3")), Some(acme));
        assert_eq!(shown(None), Some(Scope::All));
    }
}
