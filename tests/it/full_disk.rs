//! The disk of a server is full under load, and gets room again.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tests::api::Api;
use tests::chaos::{Load, Trial};
use tests::server::{Options, Server, binary, models};

/// Set for the process that has mounts of its own.
const INSIDE: &str = "FULL_DISK_INSIDE";
const NAME: &str = "full_disk::what_is_acknowledged_outlives_a_full_disk";
/// Room for models and empty tables, for a few hundred messages more, and for all there is.
const ROOM_KB_FIRST: u64 = 128 << 10;
const ROOM_KB_SCARCE: u64 = 4 << 10;
/// How long a door may take to refuse, and to take in again.
const REFUSES_WITHIN: Duration = Duration::from_secs(90);
const RECOVERS_WITHIN: Duration = Duration::from_secs(60);
/// How long the disk stays full.
const FULL: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_outlives_a_full_disk() {
    if std::env::var_os(INSIDE).is_none() {
        return in_a_room_of_its_own();
    }
    let dir = tempfile::tempdir().unwrap();
    mount(dir.path(), ROOM_KB_FIRST, &[]);
    let options = Options::at(dir.path());
    // It begins with what it needs.
    let (_, options) = Server::start(options).await.unwrap().stop().await.unwrap();
    mount(dir.path(), used_kb(dir.path()) + ROOM_KB_SCARCE, &["remount"]);
    let load = Load { rate: 100.0, customers: 2_000, seed: 13 };
    let mut trial = Trial::start(options, load).await.unwrap();
    let api = Api::new(trial.url());
    refused(&api, &mut trial).await;
    // Long enough for everything that writes to meet the end of the disk.
    tokio::time::sleep(FULL).await;
    let ended = trial.server().unwrap().ends(Duration::ZERO).await.unwrap();
    println!(
        "the disk is full; the server {}",
        ended.map_or("stays".to_owned(), |s| s.to_string())
    );
    if let Some(ended) = ended {
        assert_eq!(ended.code(), Some(1));
        assert!(trial.server().unwrap().said().contains("full"), "it says why");
    }
    mount(dir.path(), ROOM_KB_FIRST, &["remount"]);
    if ended.is_some() || !takes_in(&api).await {
        let options = trial.kill().unwrap();
        println!("started again");
        trial.again(options).await.unwrap();
        assert!(takes_in(&api).await, "it goes on with room");
    }
    tokio::time::sleep(FULL).await;
    let report = trial.judged().await.unwrap();
    println!("{}", report.text());
    report.sound().unwrap();
}

/// Runs this test once more as a process with mounts of its own, which go with it.
fn in_a_room_of_its_own() {
    let own = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount"]);
        command
    };
    let dir = tempfile::tempdir().unwrap();
    let may = own().args(["mount", "-t", "tmpfs", "tmpfs"]).arg(dir.path()).output();
    if !may.is_ok_and(|tried| tried.status.success()) {
        println!("SKIPPED: a full disk: needs user namespaces (unshare of util-linux, and mount)");
        return;
    }
    let (binary, models) = (binary().unwrap(), models().unwrap());
    let mut inside = own();
    inside.arg(std::env::current_exe().unwrap()).args(["--exact", NAME, "--nocapture"]);
    inside.env(INSIDE, "1").env("CORRENTEZA_BIN", binary);
    let output = inside.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(models.exists());
    println!("{said}");
    assert!(said.contains("1 passed"), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn mount(at: &Path, kb: u64, more: &[&str]) {
    let size = format!("size={kb}k");
    let options = more.iter().copied().chain([size.as_str()]).collect::<Vec<_>>().join(",");
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at);
    assert!(command.status().unwrap().success(), "{options}");
}

fn used_kb(at: &Path) -> u64 {
    let output = Command::new("df").args(["--output=used", "-k"]).arg(at).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().last().unwrap().trim().parse().unwrap()
}

/// Waits until a door has no room: it says so with a code, and so the program knows to try again.
async fn refused(api: &Api, trial: &mut Trial) {
    let until = Instant::now() + REFUSES_WITHIN;
    let body = json!({ "channel": "api", "customer": { "id": "D" }, "text": "oi" });
    loop {
        match api.post("/v1/messages", &body).await {
            Ok(answer) if answer.status == 503 => {
                println!("refused: {}", answer.text);
                assert!(!answer.str("/code").is_empty(), "{}", answer.text);
                return;
            }
            Ok(answer) => assert_eq!(answer.status, 202, "{}", answer.text),
            Err(error) => {
                let ended = trial.server().unwrap().ends(Duration::ZERO).await.unwrap();
                assert!(ended.is_some(), "no answer: {error}");
                println!("the server ended before this customer was refused");
                return;
            }
        }
        assert!(Instant::now() < until, "the disk was never full");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn takes_in(api: &Api) -> bool {
    let until = Instant::now() + RECOVERS_WITHIN;
    let body = json!({ "channel": "api", "customer": { "id": "D" }, "text": "oi" });
    while Instant::now() < until {
        match api.post("/v1/messages", &body).await {
            Ok(answer) if answer.status == 202 => return true,
            Err(_) => return false,
            Ok(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    false
}
