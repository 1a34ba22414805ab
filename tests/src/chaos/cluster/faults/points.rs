//! Every part of the line ends its process at every point of its work.

use std::time::Duration;

use super::super::installation::ROLES;
use super::{Scene, Struck};
use crate::chaos::points::{REACHED_WITHIN, is_killed, parts, rounds};

/// How long processes may take to stop when asked.
const STOP_WITHIN: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);

/// Each part has a process of its own, so that all of them die in one round without each other's
/// work; started again as a supervisor does, they are not armed.
pub(super) async fn failpoints(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    let installation = scene.installation;
    let shared: Vec<&str> =
        ROLES.iter().map(|(name, _)| *name).filter(|name| *name != "doors").collect();
    installation.stop_all(&shared, STOP_WITHIN).await?;
    for part in parts() {
        installation.add(&process_of(part), &[part])?;
    }
    installation.at_work().await?;
    for n in 0..scene.rounds {
        for round in rounds() {
            one_round(scene, &round, scene.seed + u64::from(n), &mut struck).await?;
        }
    }
    let alone: Vec<String> = parts().map(process_of).into();
    let alone: Vec<&str> = alone.iter().map(String::as_str).collect();
    installation.stop_all(&alone, STOP_WITHIN).await?;
    for name in alone {
        installation.remove(name)?;
    }
    for name in shared {
        installation.restart(name)?;
    }
    installation.at_work().await?;
    Ok(struck.ends())
}

fn process_of(part: &str) -> String {
    format!("{part}-alone")
}

/// Every point of `round` at once, each in its own process.
async fn one_round(
    scene: &Scene<'_>,
    round: &[crate::chaos::points::Point],
    seed: u64,
    struck: &mut Struck,
) -> anyhow::Result<()> {
    let installation = scene.installation;
    let names: Vec<String> = round.iter().map(|point| process_of(point.part)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    installation.stop_all(&names, STOP_WITHIN).await?;
    let began = tokio::time::Instant::now();
    let mut waited = Vec::new();
    for (point, name) in round.iter().zip(&names) {
        let armed = point.armed(seed);
        let before = installation.deaths(name)?.len();
        installation.arm(name, &armed)?;
        installation.restart(name)?;
        waited.push((*name, armed, before));
    }
    while !waited.is_empty() && began.elapsed() < REACHED_WITHIN {
        tokio::time::sleep(LOOK).await;
        for (name, armed, before) in std::mem::take(&mut waited) {
            match installation.deaths(name)?.get(before) {
                None => waited.push((name, armed, before)),
                Some(status) if is_killed(*status) => {
                    let took = began.elapsed().as_secs_f64();
                    struck.notes.push(format!("died at {armed} after {took:.1} s"));
                }
                Some(status) => {
                    struck.broken.push(format!("armed with {armed} it ended with {status}"));
                }
            }
        }
    }
    for (name, armed, _) in waited {
        struck.broken.push(format!("{armed} was never come to"));
        installation.kill(name)?;
        installation.restart(name)?;
    }
    installation.at_work().await
}
