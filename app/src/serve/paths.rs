//! The automatic paths of intents: which are closed, followed for the router, and said to the desk.
//!
//! Reads `automatic-paths`. What is closed becomes part of the version of the routing policy
//! (`router::closings`), so it takes effect at a commit boundary and is pinned like the policy.
//! Invariant: before the router begins, everything that was written before has been read.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use pipeline::broadcast::{Broadcasts, PerTenant, Swapped, Versioned};
use pipeline::log::{self, From, LogError, Tail};
use pipeline::{Log, Record, Stored, partition};
use router::{Closings, Settings, closings};
use schemas::Avro;
use schemas::labels::AutomaticPath;
use schemas::topics::AUTOMATIC_PATHS;
use tokio_util::sync::CancellationToken;

/// A record behind which all earlier ones have been read.
const LOOK: &str = "look";

/// A closing or an opening on its way to the log.
pub(super) fn record(
    log: &dyn Log,
    key: &str,
    path: &AutomaticPath,
    now_ms: i64,
) -> anyhow::Result<Record> {
    let record = Record::new(AUTOMATIC_PATHS, key.as_bytes().to_vec(), path.to_bytes()?, now_ms);
    let within = partition::of(AutomaticPath::PARTITIONED_BY, log.partitions());
    Ok(Record { partition: Some(within), ..record })
}

/// What is closed, and the policy that says so.
pub(super) struct Paths {
    closings: Mutex<Closings>,
    configured: Arc<Swapped<PerTenant<Settings>>>,
    policy: Arc<Swapped<PerTenant<Settings>>>,
    board: Arc<desk::Board>,
}

impl Paths {
    /// Reads all there is; what comes later is followed with the tail.
    pub(super) async fn open(
        log: &dyn Log,
        configured: Arc<Swapped<PerTenant<Settings>>>,
        now_ms: i64,
    ) -> anyhow::Result<(Arc<Self>, Box<dyn Tail>)> {
        let mut tail = log.tail(&[AUTOMATIC_PATHS], From::Start).await?;
        let placed = log.append(vec![record(log, LOOK, &look(), now_ms)?]).await?.0;
        let base = Arc::clone(&configured);
        let load = move |version: &str| {
            let (policy, closed) = closings::take_apart(version);
            let policy = base.at(policy)?;
            Ok(Arc::new(Versioned {
                version: version.into(),
                content: closings::with_closed(&policy.content, &closed),
            }))
        };
        let policy = Arc::new(Swapped::new(configured.latest(), load));
        let paths = Arc::new(Self {
            closings: Mutex::default(),
            configured,
            policy,
            board: Arc::default(),
        });
        loop {
            let records = tail.next().await?;
            paths.hear(&records);
            let here = |record: &Stored| placed.contains(&(record.partition, record.offset));
            if records.iter().any(here) {
                return Ok((paths, tail));
            }
        }
    }

    /// The policy with what is closed in it: what the router reads.
    pub(super) fn policy(&self) -> Arc<Swapped<PerTenant<Settings>>> {
        Arc::clone(&self.policy)
    }

    /// What the desk shows.
    pub(super) fn board(&self) -> Arc<desk::Board> {
        Arc::clone(&self.board)
    }

    /// What has been closed and opened so far.
    pub(super) fn closings(&self) -> Closings {
        self.closings.lock().clone()
    }

    /// How a tenant's answers are looked after, by the policy in use.
    pub(super) fn checks(&self, tenant: &str) -> router::settings::Checks {
        self.configured.latest().content.of(tenant).checks.clone()
    }

    /// Other policies are in use: they are handed on with what is closed.
    pub(super) fn policies_changed(&self) {
        self.hand_on(&self.closings.lock().names());
    }

    fn hand_on(&self, closed: &BTreeSet<(String, String)>) {
        let configured = self.configured.latest();
        let version = closings::version(&configured.version, closed);
        let content = closings::with_closed(&configured.content, closed);
        self.policy.replace(Arc::new(Versioned { version: version.into(), content }));
    }

    /// Follows until `stop`.
    pub(super) async fn follow(
        &self,
        tail: Box<dyn Tail>,
        stop: CancellationToken,
    ) -> Result<(), LogError> {
        log::follow(tail, stop, |records| self.hear(&records)).await
    }

    fn hear(&self, records: &[Stored]) {
        let mut closings = self.closings.lock();
        let before = closings.names();
        for record in records {
            let Some(value) = &record.value else { continue };
            match AutomaticPath::from_bytes(value) {
                Ok(path) if !path.intent.is_empty() => closings.take(path),
                Ok(_) => {} // somebody looked
                Err(error) => tracing::warn!(%error, "an automatic path is unreadable"),
            }
        }
        let names = closings.names();
        if names == before {
            return;
        }
        for (tenant, intent) in names.difference(&before) {
            tracing::warn!(%tenant, %intent, "the automatic path is closed: people answer");
        }
        for (tenant, intent) in before.difference(&names) {
            tracing::info!(%tenant, %intent, "the automatic path is open again");
        }
        self.hand_on(&names);
        self.board.closed(closings.closed().cloned().collect());
    }
}

fn look() -> AutomaticPath {
    AutomaticPath {
        tenant: String::new(),
        intent: String::new(),
        open: true,
        at_ms: 0,
        by: None,
        model_version: String::new(),
        checked: 0,
        overridden: 0,
        override_rate_min: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use pipeline::log::memory::MemoryLog;

    use super::*;

    async fn opened(log: &MemoryLog) -> Arc<Paths> {
        let built_in = Settings::built_in().unwrap();
        let first = Arc::new(Versioned { version: "p".into(), content: built_in.into() });
        let again = Arc::clone(&first);
        let configured = Arc::new(Swapped::new(first, move |_| Ok(Arc::clone(&again))));
        Paths::open(log, configured, 1).await.unwrap().0
    }

    #[tokio::test]
    async fn what_was_closed_before_the_start_is_closed_at_the_start() {
        let log = MemoryLog::new(3);
        let paths = opened(&log).await;
        assert_eq!(paths.policy().latest().version, "p");
        let closed = AutomaticPath {
            tenant: "demo".to_owned(),
            intent: "pix".to_owned(),
            open: false,
            at_ms: 5,
            ..look()
        };
        let write = async |path: &AutomaticPath| {
            let record = record(&log, &path.key(), path, 5).unwrap();
            log.append(vec![record]).await.unwrap();
        };
        write(&closed).await;
        let paths = opened(&log).await;
        let policy = paths.policy();
        assert_eq!(policy.latest().version, "p~demo/pix");
        assert!(policy.latest().content.of("demo").is_closed("demo", "pix"));
        // An uncommitted span is read again with what was closed then.
        assert!(policy.at("p~demo/planos").unwrap().content.of("demo").is_closed("demo", "planos"));
        write(&AutomaticPath { open: true, at_ms: 6, by: Some("Ana".to_owned()), ..closed }).await;
        assert_eq!(opened(&log).await.policy().latest().version, "p");
    }
}
