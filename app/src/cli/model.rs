//! `model`: which models decide.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `model`
#[derive(Debug, Args)]
pub struct Model {
    /// What to do.
    #[command(subcommand)]
    pub asked: Asked,
    /// Where everything is kept, without Kafka [default: data].
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The running server, without Kafka [default: server.listen of the configuration].
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// Its token [default: server.token of the configuration].
    #[arg(long, global = true, env = "CORRENTEZA_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Asked {
    /// Lists the versions there are, and which of them decides.
    List {
        /// As a JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Shows the cards of a version.
    ///
    /// Example: correnteza model show m-3k5q7xw2ab
    Show {
        /// A version, or a directory [default: the live version].
        #[arg(value_name = "DIR|VERSION")]
        model: Option<String>,
    },
    /// Puts a version into the log, and changes nothing else.
    ///
    /// Example: correnteza model publish my-model
    Publish {
        /// Directory of the model.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Makes a version live: every running `classify` takes it up at its next commit.
    ///
    /// A directory is published first. Its golden messages must score as they did in training.
    /// Example: correnteza model promote my-model
    Promote {
        /// A version, or a directory.
        #[arg(value_name = "DIR|VERSION")]
        model: String,
    },
    /// Makes the version live that was so before.
    Rollback,
    /// Scores a candidate beside the live version on the real traffic; it decides nothing.
    ///
    /// Examples: correnteza model shadow my-model
    ///           correnteza model shadow --report
    ///           correnteza model shadow --stop
    #[command(verbatim_doc_comment)]
    Shadow {
        /// A version, or a directory.
        #[arg(value_name = "DIR|VERSION", required_unless_present_any = ["stop", "report"])]
        model: Option<String>,
        /// Ends it.
        #[arg(long, conflicts_with_all = ["model", "report"])]
        stop: bool,
        /// Tells where the two differ, and what would have gone elsewhere.
        #[arg(long, conflicts_with = "model")]
        report: bool,
        /// The report as a JSON object.
        #[arg(long, requires = "report")]
        json: bool,
    },
}
