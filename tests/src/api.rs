//! A program that uses the API, without a schema of its own: it sees what any client sees.

use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Content type, or nothing.
    pub content_type: String,
    /// `Retry-After`, if there is one.
    pub retry_after: Option<String>,
    /// The body as JSON; null when it is not.
    pub body: Value,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// A string of the body by its JSON pointer; empty when there is none.
    #[must_use]
    pub fn str(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A client.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    url: String,
}

impl Api {
    /// Of the server at `url`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self::patient(url, Duration::from_secs(30))
    }

    /// Of the server at `url`, waiting so long for each answer.
    #[must_use]
    pub fn patient(url: &str, patience: Duration) -> Self {
        let http = reqwest::Client::builder().timeout(patience).tcp_nodelay(true);
        Self { http: http.build().unwrap_or_default(), url: url.to_owned() }
    }

    async fn answer(request: reqwest::RequestBuilder) -> anyhow::Result<Answer> {
        let response = request.send().await?;
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (content_type, retry_after) = (header("content-type"), header("retry-after"));
        let status = response.status().as_u16();
        let text = String::from_utf8_lossy(&response.bytes().await?).into_owned();
        let body = serde_json::from_str(&text).unwrap_or_default();
        let content_type = content_type.unwrap_or_default();
        Ok(Answer { status, content_type, retry_after, body, text })
    }

    /// `GET`.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        Self::answer(self.http.get(format!("{}{path}", self.url))).await
    }

    /// `POST` of JSON.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        Self::answer(self.http.post(format!("{}{path}", self.url)).json(body)).await
    }

    /// `POST` of bytes with headers.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn post_raw(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        let mut request = self.http.post(format!("{}{path}", self.url)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Self::answer(request).await
    }

    /// `PUT` of text.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn put_text(&self, path: &str, text: &str) -> anyhow::Result<Answer> {
        Self::answer(self.http.put(format!("{}{path}", self.url)).body(text.to_owned())).await
    }

    /// A customer's message; waits for the decision.
    ///
    /// # Errors
    /// When no decision comes in time.
    pub async fn decide(&self, customer: &str, text: &str) -> anyhow::Result<Value> {
        let body = json!({ "channel": "api", "customer": { "id": customer }, "text": text });
        let answer = self.post("/v1/messages?wait=decision", &body).await?;
        ensure!(answer.status == 200, "status {}: {}", answer.status, answer.text);
        Ok(answer.body)
    }

    /// A message that must not be lost: sent under one key until it is acknowledged. Gives its id.
    ///
    /// # Errors
    /// When it is not acknowledged before `until`, or refused for good.
    pub async fn insist(&self, key: &str, body: &Value, until: Instant) -> anyhow::Result<String> {
        let bytes = serde_json::to_vec(body)?;
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        loop {
            let tried = self.post_raw("/v1/messages", &headers, bytes.clone()).await;
            match tried {
                Ok(answer) if answer.status == 202 || answer.status == 200 => {
                    return Ok(answer.str("/message_id").to_owned());
                }
                Ok(answer) if answer.status == 429 || answer.status == 503 => {}
                Ok(answer) => anyhow::bail!("refused: {} {}", answer.status, answer.text),
                Err(_) => {}
            }
            ensure!(Instant::now() < until, "not acknowledged in time");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks for `path` until `enough` says so.
    ///
    /// # Errors
    /// When it is not within `patience`; with the last answer.
    pub async fn until(
        &self,
        path: &str,
        patience: Duration,
        enough: impl Fn(&Answer) -> bool,
    ) -> anyhow::Result<Answer> {
        let until = Instant::now() + patience;
        loop {
            let answer = self.get(path).await?;
            if enough(&answer) {
                return Ok(answer);
            }
            ensure!(Instant::now() < until, "{path} never became so; last: {}", answer.text);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
