//! `kill -9` at random moments under load, again and again.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::channel::Channel;
use super::customers::{Customers, Journal, Load, mix};
use super::facts::{Facts, Sent};
use super::gather::gather;
use super::judge::{Violation, judge};
use super::planted;
use crate::api::Api;
use crate::server::{Options, Server};

/// A server lives so long between ready and killed, in milliseconds: from, to.
const LIFE_MS: (u64, u64) = (150, 1_500);
/// One in so many kills is followed by another, so many milliseconds at most into the next start.
const EARLY_ONE_IN: u32 = 4;
const EARLY_MS_MAX: u64 = 150;
/// How long the line may take to come to rest after the last fault.
const REST_WITHIN: Duration = Duration::from_secs(180);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// How often it is killed.
    pub rounds: u32,
    /// How customers write.
    pub load: Load,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// How often it was killed.
    pub kills: u32,
    /// Messages acknowledged.
    pub acknowledged: usize,
    /// Messages the machine answered, by the histories.
    pub answered: usize,
    /// Replies the channel was sent.
    pub sent: usize,
    /// The latest a message was begun after its time.
    pub late_max: Duration,
    /// Time from start to ready, sorted.
    pub ready: Vec<Duration>,
    /// Time from the last kill to everything decided and answered.
    pub rest: Duration,
    /// Planted faults, and those the judge missed.
    pub planted: (usize, Vec<&'static str>),
    /// Kinds of violation found after a loss, a duplicate and a swap were planted in the store.
    pub planted_in_store: Vec<Violation>,
    /// What may not be.
    pub violations: Vec<Violation>,
}

/// Kills a server with its data in `data_dir` as often as `asked`, and judges what is left.
/// `note` is told how it goes.
///
/// # Errors
/// When a server does not come up again or does not answer.
pub async fn kill9(
    data_dir: &Path,
    asked: Asked,
    mut note: impl FnMut(String),
) -> anyhow::Result<Report> {
    let channel = Channel::open().await?;
    let options = Options::at(data_dir).with("DELIVER__CALLBACK_URL", &channel.url);
    let mut server = Server::start(options).await?;
    let customers = Customers::start(&server.url(), asked.load)?;
    let mut ready = Vec::new();
    for round in 0..asked.rounds {
        let dice = mix(asked.load.seed ^ (u64::from(round) << 32));
        let life = LIFE_MS.0 + dice % (LIFE_MS.1 - LIFE_MS.0);
        // The moment of the crash is the thing under test, not something waited for.
        tokio::time::sleep(Duration::from_millis(life)).await;
        let mut again = server.kill()?;
        if round % EARLY_ONE_IN == 0 {
            // Once more while it recovers and restores.
            let starting = Server::spawn(again)?;
            tokio::time::sleep(Duration::from_millis(mix(dice) % EARLY_MS_MAX)).await;
            again = starting.kill()?;
        }
        let started = Instant::now();
        server = Server::start(again).await?;
        ready.push(started.elapsed());
        if (round + 1) % 10 == 0 {
            note(format!("killed {} times", round + 1));
        }
    }
    let (journal, pace) = customers.finish().await?;
    let killed = Instant::now();
    note("at rest soon; gathering what is left".to_owned());
    let facts = at_rest(&server.api(), &journal, || channel.sent()).await?;
    let rest = killed.elapsed();
    ready.sort_unstable();
    let (violations, planted) = (judge(&facts), planted::missed(&facts));
    let (_, again) = server.stop().await?;
    planted::plant_in_store(data_dir)?;
    let server = Server::start(again).await?;
    let spoilt = gather(&server.api(), &journal, channel.sent()).await?;
    Ok(Report {
        kills: asked.rounds + asked.rounds.div_ceil(EARLY_ONE_IN),
        acknowledged: journal.values().map(Vec::len).sum(),
        answered: answered(&facts),
        sent: facts.sent.len(),
        late_max: pace.late_max,
        ready,
        rest,
        planted,
        planted_in_store: judge(&spoilt),
        violations,
    })
}

/// Gathers until nothing is wrong, or nothing that time would mend.
pub(super) async fn at_rest(
    api: &Api,
    journal: &Journal,
    sent: impl Fn() -> Vec<Sent>,
) -> anyhow::Result<Facts> {
    let until = Instant::now() + REST_WITHIN;
    // What comes last is decided last: looked at first, it saves gathering in vain.
    for last in journal.values().filter_map(|written| written.last()) {
        let path = format!("/v1/messages/{}", last.message_id);
        let left = until.saturating_duration_since(Instant::now());
        // One that never is, is for the judge to say.
        let _ = api.until(&path, left, |answer| !answer.str("/route").is_empty()).await;
    }
    loop {
        let facts = gather(api, journal, sent()).await?;
        let wrong = judge(&facts);
        if Instant::now() > until || !wrong.iter().any(Violation::may_pass) {
            return Ok(facts);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

pub(super) fn answered(facts: &Facts) -> usize {
    let lines = facts.histories.values().flatten();
    lines.filter(|line| line.event == "reply_sent" && line.str("purpose") == "answer").count()
}

impl Report {
    /// Whether everything is as it must be.
    ///
    /// # Errors
    /// What is not.
    pub fn sound(&self) -> anyhow::Result<()> {
        ensure!(self.planted.1.is_empty(), "the judge missed planted faults: {:?}", self.planted.1);
        let in_store = |is: fn(&Violation) -> bool| self.planted_in_store.iter().any(is);
        ensure!(
            in_store(|v| matches!(v, Violation::Lost(_)))
                && in_store(|v| matches!(v, Violation::Doubled(_)))
                && in_store(|v| matches!(v, Violation::Torn(_) | Violation::DecidedUnseen(_))),
            "faults planted in the store were not all seen: {:?}",
            self.planted_in_store
        );
        let few: Vec<_> = self.violations.iter().take(20).collect();
        ensure!(few.is_empty(), "{} violations, such as {few:?}", self.violations.len());
        ensure!(self.answered > 0 && self.sent > 0, "nothing was answered: the run shows nothing");
        Ok(())
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let at = |share: usize| {
            self.ready
                .get(self.ready.len().saturating_sub(1) * share / 100)
                .copied()
                .unwrap_or_default()
        };
        format!(
            "{} kills, {} messages acknowledged, {} answered by the machine, {} replies at the channel\n\
             customers at most {:?} late; ready again after {:?} (p50), {:?} (max); at rest {:?} after the end\n\
             {} faults planted, {} missed; {} violations",
            self.kills,
            self.acknowledged,
            self.answered,
            self.sent,
            self.late_max,
            at(50),
            at(100),
            self.rest,
            self.planted.0,
            self.planted.1.len(),
            self.violations.len(),
        )
    }
}
