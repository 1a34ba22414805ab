//! A running server, as commands ask it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use pipeline::Log;
use pipeline::log::embedded::{EmbeddedLog, Options};
use pipeline::telemetry::metrics::Metrics;
use reqwest::{Method, RequestBuilder};
use schemas::topics::TOPICS;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::cluster;
use crate::config::Settings;

/// How an installation is got at: on Kafka, or where no server has it, by its log.
pub(super) enum Way {
    Log(Arc<dyn Log>),
    Server(Server),
}

/// Finds the way. Where the log belongs to somebody, that is a server of ours if it tells a `T` at `probe`.
pub(super) async fn way<T: DeserializeOwned>(
    (url, token): (Option<&str>, Option<&str>),
    probe: &str,
    settings: &Settings,
) -> anyhow::Result<Way> {
    if let Some(log) = cluster::log(settings).await? {
        return Ok(Way::Log(log));
    }
    let server = Server::at(url, token, settings)?;
    if url.is_some() {
        return Ok(Way::Server(server));
    }
    let data_dir = &settings.server.data_dir;
    if !data_dir.join("log.db").exists() {
        bail!("there is no installation in {}: name it with --data-dir", data_dir.display());
    }
    let options = Options { partitions: settings.log.partitions, ..Options::at(data_dir) };
    match EmbeddedLog::open(&options, Arc::new(Metrics::new()?)) {
        Ok(log) => {
            log.ensure(TOPICS).await?;
            Ok(Way::Log(Arc::new(log)))
        }
        // A server has it: that one is asked.
        Err(error) => match server.get::<T>(probe).await {
            Ok(_) => Ok(Way::Server(server)),
            Err(_) => Err(error).context(format!(
                "no server answers at {}: name yours with --url, or stop it",
                server.url
            )),
        },
    }
}

/// How long it may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A running server.
pub(super) struct Server {
    http: reqwest::Client,
    pub(super) url: String,
    token: String,
}

impl Server {
    /// The one at `url`, or where the configuration says it listens.
    pub(super) fn at(
        url: Option<&str>,
        token: Option<&str>,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        let mut listen = settings.server.listen;
        if listen.ip().is_unspecified() {
            listen.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let url = url.map_or_else(|| format!("http://{listen}"), str::to_owned);
        Ok(Self {
            http: reqwest::Client::builder().timeout(ANSWER_WITHIN).build()?,
            url: url.trim_end_matches('/').to_owned(),
            token: token.unwrap_or(&settings.server.token).to_owned(),
        })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.ask(Method::GET, path, Ok).await
    }

    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        with: impl FnOnce(RequestBuilder) -> anyhow::Result<RequestBuilder>,
    ) -> anyhow::Result<T> {
        let request = with(self.http.request(method, format!("{}{path}", self.url)))?;
        let request =
            if self.token.is_empty() { request } else { request.bearer_auth(&self.token) };
        let response = request.send().await.context("the server does not answer")?;
        let (status, text) = (response.status(), response.text().await?);
        if status.is_success() {
            return Ok(serde_json::from_str(&text)?);
        }
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        let detail = problem.get("detail").and_then(Value::as_str).unwrap_or(&text);
        bail!("{} ({status})", detail.trim())
    }
}
