//! The line put together: stages, effects, and what each of them reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use classifier::shadow::Shadow;
use classifier::stage::Classify;
use ingest::media::{Media, MediaStore};
use ingest::turns::Turns;
use pipeline::broadcast::{Nothing, Swapped};
use pipeline::clock::Clock;
use pipeline::ledger::OnceLedger;
use pipeline::{
    Chain, Effect, EffectPolicy, Group, Record, Running, Setup, Stage, spawn_chain, spawn_effect,
    spawn_stage,
};
use responder::act::{DemoCrm, Districts};
use responder::{Act, Deliver, Mirror, Plan};
use router::Router;
use schemas::Avro;
use schemas::line::{Inbound, InboundBody};
use schemas::message::Tick;
use schemas::sealed::Keyring;
use schemas::topics::{
    ACTIONS, CHAIN_STATE, CLASSIFIED, CONVERSATIONS, CUSTOMERS, INBOUND, METRICS_STATE, REPLIES,
    ROUTER_STATE, SHADOW_STATE, TURNS, TURNS_STATE,
};
use sink::Store;
use sink::effects::{ACCEPTED_GATHER, KeepAccepted, KeepCustomers, KeepHistory, KeepMetrics};
use sink::metrics::Metrics as CountMinutes;
use tokio_util::sync::CancellationToken;

use super::part::Chosen;
use crate::channels::files::{fetcher, transcriber};
use crate::channels::{mirrors, senders};
use crate::config::{Layout, Settings};
use crate::failpoints::Failpoint;
use crate::inputs::Inputs;
use crate::layout;
use crate::models::route;
use crate::models::take_up::Ready;

/// The stages that need models.
pub(super) const NEED_MODELS: [&str; 2] = [Classify::NAME, Shadow::NAME];

/// What the line is made of.
pub(super) struct Parts {
    pub(super) setup: Setup,
    pub(super) ledger: Arc<dyn OnceLedger>,
    /// Where a fault test ends this process.
    pub(super) failpoint: Option<Arc<Failpoint>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) store: Arc<dyn Store>,
    /// Where the files of messages are kept.
    pub(super) media: Arc<dyn MediaStore>,
    pub(super) inputs: Inputs,
    /// Where `classify` or `shadow` runs.
    pub(super) models: Option<Ready>,
    /// Where the demo CRM's customers live.
    pub(super) city: Arc<Districts>,
}

impl Parts {
    /// The once-ledger as `part` asks it.
    fn ledger(&self, part: &'static str) -> Arc<dyn OnceLedger> {
        let ledger = Arc::clone(&self.ledger);
        self.failpoint.iter().fold(ledger, |ledger, point| point.guard(part, ledger))
    }
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

/// The groups from a message to its answer, in `layout`.
pub(crate) fn answering_groups(layout: Layout) -> Vec<Group> {
    match layout {
        Layout::Separate => vec![
            Setup::stage_group(Turns::NAME, INBOUND, Some(TURNS_STATE)),
            Setup::stage_group(Classify::NAME, TURNS, None),
            Setup::stage_group(Router::NAME, CLASSIFIED, Some(ROUTER_STATE)),
            Setup::stage_group(Plan::NAME, CONVERSATIONS, None),
        ],
        Layout::Chained => {
            let names = layout::STAGES.map(|(name, _)| name);
            vec![Setup::chain_group(&names, INBOUND, Some(CHAIN_STATE))]
        }
    }
}

/// The group of the stage whose positions pin versions of the models, in `layout`.
pub(crate) fn classifying_group(layout: Layout) -> Group {
    let is_it = |group: &Group| group.name.split('+').any(|name| name == Classify::NAME);
    let found = answering_groups(layout).into_iter().find(is_it);
    found.unwrap_or_else(|| Setup::stage_group(Classify::NAME, TURNS, None))
}

/// The other groups of the line.
pub(crate) fn other_groups() -> [Group; 9] {
    [
        Setup::stage_group(CountMinutes::NAME, CONVERSATIONS, Some(METRICS_STATE))
            .gathering(sink::metrics::GATHER),
        Setup::stage_group(Shadow::NAME, TURNS, Some(SHADOW_STATE)),
        Setup::effect_group(Act::NAME, ACTIONS),
        Setup::effect_group(Deliver::NAME, REPLIES),
        Setup::effect_group(KeepAccepted::NAME, INBOUND).gathering(ACCEPTED_GATHER),
        Setup::effect_group(KeepHistory::NAME, CONVERSATIONS),
        Setup::effect_group(KeepMetrics::NAME, METRICS_STATE),
        Setup::effect_group(KeepCustomers::NAME, CUSTOMERS),
        Setup::effect_group(Media::NAME, TURNS),
    ]
}

/// Whether a stage or effect of this name is part of any line.
pub(crate) fn is_read_by(name: &str) -> bool {
    let others = other_groups().into_iter().any(|group| group.name == name);
    others || name == Mirror::NAME || layout::STAGES.iter().any(|(stage, _)| *stage == name)
}

/// How files are fetched: so many at once, because each is held whole, and a part of them of one account,
/// because its provider may hang. Those of an account that cannot be had wait for ten minutes; until there are
/// very many of them, others' are taken in hand beside them.
fn files_policy(commit_every: std::time::Duration) -> EffectPolicy {
    EffectPolicy {
        lanes: 12,
        party_lanes_max: 3,
        in_flight_records_max: 8_000,
        commit_every,
        ..EffectPolicy::default()
    }
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
    let setup = || parts.setup.clone();
    // A chain is run whole or not at all: `Chosen::fits` has seen to that.
    if layout::STAGES.iter().any(|(name, _)| assembly.chosen.has(name)) {
        let models = parts.models.as_ref().map(|ready| &ready.live);
        for (chain, group) in answering(&parts.keyring, &parts.inputs, models, settings)? {
            if group.name.split('+').all(|stage| assembly.chosen.has(stage)) {
                let running = spawn_chain(chain, group.clone(), setup(), stop.clone())?;
                assembly.line.running.push(running);
                assembly.line.groups.push(group);
            }
        }
    }
    let [count, beside, ..] = other_groups();
    assembly.add(count, |group| {
        let nothing = Arc::new(Nothing::default());
        Ok(spawn_stage(CountMinutes, group, setup(), nothing, stop.clone())?)
    })?;
    assembly.add(beside, |group| {
        let models = parts.models.as_ref().context("no models were opened")?;
        let shadow = Shadow::new(Arc::new(route::by(Arc::clone(&parts.inputs.policy))));
        Ok(spawn_stage(shadow, group, setup(), models.beside.clone(), stop.clone())?)
    })
}

/// The tenants' clocks, in minutes ahead of UTC.
pub(super) fn utc_offsets(settings: &Settings) -> BTreeMap<String, i32> {
    let tenants = settings.tenants.iter();
    tenants.map(|(name, tenant)| (name.clone(), tenant.utc_offset_minutes)).collect()
}

/// The stages from a message to its answer, in the layout that is configured; without models, all but
/// `classify`.
fn answering(
    keyring: &Arc<Keyring>,
    inputs: &Inputs,
    models: Option<&Arc<Swapped<classifier::Models>>>,
    settings: &Settings,
) -> anyhow::Result<Vec<(Chain, Group)>> {
    let keyring = || Arc::clone(keyring);
    let (grouping, models) = (inputs.grouping.clone(), models.cloned());
    let (policy, catalogue) = (inputs.policy.clone(), inputs.catalogue.clone());
    let offsets = utc_offsets(settings);
    let (turns, classify) = (Turns::new(keyring()), Classify::default());
    let (route, plan) = (Router::new(keyring()), Plan::new(keyring(), offsets));
    let layout = settings.line.layout;
    let chains = match layout {
        Layout::Separate => vec![
            Some(Chain::of(INBOUND, turns, grouping)),
            models.map(|models| Chain::of(TURNS, classify, models)),
            Some(Chain::of(CLASSIFIED, route, policy)),
            Some(Chain::of(CONVERSATIONS, plan, catalogue)),
        ],
        Layout::Chained => {
            let models = models.context("no models were opened")?;
            let chain = Chain::of(INBOUND, turns, grouping)
                .then(TURNS, classify, models)
                .then(CLASSIFIED, route, policy)
                .then(CONVERSATIONS, plan, catalogue);
            vec![Some(chain)]
        }
    };
    let groups = answering_groups(layout);
    Ok(chains.into_iter().zip(groups).filter_map(|(chain, group)| Some((chain?, group))).collect())
}

fn effects(
    parts: &Parts,
    settings: &Settings,
    assembly: &mut Assembly<'_>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let [_, _, act, deliver, accepted, history, minutes, customers, media] = other_groups();
    let setup = || parts.setup.clone();
    let keep = || Arc::clone(&parts.store);
    let commit_every = parts.setup.policy.commit_every;
    let touching = EffectPolicy { commit_every, ..EffectPolicy::default() };
    let policy = EffectPolicy { commit_every, ..sink::effects::policy() };
    assembly.add(act, |group| {
        Ok(spawn_effect(acting(parts, settings), group, setup(), touching, stop.clone()))
    })?;
    assembly.add(deliver, |group| {
        let delivering = delivering(parts, settings)?;
        Ok(spawn_effect(delivering, group, setup(), touching, stop.clone()))
    })?;
    assembly.add(media, |group| {
        let fetching = fetching(parts, settings)?;
        Ok(spawn_effect(fetching, group, setup(), files_policy(commit_every), stop.clone()))
    })?;
    assembly.add(accepted, |group| {
        Ok(spawn_effect(Arc::new(KeepAccepted(keep())), group, setup(), policy, stop.clone()))
    })?;
    assembly.add(history, |group| {
        Ok(spawn_effect(Arc::new(KeepHistory(keep())), group, setup(), policy, stop.clone()))
    })?;
    assembly.add(minutes, |group| {
        Ok(spawn_effect(Arc::new(KeepMetrics(keep())), group, setup(), policy, stop.clone()))
    })?;
    assembly.add(customers, |group| {
        Ok(spawn_effect(Arc::new(KeepCustomers(keep())), group, setup(), policy, stop.clone()))
    })?;
    let mirrors = mirrors(&settings.channels);
    if mirrors.is_empty() {
        return Ok(()); // nobody is shown anything
    }
    assembly.add(Setup::effect_group(Mirror::NAME, CONVERSATIONS), |group| {
        let (ledger, keyring) = (parts.ledger(Mirror::NAME), Arc::clone(&parts.keyring));
        let mirror = Mirror::new(mirrors, ledger, keyring, Arc::clone(&parts.clock));
        let mirror = Arc::new(mirror.map_err(anyhow::Error::msg)?);
        Ok(spawn_effect(mirror, group, setup(), touching, stop.clone()))
    })
}

fn acting(parts: &Parts, settings: &Settings) -> Arc<Act> {
    let crm = &settings.crm;
    let latency = std::time::Duration::from_millis(crm.latency_ms_p50);
    let crm = DemoCrm::new(latency, crm.errors_per_mille, Arc::clone(&parts.clock));
    Arc::new(Act::new(
        Arc::new(crm.in_city(Arc::clone(&parts.city))),
        parts.ledger(Act::NAME),
        Arc::clone(&parts.keyring),
        Arc::clone(&parts.clock),
    ))
}

fn fetching(parts: &Parts, settings: &Settings) -> anyhow::Result<Arc<Media>> {
    Ok(Arc::new(Media::new(
        fetcher(settings)?,
        transcriber(settings)?,
        Arc::clone(&parts.media),
        Arc::clone(&parts.keyring),
        Arc::clone(&parts.clock),
    )))
}

fn delivering(parts: &Parts, settings: &Settings) -> anyhow::Result<Arc<Deliver>> {
    Ok(Arc::new(Deliver::new(
        senders(settings)?,
        parts.ledger(Deliver::NAME),
        Arc::clone(&parts.keyring),
        Arc::clone(&parts.clock),
    )))
}

#[cfg(test)]
mod tests;
