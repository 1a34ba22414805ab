//! The effects that keep the store: one for each topic it is made from.
//!
//! The store says itself where it was left: the position is written after the rows it covers. So a
//! store that lost its last moments in a power cut, or was deleted, takes them up again from the log.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pipeline::{Effect, EffectPolicy, Envelope, Offset, Outcome};
use schemas::conversation::Conversation;
use schemas::customers::CustomerRecord;
use schemas::line::Inbound;
use schemas::state::MinuteMetrics;
use schemas::topics::{CONVERSATIONS, CUSTOMERS, INBOUND, METRICS_STATE, Topic};

use crate::customers;
use crate::rows::{self, Row};
use crate::store::Store;

/// Pause before a store that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// How long messages may be gathered before the store has them by themselves, without their line of
/// the history: nobody asks for one within a blink of its acceptance.
pub const ACCEPTED_GATHER: Duration = Duration::from_millis(25);

/// How the store's effects are run: one lane, because a batch is one transaction.
#[must_use]
pub fn policy() -> EffectPolicy {
    EffectPolicy {
        lanes: 1,
        batch_records_max: 1_000,
        in_flight_records_max: 4_000,
        ..EffectPolicy::default()
    }
}

/// Keeps what doors accepted.
pub struct KeepAccepted(pub Arc<dyn Store>);

/// Keeps the history.
pub struct KeepHistory(pub Arc<dyn Store>);

/// Keeps the minute metrics.
pub struct KeepMetrics(pub Arc<dyn Store>);

/// Keeps who is one customer.
pub struct KeepCustomers(pub Arc<dyn Store>);

/// Where the store was left. A store that cannot say is asked again by the first rows it is given.
async fn positions(store: &dyn Store, topic: Topic) -> Option<Vec<(u32, Offset)>> {
    match store.positions(topic).await {
        Ok(positions) => positions,
        Err(error) => {
            tracing::error!(%error, %topic, "the store does not say where it was left");
            Some(Vec::new())
        }
    }
}

/// Writes down that everything below `passed` is in the store.
async fn pass(store: &dyn Store, topic: Topic, passed: &[(u32, Offset)]) {
    if let Err(error) = store.pass(topic, passed).await {
        tracing::warn!(%error, %topic, "the store's position could not be written; told again later");
    }
}

/// Applies the rows of a batch together; each input's rows are all or none.
async fn keep<T>(
    store: &dyn Store,
    inputs: &[Envelope<T>],
    rows_of: impl Fn(&Envelope<T>) -> Result<Vec<Row>, String>,
) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(inputs.len());
    let mut rows = Vec::with_capacity(inputs.len());
    for input in inputs {
        match rows_of(input) {
            Ok(found) => {
                rows.extend(found);
                outcomes.push(Outcome::Done(Vec::new()));
            }
            Err(why) => outcomes.push(Outcome::Reject(why)),
        }
    }
    if let Err(error) = store.apply(rows).await {
        let why = error.to_string();
        for outcome in &mut outcomes {
            if matches!(outcome, Outcome::Done(_)) {
                *outcome = Outcome::Retry { after: RETRY_AFTER, why: why.clone() };
            }
        }
    }
    outcomes
}

#[async_trait]
impl Effect for KeepAccepted {
    const NAME: &'static str = "store-accepted";
    type In = Inbound;

    async fn positions(&self) -> Option<Vec<(u32, Offset)>> {
        positions(self.0.as_ref(), INBOUND).await
    }

    async fn passed(&self, passed: &[(u32, Offset)]) {
        pass(self.0.as_ref(), INBOUND, passed).await;
    }

    async fn apply(&self, inputs: &[Envelope<Inbound>]) -> Vec<Outcome> {
        keep(self.0.as_ref(), inputs, |input| Ok(rows::of_inbound(input))).await
    }
}

#[async_trait]
impl Effect for KeepHistory {
    const NAME: &'static str = "store-history";
    type In = Conversation;

    async fn positions(&self) -> Option<Vec<(u32, Offset)>> {
        positions(self.0.as_ref(), CONVERSATIONS).await
    }

    async fn passed(&self, passed: &[(u32, Offset)]) {
        pass(self.0.as_ref(), CONVERSATIONS, passed).await;
    }

    async fn apply(&self, inputs: &[Envelope<Conversation>]) -> Vec<Outcome> {
        keep(self.0.as_ref(), inputs, rows::of_conversation).await
    }
}

#[async_trait]
impl Effect for KeepMetrics {
    const NAME: &'static str = "store-metrics";
    type In = MinuteMetrics;

    async fn positions(&self) -> Option<Vec<(u32, Offset)>> {
        positions(self.0.as_ref(), METRICS_STATE).await
    }

    async fn passed(&self, passed: &[(u32, Offset)]) {
        pass(self.0.as_ref(), METRICS_STATE, passed).await;
    }

    async fn apply(&self, inputs: &[Envelope<MinuteMetrics>]) -> Vec<Outcome> {
        keep(self.0.as_ref(), inputs, |input| Ok(vec![Row::Minute(input.body.clone())])).await
    }
}

#[async_trait]
impl Effect for KeepCustomers {
    const NAME: &'static str = "store-customers";
    type In = CustomerRecord;

    async fn positions(&self) -> Option<Vec<(u32, Offset)>> {
        positions(self.0.as_ref(), CUSTOMERS).await
    }

    async fn passed(&self, passed: &[(u32, Offset)]) {
        pass(self.0.as_ref(), CUSTOMERS, passed).await;
    }

    async fn apply(&self, inputs: &[Envelope<CustomerRecord>]) -> Vec<Outcome> {
        keep(self.0.as_ref(), inputs, |input| Ok(customers::of_customer(input))).await
    }
}
