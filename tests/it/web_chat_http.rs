//! Web chat without a WebSocket: tokens, messages by POST, the event stream, and who is not let in.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use futures::{SinkExt as _, StreamExt as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tests::api::Answer;
use tests::histories::of;
use tests::server::{Options, Server};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "a-secret-the-site-shares-with-us-only";
const ORIGIN: &str = "https://www.isp.example";

/// A site with an account of its own.
fn shop(dir: &std::path::Path) -> Options {
    Options::at(dir)
        .with("CHANNELS__WEB_CHAT__LOJA__TENANT", "demo")
        .with("CHANNELS__WEB_CHAT__LOJA__ORIGINS", ORIGIN)
        .with("CHANNELS__WEB_CHAT__LOJA__SITE_SECRET", SECRET)
        .with("CHANNELS__WEB_CHAT__LOJA__MESSAGES_PER_MINUTE", "5")
}

/// A browser without a WebSocket.
struct Browser {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Browser {
    async fn new(server: &Server, account: &str, asking: &Value) -> (Self, Value) {
        let base = format!("{}/v1/channels/web_chat/{account}", server.url());
        let http = reqwest::Client::new();
        let answer = http.post(format!("{base}/visitors")).json(asking).send().await.unwrap();
        let issued: Value = answer.json().await.unwrap();
        let token = issued["token"].as_str().unwrap_or_default().to_owned();
        (Self { http, base, token }, issued)
    }

    async fn write(&self, cid: &str, text: &str) -> reqwest::Response {
        let body = json!({ "cid": cid, "text": text });
        let post = self.http.post(format!("{}/messages", self.base)).bearer_auth(&self.token);
        post.json(&body).send().await.unwrap()
    }

    async fn events(&self, after: Option<&str>) -> Events {
        let mut get = self.http.get(format!("{}/events", self.base)).bearer_auth(&self.token);
        if let Some(after) = after {
            get = get.header("last-event-id", after);
        }
        let response = get.send().await.unwrap();
        assert_eq!(response.status(), 200);
        Events { response, read: String::new() }
    }
}

/// An event stream.
struct Events {
    response: reqwest::Response,
    read: String,
}

impl Events {
    /// The next frame, with the id of its event.
    async fn next(&mut self) -> (Option<String>, Value) {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
                };
                let (id, data) = (field("id: "), field("data: "));
                self.read = rest.to_owned();
                let Some(data) = data else { continue };
                return (id, serde_json::from_str(&data).unwrap());
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            let chunk = chunk.expect("an event in time").unwrap().expect("the stream goes on");
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Steps up to the bot's first message, with their ids.
    async fn until_the_answer(&mut self) -> Vec<(String, Value)> {
        let mut steps = Vec::new();
        loop {
            let (id, frame) = self.next().await;
            let answer = frame["t"] == "msg" && frame["from"] == "bot";
            if frame["t"] != "welcome" && frame["seq"].is_number() {
                steps.push((id.expect("a step has an id"), frame));
            }
            if answer {
                return steps;
            }
        }
    }
}

/// A JSON Web Token as a site's own program makes it.
fn signed(secret: &str, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let head = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(head.as_bytes());
    format!("{head}.{}", BASE64URL_NOPAD.encode(&mac.finalize().into_bytes()))
}

fn in_an_hour() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs() + 3600
}

#[tokio::test]
async fn post_and_stream_tell_what_a_socket_tells() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(shop(dir.path())).await.unwrap();
    let (browser, issued) = Browser::new(&server, "loja", &json!({})).await;
    assert!(issued["visitor"].as_str().unwrap().starts_with("v_"), "{issued}");
    let mut events = browser.events(None).await;
    let first: Value = browser.write("c-1", "minha internet caiu").await.json().await.unwrap();
    assert_eq!((first["t"].as_str(), first["cid"].as_str()), (Some("ack"), Some("c-1")));
    let again: Value = browser.write("c-1", "minha internet caiu").await.json().await.unwrap();
    assert_eq!(again["id"], first["id"], "sent again, it is the same message");
    let steps = events.until_the_answer().await;
    assert!(steps.iter().zip(1..).all(|((_, step), seq)| step["seq"] == seq), "no gaps: {steps:?}");
    assert_eq!((&steps[0].1["cid"], &steps[0].1["from"]), (&json!("c-1"), &json!("customer")));

    // The stream goes on behind any event, also of another server process.
    drop(events);
    let server = Server::start(server.kill().unwrap()).await.unwrap();
    // What the store had not been given when it was killed it takes up after the start.
    let answered = |lines: &[Value]| !of(lines, "reply_sent").is_empty();
    server.api().until_lines(PATIENCE, answered).await.unwrap();
    let mut behind = browser.events(Some(&steps[0].0)).await;
    assert_eq!(behind.until_the_answer().await, steps[1..], "what came after the first, as it was");

    // A socket goes on from the same place, and writes as the same customer.
    let url = format!("ws://127.0.0.1:{}/v1/chat/ws", server.port);
    let (mut socket, _) = connect_async(url).await.unwrap();
    let conversation = steps[0].0.split('/').next().unwrap();
    let hello = json!({ "t": "hello", "account": "loja", "token": browser.token,
        "conversation": conversation, "last_seq": 1 });
    socket.send(Message::text(hello.to_string())).await.unwrap();
    let mut told = Vec::new();
    while told.len() < steps.len() {
        let frame = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
        let Message::Text(text) = frame else { continue };
        told.push(serde_json::from_str::<Value>(&text).unwrap());
    }
    assert_eq!(told[0]["session"], issued["visitor"]);
    let missed: Vec<Value> = steps[1..].iter().map(|(_, frame)| frame.clone()).collect();
    assert_eq!(told[1..], missed);
}

#[tokio::test]
async fn a_site_vouches_for_its_customers_and_nobody_else_does() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(shop(dir.path())).await.unwrap();
    let claims = json!({ "sub": "C7", "name": "Maria Souza", "phone_number": "+55 11 98765-4321",
        "crm_id": "C7", "exp": in_an_hour() });
    let asking = json!({ "identity": signed(SECRET, &claims) });
    let (maria, issued) = Browser::new(&server, "loja", &asking).await;
    assert_eq!(issued["visitor"], "C7");
    let mut events = maria.events(None).await;
    assert_eq!(maria.write("c-1", "quero a segunda via do boleto").await.status(), 200);
    events.until_the_answer().await;
    let is_named = |list: &Answer| list.str("/conversations/0/customer/name") == "Maria Souza";
    server.api().until("/v1/conversations", PATIENCE, is_named).await.unwrap();
    // On another device she is the same customer, and sees the same.
    let (elsewhere, _) = Browser::new(&server, "loja", &asking).await;
    let all = elsewhere.events(None).await.until_the_answer().await;
    assert_eq!(all[0].1["text"], "quero a segunda via do boleto");

    let api = server.api();
    let path = "/v1/channels/web_chat/loja/visitors";
    for (identity, code) in [
        (signed("another secret, as long as the site's", &claims), "bad_token"),
        (signed(SECRET, &json!({ "sub": "C7", "exp": 1 })), "expired_token"),
        (signed(SECRET, &json!({ "sub": "C7" })), "bad_token"),
        ("nonsense".to_owned(), "bad_token"),
        // A token of ours is not the site's word.
        (maria.token.clone(), "bad_token"),
    ] {
        let answer = api.post(path, &json!({ "identity": identity })).await.unwrap();
        assert_eq!((answer.status, answer.str("/code")), (401, code), "{}", answer.text);
    }
    // The site's word is not a token of ours, and one byte makes a token nobody's.
    let mut changed = maria.token.clone();
    let last = if changed.pop() == Some('A') { 'B' } else { 'A' };
    changed.push(last);
    for token in [signed(SECRET, &claims), changed, String::new()] {
        let stranger = Browser { http: reqwest::Client::new(), base: maria.base.clone(), token };
        assert_eq!(stranger.write("c-2", "oi").await.status(), 401);
    }
    let (nobody, _) = Browser::new(&server, "nenhuma", &json!({})).await;
    assert_eq!(nobody.write("c-1", "oi").await.status(), 404);
}

#[tokio::test]
async fn a_visitor_who_writes_too_much_is_told_when_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(shop(dir.path())).await.unwrap();
    let (browser, _) = Browser::new(&server, "loja", &json!({})).await;
    for n in 0..5 {
        assert_eq!(browser.write(&format!("c-{n}"), "oi").await.status(), 200);
    }
    let refused = browser.write("c-5", "oi").await;
    assert_eq!(refused.status(), 429);
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=13).contains(&seconds), "{seconds}");
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "rate_limited");
    // The same pace on a socket; another visitor has their own.
    let url = format!("ws://127.0.0.1:{}/v1/chat/ws", server.port);
    let (mut socket, _) = connect_async(url).await.unwrap();
    let hello = json!({ "t": "hello", "account": "loja", "token": browser.token });
    let msg = json!({ "t": "msg", "cid": "c-5", "text": "oi" });
    for frame in [hello, msg] {
        socket.send(Message::text(frame.to_string())).await.unwrap();
    }
    let error = loop {
        let frame = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
        let Message::Text(text) = frame else { continue };
        let frame: Value = serde_json::from_str(&text).unwrap();
        if frame["t"] == "error" {
            break frame;
        }
    };
    assert_eq!((&error["code"], &error["cid"]), (&json!("rate_limited"), &json!("c-5")));
    assert!((1..=12_000).contains(&error["retry_after_ms"].as_u64().unwrap()), "{error}");
    let (other, _) = Browser::new(&server, "loja", &json!({})).await;
    assert_eq!(other.write("c-5", "oi").await.status(), 200);
}

#[tokio::test]
async fn only_pages_of_the_accounts_origins_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(shop(dir.path())).await.unwrap();
    let path = format!("{}/v1/channels/web_chat/loja/visitors", server.url());
    let http = reqwest::Client::new();
    for (origin, lets) in [(ORIGIN, true), (&server.url(), true), ("https://evil.example", false)] {
        let asked = http
            .request(reqwest::Method::OPTIONS, &path)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type");
        let answer = asked.send().await.unwrap();
        let named = answer.headers().get("access-control-allow-origin");
        assert_eq!(named.is_some_and(|named| named == origin), lets, "{origin}");
    }
    // A socket is not held to that by browsers: we look ourselves. Without a token nobody comes in.
    let url = format!("ws://127.0.0.1:{}/v1/chat/ws", server.port);
    let (browser, _) = Browser::new(&server, "loja", &json!({})).await;
    for (origin, token, code) in [
        ("https://evil.example", browser.token.as_str(), "bad_origin"),
        (ORIGIN, "nonsense", "bad_token"),
    ] {
        use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
        let mut request = url.as_str().into_client_request().unwrap();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        let (mut socket, _) = connect_async(request).await.unwrap();
        let hello = json!({ "t": "hello", "account": "loja", "token": token });
        socket.send(Message::text(hello.to_string())).await.unwrap();
        let frame = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
        assert!(frame.to_text().unwrap().contains(code), "{frame}");
    }
    let (mut socket, _) = connect_async(&url).await.unwrap();
    let hello = json!({ "t": "hello", "session": "s_x", "tenant": "demo" });
    socket.send(Message::text(hello.to_string())).await.unwrap();
    let frame = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
    assert!(frame.to_text().unwrap().contains("bad_token"), "{frame}");
}
