//! Structured logs: fields first, then words. Text of customers is in none of them.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogFormat, Settings};

/// Starts logging to standard error.
pub fn start(settings: &Settings) {
    pipeline::panics::withhold_words();
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| settings.telemetry.log.clone());
    let filter = EnvFilter::try_new(&wanted).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // Colours are for people who look on.
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    // A second start (in tests) keeps the first one's settings.
    let _ = match settings.telemetry.format {
        LogFormat::Text => builder.compact().try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
