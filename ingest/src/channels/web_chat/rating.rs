//! How it was, from the form in the chat: a command to the conversation, whichever door it came by.

use pipeline::Record;
use pipeline::log::AppendError;
use schemas::Avro;
use schemas::ids::{CommandId, LineKey};
use schemas::line::{Inbound, InboundBody};
use schemas::masking::mask;
use schemas::message::{Command, CommandAction};
use schemas::sealed::SealError;
use schemas::topics::INBOUND;

use super::Chat;
use super::frames::{Frame, Rating};
use super::visitor::Visitor;
use crate::door::Problem;

/// Longest comment, in bytes.
const COMMENT_BYTES_MAX: usize = 4 << 10;

/// Why a rating is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    #[error("score must be 1 to 5, and a comment 4096 bytes at most")]
    Bad,
    #[error("this is somebody else's conversation")]
    NotTheirs,
    #[error("too much at once; send it again in a moment")]
    Limited,
    #[error(transparent)]
    Keys(#[from] SealError),
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Appends it; the router says whether it was asked. A conversation has one: sent again, it is the same.
pub(super) async fn take(
    chat: &Chat,
    visitor: &Visitor,
    key: &LineKey,
    rating: Rating,
) -> Result<(), NotTaken> {
    let Rating { conversation, score, comment } = rating;
    let comment = comment.filter(|comment| !comment.trim().is_empty());
    let too_long = comment.as_ref().is_some_and(|comment| comment.len() > COMMENT_BYTES_MAX);
    if !(1..=5).contains(&score) || too_long {
        return Err(NotTaken::Bad);
    }
    if conversation.contact() != key.contact {
        return Err(NotTaken::NotTheirs);
    }
    visitor.site.signs.take(key.contact).map_err(|_| NotTaken::Limited)?;
    let tenant = &visitor.site.account.tenant;
    let keys = chat.door.keyring().of(tenant)?;
    let command_id = CommandId(keys.message("csat", &conversation.to_string()).0);
    let sealed = comment.as_ref().map(|text| keys.seal(command_id.as_bytes(), text.as_bytes()));
    let command = Command {
        command_id,
        conversation_id: conversation,
        // Nobody of ours: the customer.
        agent: String::new(),
        action: CommandAction::Csat,
        text_sealed: sealed.transpose()?,
        text_masked: comment.as_deref().map(mask),
        label: None,
        queue: None,
        to_agent: None,
        until_ms: None,
        answer_id: None,
        score: Some(score),
    };
    let value = Inbound { body: InboundBody::Command(command) };
    let value = value.to_bytes().map_err(SealError::from)?;
    let record = Record::new(INBOUND, key.to_bytes(), value, chat.door.now_ms());
    Ok(chat.door.append(vec![record]).await?)
}

impl NotTaken {
    /// As a frame.
    pub(super) fn frame(&self) -> Frame {
        let code = match self {
            Self::Bad | Self::NotTheirs => "bad_csat",
            Self::Limited => "rate_limited",
            Self::Keys(_) | Self::Append(_) => "busy",
        };
        Frame::error(code, self.to_string())
    }
}

impl From<NotTaken> for Problem {
    fn from(not: NotTaken) -> Self {
        let detail = not.to_string();
        match not {
            NotTaken::Bad => Self::invalid("bad_csat", detail),
            NotTaken::NotTheirs => Self::not_found(detail),
            NotTaken::Limited => Self::too_many(detail, 1),
            NotTaken::Keys(error) => error.into(),
            NotTaken::Append(error) => error.into(),
        }
    }
}
