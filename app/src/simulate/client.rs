//! A program that uses the API.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

/// One connection pool to one server.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// A message to send.
pub struct Outgoing<'a> {
    pub channel: &'a str,
    pub customer: u64,
    pub text: &'a str,
    /// Sent again under the same key, it is the same message.
    pub key: &'a str,
    pub wait: bool,
}

impl Client {
    /// Talks to `url`, with `token` if it is not empty.
    pub fn new(url: &str, token: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(512)
            .tcp_nodelay(true)
            .build()
            .context("no HTTP client can be had")?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), token: token.to_owned() })
    }

    fn with_token(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    /// Sends a message; gives the status and, if waited for, the decision.
    pub async fn send(&self, message: &Outgoing<'_>) -> Result<(u16, Value), reqwest::Error> {
        let wait = if message.wait { "?wait=decision" } else { "" };
        let customer = message.customer;
        let body = json!({
            "channel": message.channel,
            "customer": { "id": format!("C{customer}"), "name": format!("Cliente {customer}") },
            "text": message.text,
        });
        let request = self
            .http
            .post(format!("{}/v1/messages{wait}", self.url))
            .header("idempotency-key", message.key)
            .json(&body);
        let response = self.with_token(request).send().await?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// Asks for a JSON document.
    pub async fn get(&self, path: &str) -> Result<Value, reqwest::Error> {
        let request = self.http.get(format!("{}{path}", self.url));
        self.with_token(request).send().await?.json().await
    }

    /// Asks for something to be done; gives the status and the answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<(u16, Value), reqwest::Error> {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        let response = self.with_token(request).send().await?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// Asks something of a conversation; gives the status.
    pub async fn command(
        &self,
        conversation: &str,
        action: &str,
        body: &Value,
    ) -> Result<u16, reqwest::Error> {
        let path = format!("{}/v1/conversations/{conversation}/{action}", self.url);
        let request = self.http.post(path).json(body);
        Ok(self.with_token(request).send().await?.status().as_u16())
    }
}
