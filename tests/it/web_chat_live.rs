//! What a customer in the web chat sees of people: their place in the queue, how long it may take, and
//! who is writing; and what people see of the customer.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tests::api::Answer;
use tests::server::{Options, Server};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const PATIENCE: Duration = Duration::from_secs(20);

/// A customer who wants a person.
struct Waiting {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    conversation: String,
}

impl Waiting {
    /// Comes into the queue; gives what is said of the place.
    async fn come(server: &Server) -> (Self, Value) {
        let url = format!("ws://127.0.0.1:{}/v1/chat/ws", server.port);
        let mut socket = connect_async(url).await.unwrap().0;
        for frame in [
            json!({ "t": "hello", "tenant": "demo" }),
            json!({ "t": "msg", "cid": "c-1", "text": "quero falar com um atendente humano" }),
        ] {
            socket.send(Message::text(frame.to_string())).await.unwrap();
        }
        let mut waiting = Self { socket, conversation: String::new() };
        loop {
            let frame = waiting.next().await;
            if let Some(id) = frame["conversation"].as_str() {
                waiting.conversation = id.to_owned();
            }
            if frame["t"] == "queued" {
                return (waiting, frame);
            }
        }
    }

    async fn next(&mut self) -> Value {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            let frame = frame.expect("a frame in time").unwrap().unwrap();
            let Message::Text(text) = frame else { continue };
            return serde_json::from_str(&text).unwrap();
        }
    }

    async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.next().await;
            if fits(&frame) {
                return frame;
            }
        }
    }

    async fn claimed_by(&self, server: &Server, agent: &str) {
        let (api, path) = (server.api(), format!("/v1/conversations/{}", self.conversation));
        // The customer is told of the queue before the store has the conversation.
        api.until(&path, PATIENCE, |answer| answer.status == 200).await.unwrap();
        let claim = json!({ "agent": agent });
        let answer = api.post(&format!("{path}/claim"), &claim).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

#[tokio::test]
async fn a_place_in_the_queue_is_told_as_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let mut all = Vec::new();
    for n in 1..=5 {
        let (waiting, told) = Waiting::come(&server).await;
        all.push(waiting);
        assert_eq!(told["wait_s_max"], Value::Null, "nobody has been taken: {told}");
        // The place is asked of the store, which may not have the newest conversation yet.
        let last = all.last_mut().unwrap();
        if told["position"] != n {
            last.until(|frame| frame["t"] == "place" && frame["position"] == n).await;
        }
        let path = format!("/v1/conversations/{}", last.conversation);
        let is_there = |answer: &Answer| answer.body["queue_position"] == n;
        server.api().until(&path, PATIENCE, is_there).await.unwrap();
    }
    for first in all.drain(..3) {
        first.claimed_by(&server, "Ana").await;
    }
    // Three were taken within the hour: the last one's turn comes after the one before.
    let last = all.last_mut().unwrap();
    let placed = |frame: &Value| frame["t"] == "place" && frame["position"] == 2;
    let told = last.until(|frame| placed(frame) && frame["wait_s_max"].is_number()).await;
    let (least, most) =
        (told["wait_s_min"].as_u64().unwrap(), told["wait_s_max"].as_u64().unwrap());
    // 2 x 60 min / 3 on average.
    assert!(least < 2400 && 2400 < most, "{told}");
    all[0].claimed_by(&server, "Bia").await;
    let last = all.last_mut().unwrap();
    last.until(|frame| frame["t"] == "place" && frame["position"] == 1).await;
}

#[tokio::test]
async fn who_writes_is_shown_on_the_other_side_and_kept_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let (mut customer, _) = Waiting::come(&server).await;
    let mut desk = reqwest::get(format!("{}/v1/stream", server.url())).await.unwrap();
    let typing = json!({ "t": "typing", "conversation": customer.conversation, "on": true });
    customer.socket.send(Message::text(typing.to_string())).await.unwrap();
    let mut seen = String::new();
    while !seen.contains("event: typing") || !seen.ends_with("\n\n") {
        let chunk = tokio::time::timeout(PATIENCE, desk.chunk()).await.expect("a sign in time");
        seen.push_str(std::str::from_utf8(&chunk.unwrap().unwrap()).unwrap());
    }
    assert!(seen.contains(&customer.conversation), "{seen}");

    let path = format!("/v1/conversations/{}/typing", customer.conversation);
    customer.claimed_by(&server, "Ana").await;
    // The store tells who has it; then Ana's sign comes through, and before that Bia's never does.
    let owned = |answer: &Answer| answer.str("/owner") == "Ana";
    let shown = format!("/v1/conversations/{}", customer.conversation);
    server.api().until(&shown, PATIENCE, owned).await.unwrap();
    for (agent, on) in [("Bia", false), ("Ana", true)] {
        let told = server.api().post(&path, &json!({ "agent": agent, "on": on })).await.unwrap();
        assert_eq!(told.status, 204, "{}", told.text);
    }
    let sign = customer.until(|frame| frame["t"] == "typing" && frame["who"] == "agent").await;
    assert_eq!(sign["on"], true);
    let history = server.api().get(&shown).await.unwrap();
    assert!(!history.text.contains("typing"));
}

#[tokio::test]
async fn agents_see_that_the_customer_has_read_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let (mut ana, _) = Waiting::come(&server).await;
    let notice = ana.until(|frame| frame["t"] == "msg" && frame["from"] == "bot").await;
    for _ in 0..2 {
        let read = json!({ "t": "read", "seq": notice["seq"] });
        ana.socket.send(Message::text(read.to_string())).await.unwrap();
    }
    let history = format!("/v1/conversations/{}", ana.conversation);
    let statuses = |answer: &Answer| -> Vec<Value> {
        let lines = answer.body["history"].as_array().cloned().unwrap_or_default();
        lines.into_iter().filter(|line| line["event"] == "status_changed").collect()
    };
    let shown =
        server.api().until(&history, PATIENCE, |it| !statuses(it).is_empty()).await.unwrap();
    let told = &statuses(&shown)[0]["detail"];
    assert_eq!(
        (told["status"].as_str(), told["reply"].as_str()),
        (Some("read"), Some("1/handoff_notice/0"))
    );
    // What comes behind both frames shows that the second told nothing.
    let more = json!({ "t": "msg", "cid": "c-2", "text": "obrigado" });
    ana.socket.send(Message::text(more.to_string())).await.unwrap();
    ana.until(|frame| frame["t"] == "ack" && frame["cid"] == "c-2").await;
    let heard = |it: &Answer| it.text.contains("\"obrigado\"");
    let shown = server.api().until(&history, PATIENCE, heard).await.unwrap();
    assert_eq!(statuses(&shown).len(), 1);
}
