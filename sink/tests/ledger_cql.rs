//! The once-ledger on a real Cassandra (`CQL_CONTACT`, as in `store_cql.rs`).
#![cfg(feature = "scylla")]
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)] // it fails loudly

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pipeline::Log;
use pipeline::ledger::{Claim, OnceKey, OnceLedger};
use pipeline::log::memory::MemoryLog;
use pipeline::testkit::conformance::{self, Harness};
use sink::store::cql::{CqlLedger, CqlOptions, CqlStore, Serial};
use support::Keyspace;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn opened(options: &CqlOptions) -> CqlLedger {
    CqlStore::migrate(options).await.unwrap();
    CqlLedger::open(options).await.unwrap()
}

fn once(name: &str) -> OnceKey {
    OnceKey(name.to_owned())
}

/// The promises of every ledger, as the logs' suite has them.
struct Beside {
    options: CqlOptions,
    ledger: Arc<CqlLedger>,
}

#[async_trait]
impl Harness for Beside {
    fn log(&self) -> Arc<dyn Log> {
        Arc::new(MemoryLog::new(1))
    }

    fn ledger(&self) -> Arc<dyn OnceLedger> {
        Arc::clone(&self.ledger) as _
    }

    async fn crash(&mut self) {
        self.ledger = Arc::new(CqlLedger::open(&self.options).await.unwrap());
    }

    async fn fresh(&mut self) {}

    async fn expire(&mut self, _: &str, _: u32) {}

    fn members_max(&self) -> usize {
        1
    }
}

#[tokio::test]
async fn the_ledger_lets_one_begin_and_remembers() {
    let Some(keyspace) = Keyspace::fresh() else { return };
    let options = &keyspace.options;
    let ledger = Arc::new(opened(options).await);
    let mut harness = Beside { options: options.clone(), ledger };
    conformance::the_ledger_lets_one_begin_and_remembers(&mut harness).await;
}

/// Each through a session of its own, as processes would; once for each reach of the agreement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_claimants_one_wins() {
    let Some(mut keyspace) = Keyspace::fresh() else { return };
    let options = &mut keyspace.options;
    CqlStore::migrate(options).await.unwrap();
    for serial in [Serial::AllDcs, Serial::LocalDc] {
        options.serial = serial;
        let mut ledgers = Vec::new();
        for _ in 0..16 {
            ledgers.push(Arc::new(CqlLedger::open(options).await.unwrap()));
        }
        for round in 0..5 {
            let key = once(&format!("{serial:?}/{round}"));
            let claims = ledgers.iter().map(|ledger| {
                let (ledger, key) = (Arc::clone(ledger), key.clone());
                tokio::spawn(async move { ledger.claim(&key).await })
            });
            let claims: Vec<_> = claims.collect();
            let mut won = 0;
            for claim in claims {
                match claim.await.unwrap() {
                    Ok(Claim::Won) => won += 1,
                    Ok(Claim::Open) => {}
                    Ok(Claim::Settled(_)) => unreachable!("nobody settled it"),
                    // Contention may outlast the tries: then nothing is done, and that is safe.
                    Err(error) => println!("{error}"),
                }
            }
            assert_eq!(won, 1, "{key:?}");
            for ledger in &ledgers {
                assert_eq!(ledger.claim(&key).await.unwrap(), Claim::Open);
            }
        }
    }
    assert_eq!(keyspace.raw("SELECT count(*) FROM {}.once_ledger").await, 10);
}

/// What another process has begun meanwhile is not taken back by who began before.
#[tokio::test]
async fn only_the_claimant_takes_back_or_settles() {
    let Some(keyspace) = Keyspace::fresh() else { return };
    let options = &keyspace.options;
    let (first, second) = (opened(options).await, CqlLedger::open(options).await.unwrap());
    let key = once("k");
    assert_eq!(first.claim(&key).await.unwrap(), Claim::Won);
    // A restart does not know the claimant any more and takes the claim back by what is written.
    CqlLedger::open(options).await.unwrap().release(&key).await.unwrap();
    assert_eq!(second.claim(&key).await.unwrap(), Claim::Won);
    first.release(&key).await.unwrap();
    assert_eq!(first.claim(&key).await.unwrap(), Claim::Open, "the second's claim stands");
    second.settle(&key, b"sent".to_vec()).await.unwrap();
    second.settle(&key, b"sent".to_vec()).await.unwrap();
    assert_eq!(first.claim(&key).await.unwrap(), Claim::Settled(b"sent".to_vec()));
    // One whose claim was taken from it learns that.
    let other = once("l");
    assert_eq!(first.claim(&other).await.unwrap(), Claim::Won);
    CqlLedger::open(options).await.unwrap().release(&other).await.unwrap();
    assert_eq!(second.claim(&other).await.unwrap(), Claim::Won);
    assert!(first.settle(&other, b"sent".to_vec()).await.is_err());
    assert_eq!(first.claim(&other).await.unwrap(), Claim::Open);
    // That something ended is remembered, also if nobody is known to have begun it.
    first.settle(&once("m"), b"sent".to_vec()).await.unwrap();
    assert_eq!(second.claim(&once("m")).await.unwrap(), Claim::Settled(b"sent".to_vec()));
}

/// Between driver and database: loses what the database answers while it is told to.
struct Lossy {
    at: SocketAddr,
    loses: Arc<AtomicBool>,
}

impl Lossy {
    async fn before(contact: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let loses = Arc::new(AtomicBool::new(false));
        let lost = Arc::clone(&loses);
        tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                let Ok(server) = TcpStream::connect(&contact).await else { return };
                let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(async move {
                    let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
                });
                let lost = Arc::clone(&lost);
                tokio::spawn(async move {
                    let mut bytes = vec![0; 64 << 10];
                    while let Ok(n @ 1..) = from_server.read(&mut bytes).await {
                        // An answer comes in one piece here: what is lost is a whole frame.
                        if !lost.load(Ordering::SeqCst)
                            && to_client.write_all(&bytes[..n]).await.is_err()
                        {
                            return;
                        }
                    }
                });
            }
        });
        Self { at, loses }
    }

    /// Loses the answers of the next moment.
    fn lose_for(&self, time: Duration) {
        self.loses.store(true, Ordering::SeqCst);
        let loses = Arc::clone(&self.loses);
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            loses.store(false, Ordering::SeqCst);
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_was_applied_and_timed_out_is_ours() {
    let Some(keyspace) = Keyspace::fresh() else { return };
    let options = &keyspace.options;
    let direct = opened(options).await;
    let lossy = Lossy::before(options.contact_points[0].clone()).await;
    let mut through = options.clone();
    through.contact_points = vec![lossy.at.to_string()];
    through.request_timeout = Duration::from_secs(4);
    let ledger = CqlLedger::open(&through).await.unwrap();
    // A claim, its answer lost: the row has our id, so it is ours, and nobody else's.
    lossy.lose_for(Duration::from_secs(3));
    let began = std::time::Instant::now();
    assert_eq!(ledger.claim(&once("lost")).await.unwrap(), Claim::Won);
    assert!(began.elapsed() >= Duration::from_secs(4), "it timed out: {:?}", began.elapsed());
    assert_eq!(direct.claim(&once("lost")).await.unwrap(), Claim::Open);
    // The same of a key that is somebody else's: not ours, whoever's answer is lost.
    assert_eq!(direct.claim(&once("theirs")).await.unwrap(), Claim::Won);
    lossy.lose_for(Duration::from_secs(3));
    assert_eq!(ledger.claim(&once("theirs")).await.unwrap(), Claim::Open);
    // How it ended, and taking back.
    lossy.lose_for(Duration::from_secs(3));
    ledger.settle(&once("lost"), b"sent".to_vec()).await.unwrap();
    assert_eq!(direct.claim(&once("lost")).await.unwrap(), Claim::Settled(b"sent".to_vec()));
    assert_eq!(ledger.claim(&once("back")).await.unwrap(), Claim::Won);
    lossy.lose_for(Duration::from_secs(3));
    ledger.release(&once("back")).await.unwrap();
    assert_eq!(direct.claim(&once("back")).await.unwrap(), Claim::Won);
    // Nothing is answered at all: nothing may be done.
    lossy.lose_for(Duration::from_secs(60));
    assert!(ledger.claim(&once("silent")).await.is_err());
}
