//! A visitor's message on its way into the log, whichever door it came by.

use std::time::Duration;

use pipeline::Record;
use pipeline::log::AppendError;
use schemas::ids::{LineKey, MessageId};
use schemas::message::{Channel, MessageKind};

use super::PROVIDER;
use super::frames::{Frame, Saying};
use super::visitor::{NAME_BYTES_MAX, Visitor};
use crate::door::{AcceptError, Door, HeardMessage, Identity, Problem};

/// Why a message is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    #[error("a msg needs a cid of 1 to 128 bytes and a text")]
    Bad,
    #[error("this visitor has written too much; send it again later, under the same cid")]
    Limited(Duration),
    #[error(transparent)]
    Door(#[from] AcceptError),
}

/// A message that may be appended.
pub(super) enum Ready {
    /// It is in the history already, with the step it has there.
    Repeat(MessageId, Option<i64>),
    New(MessageId, Record),
}

/// Seals a message of the visitor called `key`, unless there is something against it.
pub(super) async fn ready(
    door: &Door,
    visitor: &Visitor,
    key: &LineKey,
    saying: Saying,
) -> Result<Ready, NotTaken> {
    let named = |name: &str| !name.is_empty() && name.len() <= NAME_BYTES_MAX;
    let choice_is_bad = saying.choice.as_ref().is_some_and(|choice| !named(&choice.id));
    if !named(&saying.cid) || saying.text.trim().is_empty() || choice_is_bad {
        return Err(NotTaken::Bad);
    }
    visitor.site.limit.take(key.contact).map_err(NotTaken::Limited)?;
    let (id, _, record) = door.seal(&visitor.site.account.tenant, heard(visitor, saying))?;
    if let Ok(Some(trace)) = door.history().trace(id).await
        && let Some((_, line)) = trace.history.first()
    {
        return Ok(Ready::Repeat(id, line.chat_seq));
    }
    Ok(Ready::New(id, record))
}

fn heard(visitor: &Visitor, saying: Saying) -> HeardMessage {
    let kind = if saying.choice.is_some() { MessageKind::Button } else { MessageKind::Text };
    let (account, from) = (&visitor.site.account.name, (Channel::WebChat, visitor.contact()));
    HeardMessage {
        text: Some(saying.text),
        choice: saying.choice,
        verified: visitor.verified,
        ..HeardMessage::of(PROVIDER, account, from, Identity::Provider(saying.cid), kind)
    }
}

impl NotTaken {
    /// As a frame about the message `cid`.
    pub(super) fn frame(&self, cid: &str) -> Frame {
        let (code, retry_after) = match self {
            Self::Bad => ("bad_msg", None),
            Self::Limited(wait) => ("rate_limited", Some(*wait)),
            Self::Door(AcceptError::Append(AppendError::TooLarge { .. })) => ("too_large", None),
            Self::Door(AcceptError::Append(AppendError::Busy { retry_after })) => {
                ("busy", Some(*retry_after))
            }
            Self::Door(AcceptError::Inactive(_)) => ("tenant_inactive", None),
            Self::Door(_) => ("busy", None),
        };
        let ms = |wait: Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
        Frame::Error {
            code,
            detail: self.to_string(),
            cid: Some(cid.to_owned()),
            retry_after_ms: retry_after.map(ms),
        }
    }
}

impl From<NotTaken> for Problem {
    fn from(not: NotTaken) -> Self {
        let detail = not.to_string();
        match not {
            NotTaken::Bad => Self::invalid("bad_msg", detail),
            // A second begun is a second to wait.
            NotTaken::Limited(wait) => Self::too_many(detail, wait.as_secs() + 1),
            NotTaken::Door(error) => error.into(),
        }
    }
}
