//! The web chat's frames, JSON text both ways.
//!
//! The customer's side says `hello`, `msg`, `typing`, `csat` and `read`; ours says `welcome`, `ack`,
//! `msg`, `typing`, `queued`, `place`, `agent`, `resolved` and `csat`. Every frame of ours with a `seq` is one step of the
//! conversation as the customer sees it, from 1 without gaps. Where there is no WebSocket, the same
//! frames come as events of a stream and the same messages go by POST.

use std::fmt;
use std::str::FromStr;

use schemas::ids::{ConversationId, MessageId};
use schemas::message::{Button, Choice};
use serde::{Deserialize, Serialize};

/// What the customer's side says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub(super) enum Said {
    Hello(Box<Hello>),
    Msg(Saying),
    Typing(Typing),
    Csat(Rating),
    /// Everything up to this step has been seen.
    Read {
        #[serde(default)]
        seq: i64,
    },
    #[serde(other)]
    Unknown,
}

/// How a socket begins.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub(super) struct Hello {
    pub(super) account: Option<String>,
    /// Ours, for this account.
    pub(super) token: Option<String>,
    /// In place of a token, where nothing is configured.
    pub(super) session: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) name: Option<String>,
    /// The conversation this side has seen last, and its last step.
    pub(super) conversation: Option<ConversationId>,
    pub(super) last_seq: i64,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Saying {
    /// This side's own id of the message: sent again, it is the same message.
    pub(super) cid: String,
    pub(super) text: String,
    /// The button that was tapped.
    #[serde(default)]
    pub(super) choice: Option<Choice>,
}

/// The customer is writing, or no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Typing {
    pub(super) conversation: ConversationId,
    pub(super) on: bool,
}

/// How it was, 1 to 5.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Rating {
    pub(super) conversation: ConversationId,
    pub(super) score: i32,
    #[serde(default)]
    pub(super) comment: Option<String>,
}

/// How far a customer's side has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cursor {
    /// In which conversation; absent for clients that do not say.
    pub(super) conversation: Option<ConversationId>,
    /// The last step seen.
    pub(super) seq: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.conversation {
            Some(conversation) => write!(f, "{conversation}/{}", self.seq),
            None => write!(f, "{}", self.seq),
        }
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (conversation, seq) = match text.rsplit_once('/') {
            Some((conversation, seq)) => (Some(conversation.parse().map_err(|_| ())?), seq),
            None => (None, text),
        };
        Ok(Self { conversation, seq: seq.parse().map_err(|_| ())? })
    }
}

/// Who wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Author {
    Customer,
    Bot,
    Agent,
}

/// What our side says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub(super) enum Frame {
    Welcome {
        session: String,
        conversation: Option<ConversationId>,
        protocol: Option<String>,
        /// The last step there is.
        seq: i64,
    },
    /// The message is safe. Comes once more with its step if that was not known yet.
    Ack {
        cid: String,
        id: MessageId,
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<i64>,
    },
    Msg {
        id: String,
        seq: i64,
        /// When (Unix, ms): a browser that comes back shows it too.
        at_ms: i64,
        from: Author,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cid: Option<String>,
        text: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        buttons: Vec<Button>,
    },
    Typing {
        on: bool,
        who: Author,
    },
    Queued {
        seq: i64,
        position: Option<u64>,
        /// How long it will probably take, at least and at most; absent: nobody can say.
        wait_s_min: Option<u64>,
        wait_s_max: Option<u64>,
    },
    /// The place in the queue is another one now. No step: only the latest counts.
    Place {
        position: u64,
        wait_s_min: Option<u64>,
        wait_s_max: Option<u64>,
    },
    Agent {
        seq: i64,
        name: String,
    },
    Resolved {
        seq: i64,
    },
    /// How it was: asked or, with a score, answered.
    Csat {
        seq: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        score: Option<i32>,
    },
    Error {
        code: &'static str,
        detail: String,
        /// Of the message that was not taken.
        #[serde(skip_serializing_if = "Option::is_none")]
        cid: Option<String>,
        /// When it may be sent again.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
}

impl Frame {
    /// Something about the connection, not about a message.
    pub(super) fn error(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Error { code, detail: detail.into(), cid: None, retry_after_ms: None }
    }

    /// The step of the conversation it is.
    pub(super) fn step(&self) -> Option<i64> {
        match self {
            Self::Ack { seq, .. } => *seq,
            Self::Msg { seq, .. }
            | Self::Queued { seq, .. }
            | Self::Agent { seq, .. }
            | Self::Resolved { seq }
            | Self::Csat { seq, .. } => Some(*seq),
            Self::Welcome { .. }
            | Self::Typing { .. }
            | Self::Place { .. }
            | Self::Error { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_clients_send() {
        let read = |text: &str| serde_json::from_str::<Said>(text).unwrap();
        assert_eq!(
            read(r#"{"t":"hello","session":"s_7f","tenant":"acme","token":"jwt","last_seq":0}"#),
            Said::Hello(Box::new(Hello {
                session: Some("s_7f".into()),
                tenant: Some("acme".into()),
                token: Some("jwt".into()),
                ..Hello::default()
            }))
        );
        let msg = Saying { cid: "0193a-1".into(), text: "oi".into(), choice: None };
        assert_eq!(read(r#"{"t":"msg","cid":"0193a-1","text":"oi"}"#), Said::Msg(msg));
        assert_eq!(read(r#"{"t":"future","x":1}"#), Said::Unknown);
    }

    #[test]
    fn a_cursor_is_what_it_was_written_as() {
        let conversation = ConversationId([7; 20]);
        for cursor in [Cursor::default(), Cursor { conversation: Some(conversation), seq: 12 }] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for bad in ["", "x", "/3", "c_short/3", "3/", &format!("{conversation}/")] {
            assert_eq!(bad.parse::<Cursor>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn writes_what_clients_read() {
        let frame = Frame::Queued {
            seq: 3,
            position: Some(4),
            wait_s_min: Some(90),
            wait_s_max: Some(400),
        };
        let text = serde_json::to_string(&frame).unwrap();
        assert_eq!(text, r#"{"t":"queued","seq":3,"position":4,"wait_s_min":90,"wait_s_max":400}"#);
    }
}
