//! Long answers sent as several messages, against a provider that is busy now and then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tests::server::{Options, Server, root};

const PATIENCE: Duration = Duration::from_secs(60);

/// What was taken, in order; every second request is told to come again.
#[derive(Clone, Default)]
struct Busy {
    asked: Arc<Mutex<usize>>,
    taken: Arc<Mutex<Vec<String>>>,
}

async fn answer(State(busy): State<Busy>, body: axum::body::Bytes) -> Response {
    let number = {
        let mut asked = busy.asked.lock();
        *asked += 1;
        *asked
    };
    if number.is_multiple_of(2) {
        let later = json!({ "ok": false, "error_code": 429, "parameters": { "retry_after": 1 } });
        return (StatusCode::TOO_MANY_REQUESTS, later.to_string()).into_response();
    }
    let body: Value = serde_json::from_slice(&body).unwrap();
    let mut taken = busy.taken.lock();
    taken.push(body["text"].as_str().unwrap().to_owned());
    let id = taken.len();
    json!({ "ok": true, "result": { "message_id": id } }).to_string().into_response()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_arrive_in_order_and_once_each_and_settle_one_turn() {
    let dir = tempfile::tempdir().unwrap();
    let busy = Busy::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let provider = axum::Router::new().fallback(answer).with_state(busy.clone());
    tokio::spawn(async move { axum::serve(listener, provider).await });
    let catalogue = std::fs::read_to_string(root().join("responder/catalogue.toml")).unwrap();
    let file = dir.path().join("answers.toml");
    std::fs::write(&file, format!("split_chars_max = 80\n{catalogue}")).unwrap();
    let options = Options::at(&dir.path().join("data"))
        .with("ANSWERS__FILE", file.to_str().unwrap())
        .with("CHANNELS__TELEGRAM__ROBO__TENANT", "demo")
        .with("CHANNELS__TELEGRAM__ROBO__SECRET_TOKEN", "psst")
        .with("CHANNELS__TELEGRAM__ROBO__BOT_TOKEN", "900:abc")
        .with("CHANNELS__TELEGRAM__ROBO__API_URL", &url);
    let server = Server::start(options).await.unwrap();
    let api = server.api();
    let update = json!({ "update_id": 1, "message": { "message_id": 1, "date": 1_795_262_400,
        "chat": { "id": 5, "type": "private" },
        "from": { "id": 5, "is_bot": false, "first_name": "Maria" },
        "text": "minha internet caiu" } });
    let headers = [("x-telegram-bot-api-secret-token", "psst")];
    let update = serde_json::to_vec(&update).unwrap();
    let heard = api.post_raw("/v1/channels/telegram/robo", &headers, update).await.unwrap();
    assert_eq!(heard.status, 200, "{}", heard.text);

    let listed =
        |answer: &tests::api::Answer| !answer.str("/conversations/0/conversation_id").is_empty();
    let list = api.until("/v1/conversations", PATIENCE, listed).await.unwrap();
    let id = list.str("/conversations/0/conversation_id").to_owned();
    let path = format!("/v1/conversations/{id}/events");
    let sent = |answer: &tests::api::Answer| {
        let events = answer.body["events"].as_array().cloned().unwrap_or_default();
        events.into_iter().filter(|line| line["event"] == "reply_sent").collect::<Vec<_>>()
    };
    let until = Instant::now() + PATIENCE;
    let texts = loop {
        let lines = sent(&api.get(&path).await.unwrap());
        let told: Vec<String> =
            lines.iter().map(|line| line["detail"]["text"].as_str().unwrap().to_owned()).collect();
        // The protocol is told last, once.
        if told.last().is_some_and(|text| text.contains("protocolo deste atendimento")) {
            assert!(lines.iter().all(|line| line["detail"]["result"] == "sent"), "{lines:?}");
            break told;
        }
        assert!(Instant::now() < until, "{told:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(texts.len() >= 3, "{texts:?}");
    assert_eq!(*busy.taken.lock(), texts, "as the history tells it, and once each");
    assert!(*busy.asked.lock() > texts.len(), "it was busy now and then");
    let figures = |answer: &tests::api::Answer| answer.body["settled"]["auto"] == json!(1);
    let summary = api.until("/v1/metrics/summary", PATIENCE, figures).await.unwrap();
    assert_eq!(
        summary.body["settled"]["human"],
        json!(0),
        "one turn, settled once: {}",
        summary.text
    );
}
