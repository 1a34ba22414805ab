//! Clocks that are wrong by hours.

use std::time::Duration;

use super::super::installation::ROLES;
use super::{Scene, Struck};
use crate::faketime;

/// Ahead, behind, right again.
const SHIFTS: [Option<&str>; 3] = [Some("+2h"), Some("-2h"), None];
/// How long a process works with a wrong clock before the next change.
const AT_WORK: Duration = Duration::from_secs(6);
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// One process after the other is two hours ahead of the others, then two hours behind.
pub(super) async fn clock(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    if faketime::environment("+2h").is_none() {
        struck.notes.push(format!("SKIPPED: {}", faketime::MISSING));
        return Ok(struck.ends());
    }
    for _ in 0..scene.rounds {
        for (name, _) in ROLES {
            for shift in SHIFTS {
                scene.installation.stop_all(&[name], STOP_WITHIN).await?;
                let environment = shift.and_then(faketime::environment).unwrap_or_default();
                scene.installation.environment(name, environment)?;
                scene.installation.restart(name)?;
                scene.installation.at_work().await?;
                // So much work is done at the wrong time.
                tokio::time::sleep(AT_WORK).await;
            }
        }
    }
    Ok(struck.ends())
}
