//! The stages are laid out anew while customers write.

use std::time::{Duration, Instant};

use super::super::installation::STAGES;
use super::{Scene, Struck};

/// How long the stages may take to stop when asked.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// The stages become one chain, and each its own again; doors and effects go on meanwhile.
pub(super) async fn layout(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    for _ in 0..scene.rounds {
        for to in ["chained", "separate"] {
            let told = Instant::now();
            let (took, well) = scene.installation.stop(STAGES, STOP_WITHIN).await?;
            if !well {
                struck.broken.push(format!("the stages did not stop well in {took:?}"));
            }
            scene.installation.run(STAGES, &["topology", "change", "--to", to]).await?;
            let changed = told.elapsed();
            scene.installation.set("LINE__LAYOUT", to);
            scene.installation.restart(STAGES)?;
            scene.installation.at_work().await?;
            struck.notes.push(format!(
                "{to} after {:.1} s, at work after {:.1} s",
                changed.as_secs_f64(),
                told.elapsed().as_secs_f64()
            ));
        }
    }
    Ok(struck.ends())
}
