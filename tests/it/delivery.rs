//! What goes wrong at a provider on the way out, as its own codes tell: each reply goes out once, late or as what was
//! approved, or to a person.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::api::Api;
use tests::histories::of;
use tests::provider::{Provider, Turn};
use tests::server::{Options, Server};
use tests::whatsapp;

const PATIENCE: Duration = Duration::from_secs(60);

fn fails(status: u16, code: i64) -> Turn {
    Turn::Says(status, json!({ "error": { "code": code } }))
}

/// A server, and a provider that does these things first.
async fn server(dir: &tempfile::TempDir, turns: Vec<Turn>) -> (Server, Provider) {
    let (provider, url) = Provider::start().await.unwrap();
    provider.turns.lock().extend(turns);
    let options = whatsapp::account(Options::at(dir.path()), &format!("{url}/graph"));
    (Server::start(options).await.unwrap(), provider)
}

async fn asks_for_a_person(api: &Api) {
    let words = json!({ "body": "quero falar com atendente" });
    let message = whatsapp::written("5511911112222", "wamid.1", "text", words);
    assert_eq!(whatsapp::post(api, &message).await.unwrap(), 200);
}

async fn ended(api: &Api) -> Value {
    let enough = |lines: &[Value]| !of(lines, "reply_sent").is_empty();
    let lines = api.until_lines(PATIENCE, enough).await.unwrap();
    of(&lines, "reply_sent")[0]["detail"]["result"].clone()
}

#[tokio::test]
async fn a_provider_that_is_away_or_has_no_room_gets_the_reply_once_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let turns = vec![Turn::Says(503, json!({})), fails(503, 131_016), fails(400, 131_056)];
    let (server, provider) = server(&dir, turns).await;
    asks_for_a_person(&server.api()).await;
    provider.asked(3).await.unwrap();
    let refused = Instant::now();
    let asked = provider.asked(4).await.unwrap();
    // 131056: one in six seconds to one customer.
    let waited = refused.elapsed();
    assert!(waited > Duration::from_secs(5), "again after {waited:?}");
    assert!(asked.iter().all(|one| one == &asked[0]), "the same reply each time: {asked:?}");
    assert_eq!(ended(&server.api()).await, "sent");
    assert_eq!(provider.requests.lock().len(), 4, "taken once");
}

#[tokio::test]
async fn a_window_that_closed_by_the_providers_clock_is_a_persons() {
    let dir = tempfile::tempdir().unwrap();
    let (server, provider) = server(&dir, vec![fails(400, 131_047)]).await;
    asks_for_a_person(&server.api()).await;
    assert_eq!(ended(&server.api()).await, "failed");
    assert_eq!(provider.requests.lock().len(), 1, "a free text is not tried again");
}
