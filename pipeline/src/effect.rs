//! Effects touch the world: a CRM call, a delivery, a store write. They end the line; what came of
//! them goes back into the log as a record.

use std::time::Duration;

use async_trait::async_trait;
use schemas::Input;

use crate::record::{Offset, Record};
use crate::stage::Envelope;

/// What came of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done; these records tell of it. They are durable before the position moves.
    Done(Vec<Record>),
    /// Not now: the same record again, later. Records of the same key wait for it.
    Retry {
        /// How long to wait at least; grows with each try.
        after: Duration,
        /// Why, without customer data.
        why: String,
    },
    /// Never: set aside as a dead letter. The text must hold no customer data.
    Reject(String),
}

/// Something that touches the world.
#[async_trait]
pub trait Effect: Send + Sync + 'static {
    /// Metric label, span name and name of the group.
    const NAME: &'static str;
    /// What it reads.
    type In: Input + Send + Sync;

    /// Where the target itself says it was left, first record not applied by partition: a store that
    /// keeps its position beside its rows. `None`: the log's commit decides.
    async fn positions(&self) -> Option<Vec<(u32, Offset)>> {
        None
    }

    /// Told beside every commit: everything below these positions is applied and accounted for. A
    /// target that remembers its position writes it down now, after its rows; if it cannot, it is
    /// told again later and at worst applies some records twice.
    async fn passed(&self, _positions: &[(u32, Offset)]) {}

    /// Whom the record has to wait for: a provider's account, a server. However slow or silent that one is, it
    /// keeps no more than [`EffectPolicy::party_lanes_max`] lanes waiting, and a single one from when it could not
    /// be had (`Retry`) until it can. Records with a party are applied one by one. `None`: nobody in particular.
    fn party(&self, _input: &Envelope<Self::In>) -> Option<String> {
        None
    }

    /// Applies records in order; one outcome for each.
    async fn apply(&self, inputs: &[Envelope<Self::In>]) -> Vec<Outcome>;
}

/// How an effect is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectPolicy {
    /// How many keys are worked on at once; records of one key keep their order.
    pub lanes: usize,
    /// How many of them may wait for one party ([`Effect::party`]).
    pub party_lanes_max: usize,
    /// How many records are applied together at most.
    pub batch_records_max: usize,
    /// How many records may be in hand, waiting or being applied.
    pub in_flight_records_max: usize,
    /// About how many bytes may be in hand.
    pub in_flight_bytes_max: usize,
    /// How often the position is committed.
    pub commit_every: Duration,
    /// Longest pause between two tries of a record.
    pub retry_pause_max: Duration,
}

impl Default for EffectPolicy {
    fn default() -> Self {
        Self {
            lanes: 32,
            party_lanes_max: 8,
            batch_records_max: 1,
            in_flight_records_max: 2_000,
            in_flight_bytes_max: 16 << 20,
            commit_every: Duration::from_millis(100),
            retry_pause_max: Duration::from_secs(30),
        }
    }
}
