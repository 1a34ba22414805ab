//! What every log must do. A backend's tests call each of these with a fresh harness, best through
//! [`crate::conformance_suite`].

mod chains;
mod confirmations;
mod crashes;
mod effects;
mod links;
mod logs;
mod members;
mod parties;
mod refusals;
mod second_tries;
mod stages;
mod valve;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use schemas::Avro;
use schemas::topics::Topic;
use smol_str::SmolStr;
use tokio_util::sync::CancellationToken;

pub use chains::*;
pub use confirmations::*;
pub use crashes::*;
pub use effects::*;
pub use links::*;
pub use logs::*;
pub use members::*;
pub use parties::*;
pub use refusals::*;
pub use second_tries::*;
pub use stages::*;

use super::tally::{
    self, CHAIN_STATE, IN, OUT, SECOND_STATE, STATE, Second, Tally, Told, Total, told,
};
use crate::broadcast::{Broadcasts, Missing, Versioned};
use crate::clock::ManualClock;
use crate::ledger::OnceLedger;
use crate::log::{From, Group, Log};
use crate::record::{Record, Stored};
use crate::runner::{Chain, Policy, RunError, Setup, StageRunner, Step, Stepped};
use crate::stage::Stage as _;
use crate::telemetry::metrics::Metrics;

/// A backend under test.
#[async_trait]
pub trait Harness: Send {
    /// The log, with [`Log::ensure`] called for [`topics`].
    fn log(&self) -> Arc<dyn Log>;

    /// The once-ledger beside it.
    fn ledger(&self) -> Arc<dyn OnceLedger>;

    /// Ends the process that holds the log, as far as a test can, and starts another: every handle
    /// given out before is void.
    async fn crash(&mut self);

    /// Begins with an empty log.
    async fn fresh(&mut self);

    /// Takes `partition` of `group` away from the member that holds it without telling it: another
    /// member has joined in the meantime.
    async fn expire(&mut self, group: &str, partition: u32);

    /// How many members a group may have at once.
    fn members_max(&self) -> usize;
}

/// The topics a harness must create.
#[must_use]
pub fn topics() -> &'static [schemas::topics::TopicSpec] {
    tally::TOPICS
}

/// Long enough for anything that is going to happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// Long enough for a round that may find nothing.
const ROUND: Duration = Duration::from_millis(20);

/// A side input that is just a number; every version can be had.
pub(super) struct Numbers(pub(super) parking_lot::Mutex<u64>);

impl Numbers {
    fn version(n: u64) -> Arc<Versioned<u64>> {
        Arc::new(Versioned { version: SmolStr::from(n.to_string()), content: n })
    }
}

impl Broadcasts<u64> for Numbers {
    fn latest(&self) -> Arc<Versioned<u64>> {
        Self::version(*self.0.lock())
    }

    fn at(&self, version: &str) -> Result<Arc<Versioned<u64>>, Missing> {
        Ok(Self::version(version.parse().unwrap()))
    }
}

/// Everything a test runs stages with.
pub(super) struct Bench {
    pub(super) clock: Arc<ManualClock>,
    pub(super) numbers: Arc<Numbers>,
    /// The second's.
    pub(super) second_numbers: Arc<Numbers>,
    pub(super) policy: Policy,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self {
            clock: Arc::new(ManualClock::at(1_000)),
            numbers: Arc::new(Numbers(parking_lot::Mutex::new(1))),
            second_numbers: Arc::new(Numbers(parking_lot::Mutex::new(10))),
            policy: Policy { commit_every: Duration::ZERO, ..Policy::default() },
        }
    }

    pub(super) fn setup(&self, log: &Arc<dyn Log>) -> Setup {
        Setup {
            log: Arc::clone(log),
            clock: Arc::clone(&self.clock) as _,
            metrics: Arc::new(Metrics::new().unwrap()),
            ticks: Some(tally::tick_record),
            policy: self.policy,
            probe: None,
        }
    }

    pub(super) async fn tally(&self, log: &Arc<dyn Log>) -> StageRunner {
        self.tally_until(log, |_| false).await
    }

    /// A tally that ends where `probe` says so.
    pub(super) async fn tally_until(
        &self,
        log: &Arc<dyn Log>,
        probe: impl Fn(Step) -> bool + Send + Sync + 'static,
    ) -> StageRunner {
        let probe = move |part: &str, step| {
            assert_eq!(part, Tally::NAME);
            probe(step)
        };
        let setup = Setup { probe: Some(Arc::new(probe)), ..self.setup(log) };
        let numbers = Arc::clone(&self.numbers);
        StageRunner::join(Tally, &tally_group(), setup, numbers, CancellationToken::new())
            .await
            .unwrap()
    }

    pub(super) async fn second(&self, log: &Arc<dyn Log>) -> StageRunner {
        let group = Setup::stage_group("second", OUT, Some(SECOND_STATE));
        let numbers = Arc::clone(&self.second_numbers);
        StageRunner::join(Second, &group, self.setup(log), numbers, CancellationToken::new())
            .await
            .unwrap()
    }

    pub(super) async fn chain(&self, log: &Arc<dyn Log>) -> StageRunner {
        self.chain_until(log, |_| false).await
    }

    /// Both as a chain that ends where `probe` says so.
    pub(super) async fn chain_until(
        &self,
        log: &Arc<dyn Log>,
        probe: impl Fn(Step) -> bool + Send + Sync + 'static,
    ) -> StageRunner {
        let probe = move |part: &str, step| {
            assert_eq!(part, "tally+second");
            probe(step)
        };
        let setup = Setup { probe: Some(Arc::new(probe)), ..self.setup(log) };
        let chain = Chain::of(IN, Tally, Arc::clone(&self.numbers) as _).then(
            OUT,
            Second,
            Arc::clone(&self.second_numbers) as _,
        );
        StageRunner::join_chain(chain, &chain_group(), setup, CancellationToken::new())
            .await
            .unwrap()
    }
}

pub(super) fn tally_group() -> Group {
    Setup::stage_group("tally", IN, Some(STATE))
}

pub(super) fn chain_group() -> Group {
    Setup::chain_group(&["tally", "second"], IN, Some(CHAIN_STATE))
}

/// Rounds until the group's only member holds every partition (a state's deadline counts in no lag),
/// everything in the log has been taken account of and nothing is left to do.
pub(super) async fn settle(log: &Arc<dyn Log>, runner: &mut StageRunner) -> Result<(), RunError> {
    let started = std::time::Instant::now();
    loop {
        let stepped = runner.step(ROUND).await?;
        if stepped == Stepped::Idle
            && runner.holds() == log.partitions() as usize
            && log.lag(runner.group()).await? == 0
        {
            return Ok(());
        }
        assert!(started.elapsed() < PATIENCE, "it never settled");
    }
}

/// Every record of `topic` from its start. What was published may not be durable yet, so a mark is
/// appended to each partition and waited for; stages pass over it, because it has no value.
pub(super) async fn all(log: &Arc<dyn Log>, topic: Topic) -> Vec<Stored> {
    let mark = |partition| Record {
        topic,
        partition: Some(partition),
        key: key("mark"),
        value: None,
        headers: crate::record::Headers::default(),
        time_ms: 0,
    };
    let marks = log.append((0..log.partitions()).map(mark).collect()).await.unwrap();
    let mut open: std::collections::BTreeSet<_> = marks.0.into_iter().collect();
    let mut tail = log.tail(&[topic], From::Start).await.unwrap();
    let mut found = Vec::new();
    while !open.is_empty() {
        for record in tail.next().await.unwrap() {
            open.remove(&(record.partition, record.offset));
            if record.value.is_some() {
                found.push(record);
            }
        }
    }
    found
}

/// Outputs without repeats, by partition: what a reader that drops repeats sees.
pub(super) async fn news(log: &Arc<dyn Log>, topic: Topic) -> BTreeMap<u32, Vec<Stored>> {
    let mut marks: BTreeMap<u32, crate::watermarks::Watermarks> = BTreeMap::new();
    let mut kept: BTreeMap<u32, Vec<Stored>> = BTreeMap::new();
    for record in all(log, topic).await {
        let origin = record.headers.origin.clone().expect("an output has an origin");
        if marks.entry(record.partition).or_default().advance(&origin) {
            kept.entry(record.partition).or_default().push(record);
        }
    }
    kept
}

/// A script that uses everything a stage can do, over a few keys.
pub(super) fn script() -> Vec<Record> {
    let mut records = Vec::new();
    for n in 0..60u64 {
        let key = format!("k{}", n % 7);
        let what = match n {
            20 => Told::Emit(0),
            21 => Told::Emit(3),
            30 => Told::WakeAt(5_000),
            33 => Told::Reject,
            35 => Told::Panic,
            40 => Told::Forget,
            _ => Told::Add(n),
        };
        records.push(told(&key, &what, 1_000 + n.cast_signed()));
    }
    records.insert(50, Record::new(IN, "k1".as_bytes(), "not a record".as_bytes(), 1_049));
    records
}

/// State of a group's key after its last commit.
pub(super) async fn committed(log: &Arc<dyn Log>, group: &Group, key: &str) -> Option<Total> {
    committed_as(log, group, key, key).await
}

/// State of a group's key after its last commit, as it is called in the changelog.
pub(super) async fn committed_as(
    log: &Arc<dyn Log>,
    group: &Group,
    key: &str,
    name: &str,
) -> Option<Total> {
    let mut member = log.join(group).await.unwrap();
    let partition = crate::partition::of(key.as_bytes(), log.partitions());
    let restored = restored(member.as_mut(), partition).await;
    let row = restored.state.get(name.as_bytes()).unwrap();
    row.map(|row| Total::from_bytes(&row.value).unwrap())
}

/// Waits until `member` is given `partition`, and restores it.
pub(crate) async fn restored(
    member: &mut dyn crate::log::Member,
    partition: u32,
) -> crate::log::Restored {
    let limit = crate::log::Limit { records_max: 1, bytes_max: 1, wait: ROUND };
    let started = std::time::Instant::now();
    loop {
        assert!(started.elapsed() < PATIENCE, "partition {partition} was never given to it");
        if let crate::log::Event::Assigned(leases) = member.next(limit).await.unwrap()
            && let Some(lease) = leases.into_iter().find(|lease| lease.partition == partition)
        {
            return member.restore(lease).await.unwrap();
        }
    }
}

pub(super) fn key(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Declares a test for each promise of a log: `conformance_suite!(harness expression)`.
#[macro_export]
macro_rules! conformance_suite {
    ($harness:expr) => {
        $crate::conformance_suite!(
            $harness,
            order_per_key_is_kept,
            acknowledged_records_survive_a_crash,
            a_tail_sees_all_in_order_and_may_be_dropped_while_it_waits,
            lag_counts_what_is_not_taken_account_of,
            the_ledger_lets_one_begin_and_remembers,
            offsets_may_skip,
            state_position_and_pins_are_restored_together,
            dead_letters_hold_the_record_whole,
            the_brake_stops_before_the_backlog_is_spoilt,
            ticks_come_once_also_after_a_restart,
            the_same_log_gives_the_same_outputs,
            a_replayed_span_is_read_with_the_versions_it_first_ran_with,
            repeats_are_removed,
            repeats_are_removed_also_after_a_restart,
            outputs_do_not_wait_for_the_commit,
            a_crash_between_any_two_steps_changes_nothing,
            a_zombie_is_fenced_and_harmless,
            members_come_and_go_with_work_in_hand,
            an_effect_commits_below_what_is_unfinished,
            an_effect_keeps_order_per_key_across_lanes,
            a_target_that_remembers_its_position_is_believed,
            an_effect_rejects_into_dead_letters,
            an_effect_holds_no_more_than_its_budget,
            an_idle_partition_takes_up_a_new_version,
            a_deadline_waits_through_other_records,
            outputs_carry_their_origin_and_what_came_with_the_record,
            a_commit_writes_its_changes_in_order_of_keys,
            no_offset_is_handed_out_twice,
            a_tail_begins_behind_the_positions_it_is_given,
            a_member_takes_no_more_at_once_than_it_asks_for,
            a_planned_stop_replays_nothing,
            a_member_that_was_fenced_begins_again,
            a_chain_gives_what_its_stages_give_alone,
            a_chain_ended_at_any_step_changes_nothing,
            each_link_of_a_chain_replays_with_its_own_versions,
            a_fenced_chain_is_harmless_and_begins_again,
            what_a_link_cannot_use_is_set_aside_there_and_enters_there_again,
            deadlines_of_every_link_outlast_a_restart,
            a_link_brakes_its_chain,
            a_link_is_handed_nothing_of_another_partition,
            a_stage_alone_goes_on_from_what_earlier_releases_left,
            a_second_try_is_for_one_stage_only,
            an_effects_second_try_is_its_alone,
            a_party_that_hangs_holds_up_no_other,
            a_stage_does_not_pass_what_it_cannot_set_aside,
            an_effect_does_not_pass_what_it_cannot_set_aside,
            nothing_is_committed_that_is_not_confirmed
        );
    };
    ($harness:expr, $($name:ident),+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let mut harness = $harness;
            $crate::testkit::conformance::$name(&mut harness).await;
        }
    )+};
}
