//! Models travel by the log: promoted, rolled back and shadowed while messages come in.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::api::Api;
use tests::installation::Installation;
use tests::server::{Options, Server, models};

const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `correnteza model …` to its end; gives what it printed.
fn model(options: &Options, arguments: &[&str]) -> anyhow::Result<String> {
    options.run(&[&["model"], arguments].concat())
}

/// The bundled models without some heads: another version that decides the same.
fn without(dir: &Path, heads: &[&str]) -> PathBuf {
    let to = dir.join(format!("without-{}", heads.join("-")));
    std::fs::create_dir_all(&to).unwrap();
    for head in ["intent", "sentiment", "frustrated", "urgent"] {
        if !heads.contains(&head) {
            let name = format!("{head}.model");
            std::fs::copy(models().unwrap().join(&name), to.join(&name)).unwrap();
        }
    }
    to
}

/// The directory's version, as the command line tells it.
fn version_of(options: &Options, dir: &Path) -> String {
    let said = model(options, &["show", dir.to_str().unwrap()]).unwrap();
    let shown: Value = serde_json::from_str(&said).unwrap();
    shown["version"].as_str().unwrap().to_owned()
}

fn listed(options: &Options) -> Value {
    serde_json::from_str(&model(options, &["list", "--json"]).unwrap()).unwrap()
}

/// With the address of the server it belongs to.
fn at(server: &Server, options: &Options) -> Options {
    options.clone().with("SERVER__LISTEN", &format!("127.0.0.1:{}", server.port))
}

/// Customers of `name` write until this version decides: a stage takes it up at its next commit.
async fn until_decided_by(api: &Api, version: &str, name: impl Fn(u32) -> String) {
    let until = Instant::now() + PATIENCE;
    for n in 0.. {
        let decision = api.decide(&name(n), "minha internet caiu").await.unwrap();
        if decision["model_version"] == json!(version) {
            assert_eq!(decision["route"], "auto");
            return;
        }
        assert!(Instant::now() < until, "{decision}");
    }
}

/// Customers who write until they are told to stop; when each decision was there, and the version it was
/// made with.
fn customers(api: Api) -> (Arc<AtomicBool>, tokio::task::JoinHandle<Vec<(Instant, String)>>) {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let writing = tokio::spawn(async move {
        let mut decisions = Vec::new();
        while !stopped.load(Ordering::Relaxed) {
            let customer = format!("C{}", decisions.len());
            let decision = api.decide(&customer, "minha internet caiu").await.unwrap();
            let version = decision["model_version"].as_str().unwrap().to_owned();
            decisions.push((Instant::now(), version));
        }
        decisions
    });
    (stop, writing)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_under_load_drops_nothing_and_is_rolled_back() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::at(&dir.path().join("data"));
    let server = Server::start(options.clone()).await.unwrap();
    let asked = at(&server, &options);
    let candidate = without(dir.path(), &["urgent"]);
    let (old, new) = (version_of(&asked, &models().unwrap()), version_of(&asked, &candidate));
    assert_ne!(old, new);
    assert_eq!(listed(&asked)["in_use"]["live"], json!(old));

    let (stop, writing) = customers(server.api());
    let (other_stop, other) = customers(server.api());
    let said = model(&asked, &["promote", candidate.to_str().unwrap()]).unwrap();
    assert!(said.contains(&format!("{new} is live")), "{said}");
    until_decided_by(&server.api(), &new, |n| format!("N{n}")).await;
    model(&asked, &["rollback"]).unwrap();
    until_decided_by(&server.api(), &old, |n| format!("O{n}")).await;
    stop.store(true, Ordering::Relaxed);
    other_stop.store(true, Ordering::Relaxed);
    let mut moments = Vec::new();
    for writing in [writing, other] {
        // Each was decided, or the customer would have said so.
        let decisions = writing.await.unwrap();
        moments.extend(
            decisions
                .windows(2)
                .map(|two| (two[1].0.duration_since(two[0].0), two[0].1 != two[1].1)),
        );
        let mut versions: Vec<String> = decisions.into_iter().map(|(_, version)| version).collect();
        let all = versions.len();
        versions.dedup();
        assert_eq!(versions, [old.clone(), new.clone(), old.clone()], "of {all} decisions");
    }
    moments.sort();
    let over_a_swap = moments.iter().filter(|(_, swapped)| *swapped).map(|(pause, _)| pause).max();
    println!(
        "{} decisions: between two of a customer {:?} at the median, {:?} at most, {:?} over a swap",
        moments.len(),
        moments[moments.len() / 2].0,
        moments.last().unwrap().0,
        over_a_swap.unwrap(),
    );
    let metrics = server.api().get("/metrics").await.unwrap().text;
    let reloads = metrics.lines().filter(|line| line.starts_with("correnteza_side_input_reload"));
    reloads.filter(|line| !line.contains("_bucket")).for_each(|line| println!("{line}"));
    let live =
        format!("correnteza_side_input_info{{name=\"models\",role=\"live\",version=\"{old}\"}} 1");
    assert!(metrics.contains(&live), "{metrics}");
    let now = listed(&asked);
    assert_eq!(now["in_use"]["previous"], json!(new));
    assert_eq!(now["in_use"]["change"], "rolled_back");
    let refusal = model(&asked, &["promote", "m-unheardof"]).unwrap_err().to_string();
    assert!(refusal.contains(&old), "the versions there are: {refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_live_stays_so_over_a_crash_and_without_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::at(&dir.path().join("data"));
    let server = Server::start(options.clone()).await.unwrap();
    let asked = at(&server, &options);
    let candidate = without(dir.path(), &["frustrated"]);
    let new = version_of(&asked, &candidate);
    model(&asked, &["promote", candidate.to_str().unwrap()]).unwrap();
    let mut in_hand = Vec::new();
    for n in 0..20 {
        let body = json!({"channel": "api", "customer": {"id": format!("em-curso-{n}")}, "text": "minha internet caiu"});
        let until = Instant::now() + PATIENCE;
        in_hand.push(server.api().insist(&format!("k{n}"), &body, until).await.unwrap());
    }
    let again = server.kill().unwrap();
    std::fs::remove_dir_all(options.data_dir.join("models-kept")).unwrap();

    // Without a server the command has the log itself.
    let now = listed(&options);
    assert_eq!(now["in_use"]["live"], json!(new));
    let server = Server::start(again).await.unwrap();
    for id in &in_hand {
        let decided = |answer: &tests::api::Answer| !answer.str("/route").is_empty();
        let path = format!("/v1/messages/{id}");
        server.api().until(&path, PATIENCE, decided).await.unwrap();
    }
    let decision = server.api().decide("after", "minha internet caiu").await.unwrap();
    assert_eq!(decision["model_version"], json!(new));
    // Commands that are given no model use the live one.
    let (stopped, _) = server.stop().await.unwrap();
    assert!(!stopped.contains("training"), "{stopped}");
    model(&options, &["rollback"]).unwrap();
    assert_ne!(listed(&options)["in_use"]["live"], json!(new));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_is_scored_beside_the_live_version_and_decides_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::at(&dir.path().join("data"));
    let server = Server::start(options.clone()).await.unwrap();
    let asked = at(&server, &options);
    let live = listed(&asked)["in_use"]["live"].as_str().unwrap().to_owned();
    // It has never heard of what most customers want.
    let rows: String = classifier::corpus::training()
        .unwrap()
        .iter()
        .filter(|row| ["segunda_via", "cancelar", "falar_atendente"].contains(&row.label.as_str()))
        .map(|row| json!({ "text": row.text, "label": row.label }).to_string() + "\n")
        .collect();
    let (data, candidate) = (dir.path().join("rows.jsonl"), dir.path().join("candidate"));
    std::fs::write(&data, rows).unwrap();
    let (data, to) = (data.to_str().unwrap(), candidate.to_str().unwrap());
    options.run(&["train", "--task", "intent", "--force", "--data", data, "--out", to]).unwrap();
    let refusal = model(&asked, &["shadow", "--report"]).unwrap_err().to_string();
    assert!(refusal.contains("no candidate"), "{refusal}");

    let said = model(&asked, &["shadow", candidate.to_str().unwrap()]).unwrap();
    assert!(said.contains("is scored beside"), "{said}");
    // On these both agree; the stage takes the candidate up at its next commit.
    let (api, agreed) = (server.api(), "quero a segunda via do boleto");
    let until = Instant::now() + PATIENCE;
    while api.get("/v1/models/shadow").await.unwrap().body["turns"].as_i64() < Some(1) {
        api.decide("early", agreed).await.unwrap();
        assert!(Instant::now() < until, "no turn is ever compared");
    }
    for n in 0..30 {
        let differs = "minha internet caiu, meu cpf é 529.982.247-25";
        let text = if n % 3 == 0 { agreed } else { differs };
        let decision = api.decide(&format!("C{n}"), text).await.unwrap();
        assert_eq!(decision["model_version"], json!(live), "the candidate decides nothing");
    }
    let counted = |answer: &tests::api::Answer| answer.body["other_intent"] == json!(20);
    let report = api.until("/v1/models/shadow", PATIENCE, counted).await.unwrap().body;
    assert_eq!(report["live"], json!(live));
    assert_eq!(report["auto_to_human"], 20, "{report}");
    let table = model(&asked, &["shadow", "--report"]).unwrap();
    assert!(table.contains("sem_conexao -> ") && table.contains("auto -> "), "{table}");
    assert!(!table.contains("529.982"), "examples are masked: {table}");
    let metrics = server.api().get("/metrics").await.unwrap().text;
    assert!(metrics.contains("correnteza_shadow_turns{of=\"other_intent\"} 20"), "{metrics}");

    // Counts outlive a crash.
    let again = server.kill().unwrap();
    let server = Server::start(again).await.unwrap();
    server.api().until("/v1/models/shadow", PATIENCE, counted).await.unwrap();
    let asked = at(&server, &options);
    model(&asked, &["shadow", "--stop"]).unwrap();
    assert!(listed(&asked)["in_use"]["candidate"].is_null());
    let last = server.api().get("/v1/models/shadow").await.unwrap().body;
    assert_eq!(last["other_intent"], 20, "the last report can still be read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_versions_are_kept_and_what_is_broken_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::at(&dir.path().join("data"));
    let server = Server::start(options.clone()).await.unwrap();
    let asked = at(&server, &options);
    let sets: [&[&str]; 6] = [
        &["urgent"],
        &["frustrated"],
        &["sentiment"],
        &["urgent", "frustrated"],
        &["urgent", "sentiment"],
        &["frustrated", "sentiment"],
    ];
    let mut versions = Vec::new();
    for heads in sets {
        let version = without(dir.path(), heads);
        model(&asked, &["promote", version.to_str().unwrap()]).unwrap();
        versions.push(version_of(&asked, &version));
    }
    let four = |answer: &tests::api::Answer| {
        answer.body["versions"].as_array().is_some_and(|versions| versions.len() == 4)
    };
    let now = server.api().until("/v1/models", PATIENCE, four).await.unwrap().body;
    let kept: Vec<&str> = now["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["version"].as_str().unwrap())
        .collect();
    let newest: Vec<&str> = versions.iter().rev().take(4).map(String::as_str).collect();
    assert_eq!(kept, newest);
    let refusal = model(&asked, &["promote", &versions[0]]).unwrap_err().to_string();
    assert!(refusal.contains("no version"), "{refusal}");

    let broken = without(dir.path(), &["sentiment"]);
    let head = broken.join("intent.model");
    let mut bytes = std::fs::read(&head).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&head, &bytes).unwrap();
    let refusal = model(&asked, &["promote", broken.to_str().unwrap()]).unwrap_err().to_string();
    assert!(refusal.contains("damaged"), "{refusal}");
    let answer =
        server.api().post_raw("/v1/models", &[], b"nothing of ours".to_vec()).await.unwrap();
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(listed(&asked)["in_use"]["live"], json!(versions[5]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_kafka_every_process_follows_a_promotion() {
    let dir = tempfile::tempdir().unwrap();
    let Some(installation) = Installation::lay_out(dir.path(), "models").unwrap() else { return };
    let parts = ["doors", "turns", "router", "plan", "act", "deliver", "store"];
    let rest = installation.process("rest", &parts).unwrap();
    let classifying =
        ["one", "two"].map(|name| installation.process(name, &["classify", "shadow"]).unwrap());
    let door = Server::start(rest.clone()).await.unwrap();
    let mut servers = Vec::new();
    for options in &classifying {
        servers.push(Server::start(options.clone()).await.unwrap());
    }
    let live = listed(&rest)["in_use"]["live"].as_str().unwrap().to_owned();
    let (stop, writing) = customers(door.api());
    let candidate = without(dir.path(), &["urgent"]);
    let new = version_of(&rest, &candidate);
    model(&rest, &["promote", candidate.to_str().unwrap()]).unwrap();
    let has = |role: &str, version: &str| {
        let line = format!(
            "correnteza_side_input_info{{name=\"models\",role=\"{role}\",version=\"{version}\"}} 1"
        );
        move |answer: &tests::api::Answer| answer.text.contains(&line)
    };
    for server in &servers {
        server.api().until("/metrics", PATIENCE, has("live", &new)).await.unwrap();
    }
    model(&rest, &["shadow", &live]).unwrap();
    for server in &servers {
        server.api().until("/metrics", PATIENCE, has("candidate", &live)).await.unwrap();
    }
    // A partition is decided by the new version from a commit on, and by no other after that.
    for n in 0..12 {
        let customer = format!("D{n}");
        until_decided_by(&door.api(), &new, |_| customer.clone()).await;
        let decision = door.api().decide(&customer, "minha internet caiu").await.unwrap();
        assert_eq!(decision["model_version"], json!(new));
    }
    stop.store(true, Ordering::Relaxed);
    // Nothing was dropped; while one process was ahead of the other, both versions decided.
    let decisions = writing.await.unwrap();
    let known = |(_, version): &(Instant, String)| *version == live || *version == new;
    assert!(decisions.iter().all(known), "{decisions:?}");
    let until = Instant::now() + PATIENCE;
    loop {
        let report: Value =
            serde_json::from_str(&model(&rest, &["shadow", "--report", "--json"]).unwrap())
                .unwrap();
        assert_eq!(report["candidate"], json!(live));
        if report["turns"].as_i64().unwrap() >= 12 {
            assert_eq!(report["other_intent"], 0, "{report}");
            break;
        }
        assert!(Instant::now() < until, "{report}");
    }
}
