//! The command line of what people write for the line: answers and routing policies.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `answers`, `policy`
#[derive(Debug, Args)]
pub struct Texts {
    /// What to do.
    #[command(subcommand)]
    pub asked: Asked,
    /// Whose [default: of all tenants without their own].
    #[arg(long, global = true)]
    pub tenant: Option<String>,
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
    /// Tells everything that is wrong with a file, with its line, and changes nothing.
    ///
    /// It is held to the other text of the tenant in the configuration: answers to the policy, a policy
    /// to the answers.
    Lint {
        /// The file (TOML).
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Puts a file into use: every running process takes it up at its next commit, without a restart.
    ///
    /// It is linted first. It stays in use until another is applied, or the configuration names a new
    /// one.
    Apply {
        /// The file (TOML).
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Prints what is in use.
    Show,
    /// Puts what the configuration says into use again; a tenant without a file there has none of its
    /// own any more.
    Reset,
}
