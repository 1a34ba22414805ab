//! The bundled model from end to end: training, files, classification, explanation, evaluation.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use classifier::{
    CONTEXT_FILE, Context, Fact, Haste, Head, ModelError, Models, Row, Scratch, Step, Task,
    TestSplit, TrainError, TrainOptions, corpus, evaluate, read_class_sums, read_feature_names,
    train, train_bundled, train_bundled_head, write_head,
};
use proptest::prelude::*;
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

/// Trained once for all tests of this file.
static BUNDLED: LazyLock<(TempDir, Models)> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    train_bundled(dir.path(), &mut |_| {}).unwrap();
    let models = Models::open(dir.path()).unwrap();
    (dir, models)
});

fn dir() -> &'static Path {
    BUNDLED.0.path()
}

fn models() -> &'static Models {
    &BUNDLED.1
}

#[test]
fn ordinary_messages_are_understood() {
    let cases = [
        ("me manda o boleto desse mes por favor", "segunda_via"),
        ("minha internet caiu e nao volta", "sem_conexao"),
        ("a internet ta muito lenta", "lentidao"),
        ("esqueci a senha do wifi", "senha_wifi"),
        ("quero cancelar o contrato", "cancelar"),
        ("não quero boleto, quero cancelar", "cancelar"),
        ("quero falar com um atendente", "falar_atendente"),
        ("o técnico não veio", "tecnico_nao_veio"),
        ("qual a chave pix?", "pix"),
        ("boleto", "segunda_via"),
        ("oi", "saudacao"),
        ("obg", "agradecimento"),
    ];
    let mut scratch = Scratch::new();
    let mut wrong = Vec::new();
    for (text, intent) in cases {
        let said = models().classify(text, &mut scratch);
        if said.intent != intent {
            wrong.push(format!("{text:?}: {} for {intent}", said.intent));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn everyday_wishes_are_answered_without_a_person() {
    let cases = [
        ("minha internet caiu", "sem_conexao"),
        ("minha internet caiu agora", "sem_conexao"),
        ("to sem internet", "sem_conexao"),
        ("quero a segunda via do boleto", "segunda_via"),
        ("me manda o pix da fatura", "pix"),
    ];
    let mut scratch = Scratch::new();
    for (text, intent) in cases {
        let said = models().classify(text, &mut scratch);
        assert!(said.intent == intent && said.would_answer, "{text:?}: {said:?}");
    }
}

#[test]
fn the_card_says_what_was_measured_on() {
    let card = models().card(Task::Intent).unwrap();
    let (hard, held_out) = (card.checks.hard, &card.held_out);
    assert_eq!(held_out.n + held_out.oos_n, card.checks.kept - hard);
    assert!(hard > 2_000 && held_out.hard_accuracy.unwrap() > 0.6, "{held_out:?}");
    assert!(card.promise.contains("of the ordinary rows"), "{}", card.promise);
}

#[test]
fn tone_is_told_apart() {
    let mut scratch = Scratch::new();
    let angry = "vcs são uma vergonha, terceira vez que ligo e ninguém resolve, que descaso!!! 😡";
    let said = models().classify(angry, &mut scratch);
    assert_eq!(said.sentiment, Some("negativo"));
    assert!(said.frustrated.unwrap().0);
    let calm = models().classify("bom dia, qual o horário da loja?", &mut scratch);
    assert!(!calm.frustrated.unwrap().0 && !calm.urgent.unwrap().0);
    assert!(calm.frustrated.unwrap().1 < said.frustrated.unwrap().1);
    let thanks = models().classify("muito obrigada, vocês são ótimos, adorei!", &mut scratch);
    assert_eq!(thanks.sentiment, Some("positivo"));
}

#[test]
fn nothing_known_is_out_of_scope_with_confidence_zero() {
    let mut scratch = Scratch::new();
    for text in ["", "   ", "\u{200D}", "ЖЖЖЖ ЩЩЩЩ", "...", "\u{0301}"] {
        let said = models().classify(text, &mut scratch);
        assert_eq!((said.confidence, said.in_scope, said.would_answer), (0.0, false, false));
        assert_eq!(said.in_scope_probability, 0.0);
        assert_eq!(said.unknown_share, 1.0, "{text:?}");
        assert_eq!(said.intents.len(), 3);
        assert!(models().explain(text, 5, &mut scratch).is_empty());
    }
}

#[test]
fn classification_is_deterministic_whatever_was_classified_before() {
    let (mut used, rows) = (Scratch::new(), corpus::validation().unwrap());
    for row in rows.iter().take(200) {
        let again = models().classify(&row.text, &mut used);
        assert_eq!(again, models().classify(&row.text, &mut Scratch::new()), "{}", row.text);
    }
}

#[test]
fn an_explanation_adds_up_to_the_lead() {
    let head = Head::open(&dir().join(Task::Intent.file_name())).unwrap();
    let mut scratch = Scratch::new();
    for row in corpus::validation().unwrap().iter().take(100) {
        let said = models().classify(&row.text, &mut scratch);
        let (first, second) = (said.intents[0].0, said.intents[1].0);
        let place = |label: &str| head.labels().iter().position(|l| l == label).unwrap();
        let scores = head.scores(&row.text, &mut scratch).to_vec();
        let lead = scores[place(first)] - scores[place(second)];
        // With k large only parts that repeat others are left out, so the sum is near the lead.
        let told = models().explain(&row.text, usize::MAX, &mut scratch);
        assert!(told.iter().all(|part| part.weight.is_finite() && !part.ngram.is_empty()));
        if !told.is_empty() {
            let most = told.iter().map(|part| part.weight).fold(f64::MIN, f64::max);
            assert!(most > 0.0 || lead < 1e-9, "{}", row.text);
        }
        let few = models().explain(&row.text, 3, &mut scratch);
        models().classify(&row.text, &mut scratch);
        assert_eq!(models().explain_last(3, &scratch), few);
        assert!(few.len() <= 3);
    }
    let told = models().explain("quero a segunda via do boleto", 3, &mut scratch);
    let words: Vec<&str> = told.iter().map(|part| part.ngram.as_str()).collect();
    assert!(words.iter().any(|word| word.contains("boleto") || word.contains("via")), "{words:?}");
}

#[test]
fn a_rejected_wish_is_no_intent() {
    let cases = [
        ("não quero boleto, quero cancelar", "segunda_via"),
        ("nao quero pix nao, quero o boleto", "pix"),
        ("não quero cancelar, só mudar de plano", "cancelar"),
    ];
    let mut scratch = Scratch::new();
    for (text, rejected) in cases {
        let said = models().classify(text, &mut scratch);
        assert!(said.intent != rejected && said.secondary != Some(rejected), "{text}: {said:?}");
    }
}

#[test]
fn facts_shift_what_the_text_leaves_open_and_are_explained() {
    let out = tempfile::tempdir().unwrap();
    let intent = Task::Intent.file_name();
    std::fs::copy(dir().join(intent), out.path().join(intent)).unwrap();
    let alone = Models::open(out.path()).unwrap();
    let table = include_str!("../corpus/context.json");
    std::fs::write(out.path().join(CONTEXT_FILE), table).unwrap();
    let models = Models::open(out.path()).unwrap();
    assert_ne!(models.version(), alone.version());
    let down = Context { facts: [(Fact::LineDown, true)].into(), previous_intent: None };
    let mut scratch = Scratch::new();
    let (mut raised, text) = (0, "a internet daqui ta com problema");
    let share = |said: &classifier::Classified<'_>, label: &str| {
        said.intents.iter().find(|(id, _)| *id == label).map_or(0.0, |(_, p)| *p)
    };
    for row in corpus::validation().unwrap() {
        let plain = models.classify(&row.text, &mut scratch);
        let before = (share(&plain, "sem_conexao"), plain.in_scope_probability, plain.confidence);
        // Without facts nothing changes; facts say nothing of what is in scope.
        let same = models.classify_in(&row.text, &Context::default(), &mut scratch);
        assert_eq!(same, alone.classify(&row.text, &mut Scratch::new()));
        let shifted = models.classify_in(&row.text, &down, &mut scratch);
        assert_eq!(shifted.in_scope_probability, before.1, "{}", row.text);
        assert!((0.0..=1.0).contains(&shifted.confidence));
        raised += usize::from(share(&shifted, "sem_conexao") > before.0);
    }
    assert!(raised > 50, "{raised}");
    models.classify_in(text, &down, &mut scratch);
    let told = models.explain_last(20, &scratch);
    assert!(told.iter().any(|part| part.ngram == "[line down]"), "{told:?}");
    models.classify(text, &mut scratch);
    assert!(models.explain_last(20, &scratch).iter().all(|part| part.ngram != "[line down]"));
    std::fs::write(out.path().join(CONTEXT_FILE), "{}").unwrap();
    let error = Models::open(out.path()).unwrap_err().to_string();
    assert!(error.contains("context.json"), "{error}");
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
    let options = TrainOptions { folds: 3, ..TrainOptions::default() };
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
        .filter(|row| !classifier::is_out_of_scope(&row.label))
        .collect();
    let json = serde_json::to_value(evaluate(&head, &in_scope)).unwrap();
    assert!(json["oos_auroc"].is_null() && json["oos_auto"].is_null());
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

/// Texts as people and machines send them: letters, marks, emoji, digits, anything.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,80}",
        any::<String>(),
        "[a-zà-ú0-9 R$.,:/@!?()+%-]{0,160}",
        "([0-9]{1,20}[-./, ]?){0,6}",
        "(k{1,9}|oi{1,5}|n(ã|a)o|😡|wi-?fi|2ª?|via| ){0,30}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_or_gives_a_number_that_is_none(text in any_text()) {
        let mut scratch = Scratch::new();
        let said = models().classify(&text, &mut scratch);
        let probabilities = [
            said.confidence,
            said.in_scope_probability,
            said.unknown_share,
            said.sentiment_confidence.unwrap(),
            said.frustrated.unwrap().1,
            said.urgent.unwrap().1,
        ];
        let listed = said.intents.iter().map(|(_, probability)| *probability);
        for probability in probabilities.into_iter().chain(listed) {
            prop_assert!((0.0..=1.0).contains(&probability), "{text:?}: {said:?}");
        }
        let told = models().explain(&text, 5, &mut scratch);
        prop_assert!(told.iter().all(|part| part.weight.is_finite()));
    }
}
