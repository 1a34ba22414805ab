//! The machine's clock is wrong by hours, and set right again.

use std::time::Duration;

use tests::chaos::{Load, Trial};
use tests::faketime;
use tests::server::Options;

/// How long the server works at each time.
const AT_WORK: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_two_hours_ahead_and_back_loses_and_doubles_nothing() {
    let shifts = [faketime::environment("+2h"), Some(Vec::new()), faketime::environment("-2h")];
    let [Some(ahead), Some(right), Some(behind)] = shifts else {
        println!("SKIPPED: {}", faketime::MISSING);
        return;
    };
    let data_dir = tempfile::tempdir().unwrap();
    let load = Load { rate: 50.0, customers: 400, seed: 11 };
    let mut trial = Trial::start(Options::at(data_dir.path()), load).await.unwrap();
    tokio::time::sleep(AT_WORK).await;
    // Killed, it leaves turns open that wait for a time two hours from now.
    for environment in [ahead, right.clone(), behind, right] {
        let options = Options { environment, ..trial.kill().unwrap() };
        trial.again(options).await.unwrap();
        tokio::time::sleep(AT_WORK).await;
    }
    let report = trial.judged().await.unwrap();
    println!("{}", report.text());
    report.sound().unwrap();
}
