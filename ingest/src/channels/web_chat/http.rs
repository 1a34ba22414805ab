//! Where there is no WebSocket: tokens for visitors, messages by POST, and what becomes of them as an
//! event stream that goes on behind `Last-Event-ID`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, request};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{self, Stream};
use schemas::ids::{ConversationId, LineKey};
use schemas::message::Channel;
use serde::Deserialize;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::Chat;
use super::account::{Accounts, Site};
use super::follow::Following;
use super::frames::{Cursor, Frame, Rating, Saying, Typing};
use super::rating;
use super::say::{self, Ready};
use super::token::TokenError;
use super::typing;
use super::visitor::{self, Issued, NotLet, Visitor};
use crate::door::{JsonBody, Problem};

/// What addresses of accounts begin with.
const ACCOUNTS: &str = "/v1/channels/web_chat/";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

#[derive(Deserialize)]
pub(super) struct Asking {
    /// What the site says of its customer, signed with the account's `site_secret`.
    #[serde(default)]
    identity: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Posted {
    #[serde(flatten)]
    saying: Saying,
    #[serde(default)]
    name: Option<String>,
}

/// Pages of the account's origins may read what we answer, and no others.
pub(super) fn cors(accounts: Arc<Accounts>) -> CorsLayer {
    let lets = move |origin: &HeaderValue, request: &request::Parts| {
        let account =
            request.uri.path().strip_prefix(ACCOUNTS).and_then(|rest| rest.split('/').next());
        let host = request.headers.get(HOST).and_then(|host| host.to_str().ok());
        let site = account.and_then(|account| accounts.named(account));
        site.is_some_and(|site| site.lets(origin.to_str().ok(), host))
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(lets))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, LAST_EVENT_ID])
        .expose_headers([RETRY_AFTER])
}

/// A browser asks whether it may ask: what [`cors`] answers, and a route of its own so that it is asked.
pub(super) async fn preflight() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// `POST /v1/channels/web_chat/{account}/visitors`.
pub(super) async fn visitors(
    State(chat): State<Chat>,
    Path(account): Path<String>,
    headers: HeaderMap,
    JsonBody(asking): JsonBody<Asking>,
) -> Result<Json<Issued>, Problem> {
    let site = site(&chat, &account)?;
    let issued = match asking.identity {
        Some(identity) => visitor::issue_known(&chat.door, &site, &identity),
        None => visitor::issue(&chat.door, &site, bearer(&headers)),
    };
    Ok(Json(issued?))
}

/// `POST /v1/channels/web_chat/{account}/messages`.
pub(super) async fn messages(
    State(chat): State<Chat>,
    Path(account): Path<String>,
    headers: HeaderMap,
    JsonBody(posted): JsonBody<Posted>,
) -> Result<Json<Frame>, Problem> {
    let (visitor, key) = shown(&chat, &account, &headers, posted.name)?;
    let cid = posted.saying.cid.clone();
    let (id, seq) = match say::ready(&chat.door, &visitor, &key, posted.saying).await? {
        Ready::Repeat(id, seq) => (id, seq),
        Ready::New(id, record) => {
            chat.door.append(vec![record]).await?;
            (id, None)
        }
    };
    Ok(Json(Frame::Ack { cid, id, seq }))
}

/// `POST /v1/channels/web_chat/{account}/csat`.
pub(super) async fn csat(
    State(chat): State<Chat>,
    Path(account): Path<String>,
    headers: HeaderMap,
    JsonBody(rating): JsonBody<Rating>,
) -> Result<StatusCode, Problem> {
    let (visitor, key) = shown(&chat, &account, &headers, None)?;
    rating::take(&chat, &visitor, &key, rating).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/channels/web_chat/{account}/typing`.
pub(super) async fn typing(
    State(chat): State<Chat>,
    Path(account): Path<String>,
    headers: HeaderMap,
    JsonBody(typing): JsonBody<Typing>,
) -> Result<StatusCode, Problem> {
    let (visitor, key) = shown(&chat, &account, &headers, None)?;
    typing::tell(&chat, &visitor, &key, typing);
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/channels/web_chat/{account}/events`.
pub(super) async fn events(
    State(chat): State<Chat>,
    Path(account): Path<String>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let (visitor, key) = shown(&chat, &account, &headers, None)?;
    let cursor = match headers.get(LAST_EVENT_ID) {
        None => Cursor::default(),
        Some(id) => id.to_str().ok().and_then(|id| id.parse().ok()).ok_or_else(|| {
            let detail = "Last-Event-ID must be the id of an event of this stream";
            Problem::invalid("bad_last_event_id", detail)
        })?,
    };
    let (following, missed) = Following::begin(&chat.door, &visitor, &key, cursor).await?;
    let begun = (chat, following, VecDeque::from(missed), None);
    let stream = stream::unfold(begun, |(chat, mut following, mut told, mut about)| async move {
        loop {
            if let Some(frame) = told.pop_front() {
                if let Frame::Welcome { conversation, .. } = &frame {
                    about = *conversation;
                }
                let event = event(&frame, about);
                return Some((Ok(event), (chat, following, told, about)));
            }
            let woken = tokio::select! {
                () = chat.stop.cancelled() => return None,
                // One that is behind comes back by itself, and gets the rest.
                woken = following.woken() => woken.ok()?,
            };
            told.extend(following.frames(woken).await.ok()?);
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

/// A frame as an event; a step of a conversation is one to go on behind.
fn event(frame: &Frame, conversation: Option<ConversationId>) -> Event {
    let event = Event::default().data(serde_json::to_string(frame).unwrap_or_default());
    match frame.step() {
        Some(seq) => event.id(Cursor { conversation, seq }.to_string()),
        None => event,
    }
}

pub(super) fn site(chat: &Chat, account: &str) -> Result<Arc<Site>, Problem> {
    let no_account = || Problem::not_found("there is no such account");
    let site = chat.accounts.named(account).ok_or_else(no_account)?;
    chat.door.is_open_to(&site.account.tenant)?;
    Ok(site)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Who shows a token, and what they are called in the log.
fn shown(
    chat: &Chat,
    account: &str,
    headers: &HeaderMap,
    name: Option<String>,
) -> Result<(Visitor, LineKey), Problem> {
    let site = site(chat, account)?;
    let token = bearer(headers).unwrap_or_default();
    let visitor = Visitor::with_token(&chat.door, &site, token, name)?;
    let tenant = &site.account.tenant;
    let key = chat.door.contact(tenant, Channel::WebChat, &visitor.contact())?;
    Ok((visitor, key))
}

impl From<NotLet> for Problem {
    fn from(not: NotLet) -> Self {
        let detail = not.to_string();
        match not {
            NotLet::Token(TokenError::Expired) => {
                Self::new(StatusCode::UNAUTHORIZED, "expired_token", detail)
            }
            NotLet::Token(TokenError::Bad) | NotLet::NoSecret => {
                Self::new(StatusCode::UNAUTHORIZED, "bad_token", detail)
            }
            NotLet::Name(_) => Self::invalid("bad_identity", detail),
            NotLet::Keys(error) => error.into(),
        }
    }
}
