//! What training refuses, reports and writes on the card.

use super::{dir, models};
use classifier::{
    Haste, Head, Row, Step, Task, TestSplit, TrainError, TrainOptions, corpus, evaluate,
    is_out_of_scope, seconds, train, train_bundled_head, write_head,
};

#[test]
fn the_card_says_what_was_measured_on() {
    let card = models().card(Task::Intent).unwrap();
    let (hard, held_out) = (card.checks.hard, &card.held_out);
    assert_eq!(held_out.n + held_out.oos_n, card.checks.kept - hard);
    assert!(hard > 2_000 && held_out.hard_accuracy.unwrap() > 0.6, "{held_out:?}");
    assert!(card.promise.contains("of the ordinary rows"), "{}", card.promise);
}

#[test]
fn a_worse_head_than_the_live_one_is_refused_and_forced_is_marked() {
    let live = Head::open(&dir().join(Task::Intent.file_name())).unwrap();
    let rows: Vec<Row> = corpus::training().unwrap().into_iter().step_by(6).collect();
    let options = TrainOptions { live: Some(live.into()), ..TrainOptions::default() };
    let options = TrainOptions { test: corpus::validation().unwrap(), ..options };
    let refused = train(Task::Intent, &rows, &options, &mut |_| {});
    let Err(TrainError::BelowBar { card }) = refused else { panic!("{refused:?}") };
    assert!(card.failed_bars.join(" ").contains("live model"), "{:?}", card.failed_bars);
    let options = TrainOptions { force: true, ..options };
    let forced = train(Task::Intent, &rows, &options, &mut |_| {}).unwrap();
    let test = forced.card().test.as_ref().unwrap();
    assert!(test.own.accuracy + 0.01 < test.live.as_ref().unwrap().figures.accuracy);
    let out = tempfile::tempdir().unwrap();
    write_head(out.path(), &forced).unwrap();
    let page = std::fs::read_to_string(out.path().join("card.html")).unwrap();
    assert!(page.contains("Published by force") && page.contains("worse than the live model"));
}

#[test]
fn rows_with_times_are_tested_on_the_latest() {
    let rows = corpus::training().unwrap().into_iter().step_by(4).enumerate();
    let rows: Vec<Row> = rows.map(|(i, row)| Row { ts: i64::try_from(i).ok(), ..row }).collect();
    // A quarter of the rows clears no bar.
    let options = TrainOptions { folds: 3, force: true, ..TrainOptions::default() };
    let trained = train(Task::Sentiment, &rows, &options, &mut |_| {}).unwrap();
    let test = trained.card().test.as_ref().unwrap();
    assert_eq!(test.split, TestSplit::Time);
    assert!(test.own.n > 100 && test.live.is_none() && test.hasty.len() == Haste::ALL.len());
    let trained_on: u64 = trained.card().labels.iter().map(|label| label.rows).sum();
    assert_eq!(trained_on, trained.card().checks.kept as u64);
}

#[test]
fn the_card_is_a_page_that_needs_nothing_else() {
    let page = std::fs::read_to_string(dir().join("card.html")).unwrap();
    for heading in ["Reliability", "Coverage against precision", "Learning curve", "Confusion"] {
        assert!(page.contains(heading), "{heading}");
    }
    assert!(page.contains("Authored text, not customers'") || page.contains("not customers&#39;"));
    for outside in ["http", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.matches("<svg").count() >= 4 * Task::ALL.len());
    let card = models().card(Task::Intent).unwrap();
    let confused: u64 = card.curves.confusion.iter().map(|cell| cell.rows).sum();
    assert_eq!(confused, (card.held_out.n + card.held_out.oos_n) as u64);
    let hasty = &card.test.as_ref().unwrap().hasty;
    for (way, figures) in hasty {
        assert!(figures.accuracy >= 0.75, "{way}: {}", figures.accuracy);
        assert!(figures.precision_auto.unwrap() >= 0.93, "{way}: {:?}", figures.precision_auto);
    }
}

#[test]
fn an_evaluation_has_exactly_the_promised_fields() {
    let head = Head::open(&dir().join(Task::Intent.file_name())).unwrap();
    let evaluation = evaluate(&head, &corpus::validation().unwrap());
    let json = serde_json::to_value(&evaluation).unwrap();
    let mut keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected = "accuracy brier coverage_at coverage_auto ece macro_f1 n oos_auroc oos_auto \
                    precision_auto";
    assert_eq!(keys.join(" "), expected);
    assert!(json["coverage_at"]["95"].is_number() && json["coverage_at"]["97"].is_number());
    // What the corpus reaches today, less some slack: a change that costs quality is noticed.
    assert!(evaluation.accuracy >= 0.88, "accuracy {}", evaluation.accuracy);
    assert!(evaluation.oos_auroc.unwrap() >= 0.95, "oos_auroc {:?}", evaluation.oos_auroc);
    assert!(evaluation.precision_auto.unwrap() >= 0.96, "{:?}", evaluation.precision_auto);
    assert!(evaluation.coverage_auto >= 0.60, "coverage_auto {}", evaluation.coverage_auto);
    assert!(evaluation.oos_auto.unwrap() <= 0.04, "{:?}", evaluation.oos_auto);
    let in_scope: Vec<Row> = corpus::validation()
        .unwrap()
        .into_iter()
        .filter(|row| !is_out_of_scope(&row.label))
        .collect();
    let json = serde_json::to_value(evaluate(&head, &in_scope)).unwrap();
    assert!(json["oos_auroc"].is_null() && json["oos_auto"].is_null());
}

#[test]
fn second_intents_are_named_rather_rightly_than_wrongly() {
    let held_out = models().card(Task::Intent).unwrap().held_out.seconds.unwrap();
    assert!(held_out.rows > 200 && held_out.right >= 30, "{held_out:?}");
    assert!(2 * held_out.right >= held_out.named, "{held_out:?}");
    let head = Head::open(&dir().join(Task::Intent.file_name())).unwrap();
    let unseen = seconds(&head, &corpus::validation().unwrap());
    assert!(unseen.wrongly_named * 50 <= unseen.without_second, "{unseen:?}");
}

#[test]
fn training_reports_its_steps_in_order() {
    let rows: Vec<Row> = corpus::training().unwrap().into_iter().take(850).collect();
    let mut steps = Vec::new();
    let trained = train_bundled_head(Task::Sentiment, &rows, &mut |progress| {
        steps.push(progress.step);
    });
    assert_eq!(
        steps,
        [
            Step::Checking,
            Step::ChoosingRecipe,
            Step::HoldingOut,
            Step::Calibrating,
            Step::Fitting,
            Step::Writing
        ]
    );
    assert_eq!(trained.unwrap().card().checks.rows, 850);
}

#[test]
fn labels_without_meaning_are_refused_with_the_card_unless_forced() {
    let rows: Vec<Row> = corpus::training()
        .unwrap()
        .into_iter()
        .take(400)
        .enumerate()
        .map(|(i, row)| Row::new(row.text, if i % 13 < 9 { "a" } else { "b" }))
        .collect();
    let refused = train(Task::Intent, &rows, &TrainOptions::default(), &mut |_| {});
    let Err(TrainError::BelowBar { card }) = refused else { panic!("{refused:?}") };
    assert!(card.failed_bars[0].contains("accuracy"), "{:?}", card.failed_bars);
    let options = TrainOptions { force: true, ..TrainOptions::default() };
    let forced = train(Task::Intent, &rows, &options, &mut |_| {}).unwrap();
    assert!(!forced.card().failed_bars.is_empty());
    let out = tempfile::tempdir().unwrap();
    write_head(out.path(), &forced).unwrap();
    assert!(std::fs::read_to_string(out.path().join("card.json")).unwrap().contains("not above"));
}
