//! What operators see of the running: metrics and structured logs. No customer text in either.

mod cpu;
pub mod metrics;

pub use cpu::thread_cpu;
