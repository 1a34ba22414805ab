//! A TCP proxy that can be slow, lose answers, and let nothing through: what stands between a process and
//! its store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes handed on at once.
const CHUNK: usize = 64 << 10;

/// How badly it behaves; all zero: not at all.
#[derive(Debug, Default)]
struct Manner {
    delay_ms: AtomicU64,
    /// Of so many answers one is lost, with its connection.
    lose_one_in: AtomicU32,
    answers: AtomicU32,
    lost: AtomicU32,
    cut: watch::Sender<bool>,
}

/// A proxy at work.
pub struct Proxy {
    /// Where it listens.
    pub address: String,
    manner: Arc<Manner>,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// Opens one before `target`.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn open(target: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let manner = Arc::new(Manner::default());
        let (target, theirs) = (target.to_owned(), Arc::clone(&manner));
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, manner) = (target.clone(), Arc::clone(&theirs));
                tokio::spawn(async move {
                    let mut cut = manner.cut.subscribe();
                    // A target that is down shows as a connection that closes at once.
                    if !*cut.borrow()
                        && let Ok(server) = TcpStream::connect(&target).await
                    {
                        tokio::select! {
                            () = join(client, server, Arc::clone(&manner)) => {}
                            _ = cut.wait_for(|cut| *cut) => {}
                        }
                    }
                });
            }
        });
        Ok(Self { address, manner, serving })
    }

    /// Holds up every answer by `delay`, and loses one in `lose_one_in` of them (0: none).
    pub fn misbehave(&self, delay: Duration, lose_one_in: u32) {
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.manner.delay_ms.store(delay_ms, Ordering::Relaxed);
        self.manner.lose_one_in.store(lose_one_in, Ordering::Relaxed);
    }

    /// Lets nothing through any more, or everything again.
    pub fn cut(&self, cut: bool) {
        self.manner.cut.send_replace(cut);
    }

    /// How many answers it has lost.
    #[must_use]
    pub fn lost(&self) -> u32 {
        self.manner.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn join(client: TcpStream, server: TcpStream, manner: Arc<Manner>) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whichever way ends first ends the connection.
    tokio::select! {
        () = hand_on(from_client, to_server, None) => {}
        () = hand_on(from_server, to_client, Some(&manner)) => {}
    }
}

async fn hand_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, manner: Option<&Manner>) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        if let Some(manner) = manner {
            let delay = manner.delay_ms.load(Ordering::Relaxed);
            if delay > 0 {
                tokio::time::sleep(Duration::from_millis(delay)).await;
            }
            // What was asked for has been done by now: only the answer is lost.
            let one_in = manner.lose_one_in.load(Ordering::Relaxed);
            if one_in > 0 && manner.answers.fetch_add(1, Ordering::Relaxed) % one_in == one_in - 1 {
                manner.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        let Some(bytes) = chunk.get(..length) else { return };
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
