//! Conversations of other channels are shown at a Chatwoot of our own making, once and in their order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post as posting};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tests::histories::of;
use tests::provider::Provider;
use tests::server::{Options, Server};
use tests::whatsapp::{account, post, written};

const PATIENCE: Duration = Duration::from_secs(30);
const CPF: &str = "529.982.247-25";

/// What it keeps, as its Application API is documented.
#[derive(Clone, Default)]
pub(crate) struct Chatwoot {
    pub(crate) contacts: Arc<Mutex<Vec<Value>>>,
    pub(crate) conversations: Arc<Mutex<Vec<Value>>>,
    /// Kind and words.
    pub(crate) told: Arc<Mutex<Vec<(String, String)>>>,
}

impl Chatwoot {
    pub(crate) async fn start() -> (Self, String) {
        let chatwoot = Self::default();
        let routes = axum::Router::new()
            .route("/contacts/search", get(search))
            .route("/contacts", posting(contact))
            .route("/contacts/{id}/conversations", get(of_contact))
            .route("/conversations", posting(conversation))
            .route("/conversations/{id}/messages", posting(message))
            .route("/conversations/{id}/toggle_status", posting(status))
            .with_state(chatwoot.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().nest("/api/v1/accounts/1", routes);
        tokio::spawn(async move { axum::serve(listener, router).await });
        (chatwoot, url)
    }

    /// Waits until these words were told.
    pub(crate) async fn until(&self, words: &str) -> Vec<(String, String)> {
        let until = Instant::now() + PATIENCE;
        loop {
            let told = self.told.lock().clone();
            if told.iter().any(|(_, told)| told == words) {
                return told;
            }
            assert!(Instant::now() < until, "'{words}' was never shown: {told:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

type Kept = State<Chatwoot>;

async fn search(State(kept): Kept, Query(asked): Query<Value>) -> Json<Value> {
    let found = kept
        .contacts
        .lock()
        .iter()
        .filter(|one| one["identifier"] == asked["q"])
        .cloned()
        .collect::<Vec<_>>();
    Json(json!({ "payload": found }))
}

async fn contact(State(kept): Kept, Json(mut made): Json<Value>) -> Json<Value> {
    let mut contacts = kept.contacts.lock();
    made["id"] = json!(contacts.len() + 1);
    contacts.push(made.clone());
    Json(json!({ "payload": { "contact": made } }))
}

async fn of_contact(State(kept): Kept, Path(id): Path<i64>) -> Json<Value> {
    let found = kept
        .conversations
        .lock()
        .iter()
        .filter(|one| one["contact_id"] == id)
        .cloned()
        .collect::<Vec<_>>();
    Json(json!({ "payload": found }))
}

async fn conversation(State(kept): Kept, Json(mut made): Json<Value>) -> Json<Value> {
    let mut conversations = kept.conversations.lock();
    made["id"] = json!(conversations.len() + 1);
    conversations.push(made.clone());
    Json(made)
}

async fn message(State(kept): Kept, Path(_): Path<i64>, Json(told): Json<Value>) -> Json<Value> {
    let kind =
        if told["private"] == true { "note" } else { told["message_type"].as_str().unwrap() };
    let words = told["content"].as_str().unwrap();
    kept.told.lock().push((kind.to_owned(), words.to_owned()));
    Json(json!({ "id": 1 }))
}

async fn status(State(kept): Kept, Path(_): Path<i64>, Json(told): Json<Value>) -> Json<Value> {
    kept.told.lock().push(("status".to_owned(), told["status"].as_str().unwrap().to_owned()));
    Json(json!({}))
}

/// With a Chatwoot that other channels' conversations are shown at.
pub(crate) fn shown_at(options: Options, url: &str) -> Options {
    let settings = [
        ("TENANT", "demo"),
        ("WEBHOOK_SECRET", "hook"),
        ("ACCOUNT_ID", "1"),
        ("ACCESS_TOKEN", "bot"),
        ("API_URL", url),
        ("MIRROR_INBOX_ID", "5"),
    ];
    settings.into_iter().fold(options, |options, (key, value)| {
        options.with(&format!("CHANNELS__CHATWOOT__DESK__{key}"), value)
    })
}

#[tokio::test]
async fn what_happens_elsewhere_is_shown_at_chatwoot() {
    let dir = tempfile::tempdir().unwrap();
    let (_provider, graph) = Provider::start().await.unwrap();
    let (chatwoot, url) = Chatwoot::start().await;
    let options = shown_at(account(Options::at(dir.path()), &graph), &url);
    let server = Server::start(options).await.unwrap();
    let text = format!("quero falar com atendente, cpf {CPF}");
    let message = written("5511911112222", "wamid.1", "text", json!({ "body": text }));
    assert_eq!(post(&server.api(), &message).await.unwrap(), 200);
    let answered = |lines: &[Value]| !of(lines, "reply_sent").is_empty();
    let lines = server.api().until_lines(PATIENCE, answered).await.unwrap();
    let notice = of(&lines, "reply_sent")[0]["detail"]["text"].as_str().unwrap().to_owned();
    chatwoot.until(&notice).await;

    // Killed, it knows what it has shown.
    let server = Server::start(Options { port: 0, ..server.kill().unwrap() }).await.unwrap();
    let id = lines[0]["conversation_id"].as_str().unwrap();
    for (command, body) in [
        ("claim", json!({ "agent": "Ana" })),
        ("note", json!({ "agent": "Ana", "text": format!("confirmei o cpf {CPF}") })),
        ("resolve", json!({ "agent": "Ana" })),
    ] {
        let path = format!("/v1/conversations/{id}/{command}");
        let answer = server.api().post(&path, &body).await.unwrap();
        assert_eq!(answer.status, 200, "{command}: {}", answer.text);
    }
    let mut told = chatwoot.until("resolved").await;
    told.truncate(4); // then the customer is asked how it was
    let expected = [
        ("incoming", "quero falar com atendente, cpf [CPF]"),
        ("outgoing", &notice),
        ("note", "confirmei o cpf [CPF]"),
        ("status", "resolved"),
    ];
    assert_eq!(told, expected.map(|(kind, words)| (kind.to_owned(), words.to_owned())));
    let (contacts, conversations) = (chatwoot.contacts.lock(), chatwoot.conversations.lock());
    assert_eq!((contacts.len(), conversations.len()), (1, 1), "found again, not made again");
    assert!(contacts[0]["phone_number"].is_null(), "masked: only the name goes out");
    assert_eq!(conversations[0]["custom_attributes"]["protocolo"], lines[0]["protocol"]);
}
