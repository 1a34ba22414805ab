//! Speaking to Asterisk: its events over one WebSocket, what it is asked over HTTP.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use reqwest::{Client, Url};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::Server;
use super::calls::{Ask, Method};
use super::wire::Channel;

/// How long Asterisk may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is asked whether it is still there, and how long it may say nothing.
const PING_EVERY: Duration = Duration::from_secs(30);
const SILENCE_MAX: Duration = Duration::from_secs(90);

/// One server.
pub(super) struct Ari {
    http: Client,
    base: Url,
    server: Server,
}

/// What it says. Dropped, it says nothing more.
pub(super) struct Events {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    heard: Instant,
    pinged: Instant,
}

/// The parts of an address that may hold the password are left out.
fn why(error: reqwest::Error) -> String {
    error.without_url().to_string()
}

impl Ari {
    pub(super) fn new(server: Server) -> Result<Self, String> {
        let http = Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(why)?;
        let base = Url::parse(&server.url).map_err(|error| format!("phone url: {error}"))?;
        if base.cannot_be_a_base() {
            return Err("phone url: it must begin with http:// or https://".to_owned());
        }
        Ok(Self { http, base, server })
    }

    /// The address of `path` below `/ari`.
    fn place(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().push("ari").extend(path);
        }
        url
    }

    /// Listens to the application; whoever did before is sent away by Asterisk.
    pub(super) async fn events(&self) -> Result<Events, String> {
        let mut url = self.place(&["events"]);
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).map_err(|()| "phone url: no WebSocket there".to_owned())?;
        let Server { app, user, password, .. } = &self.server;
        url.query_pairs_mut()
            .append_pair("app", app)
            .append_pair("api_key", &format!("{user}:{password}"));
        let connected = timeout(TIMEOUT, connect_async(url.as_str())).await;
        let connected = connected.map_err(|_| "it does not answer".to_owned())?;
        let (socket, _) = connected.map_err(|error| error.to_string())?;
        let now = Instant::now();
        Ok(Events { socket, heard: now, pinged: now })
    }

    /// The calls that are in the application now.
    pub(super) async fn calls(&self) -> Result<Vec<Channel>, String> {
        let Server { app, user, password, .. } = &self.server;
        let request = self.http.get(self.place(&["channels"])).basic_auth(user, Some(password));
        let response = request.send().await.map_err(why)?;
        let legs: Vec<Channel> = match response.status().as_u16() {
            200 => response.json().await.map_err(why)?,
            status => return Err(format!("status {status}")),
        };
        let ours = |leg: &Channel| {
            let named = leg.dialplan.app_data.split(',').next().unwrap_or_default();
            leg.dialplan.app_name == "Stasis" && named == app
        };
        Ok(legs.into_iter().filter(ours).collect())
    }

    /// Whether some process listens to the application.
    pub(super) async fn is_taken(&self) -> Result<bool, String> {
        let Server { app, user, password, .. } = &self.server;
        let request = self.http.get(self.place(&["applications", app]));
        let response = request.basic_auth(user, Some(password)).send().await.map_err(why)?;
        match response.status().as_u16() {
            200 => Ok(true),
            404 => Ok(false),
            status => Err(format!("status {status}")),
        }
    }

    /// Asks for something. What concerns a call that is gone by now is no failure.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<(), String> {
        let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
        let mut url = self.place(&path);
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        let request = match ask.method {
            Method::Post => self.http.post(url),
            Method::Delete => self.http.delete(url),
        };
        let Server { user, password, .. } = &self.server;
        let response = request.basic_auth(user, Some(password)).send().await.map_err(why)?;
        match response.status().as_u16() {
            200..=299 | 404 | 409 | 412 => Ok(()),
            status => Err(format!("status {status}")),
        }
    }
}

impl Events {
    /// The next event; `None` when nothing came within `wait`.
    pub(super) async fn next(&mut self, wait: Duration) -> Result<Option<String>, String> {
        if self.heard.elapsed() > SILENCE_MAX {
            return Err("it says nothing any more".to_owned());
        }
        if self.pinged.elapsed() > PING_EVERY {
            self.pinged = Instant::now();
            let ping = self.socket.send(Message::Ping(Vec::new().into())).await;
            ping.map_err(|error| error.to_string())?;
        }
        let Ok(came) = timeout(wait, self.socket.next()).await else { return Ok(None) };
        self.heard = Instant::now();
        match came {
            Some(Ok(Message::Text(text))) => Ok(Some(text.as_str().to_owned())),
            Some(Ok(Message::Close(_))) | None => Err("it ended the connection".to_owned()),
            Some(Ok(_)) => Ok(None),
            Some(Err(error)) => Err(error.to_string()),
        }
    }
}
