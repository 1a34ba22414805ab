//! The telephone: calls that Asterisk gives to an application of ours (ARI).
//!
//! Writes `raw` and `inbound`. A call is a contact's wish (a digit of the menu), a recording, or one that
//! came to nothing and is called back. Invariants: what a caller left is durable before the next event is
//! looked at; calls that ended while nobody listened are told when somebody does again.

mod ari;
mod calls;
mod media;
mod overheard;
mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use schemas::ops::RawRequest;
use tokio_util::sync::CancellationToken;

pub use media::Files;
pub use overheard::Overheard;

use self::ari::Ari;
use self::calls::{Calls, Step};
use crate::door::{AcceptError, Door, Event, HeardMessage};

/// Name of the adapter.
pub const PROVIDER: &str = "phone";

/// First pause before a server is tried again; doubles.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Longest pause.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(30);
/// How often a process without calls looks whether another one has them still.
const STAND_BY: Duration = Duration::from_secs(10);
/// How often calls are looked at when nothing happens.
const LOOK: Duration = Duration::from_secs(1);
/// Pause before the log is asked again to take what a caller left.
const LOG_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// An Asterisk and the application it gives calls to.
#[derive(Clone)]
pub struct Server {
    /// Its HTTP server, without `/ari`.
    pub url: String,
    /// Of `ari.conf`.
    pub user: String,
    /// That user's password.
    pub password: String,
    /// As the dial plan names it: `Stasis(app)`.
    pub app: String,
}

/// What callers hear, and what their digits mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Menu {
    /// Played first, as Asterisk names it (`sound:…`): the menu, and that one may speak after the tone.
    pub greeting: String,
    /// Played before hanging up.
    pub thanks: String,
    /// What each digit stands for, in a customer's words.
    pub digits: BTreeMap<String, String>,
    /// Longest recording, in seconds.
    pub record_s_max: u32,
}

/// One number of ours.
#[derive(Clone)]
pub struct Account {
    /// Its name in the configuration.
    pub name: String,
    /// Whose customers call.
    pub tenant: String,
    /// Where calls come from.
    pub server: Server,
    /// What callers hear.
    pub menu: Menu,
}

/// Takes the calls of `accounts` until `stop`.
///
/// # Errors
/// In words, when an address makes no sense.
pub async fn listen(
    door: Door,
    accounts: Vec<Account>,
    stop: CancellationToken,
) -> Result<(), String> {
    let mut lines = tokio::task::JoinSet::new();
    for account in accounts {
        let line = Line {
            door: door.clone(),
            ari: Ari::new(account.server.clone())?,
            calls: Calls::new(&account.name, account.menu.clone()),
            account,
            replaced: false,
        };
        lines.spawn(insist(line, stop.clone()));
    }
    while lines.join_next().await.is_some() {}
    Ok(())
}

/// One number and the calls on it.
struct Line {
    door: Door,
    ari: Ari,
    calls: Calls,
    account: Account,
    /// Another process has the calls.
    replaced: bool,
}

/// Takes the calls of one number, again and again.
async fn insist(mut line: Line, stop: CancellationToken) {
    let mut pause = AGAIN_AFTER;
    loop {
        let mut progress = false;
        let ended = line.take_calls(&stop, &mut progress).await;
        if stop.is_cancelled() {
            return;
        }
        if let Err(why) = ended {
            tracing::warn!(account = line.account.name, why, "calls are not taken at present");
        }
        pause = if progress { AGAIN_AFTER } else { (pause * 2).min(AGAIN_AFTER_MAX) };
        let wait = if line.replaced { STAND_BY } else { pause };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

impl Line {
    /// Listens until the connection ends, or `stop`: what was heard by then is appended first.
    async fn take_calls(
        &mut self,
        stop: &CancellationToken,
        progress: &mut bool,
    ) -> Result<(), String> {
        if self.replaced && self.ari.is_taken().await? {
            return Err("another process has them; this one stands by".to_owned());
        }
        self.replaced = false;
        let mut events = self.ari.events().await?;
        *progress = true;
        tracing::info!(account = self.account.name, "calls are taken");
        self.catch_up().await?;
        loop {
            let came = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                came = events.next(LOOK) => came?,
            };
            self.look(came).await?;
        }
    }

    /// Calls that came and went while nobody listened.
    async fn catch_up(&mut self) -> Result<(), String> {
        let there = self.ari.calls().await?;
        let now_ms = self.door.now_ms();
        let mut steps = self.calls.only(&there, now_ms);
        steps.extend(there.iter().flat_map(|leg| self.calls.began(leg)));
        self.take(steps, b"").await;
        Ok(())
    }

    /// What came, or the time that has passed.
    async fn look(&mut self, came: Option<String>) -> Result<(), String> {
        let now_ms = self.door.now_ms();
        let late = self.calls.pass(now_ms);
        self.take(late, b"").await;
        let Some(text) = came else { return Ok(()) };
        let Some(event) = wire::event(&text) else {
            tracing::warn!(account = self.account.name, "an event of Asterisk is unreadable");
            return Ok(());
        };
        if event.kind == "ApplicationReplaced" {
            self.replaced = true;
            return Err("another process took over".to_owned());
        }
        let steps = self.calls.hear(&event, now_ms);
        self.take(steps, text.as_bytes()).await;
        Ok(())
    }

    async fn take(&self, steps: Vec<Step>, raw: &[u8]) {
        for step in steps {
            match step {
                Step::Tell(message) => self.tell(*message, raw).await,
                Step::Ask(ask) => {
                    if let Err(why) = self.ari.ask(&ask).await {
                        let what = ask.path.get(2).map_or("hang up", String::as_str);
                        tracing::warn!(
                            account = self.account.name,
                            what,
                            why,
                            "Asterisk does not do it"
                        );
                    }
                }
            }
        }
    }

    /// Appends what a caller left; as long as the log has no room, nothing else happens.
    async fn tell(&self, message: HeardMessage, raw: &[u8]) {
        let request = RawRequest {
            provider: PROVIDER.to_owned(),
            account: self.account.name.clone(),
            received_at_ms: self.door.now_ms(),
            headers: BTreeMap::new(),
            body: raw.to_vec(),
        };
        loop {
            let event = Event::Message(Box::new(message.clone()));
            match self.door.accept(&self.account.tenant, &request, vec![event]).await {
                Ok(()) => return,
                Err(error @ (AcceptError::Seal(_) | AcceptError::Inactive(_))) => {
                    tracing::error!(account = self.account.name, %error, "a call cannot be kept");
                    return;
                }
                Err(error @ (AcceptError::Append(_) | AcceptError::Store(_))) => {
                    tracing::warn!(account = self.account.name, %error, "a call waits for the log");
                    tokio::time::sleep(LOG_AGAIN_AFTER).await;
                }
            }
        }
    }
}
