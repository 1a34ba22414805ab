//! A provider of channels that answers as it is told, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// How long it waits to be asked.
const PATIENCE: Duration = Duration::from_secs(40);

/// What it does with a request.
pub enum Turn {
    /// Answers: status, body.
    Says(u16, Value),
    /// Takes it and never answers.
    Hangs,
}

/// The provider.
#[derive(Clone, Default)]
pub struct Provider {
    /// Path and body of each request, in their order.
    pub requests: Arc<Mutex<Vec<(String, String)>>>,
    /// What it does with the next ones; what comes after is accepted.
    pub turns: Arc<Mutex<VecDeque<Turn>>>,
}

impl Provider {
    /// Starts one; with its address.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start() -> anyhow::Result<(Self, String)> {
        let provider = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = axum::Router::new().fallback(answer).with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok((provider, url))
    }

    /// Waits until it was asked so often.
    ///
    /// # Errors
    /// When it is not.
    pub async fn asked(&self, times: usize) -> anyhow::Result<Vec<(String, String)>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let asked = self.requests.lock().clone();
            if asked.len() >= times {
                return Ok(asked);
            }
            ensure!(Instant::now() < until, "asked {} times of {times}", asked.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn answer(State(provider): State<Provider>, uri: Uri, body: Bytes) -> Response {
    let number = {
        let mut requests = provider.requests.lock();
        requests.push((uri.path().to_owned(), String::from_utf8_lossy(&body).into_owned()));
        requests.len()
    };
    let turn = provider.turns.lock().pop_front();
    match turn {
        Some(Turn::Hangs) => std::future::pending().await,
        Some(Turn::Says(status, body)) => {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            (status, body.to_string()).into_response()
        }
        None => json!({
            "messages": [{ "id": format!("wamid.out.{number}") }],
            "sid": format!("SMout{number}"),
            "ok": true, "result": { "message_id": number },
            "id": number,
        })
        .to_string()
        .into_response(),
    }
}
