//! How the database is reached, and how sure an answer has to be.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pipeline::clock::{Clock, SystemClock};

/// How many copies there are, and where: used when `migrate` makes the keyspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replication {
    /// So many on any nodes: for one machine and for tests.
    Simple(u32),
    /// So many in each data centre, by name: for production.
    ByDc(Vec<(String, u32)>),
}

/// How many copies answer for a read or a write of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// Most copies of the local data centre: what was written here is read here, and a data centre
    /// that is far or away slows nothing down.
    #[default]
    LocalQuorum,
    /// Most copies of all: what was written anywhere is read anywhere.
    Quorum,
    /// One: only for a single copy, or where a view may lag behind itself.
    LocalOne,
}

/// Among whom a claim of the once-ledger is the only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Serial {
    /// All data centres: also while work moves from one to another. The default, because a ledger
    /// that two sides may win is none.
    #[default]
    AllDcs,
    /// The local data centre: faster, and enough only if no other ever claims.
    LocalDc,
}

/// Encryption on the way to the database. Nodes are verified by the address they are reached at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Who may vouch for nodes (PEM); the machine's own list when left out.
    pub ca_file: Option<PathBuf>,
    /// Who we are (PEM, whole chain), where nodes ask.
    pub cert_file: Option<PathBuf>,
    /// Its key (PEM).
    pub key_file: Option<PathBuf>,
}

/// How to reach and use the database.
#[derive(Clone)]
pub struct CqlOptions {
    /// `host:port` of some nodes; the others are learnt from them.
    pub contact_points: Vec<String>,
    /// Lower-case letters, digits and `_`.
    pub keyspace: String,
    /// For a keyspace that is not there yet.
    pub replication: Replication,
    /// Ours: requests go to its nodes only.
    pub local_dc: Option<String>,
    /// Name and password, where the database asks.
    pub login: Option<(String, String)>,
    /// Encryption; none when left out.
    pub tls: Option<Tls>,
    /// Of reads and writes of the store.
    pub consistency: Consistency,
    /// Of claims.
    pub serial: Serial,
    /// How long conversations, messages and minutes are kept; for ever when left out.
    pub retention: Option<Duration>,
    /// How far back open conversations are looked for when a process begins. Longer than a
    /// conversation may stay with people without any change (`queued_s_max`, 7 days).
    pub open_max: Duration,
    /// After which a request is given up. Longer than the database's own time-outs, so that it is the
    /// database that says what became of a write.
    pub request_timeout: Duration,
    /// Tells how old things are.
    pub clock: Arc<dyn Clock>,
}

impl CqlOptions {
    /// One copy, no login, nothing expires: for tests and a first look.
    #[must_use]
    pub fn at(contact_point: &str, keyspace: &str) -> Self {
        Self {
            contact_points: vec![contact_point.to_owned()],
            keyspace: keyspace.to_owned(),
            replication: Replication::Simple(1),
            local_dc: None,
            login: None,
            tls: None,
            consistency: Consistency::default(),
            serial: Serial::default(),
            retention: None,
            open_max: Duration::from_secs(30 * 86_400),
            request_timeout: Duration::from_secs(10),
            clock: Arc::new(SystemClock),
        }
    }
}
