//! One customer on several contacts: links, who made and undid them, and what is known across them.

use std::time::Duration;

use serde_json::{Value, json};
use tests::api::{Answer, Api};
use tests::server::{Options, Server};

const PATIENCE: Duration = Duration::from_secs(30);

/// A message, and the conversation it came to.
async fn says(api: &Api, channel: &str, customer: Value, text: &str) -> Value {
    let body = json!({ "channel": channel, "customer": customer, "text": text });
    let answer = api.post("/v1/messages?wait=decision", &body).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body
}

fn id(decision: &Value) -> String {
    decision["conversation_id"].as_str().unwrap().to_owned()
}

fn count(answer: &Answer, pointer: &str) -> usize {
    answer.body.pointer(pointer).and_then(Value::as_array).map_or(0, Vec::len)
}

async fn customer(api: &Api, of: &str, enough: impl Fn(&Answer) -> bool) -> Answer {
    api.until(&format!("/v1/customers/{of}"), PATIENCE, enough).await.unwrap()
}

/// Waits until the store has a conversation up to its answer, which is its last line until somebody does
/// something: who waits for a decision is told before that.
async fn answered(api: &Api, conversation: &str) {
    let told = |answer: &Answer| answer.text.contains("\"reply_sent\"");
    api.until(&format!("/v1/conversations/{conversation}"), PATIENCE, told).await.unwrap();
}

fn path(of: &str, what: &str) -> String {
    format!("/v1/customers/{of}/{what}")
}

/// One number, with and without its ninth digit, on two channels; the demo CRM does not know it.
fn number(ninth_digit: bool) -> Value {
    json!({ "phone": if ninth_digit { "+55 11 98765-4321" } else { "+55 11 8765-4321" } })
}

/// Two conversations of one person, the first with people; Ana makes them one customer's.
async fn merged(api: &Api) -> (String, String) {
    let first = id(&says(api, "sms", number(false), "quero falar com um atendente humano").await);
    let second = id(&says(api, "whatsapp", number(true), "oi").await);
    answered(api, &first).await;
    answered(api, &second).await;
    let alone = customer(api, &first, |answer| count(answer, "/suggestions") == 1).await;
    let known = (count(&alone, "/contacts"), count(&alone, "/links"));
    assert_eq!(known, (1, 0), "alike, not the same");
    assert!(!alone.text.contains("87654321"), "numbers are masked: {}", alone.text);
    let other = alone.str("/suggestions/0/contact_id");
    let merge = json!({ "agent": "Ana", "reason": "o mesmo telefone", "with": other });
    let merged = api.post(&path(&first, "merge"), &merge).await.unwrap();
    assert_eq!(merged.status, 200, "{}", merged.text);
    for of in [&first, &second] {
        let both = customer(api, of, |answer| count(answer, "/contacts") == 2).await;
        assert_eq!(both.str("/links/0/made/by"), "Ana");
        assert_eq!(both.str("/links/0/made/reason"), "o mesmo telefone");
        assert_eq!(both.body["contacts"][0]["confirmed"], false, "nobody vouches by it");
        assert_eq!(count(&both, "/suggestions"), 0);
    }
    (first, second)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_contacts_are_one_customer_and_nothing_moves() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let api = server.api();
    let (first, second) = merged(&api).await;
    let again = json!({ "agent": "Ana", "reason": "de novo", "with": first });
    assert_eq!(api.post(&path(&second, "merge"), &again).await.unwrap().status, 409);
    // Both conversations say so and are where they were.
    for of in [&first, &second] {
        let there = |answer: &Answer| answer.text.contains("\"linked\"");
        let shown = api.until(&format!("/v1/conversations/{of}"), PATIENCE, there).await.unwrap();
        assert_eq!(shown.str("/conversation_id"), of);
    }
    let waits = api.get(&format!("/v1/conversations/{first}")).await.unwrap();
    assert_eq!(waits.str("/state"), "queued");
    let lines = api.get(&path(&second, "timeline?limit=500")).await.unwrap();
    assert!(lines.text.contains(&first) && lines.text.contains(&second), "{}", lines.text);
    let rows = api.get(&path(&first, "conversations")).await.unwrap();
    assert_eq!(count(&rows, "/conversations"), 2);
    // Pages put together are the whole, in its order.
    let (mut paged, mut more) = (Vec::new(), String::new());
    loop {
        let page = api.get(&path(&second, &format!("timeline?limit=2{more}"))).await.unwrap();
        paged.extend(page.body["lines"].as_array().unwrap().clone());
        let Some(next) = page.body["next_before"].as_str() else { break };
        more = format!("&before={next}");
    }
    assert_eq!(Value::Array(paged), lines.body["lines"]);
    let bad = api.get(&path(&first, "timeline?before=12")).await.unwrap();
    assert_eq!((bad.status, bad.str("/code")), (422, "bad_before"), "{}", bad.text);
    let export = api.get(&path(&first, "export")).await.unwrap();
    let told = export.body["conversations"].as_array().unwrap();
    let told: usize = told.iter().map(|one| one["history"].as_array().unwrap().len()).sum();
    assert_eq!(told, count(&lines, "/lines"), "everything is exported");
    // Who has the customer there takes what comes here.
    let to = json!({ "agent": "Ana", "queue": "financeiro" });
    let transferred = api.post(&format!("/v1/conversations/{first}/transfer"), &to).await.unwrap();
    assert_eq!(transferred.status, 200, "{}", transferred.text);
    let here = says(&api, "whatsapp", number(true), "quero falar com um atendente humano").await;
    assert_eq!((here["queue"].as_str(), id(&here)), (Some("financeiro"), second));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_parted_contacts_and_why_is_told_also_by_the_log_alone() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let api = server.api();
    let (first, second) = merged(&api).await;
    let part = json!({ "agent": "Bruno", "reason": "é da mãe dela", "contact": second });
    let parted = api.post(&path(&first, "unmerge"), &part).await.unwrap();
    assert_eq!((parted.status, count(&parted, "/undone")), (200, 1), "{}", parted.text);
    // The line that tells of it comes by another way than the link, and is the contact's last.
    let told = |answer: &Answer| answer.text.contains("\"unlinked\"");
    api.until(&format!("/v1/conversations/{first}"), PATIENCE, told).await.unwrap();
    let before = customer(&api, &first, |answer| count(answer, "/contacts") == 1).await;
    assert_eq!(before.body["links"][0]["holds"], false);
    assert_eq!(before.str("/links/0/undone/by"), "Bruno");
    assert_eq!(before.str("/links/0/undone/reason"), "é da mãe dela");
    assert_eq!(count(&before, "/suggestions"), 0, "not suggested again");
    let again = api.post(&path(&first, "unmerge"), &part).await.unwrap();
    assert_eq!(again.status, 409, "{}", again.text);
    let (_, options) = server.stop().await.unwrap();
    options.run(&["store", "rebuild"]).unwrap();
    let server = Server::start(options).await.unwrap();
    let after = customer(&server.api(), &first, |answer| count(answer, "/links") == 1).await;
    assert_eq!(after.body["links"], before.body["links"]);
    assert_eq!(after.body["contacts"], before.body["contacts"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_crm_confirms_on_two_channels_is_one_customer() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let api = server.api();
    let known = json!({ "id": "C6" });
    let first = id(&says(&api, "api", known.clone(), "minha internet caiu").await);
    // Links and conversations come to the store by ways of their own.
    let there = |answer: &Answer| (count(answer, "/links"), count(answer, "/contacts")) == (1, 1);
    let alone = customer(&api, &first, there).await;
    assert_eq!(alone.str("/links/0/source"), "crm");
    assert_eq!(alone.body["contacts"][0]["confirmed"], true);
    says(&api, "whatsapp", known, "minha internet caiu").await;
    let both = customer(&api, &first, |answer| count(answer, "/contacts") == 2).await;
    let contacts = both.body["contacts"].as_array().unwrap();
    assert!(contacts.iter().all(|contact| contact["confirmed"] == true), "{}", both.text);
    let whole = |answer: &Answer| answer.text.contains("minha internet caiu");
    let export = api.until(&path(&first, "export"), PATIENCE, whole).await.unwrap();
    assert_eq!((export.status, count(&export, "/conversations")), (200, 2));
    let nobody = api.get("/v1/customers/k_00000000000000000000000000").await.unwrap();
    assert_eq!(nobody.status, 404, "{}", nobody.text);
    assert_eq!(api.get("/v1/customers/ninguém").await.unwrap().status, 404);
    let elsewhere = api.get(&format!("/v1/customers/{first}?tenant=other")).await.unwrap();
    assert_eq!(elsewhere.status, 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_confirmed_sees_nothing_personal_whoever_they_are_merged_with() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let api = server.api();
    let wants = "me manda a segunda via do boleto";
    let known = id(&says(&api, "api", json!({ "id": "C6" }), wants).await);
    // A number the CRM does not know, merged with one who may see the invoice.
    let stranger = json!({ "phone": "+5511987654321" });
    let other = id(&says(&api, "sms", stranger.clone(), "oi").await);
    let there = |answer: &Answer| count(answer, "/contacts") == 1;
    customer(&api, &known, there).await;
    customer(&api, &other, there).await;
    let merge = json!({ "agent": "Ana", "reason": "mesma casa", "with": other });
    let merged = api.post(&format!("/v1/customers/{known}/merge"), &merge).await.unwrap();
    assert_eq!(merged.status, 200, "{}", merged.text);
    says(&api, "sms", stranger, wants).await;
    let answered = |answer: &Answer| answer.text.contains("identity_required");
    let path = format!("/v1/conversations/{other}");
    let shown = api.until(&path, PATIENCE, answered).await.unwrap();
    assert!(!shown.text.contains("00190") && !shown.text.contains("R$"), "{}", shown.text);
    // They tell who they are: the holder's CPF and the contract. The CRM confirms it, for this contact.
    let stranger = json!({ "phone": "+5511987654321" });
    says(&api, "sms", stranger, "meu CPF é 000.000.006-04 e o contrato é 6").await;
    let invoice = |answer: &Answer| answer.text.contains("00190");
    api.until(&path, PATIENCE, invoice).await.unwrap();
    let confirmed = |answer: &Answer| {
        let contacts = answer.body["contacts"].as_array().cloned().unwrap_or_default();
        contacts.len() == 2 && contacts.iter().all(|contact| contact["confirmed"] == true)
    };
    let both = customer(&api, &other, confirmed).await;
    assert!(!both.text.contains("000.000.006") && !both.text.contains("00000000604"));
}
