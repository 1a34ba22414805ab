//! The acceptance cases of the channels that need a whole server, and the list of them all.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::api::Api;
use tests::histories::of;
use tests::installation::Installation;
use tests::provider::Provider;
use tests::server::{Options, Server, root};
use tests::whatsapp::{self, account, written};

const PATIENCE: Duration = Duration::from_secs(40);
const MARIA: &str = "5511911112222";
const DAY_MS: i64 = 86_400_000;

/// Numbers in the names of tests, `case_7_…` and `cases_5_and_6_…`.
fn cases_in(source: &str, found: &mut BTreeSet<u32>) {
    for name in source.split("fn case").skip(1) {
        let words = name.trim_start_matches('s').split(['_', '(']).filter(|word| !word.is_empty());
        found.extend(
            words
                .take_while(|word| *word == "and" || word.parse::<u32>().is_ok())
                .filter_map(|word| word.parse::<u32>().ok()),
        );
    }
}

fn walk(dir: &Path, found: &mut BTreeSet<u32>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            cases_in(&std::fs::read_to_string(&path).unwrap(), found);
        }
    }
}

#[test]
fn every_case_of_the_channels_has_a_test_of_its_number() {
    let mut found = BTreeSet::new();
    walk(&root(), &mut found);
    let wanted: BTreeSet<u32> = (1..=21).chain([23, 26, 30, 31, 32]).collect();
    let missing: Vec<&u32> = wanted.difference(&found).collect();
    assert!(missing.is_empty(), "no test is called case_N_… for {missing:?}");
}

fn text(id: &str, body: &str) -> Value {
    written(MARIA, id, "text", json!({ "body": body }))
}

/// Texts of messages of which `id` is not, and how many there are.
async fn heard(api: &Api, last: &str) -> Vec<String> {
    let told = |lines: &[Value]| -> Vec<String> {
        let received = of(lines, "message_received").into_iter();
        received.filter_map(|line| line["detail"]["text"].as_str().map(str::to_owned)).collect()
    };
    let enough = |lines: &[Value]| told(lines).iter().any(|text| text == last);
    told(&api.until_lines(PATIENCE, enough).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_7_a_message_delivered_again_is_one_message_also_after_a_restart_and_six_days() {
    let dir = tempfile::tempdir().unwrap();
    let (provider, url) = Provider::start().await.unwrap();
    let options = account(Options::at(dir.path()), &url);
    let server = Server::start(options.clone()).await.unwrap();
    let api = server.api();
    let first = text("wamid.1", "quero falar com atendente");
    let at_once: Vec<_> = (0..5)
        .map(|_| {
            let (api, first) = (api.clone(), first.clone());
            tokio::spawn(async move { whatsapp::post(&api, &first).await.unwrap() })
        })
        .collect();
    for delivery in at_once {
        assert_eq!(delivery.await.unwrap(), 200);
    }
    provider.asked(1).await.unwrap();
    server.stop().await.unwrap();

    let server = Server::start(options.clone()).await.unwrap();
    assert_eq!(whatsapp::post(&server.api(), &first).await.unwrap(), 200);
    // What comes behind it in the order of the contact tells that it has passed.
    assert_eq!(whatsapp::post(&server.api(), &text("wamid.2", "oi, um")).await.unwrap(), 200);
    assert_eq!(heard(&server.api(), "oi, um").await.len(), 2);
    server.stop().await.unwrap();

    let ahead = ("CORRENTEZA_CLOCK_AHEAD_MS".to_owned(), (6 * DAY_MS).to_string());
    let later = Options { environment: vec![ahead], ..options };
    let server = Server::start(later).await.unwrap();
    assert_eq!(whatsapp::post(&server.api(), &first).await.unwrap(), 200);
    assert_eq!(whatsapp::post(&server.api(), &text("wamid.3", "oi, dois")).await.unwrap(), 200);
    let all = heard(&server.api(), "oi, dois").await;
    let again = all.iter().filter(|text| *text == "quero falar com atendente");
    assert_eq!((again.count(), all.len()), (1, 3), "{all:?}");
    let notices =
        provider.requests.lock().iter().filter(|(_, body)| body.contains("atendente")).count();
    assert_eq!(notices, 1, "one message, one reply");
}

#[tokio::test]
async fn case_23_three_texts_in_a_row_are_one_turn_also_when_the_server_dies_among_them() {
    let dir = tempfile::tempdir().unwrap();
    let (provider, url) = Provider::start().await.unwrap();
    let options = account(Options::at(dir.path()), &url)
        .with("GROUPING__WINDOW_MS", "4000")
        .with("GROUPING__AGE_MS_MAX", "20000");
    let server = Server::start(options.clone()).await.unwrap();
    let texts = ["quero falar", "com um atendente", "por favor"];
    for (n, body) in texts.iter().take(2).enumerate() {
        let sent = text(&format!("wamid.{n}"), body);
        assert_eq!(whatsapp::post(&server.api(), &sent).await.unwrap(), 200);
    }
    let options = Options { port: 0, ..server.kill().unwrap() };
    let server = Server::start(options).await.unwrap();
    assert_eq!(whatsapp::post(&server.api(), &text("wamid.2", texts[2])).await.unwrap(), 200);
    provider.asked(1).await.unwrap();
    // Whoever writes later and is answered: by then a second answer would have come.
    let other =
        written("5511933334444", "wamid.9", "text", json!({ "body": "quero um atendente" }));
    assert_eq!(whatsapp::post(&server.api(), &other).await.unwrap(), 200);
    let asked = provider.asked(2).await.unwrap();
    let to_maria = asked.iter().filter(|(_, body)| body.contains(MARIA)).count();
    assert_eq!(to_maria, 1, "three texts, one answer: {asked:?}");
    let decided = |lines: &[Value]| of(lines, "turn_decided").len() >= 2;
    let lines = server.api().until_lines(PATIENCE, decided).await.unwrap();
    let turns: Vec<usize> = of(&lines, "turn_decided")
        .iter()
        .map(|line| line["detail"]["messages"].as_array().unwrap().len())
        .collect();
    assert!(turns == [3, 1] || turns == [1, 3], "{turns:?}");
}

/// How long the door took to answer each of `count` webhooks, sent `together` at a time.
async fn knocked(api: &Api, count: usize, together: usize) -> Vec<Duration> {
    let mut took = Vec::with_capacity(count);
    for begin in (0..count).step_by(together) {
        let knocks = (begin..count.min(begin + together)).map(|n| {
            let api = api.clone();
            tokio::spawn(async move {
                let value = written(
                    &format!("55119{n:08}"),
                    &format!("w.{n}"),
                    "text",
                    json!({ "body": "oi" }),
                );
                let begun = Instant::now();
                assert_eq!(whatsapp::post(&api, &value).await.unwrap(), 200);
                begun.elapsed()
            })
        });
        for knock in knocks.collect::<Vec<_>>() {
            took.push(knock.await.unwrap());
        }
    }
    took.sort();
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_32_the_door_acknowledges_while_nobody_classifies() {
    let dir = tempfile::tempdir().unwrap();
    let Some(installation) = Installation::lay_out(dir.path(), "door").unwrap() else { return };
    let options = account(installation.process("doors", &["doors"]).unwrap(), "http://127.0.0.1:1");
    let doors = Server::start(options).await.unwrap();
    let count = 400;
    let took = knocked(&doors.api(), count, 20).await;
    // By the provider's bar, which leaves room for a machine that others build on.
    let slow = took.iter().filter(|took| **took > Duration::from_secs(1)).count();
    let half = took[count / 2];
    println!("{count} webhooks: p50 {half:?}, p95 {:?}, over 1 s {slow}", took[count * 95 / 100]);
    assert!(half <= Duration::from_millis(250), "p50 {half:?}");
    assert!(slow * 100 < count, "{slow} of {count} took more than a second");
    let none = doors.api().lines().await.unwrap();
    assert!(none.is_empty(), "all were taken before anybody decided: {none:?}");
    // And nothing of it is lost once somebody does.
    let parts = ["turns", "classify", "router", "plan", "act", "store"];
    let rest = Server::start(installation.process("rest", &parts).unwrap()).await.unwrap();
    let decided = |lines: &[Value]| of(lines, "turn_decided").len() >= 200;
    doors.api().until_lines(Duration::from_secs(90), decided).await.unwrap();
    rest.stop().await.unwrap();
}
