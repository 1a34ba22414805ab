//! The WhatsApp Cloud webhook, on the provider's own bodies where they are at hand.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tests::api::{Answer, Api};
use tests::histories::of;
use tests::server::{Options, Server, root};
use tests::whatsapp::{PATH, account, post_body, signature};

const PATIENCE: Duration = Duration::from_secs(20);

async fn server(dir: &tempfile::TempDir) -> Server {
    Server::start(account(Options::at(dir.path()), "http://127.0.0.1:1")).await.unwrap()
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

async fn received(api: &Api) -> Vec<Value> {
    of(&api.lines().await.unwrap(), "message_received").into_iter().cloned().collect()
}

/// Waits until `count` messages have come.
async fn wait_for(api: &Api, count: usize) -> Vec<Value> {
    let enough = |lines: &[Value]| of(lines, "message_received").len() >= count;
    let lines = api.until_lines(PATIENCE, enough).await.unwrap();
    of(&lines, "message_received").into_iter().cloned().collect()
}

#[tokio::test]
async fn case_2_every_message_of_a_body_is_heard_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(&dir).await;
    let api = server.api();
    let body = serde_json::to_vec(&gathered()).unwrap();
    for _ in 0..2 {
        // Providers deliver again whenever they are not sure.
        assert_eq!(post_body(&api, &body).await.unwrap(), 200);
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
async fn cases_5_and_6_only_the_provider_is_believed() {
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
    let right = signature("app_secret", &body).unwrap();
    for forged in ["sha256=00", "sha256=", "", &right[..40], &right.replace("sha256", "sha1")] {
        let headers = [("content-type", "application/json"), ("x-hub-signature-256", forged)];
        let answer = api.post_raw(PATH, &headers, body.clone()).await.unwrap();
        assert_eq!(answer.status, 401, "{forged}: {}", answer.text);
    }
    let headers = [("content-type", "application/json"), ("x-hub-signature-256", right.as_str())];
    let mut flipped = body.clone();
    flipped[10] ^= 1;
    assert_eq!(api.post_raw(PATH, &headers, flipped).await.unwrap().status, 401);
    assert_eq!(post_body(&api, b"{").await.unwrap(), 400);
    let elsewhere = "/v1/channels/whatsapp_cloud/nobody";
    assert_eq!(api.post_raw(elsewhere, &unsigned, body).await.unwrap().status, 404);
    assert!(received(&api).await.is_empty());
    // What is signed is what was sent: written again, `\u00e7` would be another text.
    let message = json!({ "from": "5511911112222", "id": "wamid.9", "type": "text",
        "text": { "body": "ESCAPED" } });
    let value = json!({ "metadata": { "phone_number_id": "1" }, "messages": [message] });
    let escaped = json!({ "entry": [{ "changes": [{ "value": value }] }] }).to_string();
    let escaped = escaped.replace("ESCAPED", "a liga\\u00e7\\u00e3o caiu \\ud83d\\ude21");
    assert_eq!(post_body(&api, escaped.as_bytes()).await.unwrap(), 200);
    let found = wait_for(&api, 1).await;
    assert_eq!(found[0]["detail"]["text"], "a ligação caiu 😡");
}

#[tokio::test]
async fn case_1_the_providers_own_bodies_are_all_taken() {
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
            let status = post_body(&api, &serde_json::to_vec(body).unwrap()).await.unwrap();
            assert_eq!(status, 200, "{} {name}", path.display());
            taken += 1;
        }
    }
    assert!(taken > 10, "{taken} bodies");
    let found = wait_for(&api, 8).await;
    assert!(!found.is_empty());
    let metrics = api.get("/metrics").await.unwrap().text;
    assert!(!metrics.contains("correnteza_stage_rejected_total{"), "no dead letters");
}
