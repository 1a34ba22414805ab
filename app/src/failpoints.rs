//! Failpoints: the process ends at a named point of a part's work, as `kill -9` ends it. For fault
//! tests; a build without the feature `failpoints` has nothing of it.
//!
//! `CORRENTEZA_FAILPOINT=<part>:<step>:<nth>`, e.g. `router:published:40`: the fortieth time `router`
//! has published. Steps are those of the runner's loops and, where an effect keeps to the once-ledger,
//! what happens around it. A part that runs in a chain dies where the chain does.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use classifier::shadow::Shadow;
use classifier::stage::Classify;
use ingest::media::Media;
use ingest::turns::Turns;
use pipeline::clock::Clock;
use pipeline::ledger::{Claim, LedgerError, OnceKey, OnceLedger};
use pipeline::{Effect, Setup, Stage, Step};
use responder::{Act, Deliver, Mirror, Plan};
use router::Router;
use sink::effects::{KeepAccepted, KeepCustomers, KeepHistory, KeepMetrics};
use sink::metrics::Metrics as CountMinutes;

use crate::config::ConfigError;

/// Where it is read from.
const VARIABLE: &str = "CORRENTEZA_FAILPOINT";

const STAGES: [&str; 6] =
    [Turns::NAME, Classify::NAME, Shadow::NAME, Router::NAME, Plan::NAME, CountMinutes::NAME];
const EFFECTS: [&str; 8] = [
    Act::NAME,
    Deliver::NAME,
    KeepAccepted::NAME,
    KeepHistory::NAME,
    KeepMetrics::NAME,
    KeepCustomers::NAME,
    Media::NAME,
    Mirror::NAME,
];
/// Effects that ask the once-ledger.
const GUARDED: [&str; 3] = [Act::NAME, Deliver::NAME, Mirror::NAME];

/// About to claim; claimed, nothing done yet; done, about to settle; settled.
const CLAIMING: &str = "claiming";
const CLAIMED: &str = "claimed";
const SETTLING: &str = "settling";
const SETTLED: &str = "settled";
const OF_LEDGER: [&str; 4] = [CLAIMING, CLAIMED, SETTLING, SETTLED];

/// Where it is read how far the clock of this process is ahead of the machine's (ms; behind: negative).
const CLOCK: &str = "CORRENTEZA_CLOCK_AHEAD_MS";

/// `clock`, wrong by what the environment asks for.
pub(crate) fn clock(clock: Arc<dyn Clock>) -> Result<Arc<dyn Clock>, ConfigError> {
    let Some(asked) = std::env::var_os(CLOCK) else { return Ok(clock) };
    let ahead_ms = asked
        .to_string_lossy()
        .parse()
        .map_err(|_| ConfigError::Wrong(vec![format!("{CLOCK}: milliseconds, e.g. -7200000")]))?;
    tracing::warn!(ahead_ms, "the clock is wrong on purpose");
    Ok(Arc::new(Ahead { clock, ahead_ms }))
}

struct Ahead {
    clock: Arc<dyn Clock>,
    ahead_ms: i64,
}

impl Clock for Ahead {
    fn now_ms(&self) -> i64 {
        self.clock.now_ms().saturating_add(self.ahead_ms)
    }
}

/// The point at which this process ends.
#[derive(Debug)]
pub(crate) struct Failpoint {
    part: String,
    step: String,
    nth: u64,
    /// How often it was come to.
    times: AtomicU64,
}

impl Failpoint {
    /// What the environment asks for.
    pub(crate) fn armed() -> Result<Option<Arc<Self>>, ConfigError> {
        let Some(asked) = std::env::var_os(VARIABLE) else { return Ok(None) };
        let point: Self = asked
            .to_string_lossy()
            .parse()
            .map_err(|wrong| ConfigError::Wrong(vec![format!("{VARIABLE}: {wrong}")]))?;
        tracing::warn!(
            part = point.part,
            step = point.step,
            nth = point.nth,
            "a failpoint is armed"
        );
        Ok(Some(Arc::new(point)))
    }

    /// `setup`, with its steps watched.
    pub(crate) fn watch(self: &Arc<Self>, setup: Setup) -> Setup {
        let point = Arc::clone(self);
        let probe = move |part: &str, step: Step| {
            point.reached(part, step.name());
            false
        };
        Setup { probe: Some(Arc::new(probe)), ..setup }
    }

    /// `ledger` as `part` asks it, with what happens around it watched.
    pub(crate) fn guard(
        self: &Arc<Self>,
        part: &'static str,
        ledger: Arc<dyn OnceLedger>,
    ) -> Arc<dyn OnceLedger> {
        Arc::new(Watched { point: Arc::clone(self), part, ledger })
    }

    /// Whoever runs, a part or a chain by the names of its stages, has come to `step`.
    fn reached(&self, who: &str, step: &str) {
        if self.counts(who, step) {
            // The kernel ends the process before this returns.
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
        }
    }

    /// Whether that was the time to end.
    fn counts(&self, who: &str, step: &str) -> bool {
        step == self.step
            && who.split('+').any(|part| part == self.part)
            && self.times.fetch_add(1, Ordering::Relaxed) + 1 == self.nth
    }
}

/// The steps of `part`; none of what is no part with a loop.
fn steps_of(part: &str) -> Vec<&'static str> {
    let of_loop: &[Step] = match () {
        () if STAGES.contains(&part) => &Step::OF_STAGES,
        () if EFFECTS.contains(&part) => &Step::OF_EFFECTS,
        () => &[],
    };
    let of_ledger: &[&str] = if GUARDED.contains(&part) { &OF_LEDGER } else { &[] };
    of_loop.iter().map(|step| step.name()).chain(of_ledger.iter().copied()).collect()
}

/// Every part with its steps.
fn all() -> String {
    let parts = STAGES.iter().chain(&EFFECTS);
    let told = parts.map(|part| format!("{part} ({})", steps_of(part).join(" ")));
    told.collect::<Vec<_>>().join(", ")
}

impl FromStr for Failpoint {
    type Err = String;

    fn from_str(asked: &str) -> Result<Self, String> {
        let mut words = asked.split(':');
        let (Some(part), Some(step), Some(nth), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(format!("'{asked}' is not <part>:<step>:<nth>, e.g. router:published:40"));
        };
        let nth = nth.parse().ok().filter(|nth| *nth > 0);
        let nth = nth.ok_or_else(|| format!("'{asked}': the last word is a number from 1 on"))?;
        if !steps_of(part).contains(&step) {
            return Err(format!("there is no point {part}:{step}; there are {}", all()));
        }
        let (part, step) = (part.to_owned(), step.to_owned());
        Ok(Self { part, step, nth, times: AtomicU64::new(0) })
    }
}

/// The once-ledger with a failpoint around it.
struct Watched {
    point: Arc<Failpoint>,
    part: &'static str,
    ledger: Arc<dyn OnceLedger>,
}

#[async_trait]
impl OnceLedger for Watched {
    async fn claim(&self, key: &OnceKey) -> Result<Claim, LedgerError> {
        self.point.reached(self.part, CLAIMING);
        let claim = self.ledger.claim(key).await;
        self.point.reached(self.part, CLAIMED);
        claim
    }

    async fn settle(&self, key: &OnceKey, outcome: Vec<u8>) -> Result<(), LedgerError> {
        self.point.reached(self.part, SETTLING);
        let settled = self.ledger.settle(key, outcome).await;
        self.point.reached(self.part, SETTLED);
        settled
    }

    async fn release(&self, key: &OnceKey) -> Result<(), LedgerError> {
        self.ledger.release(key).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::part::{DOORS, NAMES};

    #[test]
    fn every_part_with_a_loop_has_points_and_no_other() {
        for part in NAMES {
            let point = format!("{part}:committed:1").parse::<Failpoint>();
            assert_eq!(point.is_ok(), part != DOORS, "{part}: {point:?}");
        }
        assert!("deliver:claimed:3".parse::<Failpoint>().is_ok());
    }

    #[test]
    fn what_is_wrong_is_told_with_what_there_is() {
        let wrong = |asked: &str| asked.parse::<Failpoint>().unwrap_err();
        for asked in ["", "router", "router:published", "router:published:1:2"] {
            assert!(wrong(asked).contains("<part>:<step>:<nth>"), "{asked}");
        }
        assert!(wrong("router:published:0").contains("a number from 1 on"));
        assert!(wrong("router:published:soon").contains("a number from 1 on"));
        for asked in ["rooter:published:1", "router:applied:1", "store-history:claimed:1"] {
            let told = wrong(asked);
            assert!(told.contains("router (taken processed published ticked"), "{told}");
            assert!(told.contains("deliver (taken applied told committing committed claiming"));
        }
    }

    #[test]
    fn it_is_the_nth_time_of_this_very_point_also_in_a_chain() {
        let point: Failpoint = "router:published:2".parse().unwrap();
        let chain = "turns+classify+router+plan";
        assert!(!point.counts("router", "published"));
        assert!(!point.counts("plan", "published") && !point.counts("router", "taken"));
        assert!(point.counts(chain, "published"));
        assert!(!point.counts(chain, "published"), "once");
    }
}
