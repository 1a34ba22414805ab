//! Reading one mailbox: what is new, then waiting for more.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_imap::error::{Error, Result as ImapResult};
use async_imap::types::{Fetch, Mailbox as Selected, UnsolicitedResponse};
use futures::TryStreamExt;
use pipeline::log::AppendError;
use pipeline::{Log, Record};
use schemas::ops::RawRequest;
use schemas::thread::MailCursor;
use sha2::{Digest, Sha256};
use tokio::time::{sleep, timeout};

use super::connect::{Mailbox, Open, connect, kind_of};
use super::cursor;
use crate::channels::email::{Inbox, Mail, PROVIDER, adapt, parse};
use crate::door::Door;

/// How long a server may take over a command.
const PATIENCE: Duration = Duration::from_secs(120);
/// IDLE is asked for anew before servers, and routers on the way, give up on it (29 min by RFC 2177).
const IDLE: Duration = Duration::from_secs(9 * 60);
/// How often a server without IDLE is asked.
const POLL: Duration = Duration::from_secs(30);
/// Mails between two cursors.
const CHUNK: usize = 20;
/// Of a larger mail only so much is read, in bytes: the text comes first.
const MAIL_BYTES_MAX: u32 = 32 << 20;
const HOUR_MS: i64 = 3_600_000;

/// One mailbox and how far it has been read.
pub(super) struct Reading {
    pub(super) door: Door,
    pub(super) log: Arc<dyn Log>,
    /// As it stands in the log.
    pub(super) cursor: Option<MailCursor>,
    /// Of the cursor.
    pub(super) name: String,
    pub(super) inbox: Inbox,
    pub(super) mailbox: Mailbox,
    /// Mails whose listing the server garbles: passed over, or they would be in the way for ever.
    pub(super) garbled: HashSet<u32>,
}

/// A mail as the server gave it.
struct Fetched {
    uid: u32,
    arrived_ms: i64,
    bytes: Vec<u8>,
    /// It was read to its end.
    whole: bool,
}

/// What is to be read next.
struct Search {
    query: String,
    /// What will have been read then.
    cursor: MailCursor,
    /// Its mails are all that is new, in order: the cursor may stop at any of them.
    in_order: bool,
}

impl Reading {
    /// Reads until something goes wrong; `progress` tells whether all there was could be read.
    pub(super) async fn read(&mut self, progress: &mut bool) -> Result<(), String> {
        let mut open = connect(&self.mailbox).await?;
        let idles = within(open.capabilities()).await?.has_str("IDLE");
        tracing::info!(account = self.inbox.name, idles, "a mailbox is read");
        loop {
            has_news(|| open.unsolicited_responses.try_recv().ok());
            // Asked for anew each time: it tells whether the numbering is still the same.
            let selected = within(open.examine(&self.mailbox.folder)).await?;
            self.catch_up(&mut open, &selected).await?;
            *progress = true;
            if !has_news(|| open.unsolicited_responses.try_recv().ok()) {
                open = if idles { idle(open).await? } else { poll(open).await? };
            }
        }
    }

    /// Reads what has come since the cursor.
    async fn catch_up(&mut self, open: &mut Open, selected: &Selected) -> Result<(), String> {
        let validity = selected.uid_validity.ok_or("the server does not number its mails")?;
        let Search { query, mut cursor, in_order } = self.search(i64::from(validity));
        // What comes while this search is read is for the next.
        let uid_next = match selected.uid_next {
            Some(uid) => uid,
            None => {
                within(open.uid_search("UID *")).await?.into_iter().max().map_or(1, |uid| uid + 1)
            }
        };
        let found = within(open.uid_search(&query)).await?;
        // `n:*` names the last mail even where it is older than n.
        let is_new = |uid: &u32| !in_order || i64::from(*uid) >= cursor.uid_next;
        let mut uids: Vec<u32> = found.into_iter().filter(is_new).collect();
        uids.sort_unstable();
        for chunk in uids.chunks(CHUNK) {
            for uid in chunk {
                self.take(open, *uid, &mut cursor).await?;
            }
            if in_order {
                self.keep(&cursor).await?;
            }
        }
        cursor.uid_next = cursor.uid_next.max(i64::from(uid_next));
        self.keep(&cursor).await
    }

    fn search(&self, validity: i64) -> Search {
        match &self.cursor {
            Some(cursor) if cursor.uid_validity == validity => Search {
                query: format!("UID {}:*", cursor.uid_next.max(1)),
                cursor: cursor.clone(),
                in_order: true,
            },
            // Numbered anew: what came since the day before the last one read is gone through.
            Some(cursor) if cursor.read_to_ms > 0 => Search {
                query: format!("SINCE {}", day(cursor.read_to_ms - 24 * HOUR_MS)),
                cursor: MailCursor { uid_validity: validity, uid_next: 1, ..cursor.clone() },
                in_order: false,
            },
            _ => Search {
                query: format!(
                    "UNSEEN SINCE {}",
                    day(self.door.now_ms() - self.mailbox.first_hours * HOUR_MS)
                ),
                cursor: MailCursor { uid_validity: validity, uid_next: 1, ..MailCursor::default() },
                in_order: false,
            },
        }
    }

    /// Takes one mail in, unless it was before; durable when this returns.
    async fn take(
        &mut self,
        open: &mut Open,
        uid: u32,
        cursor: &mut MailCursor,
    ) -> Result<(), String> {
        if self.garbled.contains(&uid) {
            return Ok(());
        }
        let fetched = timeout(PATIENCE, fetch(open, uid)).await;
        let fetched = fetched.map_err(|_| "the server does not answer".to_owned())?;
        let fetched = fetched.map_err(|error| {
            if is_garbled(&error) {
                tracing::error!(
                    account = self.inbox.name,
                    uid,
                    "a mail cannot be listed; it is passed over"
                );
                self.garbled.insert(uid);
            }
            kind_of(&error)
        })?;
        // One that is gone again concerns nobody.
        let Some(Fetched { uid, arrived_ms, bytes, whole }) = fetched else { return Ok(()) };
        let mut mail = parse(&bytes).unwrap_or_default();
        if !whole {
            mail.cut_off();
        }
        let digest = digest(&mail);
        if !cursor::knows(cursor, &digest) {
            self.accept(bytes, mail).await?;
        }
        cursor::note(cursor, uid, arrived_ms, digest);
        Ok(())
    }

    /// Keeps a mail as it came, its files and what it tells.
    async fn accept(&self, bytes: Vec<u8>, mail: Mail) -> Result<(), String> {
        let kept = RawRequest {
            provider: PROVIDER.to_owned(),
            account: self.inbox.name.clone(),
            received_at_ms: self.door.now_ms(),
            headers: BTreeMap::new(),
            body: bytes,
        };
        let told = self.inbox.told(Some(mail));
        let records = self.door.records(&self.inbox.tenant, &kept, told).await;
        self.append(records.map_err(|error| error.to_string())?).await;
        Ok(())
    }

    /// Appends until it is durable: nothing is read on before.
    async fn append(&self, mut records: Vec<Record>) {
        while !records.is_empty() {
            match self.door.append(records.clone()).await {
                Ok(()) => return,
                Err(AppendError::Busy { retry_after }) => sleep(retry_after).await,
                Err(AppendError::TooLarge { bytes_max }) => {
                    tracing::error!(
                        account = self.inbox.name,
                        bytes_max,
                        "a mail is too large to be kept"
                    );
                    records.retain(|record| record.size() <= bytes_max);
                }
                Err(error @ AppendError::Failed(_)) => {
                    tracing::warn!(account = self.inbox.name, %error, "a mail is appended again");
                    sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Moves the cursor, which all it covers is durable for.
    async fn keep(&mut self, cursor: &MailCursor) -> Result<(), String> {
        if self.cursor.as_ref() != Some(cursor) {
            let (partitions, now_ms) = (self.log.partitions(), self.door.now_ms());
            let record = cursor::record(partitions, self.name.as_bytes(), cursor, now_ms)?;
            self.append(vec![record]).await;
            self.cursor = Some(cursor.clone());
        }
        Ok(())
    }
}

/// What tells a mail when its number does not.
fn digest(mail: &Mail) -> [u8; 16] {
    let whole: [u8; 32] = Sha256::digest(adapt::identity(mail).as_bytes()).into();
    let mut head = [0; 16];
    head.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    head
}

/// Whether the server answered, and nobody can read what.
fn is_garbled(error: &Error) -> bool {
    match error {
        Error::Parse(_) => true,
        Error::Io(error) => error.kind() == std::io::ErrorKind::Other,
        _ => false,
    }
}

async fn fetch(open: &mut Open, uid: u32) -> ImapResult<Option<Fetched>> {
    let Some(listed) = one(open, uid, "(UID INTERNALDATE RFC822.SIZE)").await? else {
        return Ok(None);
    };
    // PEEK: nobody is to think that somebody has read it.
    let is_whole = listed.size.is_none_or(|size| size <= MAIL_BYTES_MAX);
    let what = if is_whole {
        "(UID BODY.PEEK[])".to_owned()
    } else {
        format!("(UID BODY.PEEK[]<0.{MAIL_BYTES_MAX}>)")
    };
    let whole = one(open, uid, &what).await?;
    let bytes = whole.as_ref().and_then(Fetch::body).map(<[u8]>::to_vec);
    let arrived_ms = listed.internal_date().map_or(0, |at| at.timestamp_millis());
    Ok(bytes.map(|bytes| Fetched { uid, arrived_ms, bytes, whole: is_whole }))
}

/// What the server tells of one mail.
async fn one(open: &mut Open, uid: u32, what: &str) -> ImapResult<Option<Fetch>> {
    let mut told = open.uid_fetch(uid.to_string(), what).await?;
    let mut found = None;
    // To the end, also once it is found: what is not read is in the way of the next command.
    while let Some(mail) = told.try_next().await? {
        if mail.uid == Some(uid) {
            found = Some(mail);
        }
    }
    Ok(found)
}

async fn within<T>(asked: impl Future<Output = ImapResult<T>>) -> Result<T, String> {
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| kind_of(&error)),
        Err(_) => Err("the server does not answer".to_owned()),
    }
}

/// Whether mails are among what was `announced` while something else was asked. Forgets all of it.
fn has_news(mut announced: impl FnMut() -> Option<UnsolicitedResponse>) -> bool {
    let mut news = false;
    while let Some(told) = announced() {
        news |= matches!(told, UnsolicitedResponse::Exists(_) | UnsolicitedResponse::Recent(_));
    }
    news
}

/// Waits until the server tells of something, or it is time to ask again.
async fn idle(open: Open) -> Result<Open, String> {
    let announced = open.unsolicited_responses.clone();
    let mut waiting = open.idle();
    within(waiting.init()).await?;
    // What came since the last look is told before the server says that we may wait, and not again.
    if !has_news(|| announced.try_recv().ok()) {
        let (told, _until_dropped) = waiting.wait_with_timeout(IDLE);
        // A server that says it is still there begins the wait anew; this one does not.
        if let Ok(Err(error)) = timeout(IDLE, told).await {
            return Err(kind_of(&error));
        }
    }
    within(waiting.done()).await
}

async fn poll(mut open: Open) -> Result<Open, String> {
    sleep(POLL).await;
    within(open.noop()).await?;
    Ok(open)
}

/// A day as searches name it (RFC 3501, `date`), in UTC; a day early, because servers go by their own.
fn day(at_ms: i64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let date = mail_parser::DateTime::from_timestamp(at_ms.max(0) / 1000 - 24 * 3600);
    let month = MONTHS.get(usize::from(date.month).saturating_sub(1)).unwrap_or(&"Jan");
    format!("{:02}-{month}-{:04}", date.day, date.year)
}

#[cfg(test)]
mod tests {
    #[test]
    fn days_are_named_as_servers_read_them() {
        assert_eq!(super::day(1_795_224_600_000), "20-Nov-2026");
        assert_eq!(super::day(1_772_409_600_000), "01-Mar-2026");
        assert_eq!(super::day(0), "31-Dec-1969");
    }
}
