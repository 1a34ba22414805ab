use std::collections::{BTreeMap, HashMap};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, LOCATION};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use pipeline::clock::ManualClock;
use schemas::ids::{ContactKey, MessageId};
use schemas::line::Received;
use schemas::media::{MediaResult, Transcribed, TranscriptResult};
use schemas::message::{AnswerVia, Attachment, Channel, Direction, MessageKind};
use schemas::sealed::TenantKeys;
use schemas::topics::TURNS;

use super::*;
use crate::channels::email::{self, Content, Mail, Part, Sender};
use crate::channels::{telegram, twilio, whatsapp_cloud};
use crate::door::{Event, HeardMessage};

const OGG: &[u8] = b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead oi";
const NOW_MS: i64 = 1_000_000;

/// What the provider says at a path: status, a place to go instead, body.
type Page = (u16, Option<String>, Vec<u8>);

/// A provider of our own making.
#[derive(Clone, Default)]
struct Provider {
    pages: Arc<Mutex<HashMap<String, Page>>>,
    /// Path with query, and what was shown.
    asked: Arc<Mutex<Vec<(String, String)>>>,
    /// What was posted last.
    posted: Arc<Mutex<Vec<u8>>>,
}

async fn answer(
    State(provider): State<Provider>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let shown = headers.get(AUTHORIZATION).map_or("", |value| value.to_str().unwrap());
    provider.asked.lock().push((uri.to_string(), shown.to_owned()));
    *provider.posted.lock() = body.to_vec();
    let Some((status, next, body)) = provider.pages.lock().get(uri.path()).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    if let Some(next) = next {
        response.headers_mut().insert(LOCATION, next.parse().unwrap());
    }
    response
}

impl Provider {
    async fn start() -> (Self, String) {
        let provider = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (provider, url)
    }

    fn says(&self, path: &str, status: u16, body: impl Into<Vec<u8>>) {
        self.pages.lock().insert(path.to_owned(), (status, None, body.into()));
    }

    fn sends_on(&self, path: &str, to: &str) {
        self.pages.lock().insert(path.to_owned(), (302, Some(to.to_owned()), Vec::new()));
    }
}

/// Keeps files in memory.
#[derive(Default)]
struct Shelf(Mutex<HashMap<(String, String), Vec<u8>>>);

#[async_trait]
impl MediaStore for Shelf {
    async fn keep(
        &self,
        tenant: &str,
        digest: &str,
        bytes: Vec<u8>,
        _: i64,
    ) -> Result<(), StoreError> {
        self.0.lock().insert((tenant.to_owned(), digest.to_owned()), bytes);
        Ok(())
    }

    async fn read(&self, tenant: &str, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.lock().get(&(tenant.to_owned(), digest.to_owned())).cloned())
    }
}

struct Stand {
    media: Media,
    provider: Provider,
    url: String,
    shelf: Arc<Shelf>,
    clock: Arc<ManualClock>,
}

async fn stand() -> Stand {
    let (provider, url) = Provider::start().await;
    let tenant = "demo".to_owned();
    let whatsapp = whatsapp_cloud::Files(vec![whatsapp_cloud::MediaAccount {
        tenant: tenant.clone(),
        phone_number_id: "111".to_owned(),
        access_token: "token".to_owned(),
        api_url: format!("{url}/graph"),
    }]);
    let twilio = twilio::Files(vec![twilio::MediaAccount {
        tenant: tenant.clone(),
        account_sid: "AC1".to_owned(),
        auth_token: "auth".to_owned(),
        api_url: url.clone(),
    }]);
    let mailgun = email::MediaAccount {
        tenant: tenant.clone(),
        api_key: "key".to_owned(),
        api_url: url.clone(),
    };
    let bot =
        telegram::MediaAccount { tenant, bot_token: "900:abc".to_owned(), api_url: url.clone() };
    let sources: HashMap<&'static str, Arc<dyn Source>> = HashMap::from([
        (whatsapp_cloud::PROVIDER, Arc::new(whatsapp) as Arc<dyn Source>),
        (twilio::PROVIDER, Arc::new(twilio)),
        (telegram::PROVIDER, Arc::new(telegram::Files(HashMap::from([("robo".to_owned(), bot)])))),
        (email::PROVIDER, Arc::new(email::Files(HashMap::from([("suporte".to_owned(), mailgun)])))),
    ]);
    let limits = limits();
    let (shelf, clock) = (Arc::new(Shelf::default()), Arc::new(ManualClock::default()));
    clock.set(NOW_MS);
    let media = Media::new(
        Fetcher::new(sources, limits).unwrap(),
        Some(Arc::new(Whisper::new(&url, "key", "whisper-1", "pt").unwrap())),
        Arc::clone(&shelf) as Arc<dyn MediaStore>,
        Arc::new(Keyring::new([keys()])),
        Arc::clone(&clock) as Arc<dyn Clock>,
    );
    Stand { media, provider, url, shelf, clock }
}

fn limits() -> Limits {
    Limits { bytes_max: 64, types: vec!["audio/ogg".to_owned()] }
}

fn keys() -> TenantKeys {
    TenantKeys::derive("demo", "1", &[7; 32])
}

fn envelope(body: TurnsBody) -> Envelope<Turns> {
    Envelope {
        key: LineKey::new("demo", ContactKey([1; 16])).to_bytes().into(),
        topic: TURNS,
        partition: 0,
        offset: 0,
        time_ms: NOW_MS,
        headers: Default::default(),
        body: Turns { body },
    }
}

fn voice(provider: &str, account: &str, reference: &str) -> Envelope<Turns> {
    let head = MessageHead {
        message_id: MessageId([1; 16]),
        channel: Channel::Whatsapp,
        provider: provider.to_owned(),
        account: account.to_owned(),
        direction: Direction::Inbound,
        kind: MessageKind::Audio,
        provider_message_id: None,
        reply_to: None,
        thread_key: None,
        contact_sealed: keys().seal(b"contact", b"x").unwrap(),
        text_sealed: None,
        text_masked: None,
        choice: None,
        attachments: vec![Attachment {
            reference: reference.to_owned(),
            mime: "audio/ogg; codecs=opus".to_owned(),
            filename: None,
            size_bytes: None,
            sha256: None,
            transcript_sealed: None,
            confidence: None,
        }],
        site: None,
        auto_generated: false,
        verified: false,
        event_time_ms: 0,
        reply_window_until_ms: None,
        answer_via: AnswerVia::Channel,
        attributes: BTreeMap::new(),
        thread_sealed: None,
        changes: None,
        deleted: false,
    };
    envelope(TurnsBody::Received(Box::new(Received { head, aliases: Vec::new() })))
}

/// What is told of a record; `Err`: tried again.
async fn told(stand: &Stand, input: Envelope<Turns>) -> Result<InboundBody, String> {
    match stand.media.apply(&[input]).await.remove(0) {
        Outcome::Done(mut records) => {
            let value = records.remove(0).value.unwrap();
            Ok(Inbound::from_bytes(&value).unwrap().body)
        }
        Outcome::Retry { why, .. } => Err(why),
        Outcome::Reject(why) => panic!("{why}"),
    }
}

async fn fetched(stand: &Stand, input: Envelope<Turns>) -> Result<MediaFetched, String> {
    match told(stand, input).await? {
        InboundBody::MediaFetched(fetched) => Ok(fetched),
        other => panic!("{other:?}"),
    }
}

async fn result(stand: &Stand, provider: &str, account: &str, reference: &str) -> MediaResult {
    fetched(stand, voice(provider, account, reference)).await.unwrap().result
}

#[tokio::test]
async fn each_provider_is_asked_as_it_wants_to_be() {
    let stand = stand().await;
    let Stand { provider, url, .. } = &stand;
    provider.says("/graph/M1", 200, format!("{{\"url\":\"{url}/lookaside/1\",\"file_size\":40}}"));
    for place in ["/lookaside/1", "/Media/ME1", "/file/bot900:abc/voice/1.oga"] {
        provider.says(place, 200, OGG);
    }
    provider.says(
        "/bot900:abc/getFile",
        200,
        r#"{"ok":true,"result":{"file_path":"voice/1.oga"}}"#,
    );
    let media_url = format!("{url}/Media/ME1");
    for (name, account, reference) in [
        (whatsapp_cloud::PROVIDER, "111", "M1"),
        (twilio::PROVIDER, "whatsapp:+551140000000", &media_url),
        (telegram::PROVIDER, "robo", "F&1"),
    ] {
        let found = fetched(&stand, voice(name, account, reference)).await.unwrap();
        assert_eq!(found.result, MediaResult::Stored, "{name}");
        assert_eq!(found.mime.as_deref(), Some("audio/ogg"));
        assert_eq!(found.sha256.as_deref(), Some(digest(OGG).as_str()));
        assert_eq!(found.size_bytes, Some(OGG.len() as i64));
    }
    assert_eq!(stand.shelf.0.lock().len(), 1, "the same bytes are one file");
    let asked: Vec<String> =
        provider.asked.lock().iter().map(|(path, shown)| format!("{path} {shown}")).collect();
    insta::assert_snapshot!(asked.join("\n"), @r"
    /graph/M1 Bearer token
    /lookaside/1 Bearer token
    /Media/ME1 Basic QUMxOmF1dGg=
    /bot900:abc/getFile?file_id=F%261 
    /file/bot900:abc/voice/1.oga
    ");
}

#[tokio::test]
async fn what_is_too_large_of_another_kind_or_gone_is_told_so() {
    let stand = stand().await;
    let Stand { provider, url, .. } = &stand;
    let twilio =
        async |page: &str| result(&stand, twilio::PROVIDER, "", &format!("{url}/{page}")).await;
    provider.says("/large", 200, [OGG, &[0; 64]].concat());
    provider.says("/page", 200, "<!DOCTYPE html><script>alert(1)</script>");
    assert_eq!(twilio("large").await, MediaResult::TooLarge);
    assert_eq!(twilio("page").await, MediaResult::WrongType);
    assert_eq!(twilio("nowhere").await, MediaResult::Refused);
    provider.says("/graph/M2", 200, "{\"url\":\"http://x\",\"file_size\":65}");
    let whatsapp = async |id: &str| result(&stand, whatsapp_cloud::PROVIDER, "111", id).await;
    assert_eq!(whatsapp("M2").await, MediaResult::TooLarge, "not even asked for");
    assert_eq!(whatsapp("../me").await, MediaResult::Refused);
    assert_eq!(result(&stand, whatsapp_cloud::PROVIDER, "222", "M2").await, MediaResult::Refused);
    assert!(stand.shelf.0.lock().is_empty());
    let unfetched = result(&stand, "api", "a", "1").await;
    assert_eq!(unfetched, MediaResult::Failed, "its turn need not wait");
}

/// The message of a mail with such a file, as the door appends it.
async fn mailed(shelf: &Arc<Shelf>, content: Content) -> HeardMessage {
    let (mime, filename) = ("audio/ogg".to_owned(), Some("recado.ogg".to_owned()));
    let part = Part { mime, filename, size_bytes: OGG.len(), inline: false, content };
    let from = Some(Sender { address: "ana@cliente.example".to_owned(), name: None });
    let mail = Mail { from, attachments: vec![part], ..Mail::default() };
    let told = email::adapt::adapt("suporte", &[], &mail).unwrap();
    let intake = Intake::new(Arc::clone(shelf) as Arc<dyn MediaStore>, limits());
    match intake.kept("demo", vec![told], NOW_MS).await.unwrap().pop() {
        Some(Event::Message(message)) => *message,
        other => panic!("{other:?}"),
    }
}

/// What is told of the only file of a message.
async fn told_of(stand: &Stand, message: HeardMessage) -> MediaFetched {
    let mut input = voice(email::PROVIDER, "suporte", "");
    if let TurnsBody::Received(received) = &mut input.body.body {
        received.head.attachments = message.attachments;
    }
    fetched(stand, input).await.unwrap()
}

#[tokio::test]
async fn what_comes_with_a_mail_is_kept_at_the_door_and_looked_at_again() {
    let stand = stand().await;
    let here = |bytes: &[u8]| Content::Here(Bytes::copy_from_slice(bytes));
    let message = mailed(&stand.shelf, here(OGG)).await;
    assert_eq!(stand.shelf.0.lock().len(), 1, "before the message is anywhere");
    let found = told_of(&stand, message.clone()).await;
    assert_eq!(found.result, MediaResult::Stored);
    assert_eq!(found.sha256.as_deref(), Some(digest(OGG).as_str()));
    assert_eq!(found.filename.as_deref(), Some("recado.ogg"));
    stand.shelf.0.lock().clear();
    assert_eq!(told_of(&stand, message).await.result, MediaResult::Failed, "it is gone");
    for (content, result) in [
        (here(b"MZ\x90\0 um programa"), MediaResult::WrongType),
        (here(&[OGG, &[0; 64]].concat()), MediaResult::TooLarge),
        (Content::Incomplete, MediaResult::TooLarge),
    ] {
        let message = mailed(&stand.shelf, content).await;
        assert_eq!(told_of(&stand, message).await.result, result);
    }
    assert!(stand.shelf.0.lock().is_empty(), "not even written");
}

#[tokio::test]
async fn what_mailgun_stores_is_fetched_with_our_key() {
    let stand = stand().await;
    let stored = |url: String| mailed(&stand.shelf, Content::At(url));
    stand.provider.says("/v3/files/0", 200, OGG);
    let message = stored(format!("{}/v3/files/0", stand.url)).await;
    assert_eq!(told_of(&stand, message).await.result, MediaResult::Stored);
    let shown = stand.provider.asked.lock().pop();
    assert_eq!(shown, Some(("/v3/files/0".to_owned(), "Basic YXBpOmtleQ==".to_owned())));
    let message = stored("https://files.example/0".to_owned()).await;
    assert_eq!(told_of(&stand, message).await.result, MediaResult::Refused, "not Mailgun's");
}

#[tokio::test]
async fn what_passes_is_tried_again_for_ten_minutes() {
    let stand = stand().await;
    stand.provider.says("/busy", 503, "");
    let busy = || voice(twilio::PROVIDER, "", &format!("{}/busy", stand.url));
    assert_eq!(fetched(&stand, busy()).await.unwrap_err(), "status 503");
    stand.clock.set(NOW_MS + TRIED_FOR_MS);
    assert_eq!(fetched(&stand, busy()).await.unwrap().result, MediaResult::Unreachable);
}

#[tokio::test]
async fn nobody_is_sent_to_a_machine_of_ours() {
    let stand = stand().await;
    let (elsewhere, private) = Provider::start().await;
    elsewhere.says("/secret", 200, OGG);
    let Stand { provider, url, .. } = &stand;
    provider.says("/here", 200, OGG);
    provider.sends_on("/on", "/here");
    let twilio = async |url: String| result(&stand, twilio::PROVIDER, "", &url).await;
    assert_eq!(twilio(format!("{url}/on")).await, MediaResult::Stored, "on at the same place");
    for place in [
        format!("{private}/secret"),
        "https://127.0.0.1:1/x".to_owned(),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://[::1]/x".to_owned(),
        "https://2130706433/x".to_owned(),
        "http://8.8.8.8/x".to_owned(),
        "file:///etc/passwd".to_owned(),
        "nonsense".to_owned(),
    ] {
        assert_eq!(twilio(place.clone()).await, MediaResult::Refused, "{place}");
        provider.sends_on("/away", &place);
        let sent_on = twilio(format!("{url}/away")).await;
        let lost = [MediaResult::Refused];
        assert!(lost.contains(&sent_on), "sent on to {place}: {sent_on:?}");
    }
    provider.sends_on("/round", "/round");
    assert_eq!(twilio(format!("{url}/round")).await, MediaResult::Refused, "for ever");
    // A name is looked up, and what it leads to must be outside, too.
    let named = fetched(&stand, voice(twilio::PROVIDER, "", "https://localhost/x")).await;
    assert!(named.is_err(), "{named:?}");
    assert!(elsewhere.asked.lock().is_empty());
}

async fn transcript(stand: &Stand, mime: &str) -> Result<Transcribed, String> {
    let sha256 = digest(OGG);
    stand.shelf.keep("demo", &sha256, OGG.to_vec(), 0).await.unwrap();
    let fetched = MediaFetched {
        message_id: MessageId([1; 16]),
        part: 0,
        result: MediaResult::Stored,
        sha256: Some(sha256),
        mime: Some(mime.to_owned()),
        filename: None,
        size_bytes: None,
    };
    match told(stand, envelope(TurnsBody::MediaFetched(fetched))).await? {
        InboundBody::Transcribed(told) => Ok(told),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_recording_is_written_down_by_a_server_with_whispers_api() {
    let stand = stand().await;
    let path = "/v1/audio/transcriptions";
    stand.provider.says(
        path,
        200,
        r#"{"text":" Minha internet caiu. ","segments":[
        {"start":0,"end":2,"avg_logprob":-0.25,"no_speech_prob":0.1}]}"#,
    );
    let told = transcript(&stand, "audio/ogg").await.unwrap();
    assert_eq!(told.result, TranscriptResult::Heard);
    assert_eq!(told.text_masked.as_deref(), Some("Minha internet caiu."));
    assert_eq!(keys().open_text(&told.text_sealed.unwrap()).unwrap(), "Minha internet caiu.");
    assert!((told.confidence - 0.701).abs() < 0.001, "{}", told.confidence);
    let posted = String::from_utf8_lossy(&stand.provider.posted.lock()).into_owned();
    for part in ["verbose_json", "whisper-1", "audio.ogg", "OpusHead oi", "\r\n\r\npt\r\n"] {
        assert!(posted.contains(part), "{part} in {posted}");
    }
    stand.provider.says(path, 200, r#"{"text":"  ","segments":[]}"#);
    let told = transcript(&stand, "audio/ogg").await.unwrap();
    assert_eq!((told.result, told.text_sealed), (TranscriptResult::NothingHeard, None));
    stand.provider.says(path, 400, "");
    assert_eq!(transcript(&stand, "audio/ogg").await.unwrap().result, TranscriptResult::Failed);
    stand.provider.says(path, 503, "");
    assert_eq!(transcript(&stand, "audio/ogg").await.unwrap_err(), "status 503");
    stand.clock.set(NOW_MS + TRIED_FOR_MS);
    assert_eq!(transcript(&stand, "audio/ogg").await.unwrap().result, TranscriptResult::Failed);
}

#[tokio::test]
async fn what_is_late_does_not_wait_for_an_account_that_is_away() {
    let stand = stand().await;
    let asked = |stand: &Stand| stand.provider.asked.lock().len();
    stand.provider.says("/graph/M1", 503, "");
    let file = || voice(whatsapp_cloud::PROVIDER, "111", "M1");
    for _ in 0..5 {
        fetched(&stand, file()).await.unwrap_err();
    }
    stand.clock.set(NOW_MS + TRIED_FOR_MS);
    let before = asked(&stand);
    assert_eq!(fetched(&stand, file()).await.unwrap().result, MediaResult::Unreachable);
    assert_eq!(asked(&stand), before, "it is told without another try");
    // What is new is tried, and once something is to be had, what is late is, too.
    let fresh = Envelope { time_ms: NOW_MS + TRIED_FOR_MS, ..file() };
    fetched(&stand, fresh.clone()).await.unwrap_err();
    assert_eq!(asked(&stand), before + 1);
    let url = &stand.url;
    stand.provider.says("/graph/M1", 200, format!("{{\"url\":\"{url}/lookaside/1\"}}"));
    stand.provider.says("/lookaside/1", 200, OGG);
    for input in [fresh, file()] {
        assert_eq!(fetched(&stand, input).await.unwrap().result, MediaResult::Stored);
    }
}

#[tokio::test]
async fn files_wait_for_their_account_and_recordings_for_the_transcriber() {
    let stand = stand().await;
    let party = |input: &Envelope<Turns>| stand.media.party(input);
    let of = |provider, account| party(&voice(provider, account, "M1"));
    assert_eq!(of(whatsapp_cloud::PROVIDER, "111").as_deref(), Some("demo/whatsapp_cloud/111"));
    assert_ne!(of(whatsapp_cloud::PROVIDER, "111"), of(whatsapp_cloud::PROVIDER, "222"));
    assert_ne!(of(whatsapp_cloud::PROVIDER, "111"), of(telegram::PROVIDER, "111"));
    assert_eq!(of("nobody", "111"), None, "nothing is fetched there");
    let stored = MediaFetched {
        message_id: MessageId([1; 16]),
        part: 0,
        result: MediaResult::Stored,
        sha256: Some(digest(OGG)),
        mime: Some("audio/ogg".to_owned()),
        filename: None,
        size_bytes: None,
    };
    let heard = |fetched| party(&envelope(TurnsBody::MediaFetched(fetched)));
    assert_eq!(heard(stored.clone()).as_deref(), Some("transcriber"));
    assert_eq!(heard(MediaFetched { mime: Some("image/png".to_owned()), ..stored }), None);
}
