//! Times fixed in advance, whatever became of what was due before (an open loop).

use std::time::{Duration, Instant};

/// When the n-th of a run is due.
#[must_use]
pub fn due_at(n: u64, rate: f64) -> Duration {
    #[allow(clippy::cast_precision_loss)] // messages of a run
    Duration::from_secs_f64(n as f64 / rate)
}

/// Sleeps, and watches the clock for the last `awake`: a wake-up alone is late by a part of what is
/// measured. The watching costs CPU.
pub fn wait_until(at: Instant, awake: Duration) {
    std::thread::sleep(at.saturating_duration_since(Instant::now() + awake));
    while Instant::now() < at {
        std::hint::spin_loop();
    }
}
