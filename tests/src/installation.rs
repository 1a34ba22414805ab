//! An installation of several processes on the Kafka and the CQL store that the environment names.

use std::path::{Path, PathBuf};

use crate::server::Options;

/// Topics, keyspace and keys of one test; its processes come and go.
pub struct Installation {
    dir: PathBuf,
    tag: String,
    kafka: String,
    cql: String,
}

impl Installation {
    /// Lays one out with its processes in `dir`; nothing where no servers are named, which it says.
    ///
    /// # Errors
    /// When the servers do not take it.
    pub fn lay_out(dir: &Path, name: &str) -> anyhow::Result<Option<Self>> {
        let named = (std::env::var("KAFKA_BOOTSTRAP"), std::env::var("CQL_CONTACT"));
        let (Ok(kafka), Ok(cql)) = named else {
            #[allow(clippy::print_stdout)] // a test that is skipped says so
            {
                println!("SKIPPED: {name} on Kafka: KAFKA_BOOTSTRAP and CQL_CONTACT are not set");
            }
            return Ok(None);
        };
        let tag = format!("{name}{}", std::process::id());
        let installation = Self { dir: dir.to_owned(), tag, kafka, cql };
        let first = installation.options("keys");
        for command in [&["topics", "apply"][..], &["store", "migrate"], &["keys", "make"]] {
            first.run(command)?;
        }
        Ok(Some(installation))
    }

    fn options(&self, name: &str) -> Options {
        Options::at(&self.dir.join(name))
            .with("KAFKA__BOOTSTRAP", &self.kafka)
            .with("KAFKA__PREFIX", &format!("{}-", self.tag))
            .with("SCYLLA__CONTACT_POINTS", &self.cql)
            .with("SCYLLA__KEYSPACE", &self.tag)
            .with("LOG__PARTITIONS", "4")
            // Members that have just joined take a moment to be given what they read.
            .with("DOOR__WAIT_MS", "30000")
    }

    /// A process `name` that runs `parts`.
    ///
    /// # Errors
    /// When its directory cannot be made.
    pub fn process(&self, name: &str, parts: &[&'static str]) -> anyhow::Result<Options> {
        let options = self.options(name);
        std::fs::create_dir_all(&options.data_dir)?;
        let keys = "keys.toml";
        std::fs::copy(self.dir.join("keys").join(keys), options.data_dir.join(keys))?;
        Ok(Options { command: [&["run"], parts].concat(), ..options })
    }
}
