//! The Kafka log against a real broker: `KAFKA_BOOTSTRAP=host:port`. Without one it says that it was
//! skipped.
#![cfg(feature = "kafka")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)] // a test fails loudly

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use pipeline::Log;
use pipeline::ledger::OnceLedger;
use pipeline::log::kafka::{Delivery, KafkaLog, Options, Protocol, RegistryOptions};
use pipeline::log::memory::MemoryLog;
use pipeline::testkit::conformance::{Harness, topics};

#[allow(dead_code)] // one file for several tests
mod fake_registry;

use fake_registry::FakeRegistry;

static FRESH: AtomicU64 = AtomicU64::new(0);

/// How the log under test is set up.
#[derive(Clone, Copy)]
struct Mode {
    protocol: Protocol,
    delivery: Delivery,
    /// Records are framed as a schema registry has it.
    registry: bool,
}

const PLAIN: Mode =
    Mode { protocol: Protocol::Classic, delivery: Delivery::AtOnce, registry: false };

struct Kafka {
    mode: Mode,
    /// States on this machine: what a restart goes on from.
    states: tempfile::TempDir,
    bootstrap: String,
    prefix: String,
    registry: FakeRegistry,
    log: Option<KafkaLog>,
    /// Kafka has no ledger of its own: a store's is used beside it.
    ledger: MemoryLog,
}

impl Kafka {
    async fn new(mode: Mode) -> Option<Self> {
        let Ok(bootstrap) = std::env::var("KAFKA_BOOTSTRAP") else {
            println!("SKIPPED: no Kafka; set KAFKA_BOOTSTRAP to a broker's host:port");
            return None;
        };
        let mut kafka = Self {
            mode,
            states: tempfile::tempdir().unwrap(),
            bootstrap,
            prefix: String::new(),
            registry: FakeRegistry::start(),
            log: None,
            ledger: MemoryLog::new(1),
        };
        kafka.fresh().await;
        Some(kafka)
    }

    async fn open(&mut self) {
        let mut options = Options::at(&self.bootstrap);
        options.prefix.clone_from(&self.prefix);
        options.partitions = 4;
        options.protocol = self.mode.protocol;
        options.delivery = self.mode.delivery;
        options.state_dir = Some(self.states.path().to_owned());
        if self.mode.registry {
            options.registry = Some(RegistryOptions::at(&self.registry.url()));
        }
        options.consumer.insert("max.poll.interval.ms".to_owned(), "6000".to_owned());
        let log = KafkaLog::open(options).unwrap();
        log.ensure(topics()).await.unwrap();
        self.log = Some(log);
    }
}

#[async_trait]
impl Harness for Kafka {
    fn log(&self) -> Arc<dyn Log> {
        Arc::new(self.log.clone().unwrap())
    }

    fn ledger(&self) -> Arc<dyn OnceLedger> {
        Arc::new(self.ledger.clone())
    }

    async fn crash(&mut self) {
        self.log = None;
        self.open().await;
    }

    async fn fresh(&mut self) {
        let n = FRESH.fetch_add(1, Ordering::Relaxed);
        self.prefix = format!("t{}-{n}-", std::process::id());
        self.log = None;
        self.open().await;
    }

    /// The member is paused, as a stopped process is; the broker gives its partitions away.
    async fn expire(&mut self, group: &str, _: u32) {
        self.log.as_ref().unwrap().freeze(group);
    }

    fn members_max(&self) -> usize {
        3
    }
}

/// Every promise; see `pipeline::conformance_suite`.
macro_rules! suite {
    ($mode:expr; $($name:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let Some(mut kafka) = Kafka::new($mode).await else { return };
            pipeline::testkit::conformance::$name(&mut kafka).await;
        }
    )+};
}

/// All but the once-ledger, which Kafka does not have (a store's is used beside it), and a chain ended at
/// every step, which a broker's rebalances make take longer than a suite may.
mod at_once {
    use super::*;
    suite!(
        PLAIN;
        repeats_are_removed,
        a_zombie_is_fenced_and_harmless,
        state_position_and_pins_are_restored_together,
        outputs_do_not_wait_for_the_commit,
        order_per_key_is_kept,
        acknowledged_records_survive_a_crash,
        a_tail_sees_all_in_order_and_may_be_dropped_while_it_waits,
        lag_counts_what_is_not_taken_account_of,
        offsets_may_skip,
        dead_letters_hold_the_record_whole,
        what_is_too_large_is_refused_at_the_door_and_set_aside_behind_it,
        the_brake_stops_before_the_backlog_is_spoilt,
        ticks_come_once_also_after_a_restart,
        the_same_log_gives_the_same_outputs,
        a_replayed_span_is_read_with_the_versions_it_first_ran_with,
        members_come_and_go_with_work_in_hand,
        an_effect_commits_below_what_is_unfinished,
        an_effect_keeps_order_per_key_across_lanes,
        a_target_that_remembers_its_position_is_believed,
        an_effect_rejects_into_dead_letters,
        an_effect_holds_no_more_than_its_budget,
        a_crash_between_any_two_steps_changes_nothing,
        repeats_are_removed_also_after_a_restart,
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
        nothing_is_committed_that_is_not_confirmed,
    );
}

/// What the brokers' own assignment (KIP-848) has a say in.
mod assigned_by_brokers {
    use super::*;
    suite!(
        Mode { protocol: Protocol::Consumer, ..PLAIN };
        a_zombie_is_fenced_and_harmless,
        state_position_and_pins_are_restored_together,
        order_per_key_is_kept,
        members_come_and_go_with_work_in_hand,
        an_effect_commits_below_what_is_unfinished,
        a_member_that_was_fenced_begins_again,
        a_planned_stop_replays_nothing,
    );
}

/// What outputs in the transaction have a say in.
mod transactional {
    use super::*;
    suite!(
        Mode { delivery: Delivery::Transactional, ..PLAIN };
        a_zombie_is_fenced_and_harmless,
        state_position_and_pins_are_restored_together,
        dead_letters_hold_the_record_whole,
        ticks_come_once_also_after_a_restart,
        the_same_log_gives_the_same_outputs,
        members_come_and_go_with_work_in_hand,
        outputs_carry_their_origin_and_what_came_with_the_record,
        nothing_is_committed_that_is_not_confirmed,
    );
}

/// What the framing of a schema registry has a say in.
mod registered {
    use super::*;
    suite!(
        Mode { registry: true, ..PLAIN };
        repeats_are_removed,
        state_position_and_pins_are_restored_together,
        dead_letters_hold_the_record_whole,
        the_brake_stops_before_the_backlog_is_spoilt,
        members_come_and_go_with_work_in_hand,
    );
}

/// The same, outputs in the transaction.
mod registered_transactional {
    use super::*;
    suite!(
        Mode { registry: true, delivery: Delivery::Transactional, ..PLAIN };
        state_position_and_pins_are_restored_together,
        outputs_carry_their_origin_and_what_came_with_the_record,
    );
}
