//! The line put together: stages, effects, and what each of them reads.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use classifier::stage::Classify;
use ingest::turns::Turns;
use pipeline::broadcast::{Nothing, Swapped};
use pipeline::clock::Clock;
use pipeline::ledger::OnceLedger;
use pipeline::{
    Chain, Effect, Group, Record, Running, Setup, Stage, spawn_chain, spawn_effect, spawn_stage,
};
use responder::act::DemoCrm;
use responder::deliver::{HttpCallback, InProduct, Sender};
use responder::{Act, Deliver, Plan};
use router::Router;
use schemas::Avro;
use schemas::line::{Inbound, InboundBody};
use schemas::message::Tick;
use schemas::sealed::Keyring;
use schemas::topics::{
    ACTIONS, CHAIN_STATE, CLASSIFIED, CONVERSATIONS, INBOUND, METRICS_STATE, REPLIES, ROUTER_STATE,
    TURNS, TURNS_STATE,
};
use sink::Store;
use sink::effects::{KeepAccepted, KeepHistory, KeepMetrics};
use sink::metrics::Metrics as CountMinutes;
use tokio_util::sync::CancellationToken;

use crate::config::{Layout, Settings};
use crate::inputs::Inputs;
use crate::layout;

/// What the line is made of.
pub(super) struct Parts {
    pub(super) setup: Setup,
    pub(super) ledger: Arc<dyn OnceLedger>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) store: Arc<dyn Store>,
    pub(super) inputs: Inputs,
    pub(super) models: Arc<Swapped<classifier::Models>>,
}

/// The line at work.
pub(super) struct Line {
    pub(super) running: Vec<Running>,
    pub(super) groups: Vec<Group>,
}

/// A stage's deadline as a record of `inbound`: it passes in its place in the order.
pub(super) fn tick(
    stage: &'static str,
    key: &Bytes,
    deadline_ms: i64,
    now_ms: i64,
) -> Option<Record> {
    let tick = Tick { stage: stage.to_owned(), state_key: key.to_vec(), deadline_ms };
    let value = Inbound { body: InboundBody::Tick(tick) }.to_bytes().ok()?;
    Some(Record::new(INBOUND, key.clone(), value, now_ms))
}

/// Starts every stage and effect; they end when `stop` is cancelled.
pub(super) fn start(
    parts: &Parts,
    settings: &Settings,
    stop: &CancellationToken,
) -> anyhow::Result<Line> {
    let rest = [
        Setup::stage_group(CountMinutes::NAME, CONVERSATIONS, Some(METRICS_STATE)),
        Setup::effect_group(Act::NAME, ACTIONS),
        Setup::effect_group(Deliver::NAME, REPLIES),
        Setup::effect_group(KeepAccepted::NAME, INBOUND),
        Setup::effect_group(KeepHistory::NAME, CONVERSATIONS),
        Setup::effect_group(KeepMetrics::NAME, METRICS_STATE),
    ];
    let [count, act, deliver, accepted, history, minutes] = rest.clone();
    let setup = || parts.setup.clone();
    let (mut running, mut groups) = (Vec::new(), Vec::new());
    for (chain, group) in answering(&parts.keyring, &parts.inputs, &parts.models, settings) {
        groups.push(group.clone());
        running.push(spawn_chain(chain, group, setup(), stop.clone())?);
    }
    let nothing = Arc::new(Nothing::default());
    let store_policy = sink::effects::policy();
    let keep = || Arc::clone(&parts.store);
    running.extend([
        spawn_stage(CountMinutes, count, setup(), nothing, stop.clone())?,
        spawn_effect(acting(parts, settings), act, setup(), default(), stop.clone()),
        spawn_effect(delivering(parts, settings)?, deliver, setup(), default(), stop.clone()),
        spawn_effect(Arc::new(KeepAccepted(keep())), accepted, setup(), store_policy, stop.clone()),
        spawn_effect(Arc::new(KeepHistory(keep())), history, setup(), store_policy, stop.clone()),
        spawn_effect(Arc::new(KeepMetrics(keep())), minutes, setup(), store_policy, stop.clone()),
    ]);
    groups.extend(rest);
    Ok(Line { running, groups })
}

/// The stages from a message to its answer, in the layout that is configured.
fn answering(
    keyring: &Arc<Keyring>,
    inputs: &Inputs,
    models: &Arc<Swapped<classifier::Models>>,
    settings: &Settings,
) -> Vec<(Chain, Group)> {
    let keyring = || Arc::clone(keyring);
    let (grouping, models) = (inputs.grouping.clone(), models.clone());
    let (policy, catalogue) = (inputs.policy.clone(), inputs.catalogue.clone());
    let offsets = settings
        .tenants
        .iter()
        .map(|(name, tenant)| (name.clone(), tenant.utc_offset_minutes))
        .collect();
    let (turns, classify) = (Turns::new(keyring()), Classify::default());
    let (route, plan) = (Router::new(keyring()), Plan::new(keyring(), offsets));
    match settings.line.layout {
        Layout::Separate => vec![
            (
                Chain::of(INBOUND, turns, grouping),
                Setup::stage_group(Turns::NAME, INBOUND, Some(TURNS_STATE)),
            ),
            (Chain::of(TURNS, classify, models), Setup::stage_group(Classify::NAME, TURNS, None)),
            (
                Chain::of(CLASSIFIED, route, policy),
                Setup::stage_group(Router::NAME, CLASSIFIED, Some(ROUTER_STATE)),
            ),
            (
                Chain::of(CONVERSATIONS, plan, catalogue),
                Setup::stage_group(Plan::NAME, CONVERSATIONS, None),
            ),
        ],
        Layout::Chained => {
            let chain = Chain::of(INBOUND, turns, grouping)
                .then(TURNS, classify, models)
                .then(CLASSIFIED, route, policy)
                .then(CONVERSATIONS, plan, catalogue);
            let names = layout::STAGES.map(|(name, _)| name);
            vec![(chain, Setup::chain_group(&names, INBOUND, Some(CHAIN_STATE)))]
        }
    }
}

fn default() -> pipeline::EffectPolicy {
    pipeline::EffectPolicy::default()
}

fn acting(parts: &Parts, settings: &Settings) -> Arc<Act> {
    let crm = &settings.crm;
    let latency = std::time::Duration::from_millis(crm.latency_ms_p50);
    Arc::new(Act::new(
        Arc::new(DemoCrm::new(latency, crm.errors_per_mille)),
        Arc::clone(&parts.ledger),
        Arc::clone(&parts.keyring),
        Arc::clone(&parts.clock),
    ))
}

/// Which way out each adapter's conversations have.
fn delivering(parts: &Parts, settings: &Settings) -> anyhow::Result<Arc<Deliver>> {
    let mut senders: HashMap<&'static str, Arc<dyn Sender>> = HashMap::new();
    senders.insert(ingest::channels::web_chat::PROVIDER, Arc::new(InProduct));
    let url = &settings.deliver.callback_url;
    let api: Arc<dyn Sender> = if url.is_empty() {
        Arc::new(InProduct)
    } else {
        let callback = HttpCallback::new(url).map_err(anyhow::Error::msg);
        Arc::new(callback.context("deliver.callback_url")?)
    };
    senders.insert("api", api);
    Ok(Arc::new(Deliver::new(
        senders,
        Arc::clone(&parts.ledger),
        Arc::clone(&parts.keyring),
        Arc::clone(&parts.clock),
    )))
}

#[cfg(test)]
mod tests;
