//! The command line of what people say of the machine's work.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `labels`
#[derive(Debug, Subcommand)]
pub enum Labels {
    /// Writes them to a file, a row for each labelled turn, texts masked. Works while the server runs.
    ///
    /// Rows are {"text","label","sentiment","predicted","confidence","model_version","route","source",
    /// "channel","at"}: what `train --from-labels` reads.
    /// Example: correnteza labels export --out labels.jsonl --since 2026-11-01
    Export {
        /// Where to.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// As JSON lines or as a Parquet file.
        #[arg(long, value_enum, default_value = "jsonl")]
        format: ExportFormat,
        /// Only those given from this day (UTC) or moment on, e.g. 2026-11-01 or 2026-11-01T12:00:00Z.
        #[arg(long, value_name = "WHEN")]
        since: Option<String>,
        /// Where everything is kept, without Kafka [default: data].
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)] // the names are the documentation
pub enum ExportFormat {
    Jsonl,
    Parquet,
}

/// `intents`
#[derive(Debug, Subcommand)]
pub enum Intents {
    /// Lists what is closed, and why.
    List {
        /// Who is asked.
        #[command(flatten)]
        server: AtServer,
    },
    /// Gives an intent its automatic path back; what was checked before counts no more.
    ///
    /// Example: correnteza intents reopen planos --agent Ana
    Reopen {
        /// Which.
        intent: String,
        /// Who says so.
        #[arg(long)]
        agent: String,
        /// Who is asked.
        #[command(flatten)]
        server: AtServer,
    },
}

/// A running server.
#[derive(Debug, Args)]
pub struct AtServer {
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Its token, if it asks for one.
    #[arg(long, env = "CORRENTEZA_TOKEN", default_value = "", hide_env_values = true)]
    pub token: String,
    /// Whose [default: the server's].
    #[arg(long)]
    pub tenant: Option<String>,
}
