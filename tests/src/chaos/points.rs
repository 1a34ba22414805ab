//! The failpoints of the product: where each part of the line ends its process when it is told to, and
//! a server of one machine that is ended at each of them.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use super::customers::{Load, mix};
use super::trial::{Report, Trial};
use crate::server::{Options, impatient_policy};

/// What arms a failpoint.
pub(super) const VARIABLE: &str = "CORRENTEZA_FAILPOINT";
/// Where it is told how far a process's clock is wrong.
pub(super) const CLOCK: &str = "CORRENTEZA_CLOCK_AHEAD_MS";
/// How long a point may take to be come to: a conversation is late after a minute.
pub(super) const REACHED_WITHIN: Duration = Duration::from_secs(90);
/// How a process ends that was killed.
const KILLED: i32 = 9;

const OF_STAGES: &[&str] = &["taken", "processed", "published", "committing", "committed"];
/// Only some stages ask for the time.
const OF_TIME: &[&str] = &["ticked"];
const OF_EFFECTS: &[&str] = &["taken", "applied", "told", "committing", "committed"];
/// `act` has a CRM here that only looks things up, and asks no ledger.
const OF_LEDGER: &[&str] = &["claiming", "claimed", "settling", "settled"];

/// The parts of the line and the points of each. Those of the ledger come first, while customers are
/// still answered by the machine: who waits for people is not. Deadlines come last: they take time.
const PARTS: [(&str, &[&[&str]]); 10] = [
    ("turns", &[OF_STAGES, OF_TIME]),
    ("classify", &[OF_STAGES]),
    ("router", &[OF_STAGES, OF_TIME]),
    ("plan", &[OF_STAGES]),
    ("metrics", &[OF_STAGES]),
    ("act", &[OF_EFFECTS]),
    ("deliver", &[OF_LEDGER, OF_EFFECTS]),
    ("store-accepted", &[OF_EFFECTS]),
    ("store-history", &[OF_EFFECTS]),
    ("store-metrics", &[OF_EFFECTS]),
];

/// A point of a part's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Whose.
    pub part: &'static str,
    /// Which.
    pub step: &'static str,
}

impl Point {
    /// All of them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        rounds().into_iter().flatten().collect()
    }

    /// What arms it: at a time of its own for each `seed`.
    #[must_use]
    pub fn armed(self, seed: u64) -> String {
        let Self { part, step } = self;
        let dice = part.bytes().chain(step.bytes()).fold(seed, |n, byte| mix(n ^ u64::from(byte)));
        // Some are come to with every batch, some now and then.
        let often = OF_STAGES.contains(&step) || OF_EFFECTS.contains(&step);
        let nth = 1 + dice % if often { 12 } else { 2 };
        format!("{part}:{step}:{nth}")
    }
}

/// All points, in rounds: in each, one of every part that has any left.
pub(super) fn rounds() -> Vec<Vec<Point>> {
    let mut rounds: Vec<Vec<Point>> = Vec::new();
    for (part, steps) in PARTS {
        for (n, step) in steps.iter().copied().flatten().copied().enumerate() {
            if rounds.len() <= n {
                rounds.push(Vec::new());
            }
            if let Some(round) = rounds.get_mut(n) {
                round.push(Point { part, step });
            }
        }
    }
    rounds
}

/// Names of all parts.
pub(super) fn parts() -> [&'static str; PARTS.len()] {
    PARTS.map(|(part, _)| part)
}

/// Whether that is how a failpoint ends a process.
pub(super) fn is_killed(status: std::process::ExitStatus) -> bool {
    status.signal() == Some(KILLED)
}

/// Ends a server with its data in `data_dir` at each of `points` in turn, under load, and judges what
/// is left. Gives the points that were never come to, too. `note` is told how it goes.
///
/// # Errors
/// When a server does not come up again or does not answer.
pub async fn at_points(
    data_dir: &Path,
    load: Load,
    points: &[Point],
    mut note: impl FnMut(String),
) -> anyhow::Result<(Report, Vec<String>)> {
    let policy = impatient_policy(data_dir)?;
    let policy = policy.to_string_lossy();
    let options = Options::at(data_dir).with("ROUTER__POLICY_FILE", &policy);
    let mut trial = Trial::start(options, load).await?;
    let mut never = Vec::new();
    for point in points {
        let armed = point.armed(load.seed);
        let mut options = trial.kill()?;
        options.environment.push((VARIABLE.to_owned(), armed.clone()));
        trial.spawn(options)?;
        match trial.server()?.ends(REACHED_WITHIN).await? {
            Some(status) if is_killed(status) => note(format!("died at {armed}")),
            Some(status) => never.push(format!("armed with {armed} it ended with {status}")),
            None => never.push(format!("{armed} was never come to")),
        }
        let mut options = trial.kill()?;
        options.environment.clear();
        trial.again(options).await?;
    }
    note("at rest soon; gathering what is left".to_owned());
    Ok((trial.judged().await?, never))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_in_one_round_and_no_part_twice_in_one() {
        let rounds = rounds();
        assert_eq!((rounds.len(), rounds.iter().map(Vec::len).sum::<usize>()), (9, 56));
        for round in rounds {
            let parts: std::collections::BTreeSet<&str> = round.iter().map(|p| p.part).collect();
            assert_eq!(parts.len(), round.len(), "{round:?}");
        }
        let point = Point { part: "deliver", step: "claimed" };
        assert_eq!(point.armed(1), point.armed(1));
        assert!(point.armed(1).starts_with("deliver:claimed:"));
    }
}
