//! An outside channel: takes replies over HTTP and remembers each one it was sent.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::facts::Sent;

/// What the channel has to do with.
#[derive(Default)]
struct Taken {
    sent: Vec<Sent>,
    refused: BTreeSet<String>,
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

    /// What it has been sent so far.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.taken.lock().sent.clone()
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One reply in so many is not accepted at first, so that trying again is under the kills, too.
const REFUSED_ONE_IN: usize = 10;

async fn take(State(taken): State<Arc<Mutex<Taken>>>, Json(reply): Json<Value>) -> StatusCode {
    let text = |pointer: &str| {
        reply.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let id = text("/id");
    let mut taken = taken.lock();
    let unlucky = id.bytes().map(usize::from).sum::<usize>().is_multiple_of(REFUSED_ONE_IN);
    if unlucky && taken.refused.insert(id.clone()) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let (conversation_id, customer) = (text("/conversation_id"), text("/customer/id"));
    taken.sent.push(Sent { id, conversation_id, customer });
    StatusCode::OK
}
