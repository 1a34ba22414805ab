//! `kill -9` at random moments under load, again and again.

use std::path::Path;
use std::time::{Duration, Instant};

use super::customers::{Journal, Load, mix};
use super::facts::{Facts, Sent};
use super::gather::gather;
use super::judge::{Violation, judge};
use super::trial::{Report, Trial};
use crate::api::Api;
use crate::server::Options;

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
    let mut trial = Trial::start(Options::at(data_dir), asked.load).await?;
    for round in 0..asked.rounds {
        let dice = mix(asked.load.seed ^ (u64::from(round) << 32));
        let life = LIFE_MS.0 + dice % (LIFE_MS.1 - LIFE_MS.0);
        // The moment of the crash is the thing under test, not something waited for.
        tokio::time::sleep(Duration::from_millis(life)).await;
        let mut again = trial.kill()?;
        if round % EARLY_ONE_IN == 0 {
            // Once more while it recovers and restores.
            trial.spawn(again)?;
            tokio::time::sleep(Duration::from_millis(mix(dice) % EARLY_MS_MAX)).await;
            again = trial.kill()?;
        }
        trial.again(again).await?;
        if (round + 1) % 10 == 0 {
            note(format!("killed {} times", round + 1));
        }
    }
    note("at rest soon; gathering what is left".to_owned());
    trial.judged().await
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
