//! Records no stage could use, seen and put back from the desk.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use tests::api::Answer;
use tests::server::{Options, Server};

use crate::browser::{Driver, click, id, see};

const PATIENCE: Duration = Duration::from_secs(30);

/// A server that has met a record no stage can read.
async fn troubled(dir: &std::path::Path) -> Server {
    let server = Server::start(Options::at(dir)).await.unwrap();
    server.api().decide("C1", "meu CPF é 529.982.247-25 e a internet caiu").await.unwrap();
    let (_, options) = server.stop().await.unwrap();
    let log = Connection::open(dir.join("log.db")).unwrap();
    // Like the customer's own message: what a stage wrote would be known by its origin.
    let torn = "INSERT INTO inbound (offset, partition, key, value, headers, time_ms) \
                SELECT (SELECT max(offset) + 1 FROM inbound), partition, key, X'00', headers, time_ms \
                FROM inbound ORDER BY offset LIMIT 1";
    assert_eq!(log.execute(torn, []).unwrap(), 1);
    drop(log);
    let server = Server::start(options).await.unwrap();
    let of_turns = |answer: &Answer| letters(answer).iter().any(|one| one["stage"] == "turns");
    server.api().until("/v1/dead-letters", PATIENCE, of_turns).await.unwrap();
    server
}

fn letters(answer: &Answer) -> Vec<Value> {
    answer.body["dead_letters"].as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn the_desk_shows_where_and_why_and_puts_back_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = troubled(dir.path()).await;
    let api = server.api();
    let first = api.get("/v1/dead-letters").await.unwrap();
    let letter = letters(&first).into_iter().find(|one| one["stage"] == "turns").unwrap();
    assert_eq!(letter["reason"], "undecodable");
    assert!(letter["from"].as_str().unwrap().starts_with("inbound/"), "{letter}");
    assert!(!first.text.contains("529.982") && !first.text.contains("caiu"), "{}", first.text);

    let again = json!({ "place": letter["place"] });
    let told = api.post("/v1/dead-letters/replay", &again).await.unwrap();
    assert_eq!((told.status, &told.body["put_back"]), (200, &json!(1)), "{}", told.text);
    let told = api.post("/v1/dead-letters/replay", &again).await.unwrap();
    assert_eq!(told.status, 404, "{}", told.text);
    // It was read again, from where it was put, and is as unreadable as before.
    let anew = |answer: &Answer| {
        let found = letters(answer);
        let another = |one: &Value| one["stage"] == "turns" && one["from"] != letter["from"];
        found.iter().any(another) && found.iter().all(|one| one["place"] != letter["place"])
    };
    api.until("/v1/dead-letters", PATIENCE, anew).await.unwrap();
    // Of two who ask, also on the command line, one does it.
    let (_, options) = server.stop().await.unwrap();
    let place = letter["place"].as_str().unwrap();
    let told = options.run(&["dead-letters", "replay", place]).unwrap();
    assert!(told.contains("was replayed before"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_has_a_list_of_them() {
    let Some(driver) = Driver::start().await else { return };
    let dir = tempfile::tempdir().unwrap();
    let server = troubled(dir.path()).await;
    let desk = driver.window(1440, 900).await;
    desk.goto(&format!("{}/#/falhas", server.url())).await.unwrap();
    let card = see(&desk, &id("letter")).await;
    assert!(card.text().await.unwrap().contains("Ilegível"));
    let place = "document.querySelector('.letter-foot span').textContent";
    let before = desk.execute(&format!("return {place}"), vec![]).await.unwrap();
    click(&desk, &id("letter-again")).await;
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let now = desk
            .execute(&format!("return {place} ?? null"), vec![])
            .await
            .unwrap_or(before.clone());
        if now != before {
            break;
        }
        assert!(std::time::Instant::now() < until, "it was never read again: {now}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    desk.close().await.unwrap();
}
