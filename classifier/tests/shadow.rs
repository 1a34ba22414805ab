//! A candidate beside the live version: what is counted, and from when on.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;

use classifier::shadow::{Beside, Shadow};
use classifier::{Models, Row, Task, TrainOptions, corpus, train};
use pipeline::Verdict;
use pipeline::broadcast::Versioned;
use pipeline::testkit::Driver;
use schemas::ids::MessageId;
use schemas::line::{Turn, TurnClosedBy, TurnMessage, Turns, TurnsBody};
use schemas::message::{AnswerVia, MessageKind, Tick};
use schemas::models::ShadowTally;

/// Only the first so many rows of some labels; what a candidate lacks it cannot say.
fn trained(labels: &[&str]) -> Arc<Versioned<Models>> {
    let is_of = |row: &Row| labels.contains(&row.label.as_str());
    let rows: Vec<Row> = corpus::training().unwrap().into_iter().filter(is_of).collect();
    let options = TrainOptions { force: true, folds: 2, ..TrainOptions::default() };
    let head = train(Task::Intent, &rows, &options, &mut |_| {}).unwrap().into_head();
    let models = Models::from_heads(vec![head]);
    Arc::new(Versioned { version: models.version().into(), content: models })
}

fn turn(text: Option<&str>) -> Turns {
    let message = TurnMessage { message_id: MessageId([1; 16]), kind: MessageKind::Text };
    Turns {
        body: TurnsBody::Turn(Box::new(Turn {
            turn: 1,
            messages: vec![message],
            text: text.map(str::to_owned),
            text_masked: text.map(|_| "masked words".to_owned()),
            closed_by: TurnClosedBy::Window,
            answer_via: AnswerVia::Channel,
            needs_person: false,
            choice: None,
            auto_generated: false,
            facts: std::collections::BTreeMap::new(),
            previous_intent: None,
            linked: Vec::new(),
            elsewhere: Vec::new(),
            claims_sealed: None,
            transcript_confidence: None,
        })),
    }
}

fn driver(beside: Option<Beside>) -> Driver<Shadow> {
    let route = |_: &str, _: &Turn, said: &schemas::line::Classification| match said.intent() {
        Some("sem_conexao") => "auto".to_owned(),
        Some(intent) => format!("people for {intent}"),
        None => "people".to_owned(),
    };
    let tick = |tick: Tick| Turns { body: TurnsBody::Tick(tick) };
    Driver::new(Shadow::new(Arc::new(route)), beside, tick)
}

fn tally(driver: &Driver<Shadow>) -> ShadowTally {
    driver.state(b"0").unwrap().clone()
}

#[test]
fn counts_where_a_candidate_differs_and_begins_anew_with_another() {
    let live = trained(&["sem_conexao", "segunda_via", "cancelar"]);
    let candidate = trained(&["segunda_via", "cancelar"]);
    let other = trained(&["sem_conexao", "cancelar"]);
    let beside = |candidate: &Arc<Versioned<Models>>| {
        Some(Beside { live: Arc::clone(&live), candidate: Arc::clone(candidate) })
    };
    let mut driver = driver(beside(&candidate));
    let texts = ["minha internet caiu", "me manda o boleto", "quero cancelar o contrato"];
    for (text, at_ms) in texts.iter().cycle().take(9).zip(100..) {
        let seen = driver.feed(b"demo:c", at_ms, turn(Some(text)));
        assert_eq!(seen.verdict, Verdict::Done);
        assert!(seen.outputs.is_empty());
    }
    let counted = tally(&driver);
    assert_eq!((counted.turns, counted.since_ms, counted.until_ms), (9, 100, 108));
    assert_eq!(counted.intents.values().sum::<i64>(), 3, "{counted:?}");
    assert!(counted.intents.keys().all(|pair| pair.starts_with("sem_conexao>")), "{counted:?}");
    assert_eq!(counted.routes.values().sum::<i64>(), 3);
    assert!(counted.routes.keys().all(|pair| pair.starts_with("auto>people")), "{counted:?}");
    assert_eq!(counted.examples.len(), 2, "not many of one kind");
    assert_eq!(counted.examples[0].text_masked, "masked words");
    assert_eq!(counted.examples[0].live.route, "auto");

    // What says nothing is not counted.
    driver.feed(b"demo:c", 200, turn(None));
    assert_eq!(tally(&driver), counted);
    *driver.broadcast_mut() = beside(&other);
    driver.feed(b"demo:c", 300, turn(Some("quero cancelar")));
    let begun = tally(&driver);
    assert_eq!((begun.turns, begun.since_ms), (1, 300));
    assert_eq!(begun.candidate, other.version.as_str());
    // Nobody beside: what was counted stays to be read.
    *driver.broadcast_mut() = None;
    driver.feed(b"demo:c", 400, turn(Some("quero cancelar")));
    assert_eq!(tally(&driver), begun);
}
