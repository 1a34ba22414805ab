//! One broker of three is gone, or moves out of the way: the others stand in for it.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::{Scene, Struck};

/// How long a broker that was asked to stop stays away.
const AWAY: Duration = Duration::from_secs(10);
/// How long the brokers may take to share out what they lead again.
const BALANCED_WITHIN: Duration = Duration::from_secs(60);

/// The broker that leads most, and how much it leads.
async fn leader(scene: &Scene<'_>) -> anyhow::Result<(usize, u32)> {
    ensure!(scene.kafka.count() > 1, "nobody stands in for the only broker: start three");
    let leads = scene.kafka.leads().await?;
    let most = leads.into_iter().max_by_key(|(_, partitions)| *partitions);
    most.filter(|(_, partitions)| *partitions > 0).context("no broker leads anything")
}

/// The broker that leads most is killed, and back after the outage.
pub(super) async fn lost(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    for _ in 0..scene.rounds {
        let (number, led) = leader(scene).await?;
        let broker = scene.kafka.one(number)?;
        let killed = Instant::now();
        broker.kill().await?;
        tokio::time::sleep(scene.outage).await;
        // Two of three are there: what is written meanwhile has to be acknowledged.
        struck.acknowledging.push((killed, Instant::now()));
        broker.restart().await?;
        struck.notes.push(format!(
            "broker {number}, which led {led} partitions, was away for {:.1} s",
            killed.elapsed().as_secs_f64()
        ));
        rebalanced(scene, &mut struck, number).await;
    }
    Ok(struck.ends())
}

/// The broker that leads most is asked to stop, hands over what it leads, comes back and gets it back.
pub(super) async fn moved(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    for _ in 0..scene.rounds {
        let (number, led) = leader(scene).await?;
        let broker = scene.kafka.one(number)?;
        let began = Instant::now();
        broker.stop().await?;
        let stopped = began.elapsed();
        tokio::time::sleep(AWAY).await;
        let left = scene.kafka.leads().await?.get(&number).copied().unwrap_or_default();
        if left > 0 {
            struck.broken.push(format!("broker {number} is gone and leads {left} partitions"));
        }
        struck.acknowledging.push((began, Instant::now()));
        broker.restart().await?;
        struck.notes.push(format!(
            "broker {number}, which led {led} partitions, stopped in {:.1} s",
            stopped.as_secs_f64()
        ));
        rebalanced(scene, &mut struck, number).await;
    }
    Ok(struck.ends())
}

/// Waits until every broker leads something again, also the one that was gone.
async fn rebalanced(scene: &Scene<'_>, struck: &mut Struck, number: usize) {
    let back = Instant::now();
    if scene.kafka.balanced(BALANCED_WITHIN).await {
        let leads = scene.kafka.leads().await.unwrap_or_default();
        let took = back.elapsed().as_secs_f64();
        struck.notes.push(format!("leaders are shared out again after {took:.1} s: {leads:?}"));
    } else {
        struck.broken.push(format!("broker {number} is back and leads nothing"));
    }
}
