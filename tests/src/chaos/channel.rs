//! An outside channel: takes replies over HTTP and remembers each one it was sent.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::customers::{Journal, mix};
use super::facts::Sent;

/// What the channel has to do with.
#[derive(Default)]
struct Taken {
    sent: Vec<Sent>,
    refused: BTreeSet<String>,
    unkind: bool,
    /// How often it said 429, 500, and nothing.
    unkindness: [u32; 3],
}

/// A running channel. It outlives the server that sends to it.
pub struct Channel {
    /// Where replies are posted.
    pub url: String,
    taken: Arc<Mutex<Taken>>,
    serving: JoinHandle<()>,
}

impl Channel {
    /// Opens one on a free port of the loopback.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/replies", listener.local_addr()?);
        let taken = Arc::new(Mutex::new(Taken::default()));
        let router = Router::new().route("/replies", post(take)).with_state(Arc::clone(&taken));
        let serving = tokio::spawn(async move {
            // Ends with the run; a channel that fails shows as replies that never came.
            let _ = axum::serve(listener, router).await.context("the channel ended");
        });
        Ok(Self { url, taken, serving })
    }

    /// What those of `journal` were sent so far: others wrote before this run.
    #[must_use]
    pub fn sent_to(&self, journal: &Journal) -> Vec<Sent> {
        let taken = self.taken.lock();
        taken.sent.iter().filter(|sent| journal.contains_key(&sent.customer)).cloned().collect()
    }

    /// From now on some replies meet 429, some 500, and some are taken without a word.
    pub fn be_unkind(&self, unkind: bool) {
        self.taken.lock().unkind = unkind;
    }

    /// How often it said 429, 500, and nothing.
    #[must_use]
    pub fn unkindness(&self) -> [u32; 3] {
        self.taken.lock().unkindness
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One reply in so many is not accepted at first, so that trying again is under the kills, too.
const REFUSED_ONE_IN: usize = 10;

/// How an unkind channel takes a reply.
enum Manner {
    Kind,
    Busy,
    Failed,
    /// Takes it, and the sender never hears of it.
    Silent,
}

/// Longer than any sender waits for an answer.
const SILENCE: Duration = Duration::from_secs(15);

impl Taken {
    fn manner(&mut self, id: &str) -> Manner {
        // Each reply meets it once, or it would never be over.
        if !self.unkind || self.refused.contains(id) {
            return Manner::Kind;
        }
        let (manner, counted) = match id.bytes().map(u64::from).fold(0, |n, byte| mix(n ^ byte)) % 6
        {
            0 => (Manner::Busy, 0),
            1 => (Manner::Failed, 1),
            2 => (Manner::Silent, 2),
            _ => return Manner::Kind,
        };
        self.refused.insert(id.to_owned());
        if let Some(times) = self.unkindness.get_mut(counted) {
            *times += 1;
        }
        manner
    }
}

async fn take(State(taken): State<Arc<Mutex<Taken>>>, Json(reply): Json<Value>) -> Response {
    let text = |pointer: &str| {
        reply.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let id = text("/id");
    let (conversation_id, customer) = (text("/conversation_id"), text("/customer/id"));
    let silent = {
        let mut taken = taken.lock();
        let unlucky = id.bytes().map(usize::from).sum::<usize>().is_multiple_of(REFUSED_ONE_IN);
        if unlucky && taken.refused.insert(id.clone()) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let manner = taken.manner(&id);
        match manner {
            Manner::Busy => {
                return (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "1")]).into_response();
            }
            // Whether it was taken nobody can know; this channel did not.
            Manner::Failed => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Manner::Silent | Manner::Kind => {}
        }
        taken.sent.push(Sent { id, conversation_id, customer });
        matches!(manner, Manner::Silent)
    };
    if silent {
        tokio::time::sleep(SILENCE).await;
    }
    StatusCode::OK.into_response()
}
