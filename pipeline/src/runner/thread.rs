//! Runners as threads and tasks: a stage, or a chain of them, has a thread of its own, so that neither a busy door nor a
//! slow disk of another stage holds it up; an effect is a task among the others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Chain, EffectRunner, RunError, Setup, StageRunner};
use crate::broadcast::Broadcasts;
use crate::effect::{Effect, EffectPolicy};
use crate::log::{Group, LogError};
use crate::stage::Stage;
use crate::telemetry::thread_cpu;

/// Pause before joining again after the log threw a member out.
const REJOIN_PAUSE: Duration = Duration::from_millis(200);
/// How long an effect may finish what it holds when it is told to stop.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);
/// How often the CPU time of a stage is looked at.
const CPU_EVERY: Duration = Duration::from_secs(1);

/// A runner at work.
pub struct Running {
    /// Name of the stage, chain or effect.
    pub name: &'static str,
    ended: oneshot::Receiver<Result<(), RunError>>,
}

impl Running {
    /// Waits until the runner has ended: `Ok` after it was told to stop.
    ///
    /// # Errors
    /// What ended it.
    pub async fn ended(self) -> Result<(), RunError> {
        self.ended.await.unwrap_or_else(|_| {
            Err(LogError::Fatal(format!("the runner of {} broke down", self.name)).into())
        })
    }
}

/// Runs `stage` on a thread of its own until `stop`.
///
/// # Errors
/// [`RunError::Log`] when no thread can be had.
pub fn spawn_stage<S: Stage>(
    stage: S,
    group: Group,
    setup: Setup,
    broadcasts: Arc<dyn Broadcasts<S::Broadcast>>,
    stop: CancellationToken,
) -> Result<Running, RunError> {
    spawn(S::NAME, Chain::of(group.input, stage, broadcasts), group, setup, stop)
}

/// Runs the stages of `chain` on one thread until `stop`.
///
/// # Errors
/// [`RunError::Log`] when no thread can be had.
pub fn spawn_chain(
    chain: Chain,
    group: Group,
    setup: Setup,
    stop: CancellationToken,
) -> Result<Running, RunError> {
    spawn(chain.lasting_name(), chain, group, setup, stop)
}

fn spawn(
    name: &'static str,
    chain: Chain,
    group: Group,
    setup: Setup,
    stop: CancellationToken,
) -> Result<Running, RunError> {
    let (sender, ended) = oneshot::channel();
    let fatal =
        move |error: std::io::Error| LogError::Fatal(format!("no thread for {name}: {error}"));
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let result = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime.block_on(run_chain(name, chain, group, setup, stop)),
                Err(error) => Err(fatal(error).into()),
            };
            let _ = sender.send(result);
        })
        .map_err(fatal)?;
    Ok(Running { name, ended })
}

async fn run_chain(
    name: &'static str,
    chain: Chain,
    group: Group,
    setup: Setup,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let mut runner = StageRunner::join_chain(chain, &group, setup.clone(), stop.clone()).await?;
    let (mut cpu, mut looked) = (thread_cpu(), Instant::now());
    while !stop.is_cancelled() {
        if let Err(error) = runner.step(setup.policy.idle_wait).await {
            again(name, error).await?;
            runner.rejoin().await?;
        }
        if looked.elapsed() >= CPU_EVERY {
            let now = thread_cpu();
            if let (Some(before), Some(now)) = (cpu, now) {
                runner.used_cpu(now.saturating_sub(before));
            }
            (cpu, looked) = (now, Instant::now());
        }
    }
    runner.drain().await
}

/// Waits a moment after an error that joining again may cure; any other error is the end.
async fn again(name: &'static str, error: RunError) -> Result<(), RunError> {
    if !error.rejoins() {
        tracing::error!(stage = name, %error, "stopped");
        return Err(error);
    }
    tracing::warn!(stage = name, %error, "begins again from the last commit");
    tokio::time::sleep(REJOIN_PAUSE).await;
    Ok(())
}

/// Runs `effect` as a task until `stop`.
pub fn spawn_effect<E: Effect>(
    effect: Arc<E>,
    group: Group,
    setup: Setup,
    policy: EffectPolicy,
    stop: CancellationToken,
) -> Running {
    let (sender, ended) = oneshot::channel();
    tokio::spawn(async move {
        let _ = sender.send(run_effect(effect, group, setup, policy, stop).await);
    });
    Running { name: E::NAME, ended }
}

async fn run_effect<E: Effect>(
    effect: Arc<E>,
    group: Group,
    setup: Setup,
    policy: EffectPolicy,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let mut runner =
        EffectRunner::join(effect, &group, setup.clone(), policy, stop.clone()).await?;
    while !stop.is_cancelled() {
        if let Err(error) = runner.step(setup.policy.idle_wait).await {
            again(E::NAME, error).await?;
            runner.rejoin().await?;
        }
    }
    runner.drain(DRAIN_DEADLINE).await
}
