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
use pipeline::{Effect, Group, Record, Running, Setup, Stage, spawn_effect, spawn_stage};
use responder::act::DemoCrm;
use responder::deliver::{HttpCallback, InProduct, Sender};
use responder::{Act, Deliver, Plan};
use router::Router;
use schemas::Avro;
use schemas::line::{Inbound, InboundBody};
use schemas::message::Tick;
use schemas::sealed::Keyring;
use schemas::topics::{
    ACTIONS, CLASSIFIED, CONVERSATIONS, INBOUND, METRICS_STATE, REPLIES, ROUTER_STATE, TURNS,
    TURNS_STATE,
};
use sink::Store;
use sink::effects::{KeepAccepted, KeepHistory, KeepMetrics};
use sink::metrics::Metrics as CountMinutes;
use tokio_util::sync::CancellationToken;

use super::part::Chosen;
use crate::config::Settings;
use crate::inputs::Inputs;

/// The stage that needs models.
pub(super) const CLASSIFY: &str = Classify::NAME;

/// What the line is made of.
pub(super) struct Parts {
    pub(super) setup: Setup,
    pub(super) ledger: Arc<dyn OnceLedger>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) store: Arc<dyn Store>,
    pub(super) inputs: Inputs,
    /// Where `classify` runs.
    pub(super) models: Option<Arc<Swapped<classifier::Models>>>,
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

/// Every group of the line, in its order.
pub(crate) fn groups() -> [Group; 10] {
    [
        Setup::stage_group(Turns::NAME, INBOUND, Some(TURNS_STATE)),
        Setup::stage_group(Classify::NAME, TURNS, None),
        Setup::stage_group(Router::NAME, CLASSIFIED, Some(ROUTER_STATE)),
        Setup::stage_group(Plan::NAME, CONVERSATIONS, None),
        Setup::stage_group(CountMinutes::NAME, CONVERSATIONS, Some(METRICS_STATE)),
        Setup::effect_group(Act::NAME, ACTIONS),
        Setup::effect_group(Deliver::NAME, REPLIES),
        Setup::effect_group(KeepAccepted::NAME, INBOUND),
        Setup::effect_group(KeepHistory::NAME, CONVERSATIONS),
        Setup::effect_group(KeepMetrics::NAME, METRICS_STATE),
    ]
}

/// The line being put together: what was chosen of it.
struct Assembly<'a> {
    chosen: &'a Chosen,
    line: Line,
}

impl Assembly<'_> {
    fn add(
        &mut self,
        group: Group,
        spawn: impl FnOnce(Group) -> anyhow::Result<Running>,
    ) -> anyhow::Result<()> {
        if self.chosen.has(&group.name) {
            self.line.running.push(spawn(group.clone())?);
            self.line.groups.push(group);
        }
        Ok(())
    }
}

/// Starts the stages and effects that were chosen; they end when `stop` is cancelled.
pub(super) fn start(
    parts: &Parts,
    settings: &Settings,
    chosen: &Chosen,
    stop: &CancellationToken,
) -> anyhow::Result<Line> {
    let line = Line { running: Vec::new(), groups: Vec::new() };
    let mut assembly = Assembly { chosen, line };
    stages(parts, settings, &mut assembly, stop)?;
    effects(parts, settings, &mut assembly, stop)?;
    Ok(assembly.line)
}

fn stages(
    parts: &Parts,
    settings: &Settings,
    assembly: &mut Assembly<'_>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let [turns, classify, route, plan, count, ..] = groups();
    let (setup, inputs) = (|| parts.setup.clone(), &parts.inputs);
    let keyring = || Arc::clone(&parts.keyring);
    assembly.add(turns, |group| {
        let stage = Turns::new(keyring());
        Ok(spawn_stage(stage, group, setup(), inputs.grouping.clone(), stop.clone())?)
    })?;
    assembly.add(classify, |group| {
        let models = parts.models.clone().context("no models were opened")?;
        Ok(spawn_stage(Classify::default(), group, setup(), models, stop.clone())?)
    })?;
    assembly.add(route, |group| {
        let stage = Router::new(keyring());
        Ok(spawn_stage(stage, group, setup(), inputs.policy.clone(), stop.clone())?)
    })?;
    assembly.add(plan, |group| {
        let tenants = settings.tenants.iter();
        let offsets = tenants.map(|(name, tenant)| (name.clone(), tenant.utc_offset_minutes));
        let stage = Plan::new(keyring(), offsets.collect());
        Ok(spawn_stage(stage, group, setup(), inputs.catalogue.clone(), stop.clone())?)
    })?;
    assembly.add(count, |group| {
        let nothing = Arc::new(Nothing::default());
        Ok(spawn_stage(CountMinutes, group, setup(), nothing, stop.clone())?)
    })
}

fn effects(
    parts: &Parts,
    settings: &Settings,
    assembly: &mut Assembly<'_>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let [_, _, _, _, _, act, deliver, accepted, history, minutes] = groups();
    let setup = || parts.setup.clone();
    let keep = || Arc::clone(&parts.store);
    let policy = sink::effects::policy();
    assembly.add(act, |group| {
        Ok(spawn_effect(acting(parts, settings), group, setup(), default(), stop.clone()))
    })?;
    assembly.add(deliver, |group| {
        let delivering = delivering(parts, settings)?;
        Ok(spawn_effect(delivering, group, setup(), default(), stop.clone()))
    })?;
    assembly.add(accepted, |group| {
        Ok(spawn_effect(Arc::new(KeepAccepted(keep())), group, setup(), policy, stop.clone()))
    })?;
    assembly.add(history, |group| {
        Ok(spawn_effect(Arc::new(KeepHistory(keep())), group, setup(), policy, stop.clone()))
    })?;
    assembly.add(minutes, |group| {
        Ok(spawn_effect(Arc::new(KeepMetrics(keep())), group, setup(), policy, stop.clone()))
    })
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
