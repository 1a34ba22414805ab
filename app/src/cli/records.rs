//! What may be asked of records kept aside.

use std::path::PathBuf;

use clap::Subcommand;

/// `dead-letters`
#[derive(Debug, Subcommand)]
pub enum DeadLetters {
    /// Lists them, newest last. Works while the server runs.
    List {
        /// Where everything is kept [default: data].
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Shows one whole (its place as `list` shows it). Works while the server runs.
    Show {
        /// Its place, e.g. 3/17.
        place: String,
        /// Where everything is kept [default: data].
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Puts one back at the input of the stage that could not use it. On one machine its server must be
    /// stopped.
    Replay {
        /// Its place, e.g. 3/17; `all` for every one not replayed yet.
        place: String,
        /// Where everything is kept [default: data].
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

/// `raw`
#[derive(Debug, Subcommand)]
pub enum Raw {
    /// Runs an account's requests of the last 72 hours through its adapter again.
    ///
    /// For an adapter that has learned to read what it could not: what was heard before is not heard
    /// twice. On one machine its server must be stopped.
    /// Example: correnteza raw replay --channel whatsapp_cloud --account principal
    Replay {
        /// As in the configuration's [channels.<channel>.<account>].
        #[arg(long)]
        channel: String,
        /// As in the configuration's [channels.<channel>.<account>].
        #[arg(long)]
        account: String,
        /// Where everything is kept [default: data].
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}
