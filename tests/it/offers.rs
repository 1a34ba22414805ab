//! What the machine offers and the customer agrees to: a bigger plan, another due day.

use std::time::Duration;

use serde_json::Value;
use tests::api::Api;
use tests::histories::details;
use tests::server::{Options, Server};

const PATIENCE: Duration = Duration::from_secs(30);

/// What `customer` is answered.
async fn says(api: &Api, customer: &str, text: &str) -> Value {
    api.decide(customer, text).await.unwrap()
}

fn reply(decision: &Value) -> &str {
    decision.pointer("/reply/text").and_then(Value::as_str).unwrap_or_default()
}

#[tokio::test]
async fn a_bigger_plan_is_offered_agreed_to_and_had() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let api = server.api();
    let offered = says(&api, "C4", "quero aumentar a velocidade do meu plano").await;
    let offer = reply(&offered);
    assert!(offer.contains("Fibra 300") && offer.contains("Fibra 500"), "{offered}");
    let agreed = says(&api, "C4", "Quero mudar").await;
    assert!(reply(&agreed).contains("passa a ser o Fibra 500, por R$ 99,90"), "{agreed}");
    let again = says(&api, "C4", "sim").await;
    assert!(reply(&again).contains("Fibra 500"), "the same, and not one more: {again}");
    assert_eq!(offered["conversation_id"], agreed["conversation_id"]);
    // The line is tested as the new plan's.
    let tested = says(&api, "C4", "minha internet caiu").await;
    assert!(reply(&tested).contains("Fibra 500"), "{tested}");

    let done = |lines: &[Value]| details(lines, "action_done").len() >= 4;
    let lines = api.until_lines(PATIENCE, done).await.unwrap();
    let found: Vec<&str> =
        details(&lines, "action_done").iter().filter_map(|done| done["finding"].as_str()).collect();
    assert_eq!(found[..3], ["upgrade_offer", "plan_changed", "plan_changed"]);
}

#[tokio::test]
async fn another_due_day_is_chosen_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let api = server.api();
    let asked = says(&api, "C6", "quero mudar o dia de vencimento da minha fatura").await;
    assert!(
        reply(&asked).contains("dia 15") && reply(&asked).contains("05, 10, 20, 25"),
        "{asked}"
    );
    let chosen = says(&api, "C6", "pode ser dia 10").await;
    assert!(reply(&chosen).contains("passa para o dia 10"), "{chosen}");
    let invoice = says(&api, "C6", "me manda a segunda via do boleto").await;
    assert!(reply(&invoice).contains("Vencimento: dia 15"), "the one that is out: {invoice}");
    let asked = says(&api, "C6", "quero mudar o dia de vencimento da minha fatura").await;
    assert!(reply(&asked).contains("vence no dia 10"), "{asked}");
    // Where nothing was offered, a word and a number are what they always were.
    for said in ["sim", "10"] {
        let nothing = says(&api, &format!("C{}", 40 + said.len()), said).await;
        assert!(!reply(&nothing).contains("Pronto"), "{nothing}");
    }
}
