//! The one binary: command line, configuration, wiring. No domain logic.

mod channels;
mod cli;
mod commands;
mod config;
mod dead_letters;
#[cfg(feature = "failpoints")]
mod failpoints;
#[cfg(not(feature = "failpoints"))]
#[path = "no_failpoints.rs"]
mod failpoints;
mod inputs;
mod keys;
mod layout;
mod media;
mod migrate;
mod models;
mod openapi;
mod serve;
mod simulate;
mod telemetry;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use self::cli::Cli;
use self::config::ConfigError;

/// Exit codes: 0 done, 1 failed while running, 2 wrong usage (clap's), 3 wrong configuration.
const FAILED: u8 = 1;
const WRONG_CONFIGURATION: u8 = 3;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "correnteza: {error:#}");
            let configuration = error.chain().any(|cause| cause.is::<ConfigError>());
            ExitCode::from(if configuration { WRONG_CONFIGURATION } else { FAILED })
        }
    }
}
