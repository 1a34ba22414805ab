//! Clocks are wrong by hours: one process after the other is started with another time.

use std::time::Duration;

use super::super::installation::ROLES;
use super::{Scene, Struck};

/// How far from the machine's time they go, one after the other.
const AHEAD_MS: [i64; 4] = [2 * 3_600_000, 0, -2 * 3_600_000, 0];
/// How long all of them work at one time.
const AT_WORK: Duration = Duration::from_secs(4);

/// Killed, a process leaves turns open that wait for a time its successor's clock is far from; and while
/// they are changed one by one no two agree.
pub(super) async fn clock(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    for _ in 0..scene.rounds {
        for ahead_ms in AHEAD_MS {
            for (name, _) in ROLES {
                scene.installation.set_clock(name, ahead_ms)?;
                scene.installation.kill(name)?;
                scene.installation.restart(name)?;
                scene.installation.at_work().await?;
            }
            struck.notes.push(format!("all clocks ahead by {} h", ahead_ms / 3_600_000));
            tokio::time::sleep(AT_WORK).await;
        }
    }
    Ok(struck.ends())
}
