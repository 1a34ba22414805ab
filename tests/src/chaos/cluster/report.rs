//! What came of one fault, for people and for the exit code.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;

use crate::chaos::judge::Violation;

/// What doors answered to probes while something was down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answers {
    /// 2xx: acknowledged.
    pub acknowledged: u32,
    /// 503.
    pub refused: u32,
    /// Anything else that was said.
    pub other: u32,
    /// No answer at all.
    pub none: u32,
    /// The longest an answer took.
    pub longest: Duration,
}

/// How a fault passed.
#[derive(Debug)]
pub struct Report {
    /// Its name.
    pub fault: String,
    /// How often.
    pub rounds: u32,
    /// What the run was made from.
    pub seed: u64,
    /// Messages acknowledged, and of them decided without a doubt.
    pub acknowledged: usize,
    /// Messages the machine answered, by the histories.
    pub answered: usize,
    /// Replies the channel was sent.
    pub sent: usize,
    /// What the judge found.
    pub violations: Vec<Violation>,
    /// What else may not be: promises of this very fault.
    pub broken: Vec<String>,
    /// Planted faults, and those the judge missed.
    pub planted: (usize, Vec<&'static str>),
    /// p95 from writing to the decision being seen, before the fault.
    pub p95_before: Option<Duration>,
    /// From the fault's end until all that was written before is decided.
    pub drained: Duration,
    /// From the fault's end until p95 is below twice what it was; nothing: not while we looked.
    pub p95_back: Option<Duration>,
    /// From the end of the traffic until every group has read everything.
    pub lag_zero: Option<Duration>,
    /// The slowest probe.
    pub slowest: Duration,
    /// Answers of the door while the fault lasted.
    pub answers: Answers,
    /// Processes that ended without being asked to.
    pub ended_by_itself: usize,
    /// The latest a message was begun after its time.
    pub late_max: Duration,
    /// Memory of each process before and after, in MB.
    pub rss_mb: [BTreeMap<String, u64>; 2],
    /// The machine's load at the end.
    pub load: String,
    /// The slowest probe of each five seconds, from the first message on.
    pub timeline: Vec<Duration>,
    /// What else is worth telling.
    pub notes: Vec<String>,
}

fn seconds(took: Duration) -> String {
    format!("{:.1}", took.as_secs_f64())
}

fn seconds_or(took: Option<Duration>, otherwise: &str) -> String {
    took.map_or_else(|| otherwise.to_owned(), seconds)
}

impl Report {
    /// The head of the table whose rows are [`Report::row`].
    #[must_use]
    pub fn head() -> &'static str {
        "| fault | rounds | seed | acknowledged | answered | sent | violations | p95 before s | \
         drained s | p95 back s | lag 0 s | slowest s | door 2xx/503/other/none | ended by itself | \
         late ms |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    }

    /// One line of the table.
    #[must_use]
    pub fn row(&self) -> String {
        let Answers { acknowledged, refused, other, none, .. } = self.answers;
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | \
             {acknowledged}/{refused}/{other}/{none} | {} | {} |",
            self.fault,
            self.rounds,
            self.seed,
            self.acknowledged,
            self.answered,
            self.sent,
            self.violations.len() + self.broken.len(),
            seconds_or(self.p95_before, "-"),
            seconds(self.drained),
            seconds_or(self.p95_back, "not seen"),
            seconds_or(self.lag_zero, "never"),
            seconds(self.slowest),
            self.ended_by_itself,
            self.late_max.as_millis(),
        )
    }

    /// What the table has no place for.
    #[must_use]
    pub fn details(&self) -> String {
        let mut text = format!(
            "  load {}; RSS MB {:?} -> {:?}; the door's slowest answer during the fault {} s",
            self.load,
            self.rss_mb[0],
            self.rss_mb[1],
            seconds(self.answers.longest)
        );
        let timeline: Vec<String> = self.timeline.iter().map(|most| seconds(*most)).collect();
        text.push_str(&format!("\n  slowest probe of each 5 s: {}", timeline.join(" ")));
        for note in self.notes.iter().chain(&self.broken) {
            text.push_str("\n  ");
            text.push_str(note);
        }
        for violation in self.violations.iter().take(20) {
            text.push_str(&format!("\n  {violation:?}"));
        }
        text
    }

    /// Whether everything is as it must be.
    ///
    /// # Errors
    /// What is not.
    pub fn sound(&self) -> anyhow::Result<()> {
        let fault = &self.fault;
        let missed = &self.planted.1;
        ensure!(missed.is_empty(), "{fault}: the judge missed planted faults: {missed:?}");
        let few: Vec<_> = self.violations.iter().take(20).collect();
        ensure!(few.is_empty(), "{fault}: {} violations, such as {few:?}", self.violations.len());
        ensure!(self.broken.is_empty(), "{fault}: {:?}", self.broken);
        let shown = self.answered > 0 && self.sent > 0;
        ensure!(shown, "{fault}: nothing was answered: the run shows nothing");
        Ok(())
    }
}
