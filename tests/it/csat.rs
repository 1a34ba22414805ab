//! How it was for the customer: asked once, told by a form, a number, or whoever writes it down.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tests::api::{Answer, Api};
use tests::server::{Options, Server};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until a conversation is in a state.
async fn stands(api: &Api, id: &str, state: &str) -> Answer {
    let path = format!("/v1/conversations/{id}");
    api.until(&path, PATIENCE, |answer| answer.str("/state") == state).await.unwrap()
}

async fn ask(api: &Api, id: &str, action: &str, more: Value) -> Answer {
    let mut body = json!({ "agent": "Ana" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    api.post(&format!("/v1/conversations/{id}/{action}"), &body).await.unwrap()
}

/// Waits until the history tells of an event: its line is written after the socket was told.
async fn tells(api: &Api, id: &str, name: &str) -> Answer {
    let path = format!("/v1/conversations/{id}");
    api.until(&path, PATIENCE, |answer| !events(answer, name).is_empty()).await.unwrap()
}

fn events(answer: &Answer, name: &str) -> Vec<Value> {
    let lines = answer.body["history"].as_array().unwrap().iter();
    lines.filter(|line| line["event"] == name).map(|line| line["detail"].clone()).collect()
}

#[tokio::test]
async fn a_web_chat_shows_a_form_and_the_desk_what_came_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let api = server.api();
    let url = format!("ws://127.0.0.1:{}/v1/chat/ws", server.port);
    let (mut socket, _) = connect_async(url).await.unwrap();
    for frame in [
        json!({ "t": "hello", "tenant": "demo" }),
        json!({ "t": "msg", "cid": "c-1", "text": "quero falar com um atendente humano" }),
    ] {
        socket.send(Message::text(frame.to_string())).await.unwrap();
    }
    let until = async |socket: &mut tokio_tungstenite::WebSocketStream<_>, kind: &str| loop {
        let frame = tokio::time::timeout(PATIENCE, socket.next()).await.expect("a frame in time");
        let Message::Text(text) = frame.unwrap().unwrap() else { continue };
        let frame: Value = serde_json::from_str(&text).unwrap();
        if frame["t"] == kind {
            break frame;
        }
    };
    until(&mut socket, "queued").await;
    let waits = |answer: &Answer| answer.text.contains("\"queued\"");
    let list = api.until("/v1/conversations?state=queued", PATIENCE, waits).await.unwrap();
    let id = list.str("/conversations/0/conversation_id").to_owned();
    assert_eq!(ask(&api, &id, "csat", json!({ "score": 5 })).await.str("/code"), "csat_not_asked");
    ask(&api, &id, "claim", json!({})).await;
    ask(&api, &id, "resolve", json!({})).await;
    assert_eq!(until(&mut socket, "csat").await["score"], Value::Null);
    for (score, comment) in [(9, "?"), (4, "resolveu, mas demorou"), (1, "outra vez")] {
        let rating = json!({ "t": "csat", "conversation": id, "score": score, "comment": comment });
        socket.send(Message::text(rating.to_string())).await.unwrap();
    }
    assert_eq!(until(&mut socket, "error").await["code"], "bad_csat");
    assert_eq!(until(&mut socket, "csat").await["score"], 4, "the first one counts");
    let shown = tells(&api, &id, "csat_answered").await;
    let answered = events(&shown, "csat_answered");
    assert_eq!(answered.len(), 1);
    assert_eq!(
        (&answered[0]["score"], &answered[0]["comment"]),
        (&json!(4), &json!("resolveu, mas demorou"))
    );
    let late = ask(&api, &id, "csat", json!({ "score": 5 })).await;
    assert_eq!((late.status, late.str("/code")), (409, "csat_answered"));
    let counted = |answer: &Answer| answer.body["csat"]["answered"] == 1;
    let summary = api.until("/v1/metrics/summary", PATIENCE, counted).await.unwrap();
    assert_eq!(
        (&summary.body["csat"]["average"], &summary.body["csat"]["answer_rate"]),
        (&json!(4.0), &json!(1.0))
    );

    // Who writes again comes back under the same protocol, and is not asked twice.
    let again = json!({ "t": "msg", "cid": "c-2", "text": "quero falar com um atendente humano" });
    socket.send(Message::text(again.to_string())).await.unwrap();
    stands(&api, &id, "queued").await;
    ask(&api, &id, "claim", json!({})).await;
    ask(&api, &id, "resolve", json!({})).await;
    assert_eq!(events(&stands(&api, &id, "resolved").await, "csat_asked").len(), 1);
}

#[tokio::test]
async fn elsewhere_a_number_will_do() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(Options::at(dir.path())).await.unwrap();
    let api = server.api();
    let write = async |text: &str| {
        let body = json!({ "channel": "whatsapp", "customer": { "id": "C9" }, "text": text });
        assert_eq!(api.post("/v1/messages", &body).await.unwrap().status, 202);
    };
    write("quero falar com um atendente humano").await;
    let waits = |answer: &Answer| answer.text.contains("\"queued\"");
    let list = api.until("/v1/conversations?state=queued", PATIENCE, waits).await.unwrap();
    let id = list.str("/conversations/0/conversation_id").to_owned();
    ask(&api, &id, "claim", json!({})).await;
    ask(&api, &id, "resolve", json!({})).await;
    let said = |answer: &Answer| {
        events(answer, "reply_sent").iter().any(|sent| sent["answer_id"] == "csat.pergunta")
    };
    let path = format!("/v1/conversations/{id}");
    api.until(&path, PATIENCE, said).await.unwrap();
    write("nota 5").await;
    let thanked = |answer: &Answer| {
        events(answer, "reply_sent").iter().any(|sent| sent["answer_id"] == "csat.obrigado")
    };
    api.until(&path, PATIENCE, thanked).await.unwrap();
    // Its turn is decided, too: nobody answers it, and nothing is opened again.
    let decided = |answer: &Answer| events(answer, "turn_decided").len() == 2;
    let shown = api.until(&path, PATIENCE, decided).await.unwrap();
    assert_eq!(events(&shown, "csat_answered")[0]["score"], 5);
    assert_eq!(events(&shown, "turn_decided")[1]["reason"], "rated");
    assert_eq!(shown.str("/state"), "csat");
    assert!(events(&shown, "reopened").is_empty());
}
