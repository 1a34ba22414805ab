//! The commands.

#[cfg(feature = "cluster")]
mod cluster;
#[cfg(not(feature = "cluster"))]
#[path = "no_cluster.rs"]
mod cluster;
mod dead_letters;
mod intents;
mod labels;
mod model;
#[cfg(not(feature = "parquet"))]
#[path = "no_parquet.rs"]
mod parquet;
#[cfg(feature = "parquet")]
mod parquet;
mod peek;
mod raw;
mod releases;
mod server;
mod store;
mod templates;
mod texts;

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, bail};
use tokio::runtime::Runtime;

use crate::cli::{self, Cli, Command};
use crate::config::Settings;
use crate::{inputs, migrate, serve, simulate, telemetry};

/// Does what the command line says.
pub fn run(cli: Cli) -> anyhow::Result<()> {
    let file = cli.config.as_deref();
    match cli.command {
        Command::Serve(serve) => {
            let settings = of_process(file, serve.data_dir.as_deref(), serve.listen)?;
            runtime()?.block_on(serve::run(settings, serve.demo.then_some(serve.pace)))
        }
        Command::Run(run) => {
            let settings = of_process(file, run.data_dir.as_deref(), run.listen)?;
            cluster::run(settings, &run.parts)
        }
        Command::Migrate { from } => {
            let settings = settings(file, None)?;
            telemetry::start(&settings);
            cluster::migrate(&settings, &from)
        }
        Command::Topology(cli::Topology::Show { data_dir }) => {
            let settings = settings(file, data_dir.as_deref())?;
            runtime()?.block_on(async { migrate::show(&cluster::backend(&settings).await?).await })
        }
        Command::Topology(cli::Topology::Change { to, data_dir }) => {
            let settings = settings(file, data_dir.as_deref())?;
            let to = crate::layout::parse(&to)?;
            runtime()?.block_on(async {
                migrate::change(&cluster::backend(&settings).await?, &settings, to).await
            })
        }
        Command::Keys(cli::Keys::Make { data_dir }) => {
            let settings = settings(file, data_dir.as_deref())?;
            let dir = &settings.server.data_dir;
            std::fs::create_dir_all(dir).with_context(|| format!("no {}", dir.display()))?;
            crate::keys::made(dir, settings.tenants.keys())?;
            print(&format!("the keys are in {}", dir.join("keys.toml").display()))
        }
        Command::Simulate(asked) => runtime()?.block_on(simulate::run(&asked)),
        Command::Train(train) => model::train(&train),
        Command::Evaluate(evaluate) => model::evaluate(&evaluate, file),
        Command::Classify(classify) => model::classify(&classify, file),
        Command::Explain(explain) => model::explain(&explain, file),
        Command::Fit(fit) => model::fit(&fit),
        Command::Model(asked) => releases::run(&asked, file),
        Command::Answers(asked) => texts::run(inputs::Kind::Answers, &asked, file),
        Command::Policy(asked) => texts::run(inputs::Kind::Policy, &asked, file),
        Command::Labels(asked) => labels::run(asked, file),
        Command::Intents(asked) => runtime()?.block_on(intents::run(asked)),
        Command::Raw(asked) => raw::run(&asked, file),
        Command::Templates(asked) => runtime()?.block_on(templates::run(&asked, file)),
        Command::DeadLetters(asked) => dead_letters::run(asked, file),
        Command::Store(cli::Store::Migrate) => cluster::store_migrate(&settings(file, None)?),
        Command::Store(cli::Store::Rebuild { data_dir }) => {
            store::rebuild(&settings(file, data_dir.as_deref())?)
        }
        Command::Schema(cli::Schema::Export) => {
            print(&serde_json::to_string_pretty(&schemas::export())?)
        }
        Command::Schema(cli::Schema::Show { name }) => {
            let schema = schemas::expanded(&name)
                .with_context(|| format!("no schema '{name}'; `schema export` lists them"))?;
            print(&serde_json::to_string_pretty(&schema)?)
        }
        Command::Config(cli::Config::Show) => print(&settings(file, None)?.redacted()),
        Command::Config(cli::Config::Check) => check(file),
        Command::Topics(cli::Topics::Describe) => describe(),
        Command::Topics(cli::Topics::Apply) => cluster::topics_apply(&settings(file, None)?),
    }
}

/// The configuration of a process that stays, with what its command line says; its log begins.
fn of_process(
    file: Option<&Path>,
    data_dir: Option<&Path>,
    listen: Option<SocketAddr>,
) -> anyhow::Result<Settings> {
    let settings = match listen {
        // As if it were configured, so that it is checked as if it were.
        Some(listen) => with_listen(file, listen, data_dir)?,
        None => settings(file, data_dir)?,
    };
    telemetry::start(&settings);
    Ok(settings)
}

/// The configuration, with `--data-dir` in place of what it says.
pub fn settings(file: Option<&Path>, data_dir: Option<&Path>) -> anyhow::Result<Settings> {
    let mut settings = Settings::load(file)?;
    if let Some(data_dir) = data_dir {
        data_dir.clone_into(&mut settings.server.data_dir);
    }
    Ok(settings)
}

fn with_listen(
    file: Option<&Path>,
    listen: SocketAddr,
    data_dir: Option<&Path>,
) -> anyhow::Result<Settings> {
    let mut settings = settings(file, data_dir)?;
    settings.server.listen = listen;
    settings.check()?;
    Ok(settings)
}

fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the operating system gives no threads")
}

/// Prints to standard output; a reader that has gone is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn check(file: Option<&Path>) -> anyhow::Result<()> {
    let settings = Settings::load(file)?;
    let wrong = inputs::mistakes(&settings)?;
    if !wrong.is_empty() {
        bail!(crate::config::ConfigError::Wrong(wrong));
    }
    print("the configuration is sound")
}

fn describe() -> anyhow::Result<()> {
    let mut text = format!("{:<16} {:<16} {:<22} public\n", "topic", "holds", "kept");
    for spec in schemas::topics::TOPICS {
        let kept = format!("{:?}", spec.retention);
        let public = if spec.public { "yes" } else { "" };
        text += &format!("{:<16} {:<16} {kept:<22} {public}\n", spec.topic.0, spec.record);
    }
    print(text.trim_end())
}
