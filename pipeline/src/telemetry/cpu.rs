//! CPU time of the calling thread, so that the cost of a stage can be told from its neighbours'.

use std::time::Duration;

/// CPU time the calling thread has used, from the kernel's scheduler statistics (Linux,
/// `/proc/thread-self/schedstat`, nanoseconds on the CPU); `None` where the kernel does not tell.
#[must_use]
pub fn thread_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_ascii_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
