//! A drill: a wish nobody had before appears in 2,000 simulated messages. It is seen, people label it, the
//! models are trained again with what they said, scored beside the live ones, promoted, and know it from
//! then on; the line runs all the while and decides every message.
//!
//! Long: runs with `CORRENTEZA_DRILL=1`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use classifier::Row;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tests::api::{Answer, Api};
use tests::server::{Options, Server, models, root};

const PATIENCE: Duration = Duration::from_secs(240);
/// Messages before the new wish appears, with it, and once the new models decide: 2,000.
const BEFORE: usize = 600;
const LATER: usize = 200;
const WITH: usize = 900;
const AFTER: usize = 300;
/// The corpus stands in order of intents: so far apart, texts come as if shuffled.
const STRIDE: usize = 433;
/// One message of so many is about the new wish.
const ONE_OF: usize = 3;
/// So many of them people label.
const LABELLED: usize = 160;
/// Turns the candidate is scored on before it is promoted.
const SHADOWED: u64 = 100;
const NEW: &str = "portabilidade_numero";
/// Senders at once.
const SENDERS: usize = 8;

/// What customers write who want to take their number with them. The last tenth is never labelled.
fn new_wishes() -> Vec<String> {
    let begin = [
        "quero",
        "queria",
        "gostaria de",
        "preciso",
        "dá pra",
        "como faço pra",
        "vcs conseguem",
        "tem como",
        "posso",
        "boa tarde, quero",
    ];
    let does = [
        "fazer a portabilidade",
        "portar",
        "trazer",
        "migrar",
        "transferir",
        "levar pra vocês",
        "manter na troca de operadora",
    ];
    let what = [
        "meu número de celular",
        "o número do meu fixo",
        "a minha linha móvel",
        "meu chip da outra operadora",
        "o mesmo telefone que já uso",
    ];
    let mut wishes = Vec::new();
    for (a, begin) in begin.iter().enumerate() {
        for (b, does) in does.iter().enumerate() {
            for (c, what) in what.iter().enumerate() {
                wishes.push(((a * 7 + b * 3 + c) % 10, format!("{begin} {does} {what}")));
            }
        }
    }
    wishes.sort();
    wishes.into_iter().map(|(_, wish)| wish).collect()
}

/// Sends `texts`, each of another customer; gives the decisions in their order. None is left out.
async fn send(api: &Api, name: &str, texts: Vec<String>) -> Vec<Value> {
    let numbered: Vec<(String, String)> =
        texts.into_iter().enumerate().map(|(n, text)| (format!("{name}{n}"), text)).collect();
    stream::iter(numbered)
        .map(|(customer, text)| async move { api.decide(&customer, &text).await.unwrap() })
        .buffered(SENDERS)
        .collect()
        .await
}

/// Waits until the minute under way is over.
async fn another_minute() {
    let minute = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.unwrap().as_secs() / 60
    };
    let begun = minute();
    while minute() == begun {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn report(api: &Api, turns: usize) -> Value {
    let there = |answer: &Answer| {
        answer.body["model"]["turns"].as_u64().is_some_and(|read| read >= turns as u64)
    };
    api.until("/v1/metrics/model", PATIENCE, there).await.unwrap().body["model"].clone()
}

fn ordinary(rows: &[Row], from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|n| rows[(n * STRIDE) % rows.len()].text.clone()).collect()
}

/// Ordinary messages, of which one of [`ONE_OF`] is about the new wish instead.
fn mixed(rows: &[Row], from: usize, count: usize, wishes: &[String]) -> Vec<String> {
    let mut texts = ordinary(rows, from, count);
    for (wish, text) in wishes.iter().cycle().zip(texts.iter_mut().step_by(ONE_OF)) {
        text.clone_from(wish);
    }
    texts
}

/// A server that hands every message on at once, and draws one answer of twenty to be checked.
async fn start(dir: &Path) -> (Server, Options) {
    let policy = std::fs::read_to_string(root().join("router/policy.toml")).unwrap();
    let file = dir.join("policy.toml");
    std::fs::write(&file, policy.replace("share = 0.015", "share = 0.05")).unwrap();
    let options = Options::at(&dir.join("data"))
        .with("GROUPING__ENABLED", "false")
        .with("ROUTER__POLICY_FILE", file.to_str().unwrap());
    let server = Server::start(options.clone()).await.unwrap();
    let listen = format!("127.0.0.1:{}", server.port);
    (server, options.with("SERVER__LISTEN", &listen))
}

/// Ordinary traffic, then the new wish in it: the drift is seen. Gives the conversations about it.
async fn appears(api: &Api, rows: &[Row], wishes: &[String]) -> Vec<String> {
    let began = Instant::now();
    send(api, "A", ordinary(rows, 0, BEFORE)).await;
    println!("{BEFORE} ordinary messages in {:?}", began.elapsed());
    // Figures are by minute: what is compared begins in another one than what it is compared with.
    another_minute().await;
    send(api, "O", ordinary(rows, BEFORE, LATER)).await;
    let before = report(api, BEFORE + LATER).await;
    another_minute().await;
    let decided = send(api, "B", mixed(rows, BEFORE + LATER, WITH, wishes)).await;
    let with = report(api, BEFORE + LATER + WITH).await;
    println!("drift of ordinary messages: {}", before["drift"]);
    println!("one of {ONE_OF} of the new wish: {}", with["drift"]);
    println!(
        "unknown: {} at first, {} now",
        with["unknown_share_reference"], with["unknown_share"]
    );
    let of = |report: &Value, name: &str| report["drift"][name].as_f64().unwrap();
    assert!(of(&before, "psi_intents") < of(&before, "psi_intents_by_chance"), "{before}");
    assert!(of(&with, "psi_intents") > 2.0 * of(&with, "psi_intents_by_chance"), "{with}");
    let about_it = decided.iter().step_by(ONE_OF);
    about_it.map(|decision| decision["conversation_id"].as_str().unwrap().to_owned()).collect()
}

/// People say what these conversations were about.
async fn label(api: &Api, conversations: &[String]) {
    for conversation in conversations {
        let path = format!("/v1/conversations/{conversation}");
        // Decided, it is in the store a moment later.
        let decided = |answer: &Answer| answer.text.contains("turn_decided");
        api.until(&path, PATIENCE, decided).await.unwrap();
        let body = json!({ "agent": "Ana", "turn": 1, "intent": NEW });
        let told = api.post(&format!("{path}/label"), &body).await.unwrap();
        assert_eq!(told.status, 200, "{}", told.text);
    }
}

/// Exports what people said and trains with it; gives the directory, a whole one.
fn learn(options: &Options, dir: &Path) -> String {
    let began = Instant::now();
    let (trained, rows) = (dir.join("trained"), dir.join("labels.jsonl"));
    let (out, rows) = (trained.to_str().unwrap(), rows.to_str().unwrap());
    options.run(&["labels", "export", "--out", rows]).unwrap();
    options.run(&["train", "--task", "intent", "--from-labels", rows, "--out", out]).unwrap();
    for head in ["sentiment.model", "frustrated.model", "urgent.model"] {
        std::fs::copy(models().unwrap().join(head), trained.join(head)).unwrap();
    }
    println!("exported and trained in {:?}", began.elapsed());
    out.to_owned()
}

/// The candidate is scored beside the live version until there is enough to judge it by.
async fn shadow(api: &Api, options: &Options, candidate: &str) {
    let began = Instant::now();
    options.run(&["model", "shadow", candidate]).unwrap();
    let enough =
        |answer: &Answer| answer.body["turns"].as_u64().is_some_and(|turns| turns >= SHADOWED);
    let told = api.until("/v1/models/shadow", PATIENCE, enough).await.unwrap();
    println!("{SHADOWED} turns shadowed {:?} after it was asked for", began.elapsed());
    println!("{}", options.run(&["model", "shadow", "--report"]).unwrap());
    assert!(told.body["other_intent"].as_u64().unwrap() > 0, "{}", told.text);
    assert!(told.text.contains(NEW), "{}", told.text);
}

/// The candidate decides; gives the version.
async fn promote(api: &Api, options: &Options, candidate: &str, wish: &str) -> Value {
    let began = Instant::now();
    options.run(&["model", "promote", candidate]).unwrap();
    println!("promoted in {:?}", began.elapsed());
    let listed = options.run(&["model", "list", "--json"]).unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let live = listed["in_use"]["live"].clone();
    for n in 0.. {
        let decision = api.decide(&format!("P{n}"), wish).await.unwrap();
        if decision["model_version"] == live {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{decision}");
    }
    println!("decides {:?} after it was asked to", began.elapsed());
    live
}

/// Customers with old wishes and the new one who write until they are told to stop; gives how many
/// were decided, which are all.
fn customers(api: Api, texts: Vec<String>) -> (Arc<AtomicBool>, tokio::task::JoinHandle<usize>) {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let writing = tokio::spawn(async move {
        let mut sent = 0;
        while !stopped.load(Ordering::Relaxed) {
            let text = &texts[sent % texts.len()];
            let decision = api.decide(&format!("T{sent}"), text).await.unwrap();
            assert!(decision["route"].is_string(), "{decision}");
            sent += 1;
        }
        sent
    });
    (stop, writing)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_wish_is_seen_labelled_learned_shadowed_and_promoted() {
    if std::env::var_os("CORRENTEZA_DRILL").is_none() {
        println!("SKIPPED: the drill takes minutes; set CORRENTEZA_DRILL=1");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (server, options) = start(dir.path()).await;
    let api = server.api();
    let rows = classifier::corpus::validation().unwrap();
    let wishes = new_wishes();
    let (seen, unseen) = wishes.split_at(wishes.len() * 9 / 10);
    let about_it = appears(&api, &rows, seen).await;
    // Traffic goes on while people label, the models are trained, shadowed and promoted.
    let (stop, writing) = customers(api.clone(), mixed(&rows, 0, 400, seen));
    label(&api, &about_it[..LABELLED]).await;
    let trained = tokio::task::block_in_place(|| learn(&options, dir.path()));
    shadow(&api, &options, &trained).await;
    let live = promote(&api, &options, &trained, &seen[0]).await;
    stop.store(true, Ordering::Relaxed);
    let meanwhile = writing.await.unwrap();
    let decided = send(&api, "Z", mixed(&rows, BEFORE + LATER + WITH, AFTER, unseen)).await;
    assert!(decided.iter().all(|decision| decision["model_version"] == live));
    let known = decided.iter().step_by(ONE_OF).filter(|decision| decision["intent"] == NEW).count();
    let new = AFTER / ONE_OF;
    println!(
        "{meanwhile} more decided meanwhile; of {new} new wishes in other words {known} known"
    );
    assert!(known * 10 > new * 8, "{known} of {new}");
    let metrics = api.get("/metrics").await.unwrap().text;
    for line in metrics.lines().filter(|line| line.contains("rejected_total{")) {
        assert!(line.ends_with(" 0"), "{line}");
    }
    println!("{}", metrics.lines().find(|line| line.contains("reload_seconds_sum")).unwrap());
}
