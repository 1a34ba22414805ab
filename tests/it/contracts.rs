//! What programs already count on: shapes, idempotency, later answers.

use std::time::Duration;

use serde_json::{Value, json};
use tests::server::{Options, Server};

const PATIENCE: Duration = Duration::from_secs(20);

/// Path, headers, body, and the status it must get.
type Try<'a> = (&'a str, &'a [(&'a str, &'a str)], Vec<u8>, u16);

async fn server(dir: &tempfile::TempDir) -> Server {
    Server::start(Options::at(dir.path())).await.unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_decision_has_every_field_and_is_the_same_later() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(&dir).await;
    let api = server.api();
    let body = json!({
        "tenant": "demo", "channel": "whatsapp",
        "customer": { "id": "C2", "name": "Maria" }, "text": "minha internet caiu",
    });
    let answer = api.post("/v1/messages?wait=decision", &body).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    let decision = &answer.body;
    let found = keys(decision);
    for field in [
        "message_id",
        "conversation_id",
        "protocol",
        "route",
        "queue",
        "priority",
        "intent",
        "confidence",
        "intents",
        "sentiment",
        "frustrated",
        "urgent",
        "reply",
        "actions",
        "explanation",
        "model_version",
        "processing_time_ms",
    ] {
        assert!(found.contains(&field), "{field} is missing in {decision}");
    }
    assert_eq!(decision["route"], "auto", "{decision}");
    assert_eq!(decision["intent"], "sem_conexao");
    assert!(decision["confidence"].as_f64().unwrap() > 0.8);
    let text = decision["reply"]["text"].as_str().unwrap();
    assert!(text.contains(decision["protocol"].as_str().unwrap()), "the first answer tells it");
    assert!(decision["intents"].as_array().unwrap().len() == 3);
    assert!(decision["intents"][0]["probability"].as_f64().unwrap() > 0.0);
    assert!(decision["explanation"][0]["ngram"].is_string());
    assert!(decision["explanation"][0]["weight"].is_number());

    let id = decision["message_id"].as_str().unwrap();
    let path = format!("/v1/messages/{id}");
    let later = api.until(&path, PATIENCE, |later| later.body["route"].is_string()).await.unwrap();
    let same = |value: &Value| {
        let mut value = value.clone();
        // One counts to the reply in memory, the other to the line in the history.
        value.as_object_mut().unwrap().remove("processing_time_ms");
        value
    };
    assert_eq!(same(&later.body), same(decision));
}

#[tokio::test]
async fn an_idempotency_key_names_one_message() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(&dir).await;
    let api = server.api();
    let body =
        json!({ "channel": "api", "customer": { "id": "C1" }, "text": "quero a segunda via" });
    let bytes = serde_json::to_vec(&body).unwrap();
    let headers = [("content-type", "application/json"), ("idempotency-key", "pedido-1")];
    let mut ids = Vec::new();
    for _ in 0..3 {
        let answer = api.post_raw("/v1/messages", &headers, bytes.clone()).await.unwrap();
        assert_eq!(answer.status, 202, "{}", answer.text);
        let url = answer.str("/status_url").to_owned();
        assert_eq!(url, format!("/v1/messages/{}", answer.str("/message_id")));
        ids.push(answer.str("/message_id").to_owned());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let path = format!("/v1/messages/{}", ids[0]);
    let decided =
        api.until(&path, PATIENCE, |answer| !answer.body["route"].is_null()).await.unwrap();
    let conversation = decided.str("/conversation_id").to_owned();
    let history = api.get(&format!("/v1/conversations/{conversation}/events")).await.unwrap();
    let received = history.body["events"].as_array().unwrap().iter();
    assert_eq!(received.filter(|line| line["event"] == "message_received").count(), 1);

    // The same key of another customer is another message.
    let other =
        json!({ "channel": "api", "customer": { "id": "C9" }, "text": "quero a segunda via" });
    let bytes = serde_json::to_vec(&other).unwrap();
    let answer = api.post_raw("/v1/messages", &headers, bytes).await.unwrap();
    assert_ne!(answer.str("/message_id"), ids[0]);
}

#[tokio::test]
async fn texts_that_come_together_are_one_turn() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::at(dir.path()).with("GROUPING__WINDOW_MS", "1000");
    let server = Server::start(options).await.unwrap();
    let api = server.api();
    let mut ids = Vec::new();
    for text in ["oi", "boa tarde", "minha internet caiu"] {
        let body = json!({ "channel": "whatsapp", "customer": { "id": "C4" }, "text": text });
        ids.push(api.post("/v1/messages", &body).await.unwrap().str("/message_id").to_owned());
    }
    let path = format!("/v1/messages/{}", ids[0]);
    let decided =
        api.until(&path, PATIENCE, |answer| !answer.body["route"].is_null()).await.unwrap();
    assert_eq!(decided.str("/intent"), "sem_conexao");
    let conversation = decided.str("/conversation_id");
    let history = api.get(&format!("/v1/conversations/{conversation}/events")).await.unwrap();
    let turns: Vec<&Value> = history.body["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["event"] == "turn_decided")
        .collect();
    assert_eq!(turns.len(), 1);
    assert_eq!(turns[0]["detail"]["messages"], json!(ids));
}

#[tokio::test]
async fn the_earlier_systems_call_still_works() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(&dir).await;
    let body = json!({
        "channel": "whatsapp", "customer_identifier": "C6", "message": "minha internet caiu",
    });
    let answer = server.api().post("/api/v1/conversations/message", &body).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.str("/intent"), "technical");
    assert_eq!(answer.str("/intent_id"), "sem_conexao");
    assert_eq!(answer.str("/resolution_type"), "ai_automated");
    let found = keys(&answer.body);
    for field in [
        "confidence",
        "sentiment",
        "actions_taken",
        "processing_time_ms",
        "protocol",
        "conversation_id",
    ] {
        assert!(found.contains(&field), "{field} is missing in {}", answer.text);
    }
    let text = "quero cancelar meu plano hoje, chega";
    let body = json!({ "channel": "email", "customer_identifier": "a@b.com", "message": text });
    let answer = server.api().post("/api/v1/conversations/message", &body).await.unwrap();
    assert_eq!(answer.str("/resolution_type"), "human_routing", "{}", answer.text);
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_in_one_form() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(&dir).await;
    let api = server.api();
    let json_type: &[(&str, &str)] = &[("content-type", "application/json")];
    let text_type: &[(&str, &str)] = &[("content-type", "text/plain")];
    let key = [("content-type", "application/json"), ("idempotency-key", "com espaço")];
    let good = br#"{"channel":"api","customer":{"id":"C1"},"text":"oi"}"#.to_vec();
    let big = [
        br#"{"channel":"api","customer":{"id":"C1"},"text":""#.to_vec(),
        vec![b'a'; 2 << 20],
        b"\"}".to_vec(),
    ];
    let tries: Vec<Try<'_>> = vec![
        ("/v1/messages", json_type, b"{".to_vec(), 400),
        ("/v1/messages", json_type, b"\xff\xfe".to_vec(), 400),
        ("/v1/messages", json_type, b"{}".to_vec(), 422),
        (
            "/v1/messages",
            json_type,
            br#"{"channel":"fax","customer":{"id":"C1"},"text":"oi"}"#.to_vec(),
            422,
        ),
        (
            "/v1/messages",
            json_type,
            br#"{"channel":"api","customer":{"id":7},"text":"oi"}"#.to_vec(),
            422,
        ),
        (
            "/v1/messages",
            json_type,
            br#"{"channel":"api","customer":{},"text":"oi"}"#.to_vec(),
            422,
        ),
        ("/v1/messages", text_type, good.clone(), 415),
        ("/v1/messages", json_type, big.concat(), 413),
        ("/v1/messages", &key, good.clone(), 400),
        ("/v1/messages?wait=forever", json_type, good.clone(), 400),
        ("/v1/nothing", json_type, good.clone(), 404),
        ("/v1/queues", json_type, good, 405),
        ("/v1/conversations/x/claim", json_type, br#"{"agent":"Ana"}"#.to_vec(), 404),
    ];
    for (path, headers, body, status) in tries {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = api.post_raw(path, headers, body).await.unwrap();
        assert_eq!(answer.status, status, "{path} {shown}: {}", answer.text);
        assert_eq!(answer.content_type, "application/problem+json", "{path} {shown}");
        assert_eq!(answer.body["status"], status, "{}", answer.text);
        assert!(answer.body["title"].is_string() && answer.body["detail"].is_string());
    }
    // And it is still of sound mind.
    assert_eq!(api.decide("C1", "minha internet caiu").await.unwrap()["route"], "auto");
}

#[tokio::test]
async fn beyond_loopback_there_must_be_a_token_and_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let token = "um-segredo-bem-comprido";
    let server = Server::start(Options::at(dir.path()).with("SERVER__TOKEN", token)).await.unwrap();
    let api = server.api();
    for path in ["/v1/queues", "/v1/conversations", "/v1/metrics/summary", "/v1/stream"] {
        assert_eq!(api.get(path).await.unwrap().status, 401, "{path}");
        // Addresses end up in logs: only an event stream may carry the token there.
        if path != "/v1/stream" {
            let shown = format!("{path}?token={token}");
            assert_eq!(api.get(&shown).await.unwrap().status, 401, "{shown}");
        }
    }
    let body =
        serde_json::to_vec(&json!({ "channel": "api", "customer": { "id": "C1" }, "text": "oi" }));
    let authorization = format!("Bearer {token}");
    let headers = [("content-type", "application/json"), ("authorization", authorization.as_str())];
    let body = body.unwrap();
    let answer = api.post_raw("/v1/messages", &headers, body.clone()).await.unwrap();
    assert_eq!(answer.status, 202);
    assert_eq!(api.post_raw("/v1/messages", &headers[..1], body).await.unwrap().status, 401);
    drop(server);
    let open = Options::at(dir.path()).with("SERVER__LISTEN", "0.0.0.0:0");
    let refused = std::process::Command::new(tests::server::binary().unwrap())
        .arg("serve")
        .env("CORRENTEZA__SERVER__LISTEN", "0.0.0.0:0")
        .env("CORRENTEZA__SERVER__DATA_DIR", &open.data_dir)
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(3));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("token"), "{said}");
}

#[tokio::test]
async fn operations_see_that_it_lives() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(&dir).await;
    let api = server.api();
    api.decide("C1", "minha internet caiu").await.unwrap();
    assert_eq!(api.get("/healthz").await.unwrap().status, 200);
    assert_eq!(api.get("/readyz").await.unwrap().status, 200);
    let metrics = api.get("/metrics").await.unwrap();
    assert!(metrics.content_type.starts_with("text/plain"));
    for name in ["correnteza_stage_received_total", "correnteza_log_sync_seconds_bucket"] {
        assert!(metrics.text.contains(name), "{name}");
    }
    let minute = |answer: &tests::api::Answer| answer.text.contains("\"auto\":1");
    let summary = api.until("/v1/metrics/summary", PATIENCE, minute).await.unwrap();
    assert!(summary.body["series"].is_array(), "{}", summary.text);
    let (said, _) = server.stop().await.unwrap();
    assert!(said.contains("stopped"), "SIGTERM drains: {said}");
}
