//! A canary: numbers of a customer, looked for in every place they must not be in.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tests::histories::of;
use tests::provider;
use tests::server::{Options, Server};
use tests::whatsapp::{account, post, post_body, written};

use crate::{media, mirror};

const CPF: &str = "529.982.247-25";
const PHONE: &str = "(11) 98765-4321";
const EMAIL: &str = "canario.da.silva@exemplo.com.br";
const CNPJ: &str = "11.222.333/0001-81";
const CARD: &str = "4111 1111 1111 1111";
const WORD: &str = "xilofonista";

/// How each may be written.
const WRITTEN: &[&str] = &[
    CPF,
    "52998224725",
    PHONE,
    "98765-4321",
    EMAIL,
    CNPJ,
    "11222333000181",
    CARD,
    "4111111111111111",
    WHATSAPP,
    "987654321",
];
/// Somebody else's number.
const ANOTHER: &str = "(21) 99876-5432";
/// The number a customer writes from.
const WHATSAPP: &str = "5511987654321";

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
    for needle in WRITTEN {
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

/// Kept for days and read by nobody outside: requests as they came, texts on their way to the models, and
/// what nobody could read.
const TRANSPORT: &[&str] = &["raw", "inbound", "turns", "dead-letters"];

/// Topics that hold `needle`, but for those of transport.
fn topics_holding(data_dir: &Path, needle: &str) -> Vec<String> {
    let log = rusqlite::Connection::open(data_dir.join("log.db")).unwrap();
    let mut tables = log.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let topics =
        ["classified", "conversations", "replies", "labels", "turns-state", "router-state"];
    let mut seen = 0;
    let mut found = Vec::new();
    for table in tables.map(Result::unwrap).filter(|name| !TRANSPORT.contains(&name.as_str())) {
        let Ok(mut rows) = log.prepare(&format!("SELECT key, value, headers FROM \"{table}\""))
        else {
            continue; // not a topic
        };
        seen += usize::from(topics.contains(&table.as_str()));
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let columns =
                (0..3).filter_map(|column| row.get::<_, Option<Vec<u8>>>(column).unwrap());
            let holds = |bytes: &[u8]| {
                bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
            };
            if columns.into_iter().any(|bytes| holds(&bytes)) {
                found.push(table.clone());
            }
        }
    }
    assert_eq!(seen, topics.len(), "every topic that has to do with texts was looked into");
    found
}

#[tokio::test]
async fn case_26_numbers_are_in_no_topic_and_no_output() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::at(dir.path()).with("TELEMETRY__LOG", "trace,hyper=info,h2=info");
    let server = Server::start(account(options.clone(), "http://127.0.0.1:1")).await.unwrap();
    let api = server.api();
    let text = format!(
        "sou {WORD}, cpf {CPF}, cnpj {CNPJ}, fone {PHONE}, email {EMAIL}, cartão {CARD}, quero um atendente"
    );
    let message = written(WHATSAPP, "wamid.1", "text", json!({ "body": text }));
    assert_eq!(post(&api, &message).await.unwrap(), 200);
    // What no adapter can read is set aside whole, with the same numbers in it.
    assert_eq!(post_body(&api, format!("{{\"{text}").as_bytes()).await.unwrap(), 400);
    let decided = |lines: &[Value]| !of(lines, "turn_decided").is_empty();
    let lines = api.until_lines(Duration::from_secs(20), decided).await.unwrap();
    let id = lines[0]["conversation_id"].as_str().unwrap();
    let label = json!({ "agent": "Ana", "turn": 1, "intent": "sem_conexao" });
    let labelled = api.post(&format!("/v1/conversations/{id}/label"), &label).await.unwrap();
    assert_eq!(labelled.status, 200, "{}", labelled.text);
    let (said, _) = server.stop().await.unwrap();
    let out = dir.path().join("labels.jsonl");
    options.run(&["labels", "export", "--out", out.to_str().unwrap()]).unwrap();
    let exported = std::fs::read_to_string(&out).unwrap();
    assert!(exported.contains("sem_conexao"), "{exported}");
    let mut outputs = vec![("log", said), ("labels", exported)];
    for command in [&["dead-letters", "list"][..], &["config", "show"]] {
        outputs.push((command[0], options.run(command).unwrap()));
    }
    assert!(outputs[2].1.contains("door"), "{}", outputs[2].1);
    for needle in WRITTEN {
        for (place, content) in &outputs {
            assert!(!content.contains(needle), "{needle} in {place}: {content}");
        }
        assert_eq!(topics_holding(dir.path(), needle), Vec::<String>::new(), "{needle}");
    }
}

/// Texts with everything in them, one of which nobody else has written.
fn telling(word: &str) -> String {
    format!(
        "sou {word}, cpf {CPF}, cnpj {CNPJ}, fone {PHONE}, email {EMAIL}, cartão {CARD}, quero um atendente"
    )
}

/// Files of the directory and below that hold `needle`.
fn anywhere_holding(dir: &Path, needle: &str) -> Vec<String> {
    let mut found = holding(dir, needle);
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(anywhere_holding(&path, needle));
        }
    }
    found
}

/// What agents write has numbers in it, too.
async fn agents_write(api: &tests::api::Api, id: &str, other: &str) {
    for (command, body) in [
        ("claim", json!({ "agent": "Ana" })),
        ("note", json!({ "agent": "Ana", "text": telling("nota") })),
        (
            "transfer",
            json!({ "agent": "Ana", "queue": "financeiro", "text": telling("transferida") }),
        ),
    ] {
        let answer = api.post(&format!("/v1/conversations/{id}/{command}"), &body).await.unwrap();
        assert_eq!(answer.status, 200, "{command}: {}", answer.text);
    }
    let merge = json!({ "agent": "Ana", "reason": telling("mesma"), "with": other });
    let merged = api.post(&format!("/v1/customers/{id}/merge"), &merge).await.unwrap();
    assert_eq!(merged.status, 200, "{}", merged.text);
}

/// What is shown to people who have not opened the conversation.
async fn shown(api: &tests::api::Api, id: &str) -> Vec<(String, String)> {
    let mut shown = Vec::new();
    for path in [
        format!("/v1/customers/{id}"),
        format!("/v1/customers/{id}/timeline?limit=500"),
        format!("/v1/customers/{id}/conversations"),
        "/v1/conversations?limit=200".to_owned(),
        "/v1/dead-letters".to_owned(),
        "/v1/checks".to_owned(),
        "/v1/queues".to_owned(),
        "/v1/metrics/summary".to_owned(),
        "/v1/metrics/model".to_owned(),
        "/v1/tenants".to_owned(),
        "/metrics".to_owned(),
    ] {
        let answer = api.get(&path).await.unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        shown.push((path, answer.text));
    }
    shown
}

/// What was posted to a program's own URL, without where it is to go.
fn posted(callback: &provider::Provider) -> String {
    let requests = callback.requests.lock();
    let bodies = requests.iter().map(|(_, body)| {
        let mut body: Value = serde_json::from_str(body).unwrap();
        assert!(body["customer"]["id"].take().is_string(), "it says where to: {body}");
        body.to_string()
    });
    bodies.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_26_what_goes_out_and_what_lies_about_holds_no_numbers() {
    const PATIENCE: Duration = Duration::from_secs(40);
    let dir = tempfile::tempdir().unwrap();
    let (graph, url) = media::Provider::start().await;
    let (chatwoot, at) = mirror::Chatwoot::start().await;
    let (callback, replies) = provider::Provider::start().await.unwrap();
    graph.has(&url, "M1", media::OGG);
    graph.hears(&telling("fonografia"), -0.01);
    let options = mirror::shown_at(media::options(&dir, &url), &at)
        .with("TRANSCRIBER__URL", &url)
        .with("DELIVER__CALLBACK_URL", &format!("{replies}/respostas"))
        .with("TELEMETRY__LOG", "trace,hyper=info,h2=info");
    let server = Server::start(options.clone()).await.unwrap();
    let api = server.api();
    media::wrote(&api, WHATSAPP, "wamid.1", "text", json!({ "body": telling(WORD) })).await;
    media::spoke(&api, WHATSAPP, "wamid.2").await;
    let sms = json!({ "channel": "sms", "customer": { "phone": PHONE, "name": "Ana" }, "text": telling(WORD) });
    let other = api.post("/v1/messages?wait=decision", &sms).await.unwrap();
    assert_eq!(other.status, 200, "{}", other.text);
    let sms = json!({ "channel": "sms", "customer": { "phone": ANOTHER }, "text": telling(WORD) });
    assert_eq!(api.post("/v1/messages", &sms).await.unwrap().status, 202);
    assert_eq!(post_body(&api, format!("{{\"{}", telling(WORD)).as_bytes()).await.unwrap(), 400);
    let told = |lines: &[Value]| {
        of(lines, "transcribed").len() == 1 && of(lines, "message_received").len() == 4
    };
    let lines = api.until_lines(PATIENCE, told).await.unwrap();
    let id = of(&lines, "transcribed")[0]["conversation_id"].as_str().unwrap();
    agents_write(&api, id, other.str("/conversation_id")).await;
    chatwoot.until(&as_shown("nota")).await;
    let merged = |answer: &tests::api::Answer| answer.text.contains("mesma");
    api.until(&format!("/v1/customers/{id}"), PATIENCE, merged).await.unwrap();
    // Neither tells that the history has come so far; with what was written last it has the rest.
    let passed_on = |answer: &tests::api::Answer| answer.text.contains("transferida");
    api.until(&format!("/v1/conversations/{id}"), PATIENCE, passed_on).await.unwrap();

    let mut outputs = shown(&api, id).await;
    let timeline = &outputs[1].1;
    for word in [WORD, "fonografia", "nota"] {
        assert!(timeline.contains(word), "{word} is told, without its numbers: {timeline}");
    }
    let whole = api.get(&format!("/v1/customers/{id}/export")).await.unwrap().text;
    assert!(whole.contains(CPF) && whole.contains("fonografia"), "the law wants it whole");
    let at_chatwoot = format!(
        "{:?} {:?} {:?}",
        chatwoot.told.lock(),
        chatwoot.contacts.lock(),
        chatwoot.conversations.lock()
    );
    assert!(at_chatwoot.contains(WORD) && at_chatwoot.contains("[CPF]"), "{at_chatwoot}");
    outputs.push(("Chatwoot".to_owned(), at_chatwoot));
    callback.asked(1).await.unwrap();
    let (said, _) = server.stop().await.unwrap();
    let silent = [("log".to_owned(), said), ("callback".to_owned(), posted(&callback))];
    for (place, content) in &silent {
        for word in [WORD, "fonografia", "mesma", "transferida"] {
            assert!(!content.contains(word), "'{word}' in the {place}");
        }
    }
    outputs.extend(silent);
    let list = options.run(&["dead-letters", "list"]).unwrap();
    let place = list.lines().nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let letter = options.run(&["dead-letters", "show", &place]).unwrap();
    assert!(letter.contains("value_hex") && !letter.contains(WORD), "{letter}");
    outputs.extend([("letters".to_owned(), list), ("letter".to_owned(), letter)]);
    nowhere(&outputs, dir.path());
}

/// In none of `outputs`, and in no file of the directory but for the topics of transport.
fn nowhere(outputs: &[(String, String)], data_dir: &Path) {
    for needle in WRITTEN {
        for (place, content) in outputs {
            assert!(!content.contains(needle), "{needle} in {place}: {content}");
        }
        assert_eq!(topics_holding(data_dir, needle), Vec::<String>::new(), "{needle}");
        let mut lies = anywhere_holding(data_dir, needle);
        lies.retain(|file| !file.starts_with("log.db")); // topics of transport, looked into above
        assert!(lies.is_empty(), "{needle} in {lies:?}");
    }
}

/// [`telling`] as it is shown.
fn as_shown(word: &str) -> String {
    format!(
        "sou {word}, cpf [CPF], cnpj [CNPJ], fone [telefone], email [e-mail], cartão [cartão], quero um atendente"
    )
}
