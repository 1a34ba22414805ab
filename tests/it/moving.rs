//! An installation goes from one directory to Kafka and CQL, and from one layout to the other: every
//! conversation goes on where it was.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tests::server::{Options, Server};

/// How long what was in hand may take to be done elsewhere.
const PATIENCE: Duration = Duration::from_secs(60);

fn data_dir(dir: &Path) -> &str {
    dir.to_str().unwrap()
}

/// Who asks for a person has a conversation that stays open.
async fn ask_for_a_person(server: &Server) -> Vec<Value> {
    let mut decided = Vec::new();
    for n in 0..8 {
        let text = "quero falar com um atendente";
        decided.push(server.api().decide(&format!("pessoa-{n}"), text).await.unwrap());
    }
    decided
}

/// Everybody writes again, and is in the conversation of before.
async fn go_on(server: &Server, decided: &[Value]) {
    for (n, before) in decided.iter().enumerate() {
        let now =
            server.api().decide(&format!("pessoa-{n}"), "ainda preciso de ajuda").await.unwrap();
        for what in ["conversation_id", "protocol"] {
            assert_eq!(now[what], before[what], "{what} of {n}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversations_go_on_after_a_move_to_kafka_and_after_a_change_of_layout() {
    let (Ok(kafka), Ok(cql)) = (std::env::var("KAFKA_BOOTSTRAP"), std::env::var("CQL_CONTACT"))
    else {
        println!("SKIPPED: a move to Kafka and CQL: KAFKA_BOOTSTRAP and CQL_CONTACT are not set");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    let server = Server::start(Options::at(&one).with("LOG__PARTITIONS", "3")).await.unwrap();
    let decided = ask_for_a_person(&server).await;
    // Acknowledged and not decided when the process dies: the move finishes it.
    let mut in_hand = Vec::new();
    for n in 0..20 {
        let text = "quero a segunda via do boleto";
        let body =
            json!({"channel": "api", "customer": {"id": format!("em-curso-{n}")}, "text": text});
        let answer = server.api().post("/v1/messages", &body).await.unwrap();
        assert_eq!(answer.status, 202, "{}", answer.text);
        in_hand.push(answer.str("/message_id").to_owned());
    }
    server.kill().unwrap();

    let tag = format!("move{}", std::process::id());
    let there = Options::at(&other)
        .on_cluster()
        .with("KAFKA__BOOTSTRAP", &kafka)
        .with("KAFKA__PREFIX", &format!("{tag}-"))
        .with("SCYLLA__CONTACT_POINTS", &cql)
        .with("SCYLLA__KEYSPACE", &tag)
        .with("LOG__PARTITIONS", "4")
        // Members that have just joined take a moment to be given what they read.
        .with("DOOR__WAIT_MS", "30000");
    there.run(&["topics", "apply"]).unwrap();
    there.run(&["store", "migrate"]).unwrap();
    let said = there.run(&["migrate", "--from", data_dir(&one)]).unwrap();
    assert!(said.contains("moved"), "{said}");
    let refusal = there.run(&["migrate", "--from", data_dir(&one)]).unwrap_err().to_string();
    assert!(refusal.contains("already hold records"), "{refusal}");

    std::fs::create_dir_all(&other).unwrap();
    std::fs::copy(one.join("keys.toml"), other.join("keys.toml")).unwrap();
    let server = Server::start(there.clone()).await.unwrap();
    go_on(&server, &decided).await;
    for id in &in_hand {
        let path = format!("/v1/messages/{id}");
        let is_decided = |answer: &tests::api::Answer| !answer.str("/route").is_empty();
        server.api().until(&path, PATIENCE, is_decided).await.unwrap();
    }
    server.stop().await.unwrap();

    let said = there.run(&["topology", "change", "--to", "chained"]).unwrap();
    assert!(said.contains("chained now"), "{said}");
    let refusal = there.run(&["run", "turns", "--listen", "127.0.0.1:0"]).unwrap_err().to_string();
    assert!(refusal.contains("topology change"), "{refusal}");
    let chained = there.clone().with("LINE__LAYOUT", "chained");
    let server = Server::start(chained).await.unwrap();
    go_on(&server, &decided).await;
    server.stop().await.unwrap();

    // And back.
    there.run(&["topology", "change", "--to", "separate"]).unwrap();
    let server = Server::start(there).await.unwrap();
    go_on(&server, &decided).await;
}
