//! Times fixed in advance, whatever became of what was due before (an open loop).
//!
//! Who sends stands for machines elsewhere, so its threads go first on this one, where they may
//! ([`go_first`]): else they would be as late as what is measured keeps the cores busy.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::oneshot;

/// When the n-th of a run is due.
#[must_use]
pub fn due_at(n: u64, rate: f64) -> Duration {
    #[allow(clippy::cast_precision_loss)] // messages of a run
    Duration::from_secs_f64(n as f64 / rate)
}

/// Runs `work`, which keeps the time, on a thread of its own that goes first; gives what came of it.
///
/// # Errors
/// When there can be no thread, or it broke down.
pub async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let (told, came) = oneshot::channel();
    std::thread::Builder::new().name("pace".to_owned()).spawn(move || {
        go_first();
        let _ = told.send(work());
    })?;
    came.await.context("the thread that keeps the time broke down")
}

/// Has the kernel run the calling thread before those of what is measured. Without the right to it (root, or
/// `CAP_SYS_NICE`) nothing changes, and runs may turn out invalid for lateness.
pub fn go_first() {
    // Of this thread alone: to Linux a thread is a process where priorities are concerned.
    let _ = rustix::process::setpriority_process(None, -15);
}

/// Sleeps, and watches the clock for the last `awake`: a wake-up alone is late by a part of what is
/// measured. The watching costs CPU.
pub fn wait_until(at: Instant, awake: Duration) {
    std::thread::sleep(at.saturating_duration_since(Instant::now() + awake));
    while Instant::now() < at {
        std::hint::spin_loop();
    }
}
