//! People on the machine's work: what they say becomes labels, labels become rows, and an intent whose
//! answers they override loses its automatic path.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::api::{Answer, Api};
use tests::installation::Installation;
use tests::server::{Options, Server, root};

const PATIENCE: Duration = Duration::from_secs(30);
const CPF: &str = "529.982.247-25";
/// What the machine answers by itself.
const SURE: &str = "minha internet caiu";

/// A policy of which a person looks at every automatic answer.
fn all_checked(dir: &Path) -> PathBuf {
    let policy = std::fs::read_to_string(root().join("router/policy.toml")).unwrap();
    let path = dir.join("policy.toml");
    std::fs::write(&path, policy.replace("share = 0.015", "share = 1.0")).unwrap();
    path
}

fn options(dir: &Path) -> Options {
    Options::at(dir).with("ROUTER__POLICY_FILE", all_checked(dir).to_str().unwrap())
}

/// A customer is answered automatically; gives the conversation.
async fn answered(api: &Api, customer: &str) -> String {
    let decision = api.decide(customer, SURE).await.unwrap();
    assert_eq!(decision["route"], "auto", "{decision}");
    decision["conversation_id"].as_str().unwrap().to_owned()
}

/// The answers to look at, once there are so many.
async fn checks(api: &Api, wanted: usize) -> Vec<Value> {
    let there = |answer: &Answer| answer.body["checks"].as_array().map(Vec::len) == Some(wanted);
    let found = api.until("/v1/checks", PATIENCE, there).await.unwrap();
    found.body["checks"].as_array().unwrap().clone()
}

/// Asks, each time as another customer, until it is decided so; gives the conversation.
async fn becomes(api: &Api, name: &str, route: &str) -> String {
    let until = Instant::now() + PATIENCE;
    for n in 0.. {
        let decision = api.decide(&format!("{name}{n}"), SURE).await.unwrap();
        if decision["route"] == route {
            return decision["conversation_id"].as_str().unwrap().to_owned();
        }
        assert!(Instant::now() < until, "never {route}: {decision}");
    }
    unreachable!("there are always more customers")
}

async fn label(api: &Api, conversation: &str, body: Value) -> Answer {
    api.post(&format!("/v1/conversations/{conversation}/label"), &body).await.unwrap()
}

/// Four answers on one intent are checked and found wrong: it loses its automatic path.
async fn overridden_until_closed(api: &Api) {
    for n in 0..4 {
        answered(api, &format!("C{n}")).await;
    }
    for check in checks(api, 4).await {
        let id = check["conversation_id"].as_str().unwrap();
        let body = json!({ "agent": "Ana", "turn": check["turn"], "intent": "lentidao" });
        assert_eq!(label(api, id, body).await.status, 200);
    }
    let closed = |answer: &Answer| answer.str("/closed/0/intent") == "sem_conexao";
    let told = api.until("/v1/metrics/model", PATIENCE, closed).await.unwrap();
    assert!(told.body["closed"][0]["overridden"].as_i64().unwrap() >= 3, "{}", told.text);
    assert_eq!(told.body["model"]["checked"][0]["intent"], "sem_conexao", "{}", told.text);
}

/// The conversation went to people because its intent is closed.
async fn suspended(api: &Api, conversation: &str) {
    let decided = |answer: &Answer| answer.text.contains("turn_decided");
    let path = format!("/v1/conversations/{conversation}");
    let shown = api.until(&path, PATIENCE, decided).await.unwrap();
    assert!(shown.text.contains("\"suspended\""), "{}", shown.text);
}

/// No automatic path is closed any more.
async fn is_open(api: &Api) {
    let open = |answer: &Answer| answer.body["closed"].as_array().is_some_and(Vec::is_empty);
    api.until("/v1/metrics/model", PATIENCE, open).await.unwrap();
}

#[tokio::test]
async fn what_people_say_becomes_rows_to_train_with() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let server = Server::start(options.clone()).await.unwrap();
    let api = server.api();
    let id = answered(&api, "C1").await;
    let found = checks(&api, 1).await;
    assert_eq!(found[0]["text"], SURE);
    assert_eq!(found[0]["classification"]["intents"][0]["id"], "sem_conexao");
    assert!(found[0]["answer"].as_str().is_some_and(|answer| !answer.is_empty()), "{found:?}");
    let told = label(&api, &id, json!({ "agent": "Ana", "turn": 1, "intent": "lentidao" })).await;
    assert_eq!(told.status, 200, "{}", told.text);
    assert_eq!((told.str("/event"), told.str("/detail/source")), ("labeled", "check"));
    checks(&api, 0).await;
    // A person says it again, otherwise: the last word counts.
    let body = json!({ "agent": "Ana", "turn": 1, "intent": "oscilacao", "sentiment": "negativo" });
    let told = label(&api, &id, body).await;
    assert_eq!(told.str("/detail/source"), "correction", "{}", told.text);
    // What people answered is labelled as well, and its numbers are masked.
    let text = format!("quero falar com um atendente humano, meu cpf é {CPF}");
    let human = api.decide("C2", &text).await.unwrap();
    let human = human["conversation_id"].as_str().unwrap();
    let decided = |answer: &Answer| answer.text.contains("turn_decided");
    api.until(&format!("/v1/conversations/{human}"), PATIENCE, decided).await.unwrap();
    assert_eq!(label(&api, human, json!({ "agent": "Ana", "turn": 1 })).await.status, 200);
    for (body, status) in [
        (json!({ "agent": "Ana", "turn": 9 }), 404),
        (json!({ "agent": " ", "turn": 1 }), 422),
        (json!({ "agent": "Ana", "turn": 1, "intent": "Não é isso" }), 422),
    ] {
        assert_eq!(label(&api, human, body.clone()).await.status, status, "{body}");
    }
    // While the server runs.
    let out = dir.path().join("labels.jsonl");
    let export = ["labels", "export", "--out", out.to_str().unwrap()];
    assert!(options.run(&export).unwrap().starts_with("2 labelled turns"));
    let rows = std::fs::read_to_string(&out).unwrap();
    assert!(!rows.contains(CPF), "{rows}");
    let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let corrected = rows.iter().find(|row| row["text"] == SURE).unwrap();
    assert_eq!(
        (&corrected["label"], &corrected["predicted"]),
        (&json!("oscilacao"), &json!("sem_conexao"))
    );
    assert_eq!(
        (&corrected["sentiment"], &corrected["route"]),
        (&json!("negativo"), &json!("auto"))
    );
    assert!(corrected["model_version"].as_str().unwrap().starts_with("m-"));
    let confirmed = rows.iter().find(|row| row["text"] != SURE).unwrap();
    assert_eq!(confirmed["label"], confirmed["predicted"]);
    let parquet = dir.path().join("labels.parquet");
    let mut export = export.to_vec();
    export[3] = parquet.to_str().unwrap();
    options.run(&[export.as_slice(), &["--format", "parquet"]].concat()).unwrap();
    assert!(std::fs::read(&parquet).unwrap().starts_with(b"PAR1"));
    let (said, _) = server.stop().await.unwrap();
    assert!(!said.contains(CPF) && !said.contains("internet"), "no text in the log");
}

#[tokio::test]
async fn an_intent_whose_answers_are_overridden_goes_to_people_until_it_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let server = Server::start(options.clone()).await.unwrap();
    let api = server.api();
    overridden_until_closed(&api).await;
    // The router takes it up at its next commit.
    suspended(&api, &becomes(&api, "D", "human").await).await;
    let gauge = |answer: &Answer| {
        answer.text.contains("correnteza_automatic_path_closed{intent=\"sem_conexao\"")
    };
    api.until("/metrics", PATIENCE, gauge).await.unwrap();
    let (said, _) = server.stop().await.unwrap();
    assert!(said.contains("loses its automatic path"), "{said}");
    // Closed is in the log: a restart changes nothing.
    let server = Server::start(options.clone()).await.unwrap();
    let api = server.api();
    let decision = api.decide("E", SURE).await.unwrap();
    assert_eq!(decision["route"], "human", "{decision}");
    suspended(&api, decision["conversation_id"].as_str().unwrap()).await;
    let url = server.url();
    assert!(options.run(&["intents", "list", "--url", &url]).unwrap().contains("sem_conexao"));
    let reopen = ["intents", "reopen", "sem_conexao", "--agent", "Ana", "--url", &url];
    options.run(&reopen).unwrap();
    is_open(&api).await;
    becomes(&api, "F", "auto").await;
    assert!(options.run(&reopen).unwrap_err().to_string().contains("is not closed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_kafka_what_one_process_hears_of_answers_closes_the_path_in_another() {
    let dir = tempfile::tempdir().unwrap();
    let Some(installation) = Installation::lay_out(dir.path(), "labels").unwrap() else { return };
    let policy = all_checked(dir.path());
    let process = |name: &str, parts: &[&'static str]| {
        let options = installation.process(name, parts).unwrap();
        options.with("ROUTER__POLICY_FILE", policy.to_str().unwrap())
    };
    let desk = process("desk", &["doors", "metrics", "store"]);
    let line = process("line", &["turns", "classify", "plan", "act", "deliver"]);
    let (desk_server, _line) =
        (Server::start(desk.clone()).await.unwrap(), Server::start(line).await.unwrap());
    let mut routers = Vec::new();
    for name in ["router-one", "router-two"] {
        routers.push(Server::start(process(name, &["router"])).await.unwrap());
    }
    let api = desk_server.api();
    overridden_until_closed(&api).await;
    // Partitions of both processes: each takes it up at its own next commit.
    for n in 0..8 {
        suspended(&api, &becomes(&api, &format!("D{n}-"), "human").await).await;
    }
    let out = dir.path().join("labels.jsonl");
    desk.run(&["labels", "export", "--out", out.to_str().unwrap()]).unwrap();
    let rows = std::fs::read_to_string(&out).unwrap();
    let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!(rows.len(), 4, "{rows:?}");
    for row in &rows {
        assert_eq!((&row["text"], &row["label"]), (&json!(SURE), &json!("lentidao")), "{row}");
        assert_eq!((&row["predicted"], &row["source"]), (&json!("sem_conexao"), &json!("check")));
    }
    let url = desk_server.url();
    desk.run(&["intents", "reopen", "sem_conexao", "--agent", "Ana", "--url", &url]).unwrap();
    is_open(&api).await;
    for n in 0..8 {
        becomes(&api, &format!("F{n}-"), "auto").await;
    }
}
