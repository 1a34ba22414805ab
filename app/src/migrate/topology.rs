//! `correnteza topology`: which layout a log has, and the change from one to the other.
//!
//! The change cuts the stream where the first stage stands: what is before that is finished under the
//! old layout, what is behind it is taken up by the new one, with the states. Doors and effects may go
//! on meanwhile; the stages between must be stopped. Until the new layout is written down, the old one
//! holds, and the change may be begun again.

use std::sync::Arc;

use anyhow::{Context, bail};
use pipeline::Log;

use super::states::{Sole, States};
use crate::commands::print;
use crate::config::{Layout, Settings};
use crate::layout;
use crate::serve::backend::Backend;
use crate::serve::part::Chosen;
use crate::serve::{self, answering_groups, other_groups};

/// Tells which layout the log has, and how far each group is behind.
pub(crate) async fn show(backend: &Backend) -> anyhow::Result<()> {
    let found = layout::recorded(&*backend.log, backend.clock.now_ms()).await?;
    let Some(found) = found else { return print("nothing has run on this log yet") };
    print(&format!("layout {}, {} partitions", layout::name(found), backend.log.partitions()))?;
    for group in answering_groups(found).iter().chain(&other_groups()) {
        let lag = backend.log.lag(group).await?;
        print(&format!("  {:<28} reads {:<14} {lag} behind", group.name, group.input.0))?;
    }
    Ok(())
}

/// Changes the layout of the log to `to`.
pub(crate) async fn change(
    backend: &Backend,
    settings: &Settings,
    to: Layout,
) -> anyhow::Result<()> {
    let log: &Arc<dyn Log> = &backend.log;
    let now_ms = backend.clock.now_ms();
    let old = layout::recorded(&**log, now_ms).await?;
    let old = old.context("nothing has run on this log yet: set line.layout as you like")?;
    if old == to {
        return print(&format!("the layout is {} already", layout::name(to)));
    }
    let mut settings = settings.clone();
    settings.line.layout = old;
    let (old_groups, new_groups) = (answering_groups(old), answering_groups(to));
    let [first, later @ ..] = old_groups.as_slice() else { bail!("a layout without stages") };
    // Held until the end: nobody else may begin meanwhile.
    let cut = Sole::join(log, first).await?;
    if !later.is_empty() {
        print("finishing what the first stage has handed on")?;
        let names = later.iter().map(|group| group.name.to_string()).collect::<Vec<_>>();
        serve::drain(backend, &settings, &Chosen::parse(&names)?).await?;
    }
    let mut states = States::default();
    cut.states(&mut states, log.partitions())?;
    for group in later {
        let left = Sole::join(log, group).await?;
        left.states(&mut states, log.partitions())?;
        left.leave().await;
    }
    let (count, positions) = (states.count(), cut.positions());
    for (n, group) in new_groups.iter().enumerate() {
        let mut begun = Sole::join(log, group).await?;
        begun.begin(&mut states, (n == 0).then_some(&positions)).await?;
        begun.leave().await;
    }
    layout::record(&**log, to, now_ms).await?;
    cut.leave().await;
    print(&format!(
        "the layout is {} now; {count} states were handed over. Set line.layout for every process",
        layout::name(to)
    ))
}
