//! Who is compared, and how each is started. Every one is a single process that reads the topics with
//! the given prefix and works until it is told to stop.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use clap::ValueEnum;
use tests::server::root;

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Peer {
    /// No work: each message is copied to two topics by rdkafka.
    Forward,
    /// The product's runner and classifier.
    Ours,
    /// The same with a state a customer, committed beside the path.
    OursCounted,
    /// The same as `ours`, outputs in transactions.
    OursTransactional,
    /// As `ours_counted`, but nothing is committed while it works.
    OursCountedUncommitted,
    /// As `ours_counted`, outputs in transactions.
    OursCountedTransactional,
    /// Kafka Streams, at least once.
    KafkaStreams,
    /// Kafka Streams, exactly once.
    KafkaStreamsEos,
    /// confluent-kafka and scikit-learn.
    Python,
    /// Flink's mini-cluster with its Kafka connector, at least once.
    Flink,
}

impl Peer {
    /// Those who are compared unless others are asked for.
    pub const COMPARED: [Self; 8] = [
        Self::Forward,
        Self::Ours,
        Self::OursCounted,
        Self::OursTransactional,
        Self::KafkaStreams,
        Self::KafkaStreamsEos,
        Self::Python,
        Self::Flink,
    ];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether it scores, so that what it says can be compared.
    #[must_use]
    pub fn scores(self) -> bool {
        self != Self::Forward
    }

    /// What has to be fetched or built for it.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn prepare(self) -> anyhow::Result<()> {
        let part = match self {
            Self::Forward => return built(),
            Self::KafkaStreams | Self::KafkaStreamsEos => "streams",
            Self::Flink => "flink",
            Self::Python => "python",
            _ => return Ok(()),
        };
        let script = root().join("benches/peers/install.sh");
        let status = Command::new(script).arg(part).stdin(Stdio::null()).status()?;
        ensure!(status.success(), "{part} could not be installed");
        Ok(())
    }

    /// What starts it on the topics of `prefix`, with the model and what it keeps in `work`.
    ///
    /// # Errors
    /// The directory of this program is not known.
    pub fn command(self, kafka: &str, prefix: &str, work: &Path) -> anyhow::Result<Command> {
        let peers = root().join("benches/peers");
        let mut command = match self {
            Self::Forward => Command::new(beside("examples/kafka_copy")?),
            Self::Ours
            | Self::OursCounted
            | Self::OursTransactional
            | Self::OursCountedUncommitted
            | Self::OursCountedTransactional => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("ours");
                command
            }
            Self::Python => Command::new(peers.join("python/run.sh")),
            Self::KafkaStreams | Self::KafkaStreamsEos => {
                Command::new(peers.join("java/streams.sh"))
            }
            Self::Flink => Command::new(peers.join("java/flink.sh")),
        };
        command.arg(kafka).arg(prefix);
        if self.scores() {
            command.arg(work.join("model"));
        }
        match self {
            Self::OursCounted => command.arg("--counted"),
            Self::OursTransactional => command.args(["--commits", "transactional"]),
            Self::OursCountedUncommitted => command.args(["--counted", "--commits", "never"]),
            Self::OursCountedTransactional => {
                command.args(["--counted", "--commits", "transactional"])
            }
            Self::KafkaStreams => command.arg("at_least_once"),
            Self::KafkaStreamsEos => command.arg("exactly_once_v2"),
            _ => &mut command,
        };
        command.env("PEER_STATE_DIR", work.join(format!("{prefix}state")));
        Ok(command)
    }
}

/// A program in the directory of this one.
fn beside(name: &str) -> anyhow::Result<std::path::PathBuf> {
    let mine = std::env::current_exe()?;
    Ok(mine.parent().context("this program is in no directory")?.join(name))
}

/// Builds the forward, an example of `pipeline`, beside this program.
fn built() -> anyhow::Result<()> {
    crate::example::built("kafka_copy").map(drop)
}
