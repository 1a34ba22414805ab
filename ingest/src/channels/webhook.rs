//! The door of every provider that calls us: `/v1/channels/{provider}/{account}`.
//!
//! Writes `raw`, `inbound`, and `dead-letters` for what a provider sent and no adapter can read. Bytes are
//! verified as received, kept for 72 h, adapted, and acknowledged once durable: nothing is waited for that
//! comes after. Invariant: whoever is not the provider changes nothing and gets a 4xx.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use pipeline::telemetry::metrics::Counts;
use schemas::ops::RawRequest;

use crate::door::{Door, Event, Malformed, Notice, Problem, RawBody};

/// A provider's request as it came.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What follows the `?` of the address, as sent.
    pub query: &'a str,
    /// All of them.
    pub headers: &'a HeaderMap,
    /// As received.
    pub body: &'a [u8],
    /// Our clock (Unix, ms).
    pub received_at_ms: i64,
}

impl Request<'_> {
    /// A header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Not the provider, as far as can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// What signs the request does not fit it: 401.
    #[error("{0} does not fit the request")]
    Signature(
        /// What should have signed it.
        &'static str,
    ),
    /// A shared secret is not ours: 403.
    #[error("{0} is not ours")]
    Secret(
        /// Which.
        &'static str,
    ),
    /// This provider does not ask: 405.
    #[error("this channel answers no GET")]
    NoChallenge,
}

/// One account at a provider that calls us. `verify` and `adapt` are pure: what they say depends on what
/// they are given and on the account's settings.
pub trait Webhook: Send + Sync {
    /// Whose customers write.
    fn tenant(&self) -> &str;

    /// Headers that are kept with the body, in lower case: those `adapt` looks at, and never a secret.
    fn headers(&self) -> &'static [&'static str];

    /// Whether the provider sent it.
    ///
    /// # Errors
    /// [`Denied`].
    fn verify(&self, request: &Request<'_>) -> Result<(), Denied>;

    /// Everything a body tells, in its order. Also called again, with what was kept in `raw`.
    ///
    /// # Errors
    /// [`Malformed`].
    fn adapt(
        &self,
        headers: &BTreeMap<String, String>,
        body: &[u8],
    ) -> Result<Vec<Event>, Malformed>;

    /// What is answered when the provider asks by `GET` whether the address is ours.
    ///
    /// # Errors
    /// [`Denied`].
    fn challenge(&self, _query: &str) -> Result<String, Denied> {
        Err(Denied::NoChallenge)
    }

    /// Content type and body of the answer to what was accepted.
    fn acknowledgement(&self, _body: &[u8]) -> (&'static str, Cow<'static, str>) {
        ("text/plain; charset=utf-8", Cow::Borrowed(""))
    }
}

/// Every account of every provider that calls us.
#[derive(Clone, Default)]
pub struct Webhooks {
    accounts: HashMap<&'static str, HashMap<String, Arc<dyn Webhook>>>,
    /// What providers tell operators, by provider, account and kind.
    notices: Option<Counts>,
}

impl Webhooks {
    /// Adds an account of `provider`.
    pub fn add(&mut self, provider: &'static str, account: &str, webhook: Arc<dyn Webhook>) {
        self.accounts.entry(provider).or_default().insert(account.to_owned(), webhook);
    }

    /// Counts what providers tell operators, by provider, account and kind.
    #[must_use]
    pub fn counting(self, notices: Counts) -> Self {
        Self { notices: Some(notices), ..self }
    }

    /// Operators are told: in the log, and by a figure.
    fn tell(&self, provider: &str, account: &str, notice: &Notice) {
        let Notice { what, detail } = notice;
        tracing::warn!(provider, account, what, detail, "the provider tells of the account");
        if let Some(notices) = &self.notices {
            notices.add(&[provider, account, what]);
        }
    }

    /// The account, with the name of its provider.
    #[must_use]
    pub fn get(&self, provider: &str, account: &str) -> Option<(&'static str, &dyn Webhook)> {
        let (name, accounts) = self.accounts.get_key_value(provider)?;
        Some((name, accounts.get(account)?.as_ref()))
    }
}

#[derive(Clone)]
struct Doorway {
    door: Door,
    webhooks: Arc<Webhooks>,
}

/// The routes.
pub fn routes(door: Door, webhooks: Webhooks) -> Router {
    Router::new()
        .route("/v1/channels/{provider}/{account}", get(challenge).post(event))
        .with_state(Doorway { door, webhooks: Arc::new(webhooks) })
}

impl Doorway {
    fn account(
        &self,
        provider: &str,
        account: &str,
    ) -> Result<(&'static str, &dyn Webhook), Problem> {
        self.webhooks.get(provider, account).ok_or_else(|| {
            Problem::not_found(format!(
                "no account '{account}' of {provider}: add channels.{provider}.{account} to the \
                 configuration"
            ))
        })
    }
}

/// The provider asks whether the address is ours.
async fn challenge(
    State(doorway): State<Doorway>,
    Path((provider, account)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (_, webhook) = doorway.account(&provider, &account)?;
    doorway.door.is_open_to(webhook.tenant())?;
    Ok(webhook.challenge(&query.unwrap_or_default())?.into_response())
}

/// The provider tells what happened.
async fn event(
    State(doorway): State<Doorway>,
    Path((provider, account)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    let (provider, webhook) = doorway.account(&provider, &account)?;
    let door = &doorway.door;
    let kept = RawRequest {
        provider: provider.to_owned(),
        account,
        received_at_ms: door.now_ms(),
        headers: kept_of(&headers, webhook.headers()),
        body: body.to_vec(),
    };
    let request = Request {
        query: query.as_deref().unwrap_or_default(),
        headers: &headers,
        body: &kept.body,
        received_at_ms: kept.received_at_ms,
    };
    webhook.verify(&request)?;
    door.is_open_to(webhook.tenant())?;
    match webhook.adapt(&kept.headers, &kept.body) {
        Ok(events) => {
            let notices: Vec<Notice> = events.iter().filter_map(Event::notice).cloned().collect();
            door.accept(webhook.tenant(), &kept, events).await?;
            for notice in &notices {
                doorway.webhooks.tell(provider, &kept.account, notice);
            }
        }
        Err(why) => {
            door.set_aside(&kept, &why).await?;
            return Err(Problem::new(StatusCode::BAD_REQUEST, "malformed", why.to_string()));
        }
    }
    let (kind, answer) = webhook.acknowledgement(&kept.body);
    Ok(([(CONTENT_TYPE, kind)], answer).into_response())
}

fn kept_of(headers: &HeaderMap, names: &[&str]) -> BTreeMap<String, String> {
    let value = |name: &str| headers.get(name)?.to_str().ok().map(str::to_owned);
    names.iter().filter_map(|name| Some(((*name).to_owned(), value(name)?))).collect()
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let (status, code) = match denied {
            Denied::Signature(_) => (StatusCode::UNAUTHORIZED, "bad_signature"),
            Denied::Secret(_) => (StatusCode::FORBIDDEN, "wrong_token"),
            Denied::NoChallenge => (StatusCode::METHOD_NOT_ALLOWED, "no_challenge"),
        };
        Self::new(status, code, denied.to_string())
    }
}
