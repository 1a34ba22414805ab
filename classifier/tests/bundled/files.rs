//! The files of a model: whole, small, the same for the same rows.

use super::{dir, models};
use classifier::{
    Head, ModelError, Models, Row, Scratch, Task, corpus, read_class_sums, read_feature_names,
    train_bundled_head, write_head,
};

#[test]
fn the_same_corpus_gives_the_same_bytes_and_version() {
    let rows = corpus::training().unwrap();
    let again = train_bundled_head(Task::Urgent, &rows, &mut |_| {}).unwrap();
    assert_eq!(again.bytes(), std::fs::read(dir().join(Task::Urgent.file_name())).unwrap());
    assert_eq!(Models::open(dir()).unwrap().version(), models().version());
    assert!(models().version().starts_with("m-") && models().version().len() == 12);
}

#[test]
fn files_are_small_and_open_quickly() {
    for task in Task::ALL {
        let size = std::fs::metadata(dir().join(task.file_name())).unwrap().len();
        assert!(size < 32 << 20, "{} has {size} bytes", task.file_name());
    }
    let card: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir().join("card.json")).unwrap()).unwrap();
    assert!(card["intent"]["card"]["held_out"]["accuracy"].as_f64().unwrap() > 0.5);
    assert!(card["intent"]["thresholds"]["pooled"]["threshold"].is_number());
}

#[test]
fn a_file_carries_sums_and_names_of_its_features() {
    let bytes = std::fs::read(dir().join(Task::Intent.file_name())).unwrap();
    let sums = read_class_sums("intent.model", &bytes).unwrap();
    let names = read_feature_names("intent.model", &bytes).unwrap();
    assert_eq!(sums.features(), names.len());
    let kept = models().card(Task::Intent).unwrap().checks.kept;
    assert_eq!(sums.rows.iter().sum::<u64>(), kept as u64);
    assert!(sums.sums.iter().all(|sum| *sum >= 0.0));
    for word in ["boleto", "pix", "não boleto", "segunda via"] {
        let known = names.iter().any(|name| name == word);
        assert_eq!(known, word != "não boleto", "{word}");
    }
}

#[test]
fn damaged_files_are_refused_by_name() {
    let bytes = std::fs::read(dir().join(Task::Urgent.file_name())).unwrap();
    let refusal = |bytes: &[u8]| Head::from_bytes("urgent.model", bytes).unwrap_err();
    for at in (0..bytes.len()).step_by(bytes.len() / 50) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let error = refusal(&damaged);
        assert!(error.to_string().contains("urgent.model"), "{error}");
        assert!(refusal(&bytes[..at]).to_string().contains("urgent.model"));
    }
    assert!(matches!(refusal(b"hello"), ModelError::NotAModel { .. }));
    let mut old = bytes.clone();
    old[8] = 99;
    assert!(matches!(refusal(&old), ModelError::Format { found: 99, .. }));
    let mut longer = bytes;
    longer.push(0);
    assert!(matches!(refusal(&longer), ModelError::Damaged { .. }));
}

#[test]
fn a_directory_needs_the_intent_head_and_right_names() {
    let empty = tempfile::tempdir().unwrap();
    let error = Models::open(empty.path()).unwrap_err();
    assert!(matches!(error, ModelError::Read { .. }) && error.to_string().contains("intent.model"));
    let from = dir().join(Task::Urgent.file_name());
    std::fs::copy(from, empty.path().join(Task::Intent.file_name())).unwrap();
    let error = Models::open(empty.path()).unwrap_err();
    assert!(matches!(error, ModelError::WrongTask { found: "urgent", .. }), "{error}");
    let intent = dir().join(Task::Intent.file_name());
    std::fs::copy(intent, empty.path().join(Task::Intent.file_name())).unwrap();
    let alone = Models::open(empty.path()).unwrap();
    let said = alone.classify("boleto", &mut Scratch::new());
    assert_eq!((said.sentiment, said.frustrated, said.urgent), (None, None, None));
    assert_ne!(alone.version(), models().version());
    assert_eq!(said.confidence, models().classify("boleto", &mut Scratch::new()).confidence);
}

#[test]
fn a_head_is_published_beside_one_that_is_damaged() {
    let out = tempfile::tempdir().unwrap();
    std::fs::write(out.path().join(Task::Urgent.file_name()), b"from another age").unwrap();
    let rows: Vec<Row> = corpus::training().unwrap().into_iter().take(850).collect();
    let head = train_bundled_head(Task::Sentiment, &rows, &mut |_| {}).unwrap();
    write_head(out.path(), &head).unwrap();
    let card = std::fs::read_to_string(out.path().join("card.json")).unwrap();
    assert!(card.contains("unusable") && card.contains("not a model file"), "{card}");
}
