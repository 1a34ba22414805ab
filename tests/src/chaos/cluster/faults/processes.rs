//! What happens to processes: killed, asked to stop, standing still.

use std::time::Duration;

use super::super::installation::{ROLES, STAGES};
use super::super::process::Signal;
use super::members::stages;
use super::{Scene, Struck};

/// Between two kills, in milliseconds: from, to.
const LIFE_MS: (u64, u64) = (300, 4_000);
/// One round in so many kills two at once; one in so many starts them again later.
const TWO_ONE_IN: u32 = 3;
const LATE_ONE_IN: u32 = 2;
const LATE: Duration = Duration::from_secs(3);
/// How long a process may take to stop when asked.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// How long the zombie stands still: longer than every session time-out.
const STILL: Duration = Duration::from_secs(30);
/// Who takes over from the zombie.
const SUCCESSOR: &str = "successor";

fn role(dice: u64) -> &'static str {
    let n = usize::try_from(dice % ROLES.len() as u64).unwrap_or_default();
    ROLES.get(n).map_or(STAGES, |(name, _)| name)
}

/// Each round the next process is killed, at times another one with it.
pub(super) async fn kill9(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let struck = Struck::begins();
    for round in 0..scene.rounds {
        let life = LIFE_MS.0 + scene.dice(round, 0) % (LIFE_MS.1 - LIFE_MS.0);
        // The moment of the crash is the thing under test, not something waited for.
        tokio::time::sleep(Duration::from_millis(life)).await;
        let mut victims = vec![role(u64::from(round))];
        if round % TWO_ONE_IN == TWO_ONE_IN - 1 {
            victims.push(role(scene.dice(round, 1)));
        }
        for victim in &victims {
            scene.installation.kill(victim)?;
        }
        if round % LATE_ONE_IN == LATE_ONE_IN - 1 {
            tokio::time::sleep(LATE).await;
        }
        for victim in &victims {
            scene.installation.restart(victim)?;
        }
    }
    Ok(struck.ends())
}

/// Each round every process is asked to stop and started again.
pub(super) async fn sigterm(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    for round in 0..scene.rounds {
        for (name, _) in ROLES {
            let (took, well) = scene.installation.stop(name, STOP_WITHIN).await?;
            struck.notes.push(format!("{name} stopped in {:.1} s", took.as_secs_f64()));
            if !well {
                struck.broken.push(format!("{name} did not stop well within {STOP_WITHIN:?}"));
            }
            scene.installation.restart(name)?;
            // Stopped again before it works, it would show nothing.
            scene.installation.at_work().await?;
            let pause = scene.dice(round, 2) % LIFE_MS.1;
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }
    Ok(struck.ends())
}

/// The stages stand still for longer than their session lasts; another process takes over; then
/// they go on as if nothing had been.
pub(super) async fn zombie(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    for _ in 0..scene.rounds {
        scene.installation.add(SUCCESSOR, stages())?;
        scene.installation.at_work().await?;
        scene.installation.signal(STAGES, Signal::Stop)?;
        tokio::time::sleep(STILL).await;
        let held = scene.installation.held().await;
        let taken = held.get("turns").cloned().unwrap_or_default();
        struck.notes.push(format!("while the zombie stood still others held {taken:?} of turns"));
        scene.installation.signal(STAGES, Signal::Continue)?;
        scene.installation.at_work().await?;
        let (took, well) = scene.installation.stop(SUCCESSOR, STOP_WITHIN).await?;
        struck.notes.push(format!("the successor stopped in {:.1} s", took.as_secs_f64()));
        if !well {
            struck.broken.push(format!("the successor did not stop well within {STOP_WITHIN:?}"));
        }
        scene.installation.remove(SUCCESSOR)?;
        scene.installation.at_work().await?;
    }
    Ok(struck.ends())
}
