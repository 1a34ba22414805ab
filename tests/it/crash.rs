//! `kill -9` under load, a few times at any moment and at a few named points; `chaos kill9` does it a
//! hundred times, `chaos failpoints` at all of them.

use tests::chaos::{Asked, Load, Point, at_points, kill9};

/// Of the points, one in so many.
const POINTS_ONE_IN: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_answered_twice_when_the_server_is_killed() {
    let data_dir = tempfile::tempdir().unwrap();
    let asked = Asked { rounds: 6, load: Load { rate: 100.0, customers: 400, seed: 7 } };
    let report = kill9(data_dir.path(), asked, |_| ()).await.unwrap();
    println!("{}", report.text());
    report.sound().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_answered_twice_when_the_server_dies_at_a_named_point() {
    let data_dir = tempfile::tempdir().unwrap();
    let load = Load { rate: 60.0, customers: 1_000, seed: 5 };
    let points: Vec<Point> = Point::all().into_iter().step_by(POINTS_ONE_IN).collect();
    let (report, never) = at_points(data_dir.path(), load, &points, |_| ()).await.unwrap();
    println!("{}", report.text());
    assert_eq!(never, Vec::<String>::new());
    report.sound().unwrap();
}
