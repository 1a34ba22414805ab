//! The web chat's frames over a real WebSocket.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tests::histories::of;
use tests::server::{Options, Server};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const PATIENCE: Duration = Duration::from_secs(20);

struct Chat(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Chat {
    /// Opens a socket and says hello; gives the welcome.
    async fn open(server: &Server, session: Option<&str>, last_seq: i64) -> (Self, Value) {
        let url = format!("ws://127.0.0.1:{}/v1/chat/ws", server.port);
        let mut chat = Self(connect_async(url).await.unwrap().0);
        let mut hello = json!({ "t": "hello", "tenant": "demo", "last_seq": last_seq });
        if let Some(session) = session {
            hello["session"] = json!(session);
        }
        chat.say(&hello).await;
        let welcome = chat.until("welcome").await;
        (chat, welcome)
    }

    async fn say(&mut self, frame: &Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    async fn write(&mut self, cid: &str, text: &str) {
        self.say(&json!({ "t": "msg", "cid": cid, "text": text })).await;
    }

    async fn next(&mut self) -> Value {
        loop {
            let frame =
                tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a frame in time");
            match frame.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(_) => panic!("the server closed the socket"),
                _ => {}
            }
        }
    }

    /// The next frame of a kind.
    async fn until(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["t"] == kind {
                return frame;
            }
        }
    }

    /// Frames up to the bot's first message, steps only.
    async fn steps_to_the_answer(&mut self) -> Vec<Value> {
        let mut steps = Vec::new();
        loop {
            let frame = self.next().await;
            let answer = frame["t"] == "msg" && frame["from"] == "bot";
            if frame["seq"].is_number() && frame["t"] != "welcome" {
                steps.push(frame);
            }
            if answer {
                return steps;
            }
        }
    }
}

#[tokio::test]
async fn a_customer_writes_and_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let (mut chat, welcome) = Chat::open(&server, None, 0).await;
    assert_eq!(welcome["seq"], 0);
    chat.write("c-1", "minha internet caiu").await;
    let steps = chat.steps_to_the_answer().await;
    assert_eq!(steps[0]["t"], "ack");
    assert_eq!(steps[0]["cid"], "c-1");
    assert!(steps.iter().zip(1..).all(|(step, seq)| step["seq"] == seq), "no gaps: {steps:?}");
    assert!(!steps.last().unwrap()["text"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn case_18_a_message_sent_again_is_the_same_message() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let (mut chat, welcome) = Chat::open(&server, None, 0).await;
    let session = welcome["session"].as_str().unwrap().to_owned();
    chat.write("c-1", "minha internet caiu").await;
    let first = chat.until("ack").await;
    chat.write("c-1", "minha internet caiu").await;
    let again = chat.until("ack").await;
    assert_eq!(first["id"], again["id"]);
    // After a reconnect too.
    drop(chat);
    let (mut chat, _) = Chat::open(&server, Some(&session), 1).await;
    chat.write("c-1", "minha internet caiu").await;
    assert_eq!(chat.until("ack").await["id"], first["id"]);
    // What is acknowledged is in the store a moment later.
    let heard = |lines: &[Value]| !of(lines, "message_received").is_empty();
    let lines = server.api().until_lines(PATIENCE, heard).await.unwrap();
    assert_eq!(of(&lines, "message_received").len(), 1);
}

#[tokio::test]
async fn case_18_a_browser_that_comes_back_gets_what_it_missed_also_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let (mut chat, welcome) = Chat::open(&server, None, 0).await;
    let session = welcome["session"].as_str().unwrap().to_owned();
    chat.write("c-1", "minha internet caiu").await;
    let seen = chat.steps_to_the_answer().await;
    drop(chat);
    let server = Server::start(server.kill().unwrap()).await.unwrap();
    // What the store had not been given when it was killed it takes up after the start.
    let answered = |lines: &[Value]| !of(lines, "reply_sent").is_empty();
    server.api().until_lines(PATIENCE, answered).await.unwrap();
    let (mut chat, welcome) = Chat::open(&server, Some(&session), 1).await;
    assert!(welcome["conversation"].is_string() && welcome["protocol"].is_string());
    let missed = chat.steps_to_the_answer().await;
    assert_eq!(missed, seen[1..], "what came after the first step, as it was");
    // From the start, its own message is shown too.
    let (mut chat, _) = Chat::open(&server, Some(&session), 0).await;
    let all = chat.steps_to_the_answer().await;
    assert_eq!(all[0]["from"], "customer");
    assert_eq!(all[0]["text"], "minha internet caiu");
}

#[tokio::test]
async fn an_agents_words_reach_the_customer() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let (mut chat, _) = Chat::open(&server, None, 0).await;
    chat.write("c-1", "quero falar com um atendente humano").await;
    chat.until("queued").await;
    let api = server.api();
    let waits = |answer: &tests::api::Answer| answer.text.contains("\"queued\"");
    let list = api.until("/v1/conversations?state=queued", PATIENCE, waits).await.unwrap();
    let id = list.str("/conversations/0/conversation_id").to_owned();
    let ask = |action: &'static str, text: &'static str| {
        let (api, path) = (api.clone(), format!("/v1/conversations/{id}/{action}"));
        async move { api.post(&path, &json!({ "agent": "Ana", "text": text })).await.unwrap().status }
    };
    assert_eq!(ask("claim", "").await, 200);
    assert_eq!(chat.until("agent").await["name"], "Ana");
    assert_eq!(ask("reply", "Bom dia, já vejo isso.").await, 200);
    let words = loop {
        let frame = chat.until("msg").await;
        if frame["from"] == "agent" {
            break frame;
        }
    };
    assert_eq!(words["text"], "Bom dia, já vejo isso.");
    assert_eq!(ask("resolve", "").await, 200);
    chat.until("resolved").await;
}

#[tokio::test]
async fn nonsense_is_answered_and_the_socket_lives_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let (mut chat, _) = Chat::open(&server, None, 0).await;
    for bad in
        ["{", "[]", r#"{"t":"msg","cid":"","text":"oi"}"#, r#"{"t":"msg","cid":"x","text":" "}"#]
    {
        chat.0.send(Message::text(bad)).await.unwrap();
        let error = chat.until("error").await;
        assert!(error["code"].is_string() && error["detail"].is_string());
    }
    chat.say(&json!({ "t": "of_a_later_release" })).await;
    chat.write("c-1", "minha internet caiu").await;
    assert_eq!(chat.until("ack").await["cid"], "c-1");
}
