//! What the machine says, and which turns it answers, put into use while messages come in.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::api::Api;
use tests::installation::Installation;
use tests::server::{Options, Server, root};

const PATIENCE: Duration = Duration::from_secs(60);

/// The answers that come with the product, but for one text.
fn answers(dir: &Path, name: &str, brand: &str) -> PathBuf {
    let built_in = std::fs::read_to_string(root().join("responder/catalogue.toml")).unwrap();
    let changed =
        built_in.replace("Sinto muito pelo transtorno.", &format!("{brand} sente muito."));
    assert_ne!(built_in, changed);
    let file = dir.join(name);
    std::fs::write(&file, changed).unwrap();
    file
}

fn policy(dir: &Path, from: &str, to: &str) -> PathBuf {
    let built_in = std::fs::read_to_string(root().join("router/policy.toml")).unwrap();
    assert!(built_in.contains(from), "{from}");
    let file = dir.join("policy.toml");
    std::fs::write(&file, built_in.replace(from, to)).unwrap();
    file
}

/// With the address of the server it belongs to.
fn at(server: &Server, options: &Options) -> Options {
    options.clone().with("SERVER__LISTEN", &format!("127.0.0.1:{}", server.port))
}

/// A customer of `tenant` without a connection, whom the CRM does not know; what they are answered.
async fn asked(api: &Api, tenant: &str, customer: &str) -> Value {
    let body = json!({
        "tenant": tenant, "channel": "api", "customer": { "id": customer },
        "text": "minha internet caiu",
    });
    let answer = api.post("/v1/messages?wait=decision", &body).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body
}

/// Customers write until one is answered so; all before are answered in the old way.
async fn until_answered(api: &Api, tenant: &str, new: &str, old: &str) {
    let until = Instant::now() + PATIENCE;
    for n in 0.. {
        let body = asked(api, tenant, &format!("{tenant}-{new}-{n}")).await;
        let text = body["reply"]["text"].as_str().unwrap_or_default();
        if text.contains(new) {
            return;
        }
        assert!(text.contains(old), "{body}");
        assert!(Instant::now() < until, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_put_into_use_under_load_without_a_restart_and_for_one_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let options =
        Options::at(&dir.path().join("data")).with("TENANTS__ACME__UTC_OFFSET_MINUTES", "-180");
    let server = Server::start(options.clone()).await.unwrap();
    let (api, commands) = (server.api(), at(&server, &options));
    let before = "Sinto muito";
    let known = api.get("/v1/answers?tenant=acme").await.unwrap();
    assert_eq!((&known.body["inherited"], &known.body["configured"]), (&json!(true), &json!(true)));

    let file = answers(dir.path(), "acme.toml", "Acme");
    let apply = ["answers", "apply", file.to_str().unwrap(), "--tenant", "acme"];
    let writing = tokio::spawn({
        let api = api.clone();
        async move { until_answered(&api, "acme", "Acme sente muito", before).await }
    });
    let said = commands.run(&apply).unwrap();
    assert!(said.contains("of acme"), "{said}");
    writing.await.unwrap();
    // Nobody else's answers changed, and the stamp says so.
    let (acme, demo) = (asked(&api, "acme", "A1").await, asked(&api, "demo", "A1").await);
    assert!(demo["reply"]["text"].as_str().unwrap().contains(before), "{demo}");
    let own = api.get("/v1/answers?tenant=acme").await.unwrap();
    assert_eq!(
        (&own.body["inherited"], own.str("/text").contains("Acme sente muito")),
        (&json!(false), true)
    );
    assert_ne!(own.body["version"], known.body["version"]);

    // A restart keeps it: the configuration has not changed.
    let (_, again) = server.stop().await.unwrap();
    let server = Server::start(again).await.unwrap();
    let api = server.api();
    let text = asked(&api, "acme", "A2").await["reply"]["text"].clone();
    assert!(text.as_str().unwrap().contains("Acme sente muito"), "{text} after {acme}");
    commands.run(&["answers", "reset", "--tenant", "acme"]).unwrap();
    until_answered(&api, "acme", before, "Acme sente muito").await;
    let missing = api.get("/v1/answers?tenant=nobody").await.unwrap();
    assert_eq!((missing.status, missing.str("/code")), (404, "not_found"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_put_into_use_and_stamped_on_what_it_decides() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::at(&dir.path().join("data"));
    let server = Server::start(options.clone()).await.unwrap();
    let (api, commands) = (server.api(), at(&server, &options));
    let first = api.get("/v1/policy").await.unwrap();
    assert!(!first.str("/text").contains("utc_offset_minutes"), "as its author wrote it");
    let stamp = async |customer: &str| {
        let body = asked(&api, "demo", customer).await;
        let id = body["conversation_id"].as_str().unwrap().to_owned();
        let path = format!("/v1/conversations/{id}/events");
        let events = api.until(&path, PATIENCE, |it| it.text.contains("policy_version")).await;
        let events = events.unwrap().body["events"].as_array().unwrap().clone();
        let found = events.iter().find(|event| event["event"] == "turn_decided").unwrap().clone();
        (body["route"].clone(), found["detail"]["policy_version"].clone())
    };
    assert_eq!(stamp("B1").await, (json!("auto"), first.body["version"].clone()));
    let from =
        "sem_conexao          = { queue = \"suporte\", auto = true, action = \"line_check\" }";
    let file = policy(dir.path(), from, "sem_conexao = { queue = \"suporte\", auto = false }");
    let said = commands.run(&["policy", "apply", file.to_str().unwrap()]).unwrap();
    let now = api.get("/v1/policy").await.unwrap();
    assert!(said.contains(now.str("/version")), "{said}");
    let until = Instant::now() + PATIENCE;
    for n in 0.. {
        let (route, version) = stamp(&format!("B2-{n}")).await;
        // Each decision is by the version it is stamped with.
        let by_new = version == now.body["version"];
        assert_eq!(route, if by_new { json!("human") } else { json!("auto") });
        if by_new {
            break;
        }
        assert!(Instant::now() < until, "it is never taken up");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_refused_with_its_line_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::at(&dir.path().join("data"));
    let server = Server::start(options.clone()).await.unwrap();
    let (api, commands) = (server.api(), at(&server, &options));
    let before = api.get("/v1/answers").await.unwrap().body;
    let file = answers(dir.path(), "wrong.toml", "Você está em dia! A Acme");
    let line = std::fs::read_to_string(&file).unwrap();
    let line = line.lines().position(|line| line.contains("está em dia! A Acme")).unwrap();
    for what in ["lint", "apply"] {
        let error = commands.run(&["answers", what, file.to_str().unwrap()]).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("'em dia'"), "{error}");
        // The text begins on the line before.
        assert!(error.contains(&format!(":{line}:")) || what == "apply", "{error}");
    }
    let refused =
        api.put_text("/v1/answers", &std::fs::read_to_string(&file).unwrap()).await.unwrap();
    assert_eq!((refused.status, refused.str("/code")), (422, "wrong"), "{}", refused.text);
    assert_eq!(refused.body["mistakes"][0]["line"], json!(line));
    let broken = api.put_text("/v1/policy", "[intents\n").await.unwrap();
    assert_eq!((broken.status, &broken.body["mistakes"][0]["line"]), (422, &json!(1)));
    assert_eq!(api.get("/v1/answers").await.unwrap().body, before);
    let sound = root().join("responder/catalogue.toml");
    commands.run(&["answers", "lint", sound.to_str().unwrap()]).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_process_takes_it_up() {
    let dir = tempfile::tempdir().unwrap();
    let Some(installation) = Installation::lay_out(dir.path(), "texts").unwrap() else { return };
    let doors = installation.process("doors", &["doors", "store", "metrics"]).unwrap();
    let line = ["turns", "classify", "router", "plan", "act", "deliver"];
    let line = installation.process("line", &line).unwrap();
    let (line, doors) = (Server::start(line).await.unwrap(), Server::start(doors).await.unwrap());
    let file = std::fs::read_to_string(answers(dir.path(), "new.toml", "Nova")).unwrap();
    let api = doors.api();
    until_answered(&api, "demo", "Sinto muito", "Sinto muito").await;
    // Asked of the one, taken up by the other.
    let put = api.put_text("/v1/answers?tenant=demo", &file).await.unwrap();
    assert_eq!(put.status, 200, "{}", put.text);
    until_answered(&api, "demo", "Nova sente muito", "Sinto muito").await;
    line.stop().await.unwrap();
    doors.stop().await.unwrap();
}
