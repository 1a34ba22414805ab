//! The CQL store keeps every promise of a store, on a real Cassandra.
//!
//! With `CQL_CONTACT=host:port` (tests/services/cassandra/start.sh prints it); without, each test
//! says that it was skipped. Every store has a keyspace of its own, dropped behind it.
#![cfg(feature = "scylla")]
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // tests fail loudly

mod cql;
