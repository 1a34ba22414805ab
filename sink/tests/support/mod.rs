//! A keyspace for each test, gone with it: a node slows down under hundreds of tables.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use sink::store::cql::CqlOptions;

/// Options for a keyspace of its own, dropped behind it.
pub struct Keyspace {
    pub options: CqlOptions,
    contact: String,
}

impl Keyspace {
    /// Nothing, and says so, where there is no database.
    pub fn fresh() -> Option<Self> {
        static FRESH: AtomicU64 = AtomicU64::new(0);
        let Ok(contact) = std::env::var("CQL_CONTACT") else {
            println!("SKIPPED: no Cassandra; set CQL_CONTACT to a node's host:port");
            return None;
        };
        let n = FRESH.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{n}", std::process::id());
        let mut options = CqlOptions::at(&contact, &name);
        // A shared machine pauses for seconds, above all while schemas change.
        options.request_timeout = Duration::from_secs(30);
        Some(Self { options, contact })
    }

    async fn session(contact: &str) -> Session {
        SessionBuilder::new().known_node(contact).build().await.unwrap()
    }

    /// Runs a statement beside the store, on the tables named `{}.name`. Gives the number it counts.
    pub async fn raw(&self, statement: &str) -> i64 {
        let session = Self::session(&self.contact).await;
        let statement = statement.replace("{}", &self.options.keyspace);
        let found = session.query_unpaged(statement, ()).await.unwrap();
        let Ok(rows) = found.into_rows_result() else { return 0 };
        rows.first_row::<(i64,)>().unwrap().0
    }
}

impl Drop for Keyspace {
    fn drop(&mut self) {
        let (contact, name) = (self.contact.clone(), self.options.keyspace.clone());
        // A test's own runtime cannot be waited on here.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let session = Self::session(&contact).await;
                let drop = format!("DROP KEYSPACE IF EXISTS {name}");
                if let Err(error) = session.query_unpaged(drop, ()).await {
                    println!("{name} is left behind: {error}");
                }
            });
        });
        let _ = dropped.join();
    }
}
