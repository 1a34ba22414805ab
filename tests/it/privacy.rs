//! A canary: numbers of a customer, looked for in every place they must not be in.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tests::server::{Options, Server};

const CPF: &str = "529.982.247-25";
const PHONE: &str = "(11) 98765-4321";
const EMAIL: &str = "canario.da.silva@exemplo.com.br";
const WORD: &str = "xilofonista";

/// Files of a directory that hold `needle`, its WAL files included.
fn holding(dir: &Path, needle: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue; // models
        }
        let bytes = std::fs::read(&path).unwrap();
        if bytes.windows(needle.len()).any(|window| window == needle.as_bytes()) {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

#[tokio::test]
async fn a_customers_numbers_are_nowhere_they_must_not_be() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::at(dir.path()).with("TELEMETRY__LOG", "trace,hyper=info,h2=info");
    let server = Server::start(options).await.unwrap();
    let api = server.api();
    let url = format!("{}/v1/stream", server.url());
    let mut stream = reqwest::get(url).await.unwrap();
    let text =
        format!("sou o {WORD}, cpf {CPF}, fone {PHONE}, email {EMAIL}, quero um atendente humano");
    let decision = api.decide("C1", &text).await.unwrap();
    let id = decision["conversation_id"].as_str().unwrap();
    let there = |answer: &tests::api::Answer| answer.text.contains("turn_decided");
    let patience = Duration::from_secs(20);
    let whole = api.until(&format!("/v1/conversations/{id}"), patience, there).await.unwrap();
    assert!(whole.text.contains(CPF), "the agent who works on it sees it whole");
    let list = api.get("/v1/conversations").await.unwrap().text;
    let mut live = Vec::new();
    while let Ok(Ok(Some(chunk))) =
        tokio::time::timeout(Duration::from_secs(1), stream.chunk()).await
    {
        live.extend_from_slice(&chunk);
    }
    drop(stream);
    let live = String::from_utf8_lossy(&live).into_owned();
    assert!(list.contains(WORD) && live.contains(WORD), "lists and the live page show the text");
    let metrics = api.get("/metrics").await.unwrap().text;
    let refused = api
        .post(
            "/v1/messages",
            &json!({ "channel": text, "customer": { "id": EMAIL }, "text": text }),
        )
        .await
        .unwrap();
    assert_eq!(refused.status, 422);
    let (said, _) = server.stop().await.unwrap();
    for needle in [CPF, "52998224725", PHONE, "98765-4321", EMAIL] {
        for (place, content) in
            [("list", &list), ("live page", &live), ("metrics", &metrics), ("log", &said)]
        {
            assert!(!content.contains(needle), "{needle} in the {place}");
        }
        let store: Vec<String> = holding(dir.path(), needle)
            .into_iter()
            .filter(|name| name.starts_with("store"))
            .collect();
        assert!(store.is_empty(), "{needle} in {store:?}");
    }
    assert!(!said.contains(WORD), "no text of a message in the log");
    assert!(!metrics.contains(WORD));
}
