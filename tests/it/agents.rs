//! People at the queues.

use std::time::Duration;

use serde_json::{Value, json};
use tests::api::Api;
use tests::server::{Options, Server};

const PATIENCE: Duration = Duration::from_secs(20);

/// A conversation that waits for people: its id.
async fn waiting(api: &Api, customer: &str) -> String {
    let decision = api.decide(customer, "quero falar com um atendente humano").await.unwrap();
    assert_eq!(decision["route"], "human", "{decision}");
    assert!(decision["queue"].is_string());
    let id = decision["conversation_id"].as_str().unwrap().to_owned();
    let there = |answer: &tests::api::Answer| answer.str("/state") == "queued";
    api.until(&format!("/v1/conversations/{id}"), PATIENCE, there).await.unwrap();
    id
}

async fn ask(
    api: &Api,
    id: &str,
    action: &str,
    agent: &str,
    text: Option<&str>,
) -> tests::api::Answer {
    let mut body = json!({ "agent": agent });
    if let Some(text) = text {
        body["text"] = json!(text);
    }
    api.post(&format!("/v1/conversations/{id}/{action}"), &body).await.unwrap()
}

#[tokio::test]
async fn of_two_who_claim_at_once_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let api = server.api();
    for n in 0..5 {
        let id = waiting(&api, &format!("C{n}")).await;
        let (ana, bruno) = tokio::join!(
            ask(&api, &id, "claim", "Ana", None),
            ask(&api, &id, "claim", "Bruno", None)
        );
        let mut statuses = [ana.status, bruno.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{} {}", ana.text, bruno.text);
        let lost = if ana.status == 409 { &ana } else { &bruno };
        assert!(lost.str("/detail").starts_with("a conversa está com "), "{}", lost.text);
    }
}

#[tokio::test]
async fn a_person_takes_over_and_the_machine_is_silent() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let api = server.api();
    let id = waiting(&api, "C1").await;
    let queues = api.get("/v1/queues").await.unwrap();
    let waits: u64 = queues.body["queues"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|queue| queue["waiting"].as_u64())
        .sum();
    assert_eq!(waits, 1, "{}", queues.text);
    assert_eq!(ask(&api, &id, "reply", "Ana", Some("oi")).await.status, 409, "not hers yet");
    assert_eq!(ask(&api, &id, "claim", "Ana", None).await.status, 200);
    assert_eq!(ask(&api, &id, "reply", "Bruno", Some("oi")).await.status, 409);
    assert_eq!(ask(&api, &id, "reply", "Ana", Some("Oi! Já estou vendo.")).await.status, 200);
    // The customer writes what the machine would answer: it does not.
    let body =
        json!({ "channel": "api", "customer": { "id": "C1" }, "text": "minha internet caiu" });
    api.post("/v1/messages", &body).await.unwrap();
    let path = format!("/v1/conversations/{id}");
    let turns = |answer: &tests::api::Answer| {
        lines(&answer.body, "turn_decided").len() == 2
            && !lines(&answer.body, "reply_sent").is_empty()
    };
    let shown = api.until(&path, PATIENCE, turns).await.unwrap();
    assert_eq!(lines(&shown.body, "turn_decided")[1]["detail"]["route"], "owned", "{}", shown.text);
    assert_eq!(ask(&api, &id, "release", "Ana", None).await.status, 200);
    assert_eq!(ask(&api, &id, "claim", "Bruno", None).await.status, 200);
    assert_eq!(ask(&api, &id, "resolve", "Bruno", None).await.status, 200);
    let done = |answer: &tests::api::Answer| ["resolved", "csat"].contains(&answer.str("/state"));
    let shown = api.until(&path, PATIENCE, done).await.unwrap();
    let answers = lines(&shown.body, "reply_sent");
    let machine = answers.iter().filter(|line| line["detail"]["purpose"] == "answer").count();
    assert_eq!(machine, 0, "the machine was silent: {}", shown.text);
    assert_eq!(lines(&shown.body, "agent_replied").len(), 1);
    assert_eq!(ask(&api, &id, "reply", "Bruno", Some("mais uma")).await.status, 409);
}

#[tokio::test]
async fn a_conversation_is_passed_on_with_its_note_put_aside_and_keeps_its_deadline() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let api = server.api();
    let id = waiting(&api, "C1").await;
    let path = format!("/v1/conversations/{id}");
    let due = api.get(&path).await.unwrap().body["sla_due_ms"].clone();
    assert!(due.is_i64());
    let post = async |action: &str, body: Value| {
        api.post(&format!("{path}/{action}"), &body).await.unwrap()
    };
    let note = "Ligou antes, telefone 11 98765-4321.";
    let passed = post("transfer", json!({ "agent": "Ana", "queue": "vendas", "text": note })).await;
    assert_eq!((passed.status, passed.str("/event")), (200, "transferred"), "{}", passed.text);
    assert_eq!(passed.body["sla_due_ms"], due, "{}", passed.text);
    let unknown = post("transfer", json!({ "agent": "Ana", "queue": "diretoria" })).await;
    assert_eq!((unknown.status, unknown.str("/code")), (409, "unknown_queue"));
    assert_eq!(ask(&api, &id, "claim", "Bruno", None).await.status, 200);
    let given = post("transfer", json!({ "agent": "Bruno", "to_agent": "Carla" })).await;
    assert_eq!((given.status, given.str("/owner")), (200, "Carla"), "{}", given.text);
    assert_eq!(given.body["sla_due_ms"], due);
    assert_eq!(ask(&api, &id, "note", "Bruno", Some("prefere à tarde")).await.status, 200);
    assert_eq!(ask(&api, &id, "note", "Bruno", None).await.status, 422);
    let until_ms = due.as_i64().unwrap() + 3_600_000;
    let aside = post("snooze", json!({ "agent": "Carla", "until_ms": until_ms })).await;
    assert_eq!(aside.status, 200, "{}", aside.text);
    let past = post("snooze", json!({ "agent": "Carla", "until_ms": 1 })).await;
    assert_eq!((past.status, past.str("/code")), (409, "bad_time"));
    let told = |answer: &tests::api::Answer| !lines(&answer.body, "snoozed").is_empty();
    let shown = api.until(&path, PATIENCE, told).await.unwrap();
    let noted = lines(&shown.body, "transferred");
    assert_eq!(noted[0]["detail"]["note"], note, "whole to those who work on it");
    assert_eq!(lines(&shown.body, "queued")[0]["detail"]["reason"], "transferred");
    assert_eq!(lines(&shown.body, "noted")[0]["detail"]["text"], "prefere à tarde");
}

#[tokio::test]
async fn the_desk_suggests_what_the_machine_would_have_said_and_sends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let api = server.api();
    let id = waiting(&api, "C1").await;
    let path = format!("/v1/conversations/{id}");
    let suggestion = format!("{path}/suggestion");
    let none = api.get(&suggestion).await.unwrap();
    assert_eq!((none.status, &none.body["suggestion"]), (200, &Value::Null), "{}", none.text);
    ask(&api, &id, "claim", "Ana", None).await;
    let body = json!({
        "channel": "api", "customer": { "id": "C1" }, "text": "qual a senha do meu wifi?",
    });
    api.post("/v1/messages", &body).await.unwrap();
    let there = |answer: &tests::api::Answer| answer.body["suggestion"].is_object();
    let found = api.until(&suggestion, PATIENCE, there).await.unwrap();
    assert_eq!(found.str("/suggestion/answer_id"), "senha_wifi.guia", "{}", found.text);
    let shown = api.get(&path).await.unwrap();
    assert!(lines(&shown.body, "agent_replied").is_empty(), "{}", shown.text);
}

fn lines<'a>(shown: &'a Value, event: &str) -> Vec<&'a Value> {
    let history = shown["history"].as_array();
    history.into_iter().flatten().filter(|line| line["event"] == event).collect()
}

#[tokio::test]
async fn everything_is_as_it_was_after_a_restart_and_after_a_rebuild() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let api = server.api();
    let human = waiting(&api, "C1").await;
    ask(&api, &human, "claim", "Ana", None).await;
    ask(&api, &human, "reply", "Ana", Some("Bom dia!")).await;
    let auto = api.decide("C2", "minha internet caiu").await.unwrap();
    let auto = auto["conversation_id"].as_str().unwrap().to_owned();
    at_rest(&api, &[(&human, 2), (&auto, 1)]).await;
    let before = shown(&api, &[&human, &auto]).await;
    let (_, again) = server.stop().await.unwrap();
    let server = Server::start(again).await.unwrap();
    assert_eq!(shown(&server.api(), &[&human, &auto]).await, before, "after a restart");
    let (_, again) = server.stop().await.unwrap();
    let rebuilt = std::process::Command::new(tests::server::binary().unwrap())
        .args(["store", "rebuild", "--data-dir"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stderr));
    let server = Server::start(again).await.unwrap();
    assert_eq!(shown(&server.api(), &[&human, &auto]).await, before, "after a rebuild");
    // Deleted, it is made anew without being asked.
    let (_, again) = server.stop().await.unwrap();
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        let _ = std::fs::remove_file(dir.path().join(name));
    }
    let server = Server::start(again).await.unwrap();
    let api = server.api();
    at_rest(&api, &[(&human, 2), (&auto, 1)]).await;
    assert_eq!(shown(&api, &[&human, &auto]).await, before, "after it was deleted");
}

/// Waits until each conversation tells of so many replies. The last of them is its last line: the notice of
/// the queue may be told before or after what an agent does meanwhile, and nothing comes behind both.
async fn at_rest(api: &Api, conversations: &[(&String, usize)]) {
    for (id, replies) in conversations {
        let told =
            |answer: &tests::api::Answer| lines(&answer.body, "reply_sent").len() == *replies;
        api.until(&format!("/v1/conversations/{id}"), PATIENCE, told).await.unwrap();
    }
}

/// All the desk shows that does not depend on the time of day.
async fn shown(api: &Api, conversations: &[&String]) -> Vec<Value> {
    let mut all = Vec::new();
    for id in conversations {
        all.push(api.get(&format!("/v1/conversations/{id}")).await.unwrap().body);
    }
    all.push(api.get("/v1/conversations").await.unwrap().body);
    let mut queues = api.get("/v1/queues").await.unwrap().body;
    for queue in queues["queues"].as_array_mut().unwrap() {
        queue.as_object_mut().unwrap().remove("oldest_s");
    }
    all.push(queues);
    all
}
