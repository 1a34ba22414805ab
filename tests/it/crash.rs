//! `kill -9` under load, a few times; `chaos kill9` does it a hundred times.

use tests::chaos::{Asked, Load, kill9};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_answered_twice_when_the_server_is_killed() {
    let data_dir = tempfile::tempdir().unwrap();
    let asked = Asked { rounds: 6, load: Load { rate: 100.0, customers: 400, seed: 7 } };
    let report = kill9(data_dir.path(), asked, |_| ()).await.unwrap();
    println!("{}", report.text());
    report.sound().unwrap();
}
