//! Calls, against an Asterisk of our own making: one WebSocket of events, and what it is asked over HTTP.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tests::api::Api;
use tests::histories::details as of;
use tests::server::{Options, Server};
use tokio::sync::broadcast;

const PATIENCE: Duration = Duration::from_secs(40);
const WAV: &[u8] = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0 oi, minha internet caiu";

/// An Asterisk, and beside it a transcriber.
#[derive(Clone)]
struct Asterisk {
    events: broadcast::Sender<String>,
    asked: Arc<Mutex<Vec<String>>>,
    /// Calls that are in the application.
    there: Arc<Mutex<Vec<Value>>>,
}

async fn listen(State(asterisk): State<Asterisk>, uri: Uri, upgrade: WebSocketUpgrade) -> Response {
    let query = uri.query().unwrap_or_default();
    assert!(query.contains("app=atendimento") && query.contains("api_key=u%3Ap"), "{query}");
    let mut events = asterisk.events.subscribe();
    upgrade.on_upgrade(async move |mut socket| {
        while let Ok(event) = events.recv().await {
            // The connection is cut by a word of ours.
            if event == "cut" || socket.send(Message::Text(event.into())).await.is_err() {
                return;
            }
        }
    })
}

async fn answer(
    State(asterisk): State<Asterisk>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    _: Bytes,
) -> Response {
    if uri.path() == "/v1/audio/transcriptions" {
        let segment = json!({ "start": 0, "end": 3, "avg_logprob": -0.186, "no_speech_prob": 0 });
        let text = "oi aqui é o joão minha internet tá sem sinal desde ontem";
        return json!({ "text": text, "segments": [segment] }).to_string().into_response();
    }
    if headers.get("authorization").is_none_or(|shown| shown != "Basic dTpw") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    asterisk.asked.lock().push(format!("{method} {}", uri.path()));
    match uri.path() {
        "/ari/channels" => Value::Array(asterisk.there.lock().clone()).to_string().into_response(),
        path if path.starts_with("/ari/recordings/stored/") => WAV.to_vec().into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

impl Asterisk {
    async fn start() -> (Self, String) {
        let asterisk =
            Self { events: broadcast::channel(64).0, asked: Arc::default(), there: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/ari/events", get(listen)).fallback(answer);
        let router = router.with_state(asterisk.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (asterisk, url)
    }

    async fn until(&self, what: &str, enough: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !enough(self) {
            assert!(Instant::now() < until, "{what}: {:#?}", self.asked.lock());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Tells something once somebody listens.
    async fn tell(&self, event: &Value) {
        self.until("nobody listens", |asterisk| asterisk.events.receiver_count() > 0).await;
        self.events.send(event.to_string()).unwrap();
    }

    /// Waits until it was asked for `what`.
    async fn was_asked(&self, what: &str) {
        self.until(what, |asterisk| asterisk.asked.lock().iter().any(|asked| asked == what)).await;
    }
}

fn options(dir: &tempfile::TempDir, url: &str) -> Options {
    [
        ("TENANT", "demo"),
        ("URL", url),
        ("USER", "u"),
        ("PASSWORD", "p"),
        ("APP", "atendimento"),
        ("GREETING", "sound:menu"),
        ("THANKS", "sound:obrigado"),
        ("MENU__9", "falar com atendente"),
    ]
    .into_iter()
    .fold(Options::at(dir.path()), |options, (key, value)| {
        options.with(&format!("CHANNELS__PHONE__SAC__{key}"), value)
    })
}

fn leg(id: &str, number: &str) -> Value {
    json!({ "id": id, "caller": { "name": "", "number": number },
        "dialplan": { "app_name": "Stasis", "app_data": "atendimento" } })
}

fn event(kind: &str, leg: &Value) -> Value {
    json!({ "type": kind, "timestamp": "2026-11-20T10:32:12.101-0300", "application": "atendimento",
        "channel": leg })
}

/// Every line of every history; waits until `enough`.
async fn lines(api: &Api, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    api.until_lines(PATIENCE, enough).await.unwrap()
}

#[tokio::test]
async fn case_20_what_a_caller_says_is_written_down_and_decided() {
    let dir = tempfile::tempdir().unwrap();
    let (asterisk, url) = Asterisk::start().await;
    let server = Server::start(options(&dir, &url).with("TRANSCRIBER__URL", &url)).await.unwrap();
    let api = server.api();
    let (id, leg) = ("1795177931.77", leg("1795177931.77", "11987654321"));
    asterisk.tell(&event("StasisStart", &leg)).await;
    asterisk.was_asked(&format!("POST /ari/channels/{id}/play/menu1-{id}")).await;
    asterisk.tell(&json!({ "type": "ChannelVarset", "variable": "X" })).await;
    asterisk
        .tell(&json!({ "type": "PlaybackFinished", "playback": { "id": format!("menu1-{id}") } }))
        .await;
    asterisk.was_asked(&format!("POST /ari/channels/{id}/record")).await;
    let recording = json!({ "name": format!("vm-{id}"), "duration": 38, "talking_duration": 30 });
    for _ in 0..2 {
        asterisk.tell(&json!({ "type": "RecordingFinished", "recording": recording })).await;
    }
    asterisk.was_asked(&format!("POST /ari/channels/{id}/play/bye-{id}")).await;
    asterisk.tell(&event("ChannelDestroyed", &leg)).await;
    let found = lines(&api, |lines| !of(lines, "turn_decided").is_empty()).await;
    let received = of(&found, "message_received");
    assert_eq!(
        (received.len(), received[0]["kind"].as_str()),
        (1, Some("audio")),
        "one call, one message"
    );
    assert_eq!(of(&found, "media_fetched")[0]["mime"], "audio/wav");
    let said = of(&found, "transcribed");
    assert_eq!(said[0]["text"], "oi aqui é o joão minha internet tá sem sinal desde ontem");
    let decided = of(&found, "turn_decided");
    assert_eq!(decided[0]["classification"]["intents"][0]["id"], "sem_conexao", "{decided:#?}");
    assert!((decided[0]["transcript_confidence"].as_f64().unwrap() - 0.83).abs() < 0.001);
}

#[tokio::test]
async fn case_20_a_dropped_call_is_a_call_to_give_back() {
    let dir = tempfile::tempdir().unwrap();
    let (asterisk, url) = Asterisk::start().await;
    let server = Server::start(options(&dir, &url)).await.unwrap();
    let api = server.api();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/payloads/asterisk");
    let sample = |name: &str| std::fs::read_to_string(samples.join(name)).ok();
    let names = ["stasis_start.json", "stasis_end.json", "channel_destroyed.json"];
    let told: Vec<String> = names.iter().filter_map(|name| sample(name)).collect();
    if told.len() < names.len() {
        println!("SKIPPED: no samples in shared/payloads/asterisk");
        return;
    }
    for text in told {
        asterisk.tell(&serde_json::from_str(&text).unwrap()).await;
    }
    let found = lines(&api, |lines| !of(lines, "turn_decided").is_empty()).await;
    let decided = of(&found, "turn_decided");
    assert_eq!(
        (decided[0]["route"].as_str(), decided[0]["reason"].as_str()),
        (Some("human"), Some("call_back"))
    );
    assert_eq!(of(&found, "message_received").len(), 1);
    let waiting = api.get("/v1/conversations?state=queued").await.unwrap();
    assert_eq!(
        waiting.body["conversations"].as_array().unwrap().len(),
        1,
        "people see it in a queue"
    );
    assert_eq!(waiting.body["conversations"][0]["channel"], "phone");
}

#[tokio::test]
async fn a_digit_is_a_wish_and_a_lost_connection_loses_no_call() {
    let dir = tempfile::tempdir().unwrap();
    let (asterisk, url) = Asterisk::start().await;
    let server = Server::start(options(&dir, &url)).await.unwrap();
    let api = server.api();
    let first = leg("1.1", "11987654321");
    asterisk.tell(&event("StasisStart", &first)).await;
    asterisk.was_asked("POST /ari/channels/1.1/play/menu1-1.1").await;
    let mut pressed = event("ChannelDtmfReceived", &first);
    pressed["digit"] = json!("9");
    asterisk.tell(&pressed).await;
    let found = lines(&api, |lines| !of(lines, "turn_decided").is_empty()).await;
    assert_eq!(of(&found, "turn_decided")[0]["reason"], "person_asked");
    // A second call rings, the connection is lost, the call ends, and a third is there when it is back.
    let second = leg("2.2", "11911112222");
    asterisk.tell(&event("StasisStart", &second)).await;
    asterisk.was_asked("POST /ari/channels/2.2/answer").await;
    asterisk.there.lock().push(leg("3.3", "11933334444"));
    asterisk.events.send("cut".to_owned()).unwrap();
    asterisk.was_asked("POST /ari/channels/3.3/answer").await;
    let found = lines(&api, |lines| of(lines, "turn_decided").len() == 2).await;
    let reasons: Vec<&str> = of(&found, "turn_decided")
        .iter()
        .filter_map(|decided| decided["reason"].as_str())
        .collect();
    assert!(reasons.contains(&"call_back"), "{reasons:?}");
}
