//! Mails from a mailbox: read as they come (IMAP IDLE, RFC 2177), the folder left as it is.
//!
//! Writes `raw`, `inbound` and `mail-cursors`. Invariants: the cursor moves only behind what is durable, so
//! nothing is lost; what is read twice all the same is one message by its Message-ID; when the server
//! numbers its mails anew (UIDVALIDITY), those since the last one read are gone through again.

mod connect;
mod cursor;
mod read;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use pipeline::Log;
use schemas::thread::MailCursor;
use tokio_util::sync::CancellationToken;

pub use connect::{Mailbox, Security};

use self::read::Reading;
use super::Inbox;
use crate::door::Door;

/// First pause before a server is tried again; doubles.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Longest pause.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(60);

/// Reads `boxes`, each with the address it is of, until `stop`.
///
/// # Errors
/// In words, when the log cannot say how far they have been read.
pub async fn read(
    door: Door,
    log: Arc<dyn Log>,
    boxes: Vec<(Inbox, Mailbox)>,
    stop: CancellationToken,
) -> Result<(), String> {
    if boxes.is_empty() {
        return Ok(());
    }
    let mut cursors: HashMap<String, MailCursor> = cursor::all(&*log, door.now_ms()).await?;
    let mut readers = tokio::task::JoinSet::new();
    for (inbox, mailbox) in boxes {
        let name = format!("{}/{}", inbox.name, mailbox.folder);
        let reading = Reading {
            door: door.clone(),
            log: Arc::clone(&log),
            cursor: cursors.remove(&name),
            name,
            inbox,
            mailbox,
            garbled: HashSet::new(),
        };
        readers.spawn(insist(reading, stop.clone()));
    }
    while readers.join_next().await.is_some() {}
    Ok(())
}

/// Reads one mailbox, again and again.
async fn insist(mut reading: Reading, stop: CancellationToken) {
    let mut pause = AGAIN_AFTER;
    loop {
        let mut progress = false;
        tokio::select! {
            () = stop.cancelled() => return,
            ended = reading.read(&mut progress) => {
                let why = ended.err().unwrap_or_default();
                tracing::warn!(account = reading.inbox.name, why, "a mailbox is not read at present");
            }
        }
        pause = if progress { AGAIN_AFTER } else { (pause * 2).min(AGAIN_AFTER_MAX) };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
