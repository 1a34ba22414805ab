//! An outside channel: takes replies over HTTP and remembers each one it was sent.

use std::sync::Arc;

use anyhow::Context;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::facts::Sent;

/// A running channel. It outlives the server that sends to it.
pub struct Channel {
    /// Where replies are posted.
    pub url: String,
    sent: Arc<Mutex<Vec<Sent>>>,
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
        let sent = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new().route("/replies", post(take)).with_state(Arc::clone(&sent));
        let serving = tokio::spawn(async move {
            // Ends with the run; a channel that fails shows as replies that never came.
            let _ = axum::serve(listener, router).await.context("the channel ended");
        });
        Ok(Self { url, sent, serving })
    }

    /// What it has been sent so far.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().clone()
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(sent): State<Arc<Mutex<Vec<Sent>>>>, Json(reply): Json<Value>) {
    let text = |pointer: &str| {
        reply.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    sent.lock().push(Sent {
        id: text("/id"),
        conversation_id: text("/conversation_id"),
        customer: text("/customer/id"),
    });
}
