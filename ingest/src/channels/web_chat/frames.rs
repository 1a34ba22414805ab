//! The web chat's frames, JSON text both ways.
//!
//! The customer's side says `hello`, `msg` and `read`; ours says `welcome`, `ack`, `msg`, `typing`,
//! `queued`, `agent` and `resolved`. Every frame of ours with a `seq` is one step of the
//! conversation as the customer sees it, from 1 without gaps.

use schemas::ids::{ConversationId, MessageId};
use schemas::message::Button;
use serde::{Deserialize, Serialize};

/// What the customer's side says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub(super) enum Said {
    Hello {
        session: Option<String>,
        tenant: Option<String>,
        name: Option<String>,
        /// The last step this side has seen.
        #[serde(default)]
        last_seq: i64,
    },
    Msg {
        /// This side's own id of the message: sent again, it is the same message.
        cid: String,
        text: String,
    },
    Read {
        #[serde(default)]
        #[allow(dead_code)] // shown to agents by the channels issue
        seq: i64,
    },
    #[serde(other)]
    Unknown,
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
        eta_s: Option<u64>,
    },
    Agent {
        seq: i64,
        name: String,
    },
    Resolved {
        seq: i64,
    },
    Error {
        code: &'static str,
        detail: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_clients_send() {
        let read = |text: &str| serde_json::from_str::<Said>(text).unwrap();
        assert_eq!(
            read(r#"{"t":"hello","session":"s_7f","tenant":"acme","token":"jwt","last_seq":0}"#),
            Said::Hello {
                session: Some("s_7f".into()),
                tenant: Some("acme".into()),
                name: None,
                last_seq: 0
            }
        );
        assert_eq!(
            read(r#"{"t":"msg","cid":"0193a-1","text":"oi"}"#),
            Said::Msg { cid: "0193a-1".into(), text: "oi".into() }
        );
        assert_eq!(read(r#"{"t":"future","x":1}"#), Said::Unknown);
    }

    #[test]
    fn writes_what_clients_read() {
        let frame = Frame::Queued { seq: 3, position: Some(4), eta_s: Some(210) };
        let text = serde_json::to_string(&frame).unwrap();
        assert_eq!(text, r#"{"t":"queued","seq":3,"position":4,"eta_s":210}"#);
    }
}
