//! What is configured of Kafka and ScyllaDB.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[kafka]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct Kafka {
    pub bootstrap: String,
    pub prefix: String,
    pub replication: u32,
    pub min_insync: u32,
    pub protocol: Protocol,
    pub delivery: Delivery,
    pub security: KafkaSecurity,
    pub registry: Registry,
    pub client: BTreeMap<String, String>,
}

impl Kafka {
    /// Everything nobody else may see.
    pub(super) fn secrets(&mut self) -> Vec<&mut String> {
        let told = |name: &str| ["password", "secret", "key.pem"].iter().any(|w| name.contains(w));
        let free = self.client.iter_mut().filter(|(name, _)| told(name)).map(|(_, value)| value);
        let security = &mut self.security;
        free.chain([
            &mut security.password,
            &mut security.key_password,
            &mut self.registry.password,
        ])
        .collect()
    }
}

/// `[kafka.security]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct KafkaSecurity {
    pub protocol: Transport,
    pub ca_file: PathBuf,
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
    pub key_password: String,
    pub mechanism: Mechanism,
    pub username: String,
    pub password: String,
}

/// `[kafka.registry]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct Registry {
    pub url: String,
    pub ca_file: PathBuf,
    pub username: String,
    pub password: String,
}

/// `[scylla]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // default.toml is the documentation
pub struct Scylla {
    pub contact_points: String,
    pub keyspace: String,
    pub replication: u32,
    pub local_dc: String,
    pub username: String,
    pub password: String,
    pub ca_file: PathBuf,
}

macro_rules! choices {
    ($($(#[$meta:meta])* $name:ident { $($choice:ident),+ })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs)] // the names are the documentation
        pub enum $name { $($choice),+ }
    )+};
}

choices! {
    /// How members of a group share its partitions.
    Protocol { Classic, Consumer }
    /// When outputs become visible.
    Delivery { AtOnce, Transactional }
    /// How brokers are spoken to.
    Transport { Plaintext, Ssl, SaslPlaintext, SaslSsl }
    /// How a user logs in.
    Mechanism { Plain, ScramSha256, ScramSha512 }
}
