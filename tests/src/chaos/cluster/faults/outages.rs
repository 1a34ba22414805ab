//! Servers that are killed, down, slow, or rude.

use std::time::{Duration, Instant};

use anyhow::Context;

use super::super::installation::STAGES;
use super::super::registry::Mood;
use super::members::stages;
use super::{Scene, Struck};

/// Between two kills of the broker.
const BETWEEN: Duration = Duration::from_secs(8);
/// How long the channel is unkind, and the store slow, each round.
const UNKIND: Duration = Duration::from_secs(30);
/// How slow the store is, and of how many answers it loses one.
const SLOW: Duration = Duration::from_millis(80);
const LOSE_ONE_IN: u32 = 200;
/// Who begins without a registry and without what others have kept of it, and how long it may take to stop.
const NEWCOMER: &str = "newcomer";
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// The broker is killed and comes back at once, with its data.
pub(super) async fn broker_killed(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    for round in 0..scene.rounds {
        let pause = Duration::from_millis(scene.dice(round, 3) % 1_000);
        tokio::time::sleep(if round > 0 { BETWEEN + pause } else { pause }).await;
        let killed = Instant::now();
        scene.kafka.kill().await?;
        scene.kafka.restart().await?;
        struck
            .notes
            .push(format!("the broker was away for {:.1} s", killed.elapsed().as_secs_f64()));
    }
    Ok(struck.ends())
}

/// The broker is away for long: nothing can be kept, so nothing may be acknowledged.
pub(super) async fn broker_down(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    for _ in 0..scene.rounds {
        scene.kafka.kill().await?;
        let gone = Instant::now();
        tokio::time::sleep(scene.outage).await;
        struck.down.push((gone, Instant::now()));
        scene.kafka.restart().await?;
    }
    Ok(struck.ends())
}

/// The store is away for long: the log takes everything in meanwhile.
pub(super) async fn store_down(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let struck = Struck::begins();
    for _ in 0..scene.rounds {
        scene.cassandra.kill().await?;
        tokio::time::sleep(scene.outage).await;
        scene.cassandra.restart().await?;
    }
    Ok(struck.ends())
}

/// The store is out of reach for long, and as warm as before when it is back: what shows is our part.
pub(super) async fn store_cut(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let struck = Struck::begins();
    for _ in 0..scene.rounds {
        scene.proxy.cut(true);
        tokio::time::sleep(scene.outage).await;
        scene.proxy.cut(false);
    }
    Ok(struck.ends())
}

/// The registry is away for long. Who works goes on, also begun again, by the ids it has kept; who begins
/// with nothing takes its share and waits.
pub(super) async fn registry_down(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let registry = scene.registry.context("there is no registry: ask for one with --registry")?;
    let mut struck = Struck::begins();
    for _ in 0..scene.rounds {
        registry.feels(Mood::Down);
        let gone = Instant::now();
        tokio::time::sleep(scene.outage / 2).await;
        scene.installation.kill(STAGES)?;
        scene.installation.restart(STAGES)?;
        scene.installation.at_work().await?;
        let back = gone.elapsed();
        struck.notes.push(format!("stages begun again without a registry worked by {back:.1?}"));
        scene.installation.add(NEWCOMER, stages())?;
        tokio::time::sleep(scene.outage.saturating_sub(back)).await;
        struck.acknowledging.push((gone, Instant::now()));
        registry.feels(Mood::Well);
        scene.installation.at_work().await?;
        scene.installation.stop(NEWCOMER, STOP_WITHIN).await?;
        scene.installation.remove(NEWCOMER)?;
    }
    Ok(struck.ends())
}

/// The store answers late, and some answers never come although all was done.
pub(super) async fn slow_store(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    for _ in 0..scene.rounds {
        scene.proxy.misbehave(SLOW, LOSE_ONE_IN);
        tokio::time::sleep(UNKIND).await;
        scene.proxy.misbehave(Duration::ZERO, 0);
    }
    struck.notes.push(format!("{} answers of the store lost", scene.proxy.lost()));
    if scene.proxy.lost() == 0 {
        struck.broken.push("no answer was lost: the run shows nothing".to_owned());
    }
    Ok(struck.ends())
}

/// The channel says 429 and 500, and takes replies without ever saying so.
pub(super) async fn unkind_channel(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    for _ in 0..scene.rounds {
        scene.channel.be_unkind(true);
        tokio::time::sleep(UNKIND).await;
        scene.channel.be_unkind(false);
    }
    let [busy, failed, silent] = scene.channel.unkindness();
    struck.notes.push(format!("the channel said 429 {busy} times, 500 {failed}, nothing {silent}"));
    if busy == 0 || failed == 0 || silent == 0 {
        struck.broken.push("the channel was not unkind enough to show anything".to_owned());
    }
    Ok(struck.ends())
}
