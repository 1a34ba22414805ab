//! The WebSocket: frames in become messages, what becomes of them becomes frames out.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{Message as WsMessage, WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use axum::response::Response;
use schemas::ids::LineKey;
use schemas::message::Channel;
use tokio::time::{Instant, timeout, timeout_at};

use super::Chat;
use super::account::Site;
use super::follow::Following;
use super::frames::{Cursor, Frame, Hello, Said, Saying};
use super::rating;
use super::read;
use super::say::{self, Ready};
use super::token::TokenError;
use super::typing;
use super::visitor::{NotLet, Visitor};
use crate::door::AcceptError;

/// Largest frame of a customer, in bytes.
const FRAME_BYTES_MAX: usize = 64 << 10;
/// How long a browser may take to say hello.
const HELLO_WITHIN: Duration = Duration::from_secs(15);
/// How long a browser may take to take a frame before it is let go of.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// Why a socket ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the browser did not say hello")]
    NoHello,
    #[error("the browser went away: {0}")]
    Gone(String),
    #[error("the browser did not keep up")]
    Slow,
    #[error("refused: {0}")]
    Refused(&'static str),
}

/// Where a handshake came from.
struct From {
    origin: Option<String>,
    host: Option<String>,
}

/// `GET /v1/chat/ws`.
pub(super) async fn open(
    State(chat): State<Chat>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let named = |name| headers.get(name).and_then(|value| Some(value.to_str().ok()?.to_owned()));
    let from = From { origin: named(ORIGIN), host: named(HOST) };
    upgrade
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .on_upgrade(move |socket| serve(chat, from, socket))
}

async fn serve(chat: Chat, from: From, socket: WebSocket) {
    let ended = tokio::select! {
        ended = run(&chat, &from, socket) => ended,
        () = chat.stop.cancelled() => Ok(()),
    };
    if let Err(why) = ended {
        tracing::debug!(%why, "a web chat ended");
    }
}

async fn run(chat: &Chat, from: &From, mut socket: WebSocket) -> Result<(), Ended> {
    let hello =
        timeout(HELLO_WITHIN, next_said(&mut socket)).await.map_err(|_| Ended::NoHello)??;
    let Said::Hello(hello) = hello else { return Err(Ended::NoHello) };
    let cursor = Cursor { conversation: hello.conversation, seq: hello.last_seq };
    let visitor = match let_in(chat, from, *hello) {
        Ok(visitor) => visitor,
        Err((code, detail)) => {
            send(&mut socket, &Frame::error(code, detail)).await?;
            return Err(Ended::Refused(code));
        }
    };
    let tenant = &visitor.site.account.tenant;
    let refused = |_| Ended::Refused("unknown_tenant");
    let key = chat.door.contact(tenant, Channel::WebChat, &visitor.contact()).map_err(refused)?;
    let begun = Following::begin(&chat.door, &visitor, &key, cursor).await;
    let (following, missed) = begun.map_err(refused)?;
    for frame in &missed {
        send(&mut socket, frame).await?;
    }
    Session { chat, visitor, key, following, socket }.run().await
}

/// Who says hello, or a code and words on why they may not.
fn let_in(chat: &Chat, from: &From, hello: Hello) -> Result<Visitor, (&'static str, String)> {
    let Hello { account, token, session, tenant, name, .. } = hello;
    let allowed = |site: &Arc<Site>| {
        let lets = site.lets(from.origin.as_deref(), from.host.as_deref());
        let detail = "this origin is not among the account's";
        if lets { Ok(()) } else { Err(("bad_origin", detail.to_owned())) }
    };
    let visitor = match (account, token) {
        (Some(account), Some(token)) => {
            let no_account = || ("unknown_account", "there is no such account".to_owned());
            let site = chat.accounts.named(&account).ok_or_else(no_account)?;
            allowed(&site)?;
            Visitor::with_token(&chat.door, &site, &token, name)
        }
        _ => {
            let tenant = tenant.as_deref();
            let Some(site) = chat.accounts.unsigned(tenant) else {
                let known = tenant.is_none_or(|tenant| chat.door.keyring().of(tenant).is_ok());
                let detail = "get a token at /v1/channels/web_chat/{account}/visitors first";
                let code = if known { "bad_token" } else { "unknown_tenant" };
                return Err((code, detail.to_owned()));
            };
            allowed(&site)?;
            Visitor::unsigned(site, session, name)
        }
    };
    let visitor = visitor.map_err(|error| {
        let code = match &error {
            NotLet::Token(TokenError::Expired) => "expired_token",
            NotLet::Token(TokenError::Bad) | NotLet::NoSecret => "bad_token",
            NotLet::Name(_) => "bad_session",
            NotLet::Keys(_) => "unknown_tenant",
        };
        (code, error.to_string())
    })?;
    let is_open = chat.door.is_open_to(&visitor.site.account.tenant);
    is_open.map_err(|error| ("tenant_inactive", error.to_string()))?;
    Ok(visitor)
}

struct Session<'a> {
    chat: &'a Chat,
    visitor: Visitor,
    key: LineKey,
    following: Following,
    socket: WebSocket,
}

impl Session<'_> {
    async fn run(mut self) -> Result<(), Ended> {
        loop {
            tokio::select! {
                said = next_said(&mut self.socket) => match said? {
                    Said::Msg(saying) => self.message(saying).await?,
                    Said::Csat(rating) => {
                        let taken = rating::take(self.chat, &self.visitor, &self.key, rating).await;
                        if let Err(error) = taken {
                            send(&mut self.socket, &error.frame()).await?;
                        }
                    }
                    Said::Typing(typing) => {
                        typing::tell(self.chat, &self.visitor, &self.key, typing);
                    }
                    Said::Read { seq } => {
                        if let Some(reply) = self.following.read(seq) {
                            read::tell(&self.chat.door, &self.visitor, reply).await;
                        }
                    }
                    Said::Hello(_) | Said::Unknown => {}
                },
                woken = self.following.woken() => {
                    let woken = woken.map_err(|_| Ended::Slow)?;
                    let frames = self.following.frames(woken).await.map_err(|_| Ended::Slow)?;
                    for frame in &frames {
                        send(&mut self.socket, frame).await?;
                    }
                }
            }
        }
    }

    async fn message(&mut self, saying: Saying) -> Result<(), Ended> {
        let cid = saying.cid.clone();
        let door = &self.chat.door;
        let taken = match say::ready(door, &self.visitor, &self.key, saying).await {
            Ok(Ready::Repeat(id, seq)) => {
                return send(&mut self.socket, &Frame::Ack { cid, id, seq }).await;
            }
            Ok(Ready::New(id, record)) => {
                self.following.expect(id, &cid);
                door.append(vec![record])
                    .await
                    .map(|()| id)
                    .map_err(|error| AcceptError::from(error).into())
            }
            Err(error) => Err(error),
        };
        match taken {
            Ok(id) => {
                self.following.appended(id, cid);
                Ok(())
            }
            // Not acknowledged: the browser sends it again, under the same id.
            Err(error) => send(&mut self.socket, &error.frame(&cid)).await,
        }
    }
}

/// The next frame of the customer's side; what cannot be read is answered and passed over.
async fn next_said(socket: &mut WebSocket) -> Result<Said, Ended> {
    loop {
        match socket.recv().await {
            Some(Ok(WsMessage::Text(text))) => match serde_json::from_str(&text) {
                Ok(said) => return Ok(said),
                Err(error) => {
                    let detail = format!("not a frame: {error}");
                    send(socket, &Frame::error("bad_frame", detail)).await?;
                }
            },
            Some(Ok(WsMessage::Close(_))) | None => return Err(Ended::Gone("closed".to_owned())),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(Ended::Gone(error.to_string())),
        }
    }
}

async fn send(socket: &mut WebSocket, frame: &Frame) -> Result<(), Ended> {
    let text = serde_json::to_string(frame).map_err(|error| Ended::Gone(error.to_string()))?;
    let until = Instant::now() + SEND_WITHIN;
    timeout_at(until, socket.send(WsMessage::Text(text.into())))
        .await
        .map_err(|_| Ended::Slow)?
        .map_err(|error| Ended::Gone(error.to_string()))
}
