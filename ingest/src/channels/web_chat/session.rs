//! One socket: frames in become messages, what becomes of them becomes frames out.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use axum::extract::ws::{Message as WsMessage, WebSocket};
use data_encoding::BASE32_DNSSEC;
use schemas::conversation::Conversation;
use schemas::ids::{LineKey, MessageId};
use schemas::message::{
    AnswerVia, Channel, Contact, ContactId, ContactIdKind, Direction, MessageKind,
};
use schemas::sealed::TenantKeys;
use tokio::time::{Instant, timeout, timeout_at};

use super::PROVIDER;
use super::frames::{Frame, Said};
use super::view::{Step, View};
use crate::door::{Door, Heard, HeardMessage, Identity, Watch};

/// How long a browser may take to say hello.
const HELLO_WITHIN: Duration = Duration::from_secs(15);
/// How long a browser may take to take a frame before it is let go of.
const SEND_WITHIN: Duration = Duration::from_secs(10);
/// How long an acknowledgement waits for the message's step; later it goes without.
const STEP_WITHIN: Duration = Duration::from_secs(1);
/// How long a gap may stay open before the browser is sent away to come back.
const GAP_WITHIN: Duration = Duration::from_secs(5);
/// Longest session ids, client ids and names, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// Why a socket ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the browser did not say hello")]
    NoHello,
    #[error("the browser went away: {0}")]
    Gone(String),
    #[error("the browser did not keep up")]
    Slow,
    #[error("refused: {0}")]
    Refused(&'static str),
}

struct Session<'a> {
    door: &'a Door,
    keys: &'a TenantKeys,
    tenant: String,
    id: String,
    name: Option<String>,
    key: LineKey,
    view: View,
    /// Acknowledgements that wait for their step.
    waiting: VecDeque<(Instant, MessageId, String)>,
    /// Since when lines have been missing.
    gap_since: Option<Instant>,
}

/// Serves a socket to its end.
pub(super) async fn run(
    door: &Door,
    default_tenant: &str,
    mut socket: WebSocket,
) -> Result<(), Ended> {
    let hello =
        timeout(HELLO_WITHIN, next_said(&mut socket)).await.map_err(|_| Ended::NoHello)??;
    let Said::Hello { session, tenant, name, last_seq } = hello else { return Err(Ended::NoHello) };
    let tenant = tenant.unwrap_or_else(|| default_tenant.to_owned());
    let id = session.unwrap_or_else(|| {
        format!("s_{}", BASE32_DNSSEC.encode(&crate::door::random_bytes::<16>()))
    });
    let keys = match door.keyring().of(&tenant) {
        Ok(keys) if !id.is_empty() && id.len() <= NAME_BYTES_MAX => keys,
        Ok(_) => return refuse(&mut socket, "bad_session", "session must be 1 to 128 bytes").await,
        Err(error) => return refuse(&mut socket, "unknown_tenant", &error.to_string()).await,
    };
    if let Err(error) = door.is_open_to(&tenant) {
        return refuse(&mut socket, "tenant_inactive", &error.to_string()).await;
    }
    let name = name.filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX);
    let key = door
        .contact(&tenant, Channel::WebChat, &contact(&id, None))
        .map_err(|_| Ended::Refused("unknown_tenant"))?;
    // From here on nothing is missed; what came before is in the store or in the last moments.
    let watch = door.watch(&key);
    let mut session = Session {
        door,
        keys,
        tenant,
        id,
        name,
        key,
        view: View::default(),
        waiting: VecDeque::new(),
        gap_since: None,
    };
    session.welcome(&mut socket, last_seq).await?;
    session.serve(&mut socket, watch).await
}

impl Session<'_> {
    /// Tells where the conversation stands, and what the browser has not seen of it.
    async fn welcome(&mut self, socket: &mut WebSocket, last_seq: i64) -> Result<(), Ended> {
        let known = self.known().await;
        let last = known.last().map(|(_, record)| record);
        let seq = known.iter().filter_map(|(_, record)| record.chat_seq).max().unwrap_or(0);
        let conversation = last.map(|record| record.conversation_id);
        // A browser that has seen more than there is speaks of an earlier conversation.
        let resumed = if last_seq > seq { 0 } else { last_seq.max(0) };
        self.view = View::resume(conversation, resumed);
        let welcome = Frame::Welcome {
            session: self.id.clone(),
            conversation,
            protocol: last.map(|record| record.protocol.clone()),
            seq,
        };
        send(socket, &welcome).await?;
        for (at_ms, record) in known {
            self.show(socket, at_ms, &record, true).await?;
        }
        Ok(())
    }

    /// The latest conversation: what the store has, then the last moments it may not have yet.
    async fn known(&self) -> Vec<(i64, Conversation)> {
        let mut known = self.door.history().latest_of(&self.key).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a web chat resumes from the last moments only");
            Vec::new()
        });
        for heard in self.door.recent(&self.key) {
            let Heard::Conversation { at_ms, record } = heard else { continue };
            let newer = known.last().is_none_or(|(_, last)| {
                if last.conversation_id == record.conversation_id {
                    record.seq > last.seq
                } else {
                    record.opened_at_ms > last.opened_at_ms
                }
            });
            if newer {
                known.retain(|(_, one)| one.conversation_id == record.conversation_id);
                known.push((at_ms, record.as_ref().clone()));
            }
        }
        known
    }

    async fn serve(&mut self, socket: &mut WebSocket, mut watch: Watch) -> Result<(), Ended> {
        loop {
            let look_again = self
                .waiting
                .front()
                .map(|(at, _, _)| *at)
                .or(self.gap_since.map(|_| Instant::now() + Duration::from_millis(100)));
            let far = Instant::now() + Duration::from_secs(3600);
            tokio::select! {
                said = next_said(socket) => self.said(socket, said?).await?,
                heard = watch.next() => match heard.ok_or(Ended::Slow)? {
                    Heard::Conversation { at_ms, record } => {
                        self.show(socket, at_ms, &record, false).await?;
                    }
                    Heard::Reply(_) => {}
                },
                () = tokio::time::sleep_until(look_again.unwrap_or(far)) => {}
            }
            self.acknowledge_late(socket).await?;
            self.close_gap(socket).await?;
        }
    }

    async fn said(&mut self, socket: &mut WebSocket, said: Said) -> Result<(), Ended> {
        match said {
            Said::Msg { cid, text } => self.message(socket, cid, text).await,
            Said::Hello { .. } | Said::Read { .. } | Said::Unknown => Ok(()),
        }
    }

    async fn message(
        &mut self,
        socket: &mut WebSocket,
        cid: String,
        text: String,
    ) -> Result<(), Ended> {
        if cid.is_empty() || cid.len() > NAME_BYTES_MAX || text.trim().is_empty() {
            let detail = "a msg needs a cid of 1 to 128 bytes and a text".to_owned();
            return send(socket, &Frame::Error { code: "bad_msg", detail }).await;
        }
        let heard = self.heard(&cid, text);
        let sealed = self.door.seal(&self.tenant, heard).map_err(|_| Ended::Refused("keys"))?;
        let (id, _, record) = sealed;
        // One that is in the history already is acknowledged with the step it has.
        if let Ok(Some(trace)) = self.door.history().trace(id).await
            && let Some((_, line)) = trace.history.first()
        {
            return send(socket, &Frame::Ack { cid, id, seq: line.chat_seq }).await;
        }
        self.view.sent(id, &cid);
        if let Err(error) = self.door.append(vec![record]).await {
            // Not acknowledged: the browser sends it again, under the same id.
            let detail = error.to_string();
            return send(socket, &Frame::Error { code: "busy", detail }).await;
        }
        self.waiting.push_back((Instant::now() + STEP_WITHIN, id, cid));
        Ok(())
    }

    fn heard(&self, cid: &str, text: String) -> HeardMessage {
        HeardMessage {
            channel: Channel::WebChat,
            provider: PROVIDER,
            account: "site".to_owned(),
            contact: contact(&self.id, self.name.clone()),
            identity: Identity::Provider(cid.to_owned()),
            direction: Direction::Inbound,
            kind: MessageKind::Text,
            text: Some(text),
            choice: None,
            attachments: Vec::new(),
            reply_to: None,
            thread: None,
            auto_generated: false,
            verified: false,
            event_time_ms: None,
            reply_window_ms: None,
            answer_via: AnswerVia::Channel,
            flush: false,
            attributes: BTreeMap::new(),
        }
    }

    /// Shows a line of the history. `past`: the browser sees it late and needs no signs of life.
    async fn show(
        &mut self,
        socket: &mut WebSocket,
        at_ms: i64,
        record: &Conversation,
        past: bool,
    ) -> Result<(), Ended> {
        let waits = record.queue.is_some() && record.owner.is_none() && record.chat_seq.is_some();
        let place = if waits && !past {
            self.door.history().place(record.conversation_id).await.unwrap_or_default()
        } else {
            None
        };
        match self.view.line(&self.id, at_ms, record, self.keys, place) {
            Step::Nothing => {}
            Step::Gap => {
                self.gap_since.get_or_insert_with(Instant::now);
            }
            Step::Frames(frames) => {
                for frame in frames {
                    let sign_of_life = matches!(frame, Frame::Typing { .. });
                    if !(past && sign_of_life) {
                        send(socket, &frame).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Acknowledges messages that have no step yet: they are safe, and that is what counts. One that
    /// is a repeat never gets another step.
    async fn acknowledge_late(&mut self, socket: &mut WebSocket) -> Result<(), Ended> {
        while let Some((at, id, _)) = self.waiting.front() {
            let (late, stepped) = (*at <= Instant::now(), !self.view.waits_for(*id));
            if !late && !stepped {
                break;
            }
            if let Some((_, id, cid)) = self.waiting.pop_front()
                && !stepped
            {
                send(socket, &Frame::Ack { cid, id, seq: None }).await?;
            }
        }
        Ok(())
    }

    /// Fetches lines that were missed.
    async fn close_gap(&mut self, socket: &mut WebSocket) -> Result<(), Ended> {
        let Some(since) = self.gap_since else { return Ok(()) };
        if since.elapsed() > GAP_WITHIN {
            return Err(Ended::Slow);
        }
        self.gap_since = None;
        for (at_ms, record) in self.known().await {
            if self.view.conversation() == Some(record.conversation_id) || record.seq == 1 {
                self.show(socket, at_ms, &record, false).await?;
            }
        }
        if self.gap_since.is_some() {
            self.gap_since = Some(since);
        }
        Ok(())
    }
}

fn contact(session: &str, name: Option<String>) -> Contact {
    let kind = ContactIdKind::WebChat;
    let id = ContactId { kind, value: session.to_owned(), scope: None };
    Contact { ids: vec![id], name }
}

async fn refuse(socket: &mut WebSocket, code: &'static str, detail: &str) -> Result<(), Ended> {
    send(socket, &Frame::Error { code, detail: detail.to_owned() }).await?;
    Err(Ended::Refused(code))
}

/// The next frame of the customer's side; what cannot be read is answered and passed over.
async fn next_said(socket: &mut WebSocket) -> Result<Said, Ended> {
    loop {
        match socket.recv().await {
            Some(Ok(WsMessage::Text(text))) => match serde_json::from_str(&text) {
                Ok(said) => return Ok(said),
                Err(error) => {
                    let detail = format!("not a frame: {error}");
                    send(socket, &Frame::Error { code: "bad_frame", detail }).await?;
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
