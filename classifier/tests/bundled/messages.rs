//! What the bundled model says of messages.

use super::{dir, models};
use classifier::{CONTEXT_FILE, Classified, Context, Fact, Head, Models, Scratch, Task, corpus};
use proptest::prelude::*;

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
    let table = include_str!("../../corpus/context.json");
    std::fs::write(out.path().join(CONTEXT_FILE), table).unwrap();
    let models = Models::open(out.path()).unwrap();
    assert_ne!(models.version(), alone.version());
    let down = Context { facts: [(Fact::LineDown, true)].into(), previous_intent: None };
    let mut scratch = Scratch::new();
    let (mut raised, text) = (0, "a internet daqui ta com problema");
    let share = |said: &Classified<'_>, label: &str| {
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
    assert!(told.iter().any(|part| part.ngram == "[line_down]"), "{told:?}");
    models.classify(text, &mut scratch);
    assert!(models.explain_last(20, &scratch).iter().all(|part| part.ngram != "[line_down]"));
    std::fs::write(out.path().join(CONTEXT_FILE), "{}").unwrap();
    let error = Models::open(out.path()).unwrap_err().to_string();
    assert!(error.contains("context.json"), "{error}");
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
