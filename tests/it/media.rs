//! Files and recordings, against a provider and a transcriber of our own making: fetched, kept outside the
//! log, given to people, written down.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tests::api::Api;
use tests::histories::details as of;
use tests::server::{Options, Server};
use tests::whatsapp::signature;
use tokio::sync::watch;

const PATIENCE: Duration = Duration::from_secs(40);
const WHATSAPP: &str = "/v1/channels/whatsapp_cloud/principal";
pub(crate) const OGG: &[u8] =
    b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead oi";
const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";

/// What is answered at a path; a path nobody told of is a reply that is taken.
#[derive(Clone, Default)]
pub(crate) struct Provider(Arc<Mutex<HashMap<String, Answer>>>, Hung);

/// Who asked where nothing is answered until it is let.
#[derive(Clone)]
pub(crate) struct Hung {
    asked: watch::Sender<usize>,
    back: watch::Sender<bool>,
}

impl Default for Hung {
    fn default() -> Self {
        Self { asked: watch::Sender::new(0), back: watch::Sender::new(false) }
    }
}

/// Status and body.
type Answer = (u16, Vec<u8>);

async fn answer(
    State(provider): State<Provider>,
    uri: Uri,
    headers: HeaderMap,
    _: Bytes,
) -> Response {
    let shown = headers.get("authorization").is_some_and(|shown| shown == "Bearer token");
    if uri.path().starts_with("/graph") && !shown {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if uri.path().starts_with("/graph/HANGS") {
        provider.1.asked.send_modify(|asked| *asked += 1);
        provider.1.back.subscribe().wait_for(|back| *back).await.unwrap();
    }
    match provider.0.lock().get(uri.path()).cloned() {
        Some((status, body)) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        None => json!({ "messages": [{ "id": "wamid.out" }] }).to_string().into_response(),
    }
}

impl Provider {
    pub(crate) async fn start() -> (Self, String) {
        let provider = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(answer).with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (provider, url)
    }

    fn says(&self, path: &str, status: u16, body: impl Into<Vec<u8>>) {
        self.0.lock().insert(path.to_owned(), (status, body.into()));
    }

    /// Has a file under `id`.
    pub(crate) fn has(&self, url: &str, id: &str, bytes: &[u8]) {
        let place = format!("/graph/files/{id}");
        self.says(
            &format!("/graph/{id}"),
            200,
            json!({ "url": format!("{url}{place}") }).to_string(),
        );
        self.says(&place, 200, bytes);
    }

    pub(crate) fn hears(&self, text: &str, logprob: f64) {
        let segment = json!({ "start": 0, "end": 2, "avg_logprob": logprob, "no_speech_prob": 0 });
        let said = json!({ "text": text, "segments": [segment] });
        self.says(TRANSCRIPTIONS, 200, said.to_string());
    }
}

pub(crate) fn options(dir: &tempfile::TempDir, provider: &str) -> Options {
    let account = "CHANNELS__WHATSAPP_CLOUD__PRINCIPAL";
    [
        ("TENANT", "demo"),
        ("APP_SECRET", "app_secret"),
        ("VERIFY_TOKEN", "T"),
        ("ACCESS_TOKEN", "token"),
    ]
    .into_iter()
    .fold(Options::at(dir.path()), |options, (key, value)| {
        options.with(&format!("{account}__{key}"), value)
    })
    .with(&format!("{account}__API_URL"), &format!("{provider}/graph"))
}

/// A message of `from`, signed.
pub(crate) async fn wrote(api: &Api, from: &str, id: &str, kind: &str, part: Value) {
    wrote_to(api, (WHATSAPP, "111"), from, id, kind, part).await;
}

/// The same to the account at this door, whose number has this id.
async fn wrote_to(
    api: &Api,
    (account, number): (&str, &str),
    from: &str,
    id: &str,
    kind: &str,
    part: Value,
) {
    let mut message = json!({ "from": from, "id": id, "type": kind });
    message[kind] = part;
    let value = json!({ "metadata": { "phone_number_id": number }, "messages": [message] });
    let body = json!({ "entry": [{ "changes": [{ "value": value }] }] }).to_string();
    let signature = signature("app_secret", body.as_bytes()).unwrap();
    let headers = [("x-hub-signature-256", signature.as_str())];
    let taken = api.post_raw(account, &headers, body.into_bytes()).await.unwrap();
    assert_eq!(taken.status, 200);
}

pub(crate) async fn spoke(api: &Api, from: &str, id: &str) {
    let voice = json!({ "id": "M1", "mime_type": "audio/ogg; codecs=opus", "voice": true });
    wrote(api, from, id, "audio", voice).await;
}

/// The histories of all conversations, each by itself; waits until `enough`.
async fn histories(api: &Api, enough: impl Fn(&[Value]) -> bool) -> Vec<(String, Vec<Value>)> {
    let until = Instant::now() + PATIENCE;
    loop {
        let list = api.get("/v1/conversations?limit=200").await.unwrap();
        let mut found = Vec::new();
        for conversation in list.body["conversations"].as_array().unwrap() {
            let id = conversation["conversation_id"].as_str().unwrap();
            let events = api.get(&format!("/v1/conversations/{id}/events")).await.unwrap();
            found.push((id.to_owned(), events.body["events"].as_array().unwrap().clone()));
        }
        let all: Vec<Value> = found.iter().flat_map(|(_, lines)| lines.clone()).collect();
        if enough(&all) {
            return found;
        }
        assert!(Instant::now() < until, "never became so: {all:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_file_is_fetched_kept_outside_the_log_and_given_to_people() {
    let dir = tempfile::tempdir().unwrap();
    let (provider, url) = Provider::start().await;
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR o roteador de casa";
    provider.has(&url, "M1", png);
    provider.has(&url, "M2", b"<!DOCTYPE html><script>alert(1)</script>");
    let server = Server::start(options(&dir, &url)).await.unwrap();
    let api = server.api();
    let file = |id: &str| json!({ "id": id, "mime_type": "image/png", "caption": "o roteador" });
    wrote(&api, "5511911112222", "wamid.1", "image", file("M1")).await;
    wrote(&api, "5511911112222", "wamid.2", "image", file("M2")).await;
    let found = histories(&api, |lines| of(lines, "media_fetched").len() == 2).await;
    let (id, lines) = &found[0];
    let fetched = of(lines, "media_fetched");
    let stored = fetched.iter().find(|told| told["result"] == "stored").unwrap();
    assert!(fetched.iter().any(|told| told["result"] == "wrong_type"), "{fetched:?}");
    assert_eq!(
        (stored["mime"].as_str(), stored["size_bytes"].as_i64()),
        (Some("image/png"), Some(png.len() as i64))
    );
    let digest = stored["sha256"].as_str().unwrap();
    let path = format!("/v1/conversations/{id}/files/{digest}");
    let given = reqwest::get(format!("{}{path}", server.url())).await.unwrap();
    assert_eq!(given.status(), 200);
    let header = |name: &str| given.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "image/png");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("content-disposition").starts_with("attachment"));
    assert_eq!(given.bytes().await.unwrap().as_ref(), png);
    let other = path.replace(digest, &"0".repeat(64));
    assert_eq!(api.get(&other).await.unwrap().status, 404);
    // Neither in the log nor readable on the disk.
    let kept = dir.path().join("media/demo").join(digest);
    assert!(kept.exists());
    server.stop().await.unwrap();
    let mut files = vec![kept];
    let top = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    files.extend(top.filter(|path| path.is_file()));
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let shown = bytes.windows(16).any(|window| window == b"roteador de casa");
        assert!(!shown, "{}", file.display());
    }
}

#[tokio::test]
async fn case_12_a_recording_waits_for_its_words_and_they_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (provider, url) = Provider::start().await;
    provider.has(&url, "M1", OGG);
    provider.says(TRANSCRIPTIONS, 503, "");
    let options = options(&dir, &url).with("TRANSCRIBER__URL", &url);
    let server = Server::start(options).await.unwrap();
    let api = server.api();
    spoke(&api, "5511911112222", "wamid.1").await;
    histories(&api, |lines| of(lines, "media_fetched").len() == 1).await;
    provider.hears("quero a segunda via do boleto", -0.01);
    let found = histories(&api, |lines| of(lines, "turn_decided").len() == 1).await;
    let decided = of(&found[0].1, "turn_decided")[0].clone();
    assert_eq!(decided["closed_by"], "transcript", "{decided:#}");
    assert_eq!(decided["classification"]["intents"][0]["id"], "segunda_via");
    assert_eq!(decided["route"], "auto");
    assert!(decided["transcript_confidence"].as_f64().unwrap() > 0.98);
    let said = of(&found[0].1, "transcribed")[0].clone();
    assert_eq!(said["text"], "quero a segunda via do boleto");
    // The same words, hardly understood: what the models are sure of, the route is not.
    provider.hears("quero a segunda via do boleto", -1.0);
    spoke(&api, "5511933334444", "wamid.2").await;
    let found = histories(&api, |lines| of(lines, "turn_decided").len() == 2).await;
    let unsure = found
        .iter()
        .find(|(_, lines)| of(lines, "turn_decided").iter().any(|told| told["route"] == "human"));
    let decided = of(&unsure.unwrap().1, "turn_decided")[0].clone();
    assert_eq!(decided["classification"]["intents"][0]["id"], "segunda_via", "{decided:#}");
    assert!((decided["transcript_confidence"].as_f64().unwrap() - 0.368).abs() < 0.001);
}

#[tokio::test]
async fn case_12_without_a_transcriber_a_person_listens() {
    let dir = tempfile::tempdir().unwrap();
    let (provider, url) = Provider::start().await;
    provider.has(&url, "M1", OGG);
    let server = Server::start(options(&dir, &url)).await.unwrap();
    let api = server.api();
    spoke(&api, "5511911112222", "wamid.1").await;
    let found = histories(&api, |lines| {
        !of(lines, "turn_decided").is_empty() && !of(lines, "media_fetched").is_empty()
    });
    let (_, lines) = found.await.remove(0);
    let decided = of(&lines, "turn_decided")[0].clone();
    assert_eq!(decided["route"], "human");
    assert_eq!(decided["reason"], "audio_without_transcript");
    assert_eq!(decided["classification"], Value::Null, "nothing is made up to be classified");
    assert_eq!(of(&lines, "media_fetched")[0]["result"], "stored", "the person can listen");
}

#[tokio::test]
async fn an_account_whose_provider_hangs_holds_up_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (provider, url) = Provider::start().await;
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR o roteador de casa";
    provider.has(&url, "M1", png);
    let account = "CHANNELS__WHATSAPP_CLOUD__FILIAL";
    let filial = [
        ("TENANT", "demo"),
        ("APP_SECRET", "app_secret"),
        ("VERIFY_TOKEN", "T"),
        ("ACCESS_TOKEN", "token"),
    ]
    .into_iter()
    .fold(options(&dir, &url), |options, (key, value)| {
        options.with(&format!("{account}__{key}"), value)
    })
    .with(&format!("{account}__API_URL"), &format!("{url}/graph"))
    .with(&format!("{account}__PHONE_NUMBER_ID"), "222");
    let server = Server::start(filial).await.unwrap();
    let api = server.api();
    let file = |id: String| json!({ "id": id, "mime_type": "image/png" });
    // More of them than files are fetched at once.
    for n in 10..50 {
        provider.has(&url, &format!("HANGS{n}"), png);
        let (from, id) = (format!("55119111122{n}"), format!("wamid.{n}"));
        wrote(&api, &from, &id, "image", file(format!("HANGS{n}"))).await;
    }
    let mut asked = provider.1.asked.subscribe();
    tokio::time::timeout(PATIENCE, asked.wait_for(|asked| *asked > 0)).await.unwrap().unwrap();
    let filial = ("/v1/channels/whatsapp_cloud/filial", "222");
    wrote_to(&api, filial, "5511933334444", "wamid.9", "image", file("M1".to_owned())).await;
    let stored = |lines: &[Value]| {
        of(lines, "media_fetched").iter().filter(|told| told["result"] == "stored").count()
    };
    histories(&api, |lines| stored(lines) == 1).await;
    let hung = *provider.1.asked.borrow();
    assert!(hung < 12, "the other keeps its share of what is fetched at once, not all: {hung}");
    assert!(!*provider.1.back.borrow());
    // None of those that waited was given up.
    provider.1.back.send_replace(true);
    histories(&api, |lines| stored(lines) == 41).await;
}
