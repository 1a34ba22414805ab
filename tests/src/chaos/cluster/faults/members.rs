//! Members that join and leave.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::super::installation::{Installation, PARTITIONS, ROLES, STAGES};
use super::{Scene, Struck};

/// Those that join beside the one that is there.
const MORE: [&str; 3] = ["stages-2", "stages-3", "stages-4"];
/// How long the partitions may take to be spread.
const SPREAD_WITHIN: Duration = Duration::from_secs(90);
/// How long they stay together.
const TOGETHER: Duration = Duration::from_secs(8);
/// How long a member may take to leave.
const LEAVE_WITHIN: Duration = Duration::from_secs(15);
/// The member that stays keeps some partitions all the time: it may never take nothing for longer.
const PAUSE_MAX: Duration = Duration::from_secs(1);
const SAMPLED_EVERY: Duration = Duration::from_millis(50);
/// The pace of the storm, and how long it lasts each round.
const STORM_EVERY: Duration = Duration::from_secs(2);
const STORM: Duration = Duration::from_secs(30);

/// What the process of the stages runs.
pub(super) fn stages() -> &'static [&'static str] {
    ROLES.iter().find(|(name, _)| *name == STAGES).map_or(&[], |role| role.1)
}

/// One member, then four, then one; the one goes on all the time.
pub(super) async fn members(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let done = AtomicBool::new(false);
    let coming_and_going = async {
        let struck = come_and_go(scene).await;
        done.store(true, Ordering::Relaxed);
        struck
    };
    let (struck, pause) = tokio::join!(coming_and_going, pause(scene.installation, &done));
    let mut struck = struck?;
    let took = pause.as_secs_f64();
    struck.notes.push(format!("the member that stays took nothing for {took:.2} s at most"));
    if pause > PAUSE_MAX {
        struck.broken.push(format!("the member that stays stood still for {took:.2} s"));
    }
    Ok(struck)
}

/// The longest time in which the member that stays took no record.
async fn pause(installation: &Installation, done: &AtomicBool) -> Duration {
    let (mut last, mut longest) = (installation.taken(STAGES).await, Duration::ZERO);
    let mut since = Instant::now();
    while !done.load(Ordering::Relaxed) {
        tokio::time::sleep(SAMPLED_EVERY).await;
        let taken = installation.taken(STAGES).await;
        longest = longest.max(since.elapsed());
        if taken != last {
            (last, since) = (taken, Instant::now());
        }
    }
    longest
}

async fn come_and_go(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    for _ in 0..scene.rounds {
        let joined = Instant::now();
        for name in MORE {
            scene.installation.add(name, stages())?;
        }
        match spread(scene.installation, MORE.len() + 1).await {
            Ok(held) => struck.notes.push(format!(
                "four members share evenly after {:.1} s: {held:?}",
                joined.elapsed().as_secs_f64()
            )),
            Err(uneven) => struck.broken.push(uneven.to_string()),
        }
        tokio::time::sleep(TOGETHER).await;
        let leaving = Instant::now();
        for name in MORE {
            let (took, well) = scene.installation.stop(name, LEAVE_WITHIN).await?;
            if !well {
                struck
                    .broken
                    .push(format!("{name} did not leave well in {:.1} s", took.as_secs_f64()));
            }
            scene.installation.remove(name)?;
        }
        scene.installation.at_work().await?;
        struck.notes.push(format!(
            "one member holds all again after {:.1} s",
            leaving.elapsed().as_secs_f64()
        ));
    }
    Ok(struck.ends())
}

/// Waits until each stage's partitions are held by `members`, with at most one more than another.
async fn spread(
    installation: &Installation,
    members: usize,
) -> anyhow::Result<BTreeMap<String, Vec<u64>>> {
    let until = Instant::now() + SPREAD_WITHIN;
    loop {
        let mut held = installation.held().await;
        held.retain(|part, _| stages().contains(&part.as_str()));
        let even = held.len() == stages().len()
            && held.values().all(|shares| {
                let (least, most) = (shares.iter().min(), shares.iter().max());
                shares.len() == members
                    && shares.iter().sum::<u64>() == PARTITIONS
                    && most.zip(least).is_some_and(|(most, least)| most - least <= 1)
            });
        if even {
            return Ok(held);
        }
        ensure!(Instant::now() < until, "not spread evenly after {SPREAD_WITHIN:?}: {held:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A member joins, and leaves two seconds later, politely or not, again and again.
pub(super) async fn storm(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    let [name, ..] = MORE;
    let mut visits = 0u32;
    for round in 0..scene.rounds {
        let until = Instant::now() + STORM;
        while Instant::now() < until {
            scene.installation.add(name, stages())?;
            tokio::time::sleep(STORM_EVERY).await;
            if scene.dice(round, u64::from(visits)).is_multiple_of(2) {
                scene.installation.kill(name)?;
            } else {
                scene.installation.stop(name, LEAVE_WITHIN).await?;
            }
            scene.installation.remove(name)?;
            visits += 1;
            tokio::time::sleep(STORM_EVERY).await;
        }
    }
    struck.notes.push(format!("{visits} visits"));
    Ok(struck.ends())
}
