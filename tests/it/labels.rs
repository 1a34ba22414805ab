//! People on the machine's work: what they say becomes labels, labels become rows, and an intent whose
//! answers they override loses its automatic path.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::api::{Answer, Api};
use tests::server::{Options, Server, binary, root};

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

/// Runs the program; gives what it printed.
fn run(arguments: &[&str]) -> Result<String, String> {
    let done = Command::new(binary().unwrap()).args(arguments).output().unwrap();
    let (out, err) =
        (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
    if done.status.success() { Ok(out) } else { Err(err) }
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

/// Asks, each time as another customer, until it is decided so.
async fn becomes(api: &Api, name: &str, route: &str) {
    let until = Instant::now() + PATIENCE;
    for n in 0.. {
        let decision = api.decide(&format!("{name}{n}"), SURE).await.unwrap();
        if decision["route"] == route {
            return;
        }
        assert!(Instant::now() < until, "never {route}: {decision}");
    }
}

async fn label(api: &Api, conversation: &str, body: Value) -> Answer {
    api.post(&format!("/v1/conversations/{conversation}/label"), &body).await.unwrap()
}

#[tokio::test]
async fn what_people_say_becomes_rows_to_train_with() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(options(dir.path())).await.unwrap();
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
    let data = dir.path().to_str().unwrap();
    let out = dir.path().join("labels.jsonl");
    let export = ["labels", "export", "--data-dir", data, "--out", out.to_str().unwrap()];
    assert!(run(&export).unwrap().starts_with("2 labelled turns"));
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
    export[5] = parquet.to_str().unwrap();
    run(&[export.as_slice(), &["--format", "parquet"]].concat()).unwrap();
    assert!(std::fs::read(&parquet).unwrap().starts_with(b"PAR1"));
    let (said, _) = server.stop().await.unwrap();
    assert!(!said.contains(CPF) && !said.contains("internet"), "no text in the log");
}

#[tokio::test]
async fn an_intent_whose_answers_are_overridden_goes_to_people_until_it_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(options(dir.path())).await.unwrap();
    let api = server.api();
    for n in 0..4 {
        answered(&api, &format!("C{n}")).await;
    }
    for check in checks(&api, 4).await {
        let id = check["conversation_id"].as_str().unwrap();
        let body = json!({ "agent": "Ana", "turn": check["turn"], "intent": "lentidao" });
        assert_eq!(label(&api, id, body).await.status, 200);
    }
    let closed = |answer: &Answer| answer.str("/closed/0/intent") == "sem_conexao";
    let told = api.until("/v1/metrics/model", PATIENCE, closed).await.unwrap();
    assert!(told.body["closed"][0]["overridden"].as_i64().unwrap() >= 3, "{}", told.text);
    assert_eq!(told.body["model"]["checked"][0]["intent"], "sem_conexao", "{}", told.text);
    let suspended = async |api: &Api, customer: &str| {
        let decision = api.decide(customer, SURE).await.unwrap();
        assert_eq!(decision["route"], "human", "{decision}");
        let id = decision["conversation_id"].as_str().unwrap().to_owned();
        let decided = |answer: &Answer| answer.text.contains("turn_decided");
        let shown = api.until(&format!("/v1/conversations/{id}"), PATIENCE, decided).await.unwrap();
        assert!(shown.text.contains("\"suspended\""), "{}", shown.text);
    };
    // The router takes it up at its next commit.
    becomes(&api, "D", "human").await;
    suspended(&api, "E1").await;
    let gauge = |answer: &Answer| {
        answer.text.contains("correnteza_automatic_path_closed{intent=\"sem_conexao\"")
    };
    api.until("/metrics", PATIENCE, gauge).await.unwrap();
    let (said, _) = server.stop().await.unwrap();
    assert!(said.contains("loses its automatic path"), "{said}");
    // Closed is in the log: a restart changes nothing.
    let server = Server::start(options(dir.path())).await.unwrap();
    let api = server.api();
    suspended(&api, "E2").await;
    let url = server.url();
    assert!(run(&["intents", "list", "--url", &url]).unwrap().contains("sem_conexao"));
    let reopen = ["intents", "reopen", "sem_conexao", "--agent", "Ana", "--url", &url];
    run(&reopen).unwrap();
    let open = |answer: &Answer| answer.body["closed"].as_array().is_some_and(Vec::is_empty);
    api.until("/v1/metrics/model", PATIENCE, open).await.unwrap();
    becomes(&api, "F", "auto").await;
    assert!(run(&reopen).unwrap_err().contains("is not closed"));
}
