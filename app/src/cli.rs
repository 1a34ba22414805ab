//! The command line.

pub mod model;
pub mod texts;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod labels;
mod records;
mod templates;

pub use labels::{AtServer, ExportFormat, Intents, Labels};
pub use records::{DeadLetters, Raw};
pub use templates::Templates;

/// Customer contact of an Internet provider: messages in, intent and sentiment scored, answered by
/// the machine where it is sure and by people where it is not.
#[derive(Debug, Parser)]
#[command(name = "correnteza", version, propagate_version = true)]
pub struct Cli {
    /// Configuration file (TOML); see `correnteza config show`.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // made once
pub enum Command {
    /// Everything in one process, on this machine.
    ///
    /// Example: correnteza serve --data-dir data --listen 127.0.0.1:8080
    Serve(Serve),
    /// Parts of the line, on Kafka and ScyllaDB: as many processes as are wanted.
    ///
    /// Parts: doors turns classify router plan metrics shadow act deliver store-accepted store-history
    /// store-metrics store-customers mirror; `store` stands for the four that keep it, `all` for everything.
    /// Example: correnteza run turns classify router plan --listen 127.0.0.1:8081
    Run(Run),
    /// Takes an installation from a directory of this machine to Kafka and ScyllaDB.
    ///
    /// Finishes what is in hand, then copies history, states, open conversations and the once-ledger,
    /// into as many partitions as log.partitions says. The server must be stopped; `topics apply` and
    /// `store migrate` come first.
    /// Example: correnteza migrate --from data
    Migrate {
        /// The installation's directory.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
    },
    /// How the stages are laid out over processes.
    #[command(subcommand)]
    Topology(Topology),
    /// The tenants' keys.
    #[command(subcommand)]
    Keys(Keys),
    /// Customers' traffic against a running server, at a steady rate.
    ///
    /// Example: correnteza simulate --rate 20 --seconds 60
    Simulate(Simulate),
    /// Trains one head of a model from labelled texts.
    ///
    /// Rows are JSON lines {"text","label"} or CSV with these columns; the labels `oos` and
    /// `fora_escopo` mean out of scope. With a `ts` in every row the latest are tested on. The model,
    /// `card.json` and `card.html` are written; a model that is worse than the live one is not.
    /// Example: correnteza train --task intent --data rows.jsonl --out my-model
    Train(Train),
    /// Judges a model on labelled texts.
    ///
    /// Example: correnteza evaluate --model data/models --data rows.jsonl --json
    Evaluate(Evaluate),
    /// Classifies texts: JSON lines {"text"} in, the same with what the model says out.
    ///
    /// Example: correnteza classify < in.jsonl > out.jsonl
    Classify(Classify),
    /// Shows what decided on a text.
    ///
    /// Example: correnteza explain "minha internet caiu" --fact line_down=true
    Explain(Explain),
    /// Which models decide: list, promote, roll back, shadow.
    ///
    /// On Kafka it writes to the log. Without, it asks the running server; where none runs, the log in
    /// --data-dir is opened.
    Model(model::Model),
    /// What the machine says: lint, apply, show.
    ///
    /// Example: correnteza answers apply respostas.toml --tenant demo
    Answers(texts::Texts),
    /// Which turns the machine answers, and who answers the others: lint, apply, show.
    ///
    /// Example: correnteza policy lint policy.toml
    Policy(texts::Texts),
    /// What people said turns were about.
    #[command(subcommand)]
    Labels(Labels),
    /// Intents that have lost their automatic path.
    #[command(subcommand)]
    Intents(Intents),
    /// Texts that providers have approved for after the reply window.
    #[command(subcommand)]
    Templates(Templates),
    /// Records no stage could use.
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// Providers' requests as they came.
    #[command(subcommand)]
    Raw(Raw),
    /// The store that people's queries are answered from.
    #[command(subcommand)]
    Store(Store),
    /// What crosses topics.
    #[command(subcommand)]
    Schema(Schema),
    /// The configuration.
    #[command(subcommand)]
    Config(Config),
    /// The topics of this release.
    #[command(subcommand)]
    Topics(Topics),
    /// Trains in a process of its own (used by the commands above).
    #[command(hide = true)]
    Fit(Fit),
}

/// `serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// Where everything is kept [default: data].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address of the doors and the desk [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// With a simulated provider's day flowing through it.
    #[arg(long)]
    pub demo: bool,
    /// How many times as fast as usual that day is: at 1 an hour takes a minute (0.1 to 100).
    #[arg(long, value_name = "TIMES", default_value_t = 1.0, requires = "demo", value_parser = pace)]
    pub pace: f64,
}

/// `run`
#[derive(Debug, Args)]
pub struct Run {
    /// What to run.
    #[arg(required = true, value_name = "PART")]
    pub parts: Vec<String>,
    /// Where keys, models and state caches are [default: data].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address of health, metrics and, where they run, the doors [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
}

/// `topology`
#[derive(Debug, Subcommand)]
pub enum Topology {
    /// Tells which layout the log has, and how far each group is behind.
    Show {
        /// Where everything is kept, without Kafka [default: data].
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Changes it: finishes what the first stage has handed on, and hands the states over.
    ///
    /// The stages from `turns` to `plan` must be stopped (without Kafka, the server); doors and effects
    /// may go on. Example: correnteza topology change --to chained
    Change {
        /// separate or chained.
        #[arg(long, value_name = "LAYOUT")]
        to: String,
        /// Where everything is kept, without Kafka [default: data].
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

/// `keys`
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Makes the keys that are missing, in keys.toml of the data directory. Every process of an
    /// installation needs the same file.
    Make {
        /// Where [default: data].
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

/// `simulate`
#[derive(Debug, Args)]
pub struct Simulate {
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Its token, if it asks for one.
    #[arg(long, env = "CORRENTEZA_TOKEN", default_value = "", hide_env_values = true)]
    pub token: String,
    /// Messages a second.
    #[arg(long, default_value_t = 10.0)]
    pub rate: f64,
    /// For how long.
    #[arg(long, default_value_t = 30)]
    pub seconds: u64,
    /// How many customers write.
    #[arg(long, default_value_t = 200)]
    pub customers: u64,
    /// Waits for each decision and tells how long it took.
    #[arg(long)]
    pub wait: bool,
    /// Share of messages sent twice under one key, 0 to 1.
    #[arg(long, default_value_t = 0.02)]
    pub duplicates: f64,
    /// The same seed gives the same traffic.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The result as a JSON line.
    #[arg(long)]
    pub json: bool,
}

/// `train`
#[derive(Debug, Args)]
pub struct Train {
    /// intent, sentiment, frustrated or urgent.
    #[arg(long)]
    pub task: String,
    /// Labelled rows (JSON lines, or CSV by its name).
    #[arg(long, value_name = "FILE", required_unless_present = "from_labels")]
    pub data: Option<PathBuf>,
    /// Rows of `labels export` (JSON lines), added to those of --data, or without it to the bundled
    /// corpus.
    #[arg(long, value_name = "FILE")]
    pub from_labels: Option<PathBuf>,
    /// Directory of the model.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Rows to test on, apart from the training rows.
    #[arg(long, value_name = "FILE")]
    pub test: Option<PathBuf>,
    /// Directory of the live model, to be no worse than [default: what is in --out].
    #[arg(long, value_name = "DIR")]
    pub live: Option<PathBuf>,
    /// Writes the model although a bar is not met; its card says so.
    #[arg(long)]
    pub force: bool,
}

/// `evaluate`
#[derive(Debug, Args)]
pub struct Evaluate {
    /// Directory of the model.
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Labelled rows (JSON lines, or CSV by its name).
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Which head; found out from the labels otherwise.
    #[arg(long)]
    pub task: Option<String>,
    /// As a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `classify`
#[derive(Debug, Args)]
pub struct Classify {
    /// Directory of the model [default: the one `serve` uses].
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
}

/// `explain`
#[derive(Debug, Args)]
pub struct Explain {
    /// The text.
    pub text: String,
    /// Directory of the model [default: the one `serve` uses].
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// How many n-grams.
    #[arg(long, default_value_t = 8)]
    pub most: usize,
    /// What is known of the customer beside the text; may be given more than once.
    #[arg(long = "fact", value_name = "NAME=true|false", value_parser = fact)]
    pub facts: Vec<(classifier::Fact, bool)>,
    /// What the customer was told something about last.
    #[arg(long, value_name = "INTENT")]
    pub after: Option<String>,
}

/// `10`.
fn pace(text: &str) -> Result<f64, String> {
    let pace = text.parse().ok().filter(|pace| (0.1..=100.0).contains(pace));
    pace.ok_or_else(|| "it is a number from 0.1 to 100".to_owned())
}

/// `line_down=true`.
fn fact(text: &str) -> Result<(classifier::Fact, bool), String> {
    let known = classifier::Fact::ALL.map(classifier::Fact::name).join(", ");
    let (name, is_true) = text.split_once('=').ok_or("write it as name=true or name=false")?;
    let fact = classifier::Fact::named(name).ok_or(format!("known facts are {known}"))?;
    Ok((fact, is_true.parse().map_err(|_| "it is true or false")?))
}

/// `store`
#[derive(Debug, Subcommand)]
pub enum Store {
    /// Makes the tables in ScyllaDB, or brings them up to this release.
    Migrate,
    /// Makes it anew from the log. The server must be stopped.
    Rebuild {
        /// Where everything is kept [default: data].
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

/// `schema`
#[derive(Debug, Subcommand)]
pub enum Schema {
    /// Prints the self-contained schemas of everything that crosses a topic.
    Export,
    /// Prints one, e.g. Conversation.
    Show {
        /// Its name.
        name: String,
    },
}

/// `config`
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Prints the effective values, secrets hidden.
    Show,
    /// Tells everything that is wrong, the routing policy and the answers included.
    Check,
}

/// `topics`
#[derive(Debug, Subcommand)]
pub enum Topics {
    /// Lists them: what they hold, how long, who may count on them.
    Describe,
    /// Makes those that are missing on Kafka, and tells what differs from what this release needs.
    Apply,
}

/// `fit`
#[derive(Debug, Args)]
pub struct Fit {
    /// The corpus compiled into this program, all heads.
    #[arg(long)]
    pub bundled: bool,
    /// Directory of the model.
    #[arg(long)]
    pub out: PathBuf,
    /// Which head.
    #[arg(long)]
    pub task: Option<String>,
    /// Labelled rows.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Rows to test on.
    #[arg(long)]
    pub test: Option<PathBuf>,
    /// Directory of the live model.
    #[arg(long)]
    pub live: Option<PathBuf>,
    /// Rows of an export of labels.
    #[arg(long)]
    pub from_labels: Option<PathBuf>,
    /// Although a bar is not met.
    #[arg(long)]
    pub force: bool,
}
