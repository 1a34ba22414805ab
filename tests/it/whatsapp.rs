//! The WhatsApp Cloud webhook, on the provider's own bodies where they are at hand.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tests::api::{Answer, Api};
use tests::server::{Options, Server, root};
use tests::whatsapp::signature;

const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "app_secret";
const PATH: &str = "/v1/channels/whatsapp_cloud/principal";

async fn server(dir: &tempfile::TempDir) -> Server {
    let account = "CHANNELS__WHATSAPP_CLOUD__PRINCIPAL";
    let options = Options::at(dir.path())
        .with(&format!("{account}__TENANT"), "demo")
        .with(&format!("{account}__APP_SECRET"), SECRET)
        .with(&format!("{account}__VERIFY_TOKEN"), "T");
    Server::start(options).await.unwrap()
}

async fn post(api: &Api, body: &[u8]) -> Answer {
    let signature = signature(SECRET, body).unwrap();
    let headers =
        [("content-type", "application/json"), ("x-hub-signature-256", signature.as_str())];
    api.post_raw(PATH, &headers, body.to_vec()).await.unwrap()
}

/// A body with two entries, each with two changes, as providers gather them under load.
fn gathered() -> Value {
    let message = |id: &str, from: &str, text: &str| json!({ "from": from, "id": id, "timestamp": "1763740800", "type": "text", "text": { "body": text } });
    let value = |messages: Value| {
        json!({ "field": "messages", "value": {
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "551133334444", "phone_number_id": "1122334455667" },
            "contacts": [
                { "wa_id": "5511911112222", "profile": { "name": "Maria" } },
                { "wa_id": "5511933334444", "profile": { "name": "João" } },
            ],
            "messages": messages,
        }})
    };
    json!({ "object": "whatsapp_business_account", "entry": [
        { "id": "1", "changes": [
            value(json!([message("wamid.1", "5511911112222", "oi"), message("wamid.2", "5511933334444", "minha internet caiu")])),
            value(json!([message("wamid.3", "5511911112222", "quero a segunda via do boleto")])),
        ]},
        { "id": "2", "changes": [
            value(json!([{ "from": "5511911112222", "id": "wamid.4", "timestamp": "1763740801", "type": "audio",
                "audio": { "id": "media", "mime_type": "audio/ogg" } }])),
        ]},
    ]})
}

/// Every message in every history.
async fn received(api: &Api) -> Vec<Value> {
    let list = api.get("/v1/conversations?limit=200").await.unwrap();
    let mut found = Vec::new();
    for conversation in list.body["conversations"].as_array().unwrap() {
        let id = conversation["conversation_id"].as_str().unwrap();
        let events = api.get(&format!("/v1/conversations/{id}/events")).await.unwrap();
        let lines = events.body["events"].as_array().unwrap().iter();
        found.extend(lines.filter(|line| line["event"] == "message_received").cloned());
    }
    found
}

/// Waits until `count` messages have come.
async fn wait_for(api: &Api, count: usize) -> Vec<Value> {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let found = received(api).await;
        if found.len() >= count {
            return found;
        }
        assert!(std::time::Instant::now() < until, "{count} never came: {found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_message_of_a_body_is_heard_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(&dir).await;
    let api = server.api();
    let body = serde_json::to_vec(&gathered()).unwrap();
    for _ in 0..2 {
        // Providers deliver again whenever they are not sure.
        assert_eq!(post(&api, &body).await.status, 200);
    }
    let found = wait_for(&api, 4).await;
    assert_eq!(found.len(), 4, "each once: {found:?}");
    let text = |line: &Value| line["detail"]["text"].as_str().map(str::to_owned);
    assert!(found.iter().filter_map(text).any(|text| text == "minha internet caiu"));
    // Audio is not understood yet: a person gets it.
    let audio = found.iter().find(|line| line["detail"]["kind"] == "audio").unwrap();
    let id = audio["detail"]["message_id"].as_str().unwrap();
    let routed = |answer: &Answer| !answer.body["route"].is_null();
    let decided = api.until(&format!("/v1/messages/{id}"), PATIENCE, routed).await.unwrap();
    assert_eq!(decided.str("/route"), "human", "{}", decided.text);
}

#[tokio::test]
async fn only_the_provider_is_believed() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(&dir).await;
    let api = server.api();
    let verify = |query: &str| format!("{PATH}?{query}");
    let right = "hub.mode=subscribe&hub.verify_token=T&hub.challenge=1158201444";
    let answer = api.get(&verify(right)).await.unwrap();
    assert_eq!((answer.status, answer.text.as_str()), (200, "1158201444"));
    let wrong = "hub.mode=subscribe&hub.verify_token=X&hub.challenge=1158201444";
    assert_eq!(api.get(&verify(wrong)).await.unwrap().status, 403);
    let body = serde_json::to_vec(&gathered()).unwrap();
    let unsigned = [("content-type", "application/json")];
    assert_eq!(api.post_raw(PATH, &unsigned, body.clone()).await.unwrap().status, 401);
    let forged = [("content-type", "application/json"), ("x-hub-signature-256", "sha256=00")];
    assert_eq!(api.post_raw(PATH, &forged, body.clone()).await.unwrap().status, 401);
    assert_eq!(post(&api, b"{").await.status, 400);
    let elsewhere = "/v1/channels/whatsapp_cloud/nobody";
    assert_eq!(api.post_raw(elsewhere, &unsigned, body).await.unwrap().status, 404);
    assert!(received(&api).await.is_empty());
}

#[tokio::test]
async fn the_providers_own_bodies_are_all_taken() {
    let samples: PathBuf = root().join("../shared/payloads/whatsapp-cloud");
    if !samples.is_dir() {
        println!("SKIPPED: real WhatsApp bodies are not at hand ({})", samples.display());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = server(&dir).await;
    let api = server.api();
    let signed = std::fs::read(samples.join("signed_text_body.json")).unwrap();
    let signatures = std::fs::read(samples.join("signatures.json")).unwrap();
    let signatures: Value = serde_json::from_slice(&signatures).unwrap();
    let signature = signatures["signed_text_body.json"].as_str().unwrap();
    let headers = [("content-type", "application/json"), ("x-hub-signature-256", signature)];
    assert_eq!(api.post_raw(PATH, &headers, signed).await.unwrap().status, 200);
    let mut taken = 0;
    for entry in std::fs::read_dir(&samples).unwrap() {
        let path = entry.unwrap().path();
        let Ok(Value::Object(cases)) = serde_json::from_slice(&std::fs::read(&path).unwrap())
        else {
            continue;
        };
        for (name, body) in cases.iter().filter(|(_, body)| body.get("entry").is_some()) {
            let answer = post(&api, &serde_json::to_vec(body).unwrap()).await;
            assert_eq!(answer.status, 200, "{} {name}: {}", path.display(), answer.text);
            taken += 1;
        }
    }
    assert!(taken > 10, "{taken} bodies");
    let found = wait_for(&api, 8).await;
    assert!(!found.is_empty());
    let metrics = api.get("/metrics").await.unwrap().text;
    assert!(!metrics.contains("correnteza_stage_rejected_total{"), "no dead letters");
}
