use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ID: &str = "1795177931.77";

fn calls() -> Calls {
    let digits = [("1", "segunda via do boleto"), ("9", "falar com atendente")];
    Calls::new(
        "sac",
        Menu {
            greeting: "sound:menu".to_owned(),
            thanks: "sound:obrigado".to_owned(),
            digits: digits.map(|(digit, words)| (digit.to_owned(), words.to_owned())).into(),
            record_s_max: 120,
        },
    )
}

fn event(value: &Value) -> Event {
    wire::event(&value.to_string()).unwrap()
}

fn leg() -> Value {
    json!({ "id": ID, "caller": { "name": "João", "number": "11987654321" } })
}

fn of_leg(kind: &str) -> Value {
    json!({ "type": kind, "timestamp": "2026-11-20T10:32:12.101-0300", "channel": leg() })
}

fn pressed(digit: &str) -> Value {
    let mut event = of_leg("ChannelDtmfReceived");
    event["digit"] = json!(digit);
    event
}

fn played(name: &str) -> Value {
    json!({ "type": "PlaybackFinished", "playback": { "id": format!("{name}-{ID}"), "state": "done" } })
}

fn recorded(kind: &str, talking_s: i64) -> Value {
    json!({ "type": kind, "recording": { "name": format!("vm-{ID}"), "format": "wav",
        "duration": talking_s + 3, "talking_duration": talking_s } })
}

/// What a call comes to, a line each step.
fn story(events: &[Value]) -> String {
    let mut calls = calls();
    let mut lines = Vec::new();
    for (at, value) in events.iter().enumerate() {
        let now_ms = i64::try_from(at).unwrap() * 1_000;
        let mut steps = calls.pass(now_ms);
        steps.extend(calls.hear(&event(value), now_ms));
        lines.extend(steps.iter().map(told));
    }
    lines.extend(calls.pass(1_000_000).iter().map(told));
    lines.join("\n")
}

fn told(step: &Step) -> String {
    match step {
        Step::Ask(Ask { method, path, query }) => {
            let query: Vec<String> =
                query.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{method:?} {} {}", path.join("/"), query.join(" ")).trim_end().to_owned()
        }
        Step::Tell(message) => format!(
            "HEARD {} {:?} {:?} {:?}",
            message.kind.as_str(),
            message.identity,
            message.text.as_deref().unwrap_or_default(),
            message.contact.id(ContactIdKind::E164),
        ),
    }
}

#[test]
fn a_digit_is_a_wish() {
    let start = of_leg("StasisStart");
    let end = of_leg("ChannelDestroyed");
    let told = story(&[start, pressed("1"), pressed("9"), played("menu1"), played("bye"), end]);
    insta::assert_snapshot!(told, @r#"
    Post channels/1795177931.77/answer
    Post channels/1795177931.77/play/menu1-1795177931.77 media=sound:menu
    HEARD button Provider("1795177931.77/digit") "segunda via do boleto" Some("+5511987654321")
    Delete playbacks/menu1-1795177931.77
    Post channels/1795177931.77/play/bye-1795177931.77 media=sound:obrigado
    Delete channels/1795177931.77
    "#);
}

#[test]
fn whoever_presses_nothing_may_speak() {
    let told = story(&[
        of_leg("StasisStart"),
        of_leg("StasisStart"),
        pressed("5"),
        played("menu1"),
        played("menu2"),
        recorded("RecordingFinished", 8),
        played("bye"),
        of_leg("StasisEnd"),
        of_leg("ChannelDestroyed"),
    ]);
    insta::assert_snapshot!(told, @r#"
    Post channels/1795177931.77/answer
    Post channels/1795177931.77/play/menu1-1795177931.77 media=sound:menu
    Delete playbacks/menu1-1795177931.77
    Post channels/1795177931.77/play/menu2-1795177931.77 media=sound:menu
    Post channels/1795177931.77/record name=vm-1795177931.77 format=wav maxDurationSeconds=120 maxSilenceSeconds=5 ifExists=overwrite beep=true terminateOn=#
    HEARD audio Provider("1795177931.77/voicemail") "" Some("+5511987654321")
    Post channels/1795177931.77/play/bye-1795177931.77 media=sound:obrigado
    Delete channels/1795177931.77
    "#);
}

/// What is heard of a call that ends so.
fn heard_of(events: &[Value]) -> Vec<String> {
    let start = [of_leg("StasisStart")];
    let told = story(&[start.as_slice(), events].concat());
    let heard = told.lines().filter_map(|line| line.strip_prefix("HEARD "));
    heard.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn case_20_a_call_that_comes_to_nothing_is_one_call_to_give_back() {
    let (end, gone) = (of_leg("StasisEnd"), of_leg("ChannelDestroyed"));
    assert_eq!(heard_of(&[end.clone(), gone.clone()]), ["call"], "hung up during the menu");
    let during = [played("menu1"), end.clone(), gone.clone()];
    assert_eq!(heard_of(&during), ["call"], "hung up, and no recording ever told");
    let late = [&during[..], &[recorded("RecordingFinished", 9)]].concat();
    assert_eq!(heard_of(&late), ["audio"], "what was recorded is told after the end");
    let silent = [played("menu1"), recorded("RecordingFinished", 0), end.clone(), gone.clone()];
    assert_eq!(heard_of(&silent), ["call"], "nothing was said");
    let failed = [played("menu1"), end, recorded("RecordingFailed", 9), gone];
    assert_eq!(heard_of(&failed), ["call"]);
}

#[test]
fn what_happened_while_nobody_listened_is_caught_up_with() {
    let mut calls = calls();
    calls.hear(&event(&of_leg("StasisStart")), 0);
    assert_eq!(calls.only(&[event(&of_leg("StasisStart")).channel.unwrap()], 1), []);
    let told: Vec<String> = calls.only(&[], 2).iter().map(told).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("HEARD call"), "{told:?}");
}

#[test]
fn numbers_are_one_however_a_trunk_shows_them() {
    for shown in
        ["11987654321", "011987654321", "5511987654321", "+55 11 98765-4321", "551187654321"]
    {
        assert_eq!(national(shown).as_deref(), Some("+5511987654321"), "{shown}");
    }
    assert_eq!(national("1134567890").as_deref(), Some("+551134567890"));
    for hidden in ["", "anonymous", "4000"] {
        assert_eq!(national(hidden), None, "{hidden}");
    }
    assert_eq!(time_ms("2026-11-20T10:32:12.101-0300"), Some(1_795_181_532_101));
}

#[test]
fn case_20_the_providers_samples_are_one_call() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/payloads/asterisk");
    let mut heard = Vec::new();
    let mut calls = calls();
    for name in ["stasis_start.json", "stasis_end.json", "channel_destroyed.json"] {
        let Ok(text) = std::fs::read_to_string(folder.join(name)) else {
            println!("SKIPPED: no samples in shared/payloads/asterisk");
            return;
        };
        let event = wire::event(&text).unwrap();
        heard.extend(calls.hear(&event, 0).iter().map(told));
    }
    let count = |what: &str| heard.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!((count("Post channels"), count("HEARD call")), (2, 1), "{heard:#?}");
    assert!(heard.last().unwrap().contains("+5511987654321"), "{heard:#?}");
}

proptest! {
    /// Whatever comes in whatever order: a call is heard of once at most, and exactly once when it is over.
    #[test]
    fn a_call_comes_to_one_thing(steps in prop::collection::vec(0usize..10, 0..40)) {
        let kinds = [
            of_leg("StasisStart"), pressed("1"), pressed("7"), pressed("#"), played("menu1"),
            played("menu2"), played("bye"), recorded("RecordingFinished", 5),
            recorded("RecordingFailed", 0), json!({ "type": "FromTomorrow", "channel": leg() }),
        ];
        let mut events = vec![of_leg("StasisStart")];
        events.extend(steps.into_iter().map(|at| kinds[at].clone()));
        let heard = |events: &[Value]| story(events).lines().filter(|line| line.starts_with("HEARD")).count();
        prop_assert!(heard(&events) <= 1);
        events.extend([of_leg("StasisEnd"), of_leg("ChannelDestroyed")]);
        prop_assert_eq!(heard(&events), 1);
    }

    #[test]
    fn nothing_makes_it_fail(text in "\\PC{0,200}", kind in "(StasisStart|PlaybackFinished|RecordingFinished)", junk in "\\PC{0,20}") {
        let mut calls = calls();
        if let Some(event) = wire::event(&text) {
            calls.hear(&event, 0);
        }
        for part in ["channel", "playback", "recording", "digit"] {
            let event = json!({ "type": kind, part: { "id": junk, "name": junk } });
            if let Some(event) = wire::event(&event.to_string()) {
                calls.hear(&event, 0);
            }
        }
    }
}
