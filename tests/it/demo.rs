//! `serve --demo`: a day in which one district loses its connection and has it back.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::api::Api;
use tests::server::{Options, Server};

const PATIENCE: Duration = Duration::from_secs(90);
/// Where the first outage is, and what it is called.
const DISTRICT: u64 = 5;
const NAME: &str = "Jardim das Flores";
const DISTRICTS: u64 = 20;

/// What customer `n` is answered whose connection is gone.
async fn answered(api: &Api, n: u64) -> String {
    let body = json!({
        "channel": "api", "customer": { "id": format!("C{n}") }, "text": "minha internet caiu",
    });
    let answer = api.post("/v1/messages?wait=decision", &body).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.str("/reply/text").to_owned()
}

/// Customers of the district ask, each once, until one is answered so. None of the demo's own customers
/// has such a number.
async fn until(api: &Api, numbers: &mut u64, enough: impl Fn(&str) -> bool) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        *numbers += DISTRICTS;
        let text = answered(api, *numbers).await;
        if enough(&text) {
            return text;
        }
        assert!(Instant::now() < until, "never: {text}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lives_where_the_outage_is_is_told_and_nobody_else_until_it_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let command = vec!["serve", "--demo", "--pace", "5"];
    let server = Server::start(Options { command, ..Options::at(dir.path()) }).await.unwrap();
    let api = server.api();
    let mut numbers = 1_000_000 + DISTRICT;
    let is_told = |text: &str| text.contains("falha na rede da região");
    let before = answered(&api, numbers).await;
    assert!(!is_told(&before), "nothing has happened yet: {before}");

    let told = until(&api, &mut numbers, is_told).await;
    assert!(told.contains(NAME), "{told}");
    for other in [1_000_006, 1_000_012, 1_000_015] {
        let text = answered(&api, other).await;
        assert!(!is_told(&text) && !text.is_empty(), "{other} lives elsewhere: {text}");
    }
    // It is over, and the line is as good as it was.
    let after = until(&api, &mut numbers, |text| !is_told(text)).await;
    assert_eq!(after.split(" (").next(), before.split(" (").next());
    // The simulated customers of the district have written meanwhile, and were told by the machine.
    let rows = api.get("/v1/conversations?limit=200").await.unwrap();
    let theirs = rows.body["conversations"].as_array().unwrap();
    assert!(theirs.len() > 20, "a day goes on: {}", theirs.len());
    let (said, _) = server.stop().await.unwrap();
    let begun = said.find("a simulated outage begins").expect(&said);
    let ended = said.find("a simulated outage has ended").expect(&said);
    assert!(begun < ended && said.contains(NAME));
}
