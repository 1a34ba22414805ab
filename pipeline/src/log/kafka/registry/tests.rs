//! The registry against a fake one over real HTTP.

use std::time::Instant;

use schemas::ops::Setting;
use schemas::topics::{CLASSIFIED, CONVERSATIONS, SETTINGS, TOPICS};
use schemas::{Avro, CodecError};
use serde_json::json;

use super::*;

#[allow(dead_code)] // one file for several tests
#[path = "../../../../tests/fake_registry/mod.rs"]
mod fake;

use fake::{FakeRegistry, Mood};

fn options(fake: &FakeRegistry) -> RegistryOptions {
    RegistryOptions { within: Duration::from_millis(500), ..RegistryOptions::at(&fake.url()) }
}

fn open(fake: &FakeRegistry, dir: Option<&Path>) -> Arc<Registry> {
    Registry::open(&options(fake), "p-", dir).unwrap()
}

fn setting() -> Bytes {
    let (name, version) = ("n".to_owned(), "v".to_owned());
    Setting { name, version, content: vec![1, 2] }.to_bytes().unwrap().into()
}

/// Reads as a thread that polls does: looks again until it is known.
fn read(registry: &Arc<Registry>, value: &Bytes) -> Bytes {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match registry.read(value) {
            Read::Value(value) => return value,
            Read::Waits => assert!(Instant::now() < until, "it was never known"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn every_topic_is_registered_and_public_ones_are_held_to_their_word() {
    let fake = FakeRegistry::start();
    let registry = open(&fake, None);
    registry.conform(TOPICS).unwrap();
    assert_eq!(fake.subjects().len(), TOPICS.len());
    for spec in TOPICS {
        let level = fake.level(&format!("p-{}-value", spec.topic)).unwrap();
        assert_eq!(level == "BACKWARD_TRANSITIVE", spec.public, "{}", spec.topic);
    }
    // A second start registers the same again and sets nothing anew.
    let before = fake.asked().len();
    open(&fake, None).conform(TOPICS).unwrap();
    let again = fake.asked().split_off(before);
    assert!(!again.iter().any(|asked| asked.starts_with("PUT")), "{again:?}");
}

#[test]
fn a_record_goes_round_and_others_pass_untouched() {
    let fake = FakeRegistry::start();
    let registry = open(&fake, None);
    registry.conform(TOPICS).unwrap();
    let value = setting();
    let framed = registry.framed(SETTINGS, &value).unwrap();
    let (id, datum) = take_apart(&framed).unwrap();
    assert_eq!((&framed[..1], datum), (&[0][..], &value[10..]));
    assert!(id > 0 && id <= u32::try_from(TOPICS.len()).unwrap());
    // By the one that wrote it, and by one that has never heard of the id.
    assert_eq!(read(&registry, &framed), value);
    let stranger = open(&fake, None);
    assert_eq!(stranger.read(&framed), Read::Waits);
    assert_eq!(read(&stranger, &framed), value);
    assert_eq!(open(&fake, None).read_now(&framed).unwrap(), value);
    // As it was written before there was a registry.
    assert_eq!(registry.read(&value), Read::Value(value.clone()));
    for raw in [&b""[..], b"\0", b"\0\0\0\0\0 no id", b"{}", b"\xC3\x01short"] {
        let raw = Bytes::from_static(raw);
        assert_eq!(registry.framed(SETTINGS, &raw).unwrap(), raw);
        assert_eq!(registry.read(&raw), Read::Value(raw.clone()));
    }
    // What is no schema of the topic's is for its reader to reject.
    assert_eq!(registry.framed(CLASSIFIED, &value).unwrap(), value);
    assert_eq!(registry.framed(Topic("elsewhere"), &value).unwrap(), value);
}

#[test]
fn what_is_known_needs_no_registry() {
    let fake = FakeRegistry::start();
    let dir = tempfile::tempdir().unwrap();
    let framed = {
        let registry = open(&fake, Some(dir.path()));
        registry.conform(TOPICS).unwrap();
        registry.framed(SETTINGS, &setting()).unwrap()
    };
    let moods = [Mood::Down, Mood::Says(500), Mood::Says(503), Mood::Slow(Duration::from_secs(2))];
    for mood in moods {
        fake.feels(mood);
        let registry = open(&fake, Some(dir.path()));
        let began = Instant::now();
        registry.conform(TOPICS).unwrap();
        assert!(began.elapsed() < Duration::from_secs(2), "{mood:?}: one question is enough");
        assert_eq!(registry.framed(SETTINGS, &setting()).unwrap(), framed, "{mood:?}");
        assert_eq!(registry.read(&framed), Read::Value(setting()), "{mood:?}");
    }
}

#[test]
fn what_is_not_known_waits_and_says_what_for() {
    let fake = FakeRegistry::start();
    let other = open(&fake, None);
    other.conform(TOPICS).unwrap();
    let framed = other.framed(SETTINGS, &setting()).unwrap();
    for mood in [Mood::Down, Mood::Says(500), Mood::Slow(Duration::from_secs(2))] {
        fake.feels(mood);
        let registry = open(&fake, None);
        let error = registry.conform(TOPICS).unwrap_err();
        assert!(matches!(error, LogError::Redeliver(_)), "{mood:?}: {error}");
        assert!(error.to_string().contains("inbound"), "{error}");
        let error = LogError::from(registry.framed(SETTINGS, &setting()).unwrap_err());
        assert!(matches!(error, LogError::Redeliver(_)), "{mood:?}: {error}");
        // A thread that polls is not held up, however slow the registry is.
        let began = Instant::now();
        assert_eq!(registry.read(&framed), Read::Waits);
        assert!(began.elapsed() < Duration::from_millis(100), "{mood:?}");
        assert!(matches!(registry.read_now(&framed), Err(RegistryError::Unavailable(_))));
        fake.feels(Mood::Well);
        assert_eq!(read(&registry, &framed), setting(), "{mood:?}");
        registry.conform(TOPICS).unwrap();
    }
}

#[test]
fn an_unknown_id_leaves_the_record_as_it_came() {
    let fake = FakeRegistry::start();
    let registry = open(&fake, None);
    registry.conform(TOPICS).unwrap();
    let strange = Bytes::from_static(b"\0\0\0\x03\xe7 whatever");
    assert_eq!(registry.read(&strange), Read::Waits);
    assert_eq!(read(&registry, &strange), strange);
    assert_eq!(Setting::from_bytes(&strange), Err(CodecError::NotSingleObject));
    let asked = fake.asked().len();
    assert_eq!(registry.read(&strange), Read::Value(strange.clone()));
    assert_eq!(fake.asked().len(), asked, "it is not asked for each record");
    // A schema of somebody else's is known by its fingerprint, which no codec of ours knows.
    let schema = json!({"type": "record", "name": "Other", "fields": []});
    let id = fake.has("other-value", &schema);
    let mut theirs = vec![0];
    theirs.extend(id.to_be_bytes());
    theirs.extend(b"datum");
    let value = read(&registry, &theirs.into());
    assert!(matches!(Setting::from_bytes(&value), Err(CodecError::UnknownSchema { .. })));
}

#[test]
fn what_breaks_a_contract_is_refused_at_the_start() {
    let fake = FakeRegistry::start();
    // What was there before lacks a field that has no default.
    let before = json!({"type": "record", "name": "Conversation", "fields": []});
    fake.has("p-conversations-value", &before);
    let spec = *schemas::topics::named(CONVERSATIONS.0).unwrap();
    let error = open(&fake, None).conform(&[spec]).unwrap_err();
    assert!(matches!(error, LogError::Fatal(_)), "{error}");
    let words = error.to_string();
    assert!(words.contains("p-conversations-value") && words.contains("incompatible"), "{words}");
}

#[test]
fn another_registry_is_not_taken_for_this_one() {
    let dir = tempfile::tempdir().unwrap();
    let fake = FakeRegistry::start();
    open(&fake, Some(dir.path())).conform(TOPICS).unwrap();
    // Begun again with nothing in it, it gives ids anew, in another order.
    fake.loses_everything();
    fake.has("first", &json!({"type": "record", "name": "First", "fields": []}));
    let error = open(&fake, Some(dir.path())).conform(TOPICS).unwrap_err();
    assert!(matches!(error, LogError::Fatal(_)), "{error}");
    assert!(error.to_string().contains("another schema than before"), "{error}");
}

#[test]
fn user_and_password_are_given_and_not_told() {
    let fake = FakeRegistry::start();
    fake.asks_for("Basic dTpwc3NzdA==");
    let mut options = options(&fake);
    options.username = Some("u".to_owned());
    options.password = Some(Secret::new("psss"));
    let error = Registry::open(&options, "", None).unwrap().conform(TOPICS).unwrap_err();
    assert!(matches!(error, LogError::Fatal(_)), "{error}");
    let told = format!("{error} {options:?}");
    assert!(told.contains("check the registry's user") && !told.contains("psss"), "{told}");
    options.password = Some(Secret::new("pssst"));
    Registry::open(&options, "", None).unwrap().conform(TOPICS).unwrap();
    for wrong in ["registry:8081", "ftp://registry", "http://u:pssst@registry"] {
        let error = Registry::open(&RegistryOptions::at(wrong), "", None).err().unwrap();
        assert!(!error.to_string().contains("pssst"), "{error}");
    }
    // Something else than a registry answers.
    fake.feels(Mood::Says(200));
    let error = Registry::open(&options, "", None).unwrap().conform(TOPICS).unwrap_err();
    assert!(error.to_string().contains("no schema registry"), "{error}");
}
