//! What stands behind no webhook: calls, a web chat's visitors, programs.

use ingest::channels::phone::{Menu, Overheard};
use ingest::channels::{api, web_chat};
use ingest::door::Event;

use crate::Target;
use crate::webhooks::seal;

fn chat(bytes: &[u8]) {
    assert!(!web_chat::take_bytes(bytes), "nobody knows the key");
}

fn calls(bytes: &[u8]) {
    let digits = [("1".to_owned(), "segunda via".to_owned())].into();
    let (greeting, thanks) = ("sound:a".to_owned(), "sound:b".to_owned());
    let mut calls = Overheard::new("ramal", Menu { greeting, thanks, digits, record_s_max: 60 });
    for (now_ms, line) in (0..).step_by(1_000).zip(String::from_utf8_lossy(bytes).lines()) {
        let mut heard = calls.hear(line, now_ms);
        heard.extend(calls.pass(now_ms));
        seal(heard.into_iter().map(|message| Event::Message(Box::new(message))).collect());
    }
}

pub(crate) fn targets() -> Vec<Target> {
    vec![
        Target { name: "phone", seeds: PHONE, read: calls },
        Target { name: "web_chat", seeds: WEB_CHAT, read: chat },
        Target { name: "api", seeds: API, read: api::take_bytes },
    ]
}

const PHONE: &[&[u8]] = &[
    br#"{"type":"StasisStart","timestamp":"2026-11-20T10:00:00.000-0300","channel":{"id":"1.1","caller":{"name":"Ana","number":"11987654321"},"dialplan":{"app_name":"Stasis","app_data":"correnteza"}}}
{"type":"ChannelDtmfReceived","digit":"1","channel":{"id":"1.1"}}
{"type":"PlaybackFinished","playback":{"id":"p"}}
{"type":"RecordingFinished","recording":{"name":"correnteza-1.1","duration":9,"talking_duration":7}}
{"type":"StasisEnd","channel":{"id":"1.1"}}
{"type":"ChannelDestroyed","channel":{"id":"1.1"}}"#,
];
const WEB_CHAT: &[&[u8]] = &[
    br#"{"t":"hello","account":"site","token":"a.b.c","name":"Ana","conversation":null,"last_seq":3}"#,
    br#"{"t":"msg","cid":"1","text":"oi","choice":{"id":"a","title":"b"}}"#,
    br#"{"t":"csat","conversation":"c_x","score":5,"comment":"bom"}"#,
    b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhIiwiZXhwIjo5OTk5OTk5OTk5fQ.AAAA",
    b"c_54tugljoti8rmebk85dj19ushtlg46tr/7",
];
const API: &[&[u8]] = &[
    br#"{"channel":"whatsapp","customer":{"id":"C1","name":"Ana","phone":"+5511987654321","email":"a@b.c"},"text":"oi","message_id":"1","attributes":{"a":"b"}}"#,
];
