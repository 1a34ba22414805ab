//! A drill: a wish nobody had before appears in the traffic. It is seen, people label it, the models are
//! trained again with what they said, and the new ones know it; the line runs all the while.
//!
//! Long: runs with `CORRENTEZA_DRILL=1`.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use classifier::Row;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tests::api::{Answer, Api};
use tests::server::{Options, Server, binary, models, root};

const PATIENCE: Duration = Duration::from_secs(120);
/// Messages before the new wish appears, and with it.
const BEFORE: usize = 1_000;
const LATER: usize = 300;
/// The corpus stands in order of intents: so far apart, texts come as if shuffled.
const STRIDE: usize = 433;
const WITH: usize = 1_000;
/// One message of so many is about the new wish.
const ONE_OF: usize = 3;
/// So many of them people label.
const LABELLED: usize = 160;
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

/// Sends `texts`, each of another customer; gives the conversations in their order.
async fn send(api: &Api, name: &str, texts: Vec<String>) -> Vec<String> {
    let numbered: Vec<(String, String)> =
        texts.into_iter().enumerate().map(|(n, text)| (format!("{name}{n}"), text)).collect();
    stream::iter(numbered)
        .map(|(customer, text)| async move {
            let decision = api.decide(&customer, &text).await.unwrap();
            decision["conversation_id"].as_str().unwrap_or_default().to_owned()
        })
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

/// What the models in `dir` say of `texts`: the share they take for the new wish.
fn known(dir: &Path, texts: &[String]) -> f64 {
    let models = classifier::Models::open(dir).unwrap();
    let mut scratch = classifier::Scratch::new();
    let found =
        texts.iter().filter(|text| models.classify(text, &mut scratch).intent == NEW).count();
    found as f64 / texts.len() as f64
}

fn ordinary(rows: &[Row], from: usize, count: usize) -> Vec<String> {
    (from..from + count).map(|n| rows[(n * STRIDE) % rows.len()].text.clone()).collect()
}

/// A server that hands every message on at once, and draws one answer of twenty to be checked.
async fn start(dir: &Path) -> Server {
    let policy = std::fs::read_to_string(root().join("router/policy.toml")).unwrap();
    let file = dir.join("policy.toml");
    std::fs::write(&file, policy.replace("share = 0.015", "share = 0.05")).unwrap();
    let options = Options::at(dir)
        .with("GROUPING__ENABLED", "false")
        .with("ROUTER__POLICY_FILE", file.to_str().unwrap());
    Server::start(options).await.unwrap()
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
    let mut texts = ordinary(rows, BEFORE, WITH);
    let new: Vec<usize> = (0..WITH).filter(|n| n % ONE_OF == 0).collect();
    for (at, n) in new.iter().enumerate() {
        texts[*n].clone_from(&wishes[at % wishes.len()]);
    }
    let conversations = send(api, "B", texts).await;
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
    new.into_iter().map(|n| conversations[n].clone()).collect()
}

/// Exports what people said and trains with it, in `trained`.
fn learn(dir: &Path, trained: &Path) {
    std::fs::create_dir_all(trained).unwrap();
    for head in std::fs::read_dir(models().unwrap()).unwrap().flatten() {
        std::fs::copy(head.path(), trained.join(head.file_name())).unwrap();
    }
    let export = dir.join("labels.jsonl");
    let (data, rows, out) = (dir.to_str(), export.to_str(), trained.to_str());
    let (data, rows, out) = (data.unwrap(), rows.unwrap(), out.unwrap());
    for arguments in [
        vec!["labels", "export", "--data-dir", data, "--out", rows],
        vec!["train", "--task", "intent", "--from-labels", rows, "--out", out, "--force"],
    ] {
        let done = Command::new(binary().unwrap()).args(arguments).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_wish_is_seen_labelled_and_learned() {
    if std::env::var_os("CORRENTEZA_DRILL").is_none() {
        println!("SKIPPED: the drill takes minutes; set CORRENTEZA_DRILL=1");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path()).await;
    let api = server.api();
    let rows = classifier::corpus::validation().unwrap();
    let wishes = new_wishes();
    let (to_label, held_out) = wishes.split_at(wishes.len() * 9 / 10);
    let about_it = appears(&api, &rows, to_label).await;
    // Traffic goes on while people label and the models are trained.
    let (others, texts) = (api.clone(), ordinary(&rows, 0, 400));
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    let traffic = tokio::spawn(async move {
        let mut sent = 0;
        while !stopping.load(Ordering::Relaxed) {
            others.decide(&format!("T{sent}"), &texts[sent % texts.len()]).await.unwrap();
            sent += 1;
        }
        sent
    });
    for conversation in about_it.iter().take(LABELLED) {
        let path = format!("/v1/conversations/{conversation}/label");
        let body = json!({ "agent": "Ana", "turn": 1, "intent": NEW });
        let told = api.post(&path, &body).await.unwrap();
        assert_eq!(told.status, 200, "{}", told.text);
    }
    let trained = dir.path().join("trained");
    let began = Instant::now();
    tokio::task::block_in_place(|| learn(dir.path(), &trained));
    stop.store(true, Ordering::Relaxed);
    let meanwhile = traffic.await.unwrap();
    println!("exported and trained in {:?}; {meanwhile} decided meanwhile", began.elapsed());
    let (old, now) = (known(&models().unwrap(), held_out), known(&trained, held_out));
    println!("of {} held-out texts known: {old:.2} before, {now:.2} after", held_out.len());
    assert!(old < 0.01 && now > 0.8, "{old} {now}");
    let (_, options) = server.stop().await.unwrap();
    let options = options.with("MODELS__DIR", trained.to_str().unwrap());
    let server = Server::start(options).await.unwrap();
    let decision = server.api().decide("Z1", &held_out[0]).await.unwrap();
    assert_eq!(decision["intent"], NEW, "{decision}");
}
