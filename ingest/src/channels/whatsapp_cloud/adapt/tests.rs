use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Bodies as the provider sends them, where this machine has them.
fn samples() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/payloads/whatsapp-cloud");
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("SKIPPED: no provider samples in shared/payloads/whatsapp-cloud");
        return Vec::new();
    };
    let mut samples = Vec::new();
    for file in files {
        let path = file.unwrap().path();
        let Ok(Value::Object(bodies)) = serde_json::from_slice(&std::fs::read(&path).unwrap())
        else {
            continue;
        };
        for (name, body) in bodies.into_iter().filter(|(_, body)| body.get("entry").is_some()) {
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            samples.push((format!("{stem}/{name}"), body));
        }
    }
    samples.sort_by(|a, b| a.0.cmp(&b.0));
    samples
}

fn summary(event: &Event) -> String {
    match event {
        Event::Message(m) => format!(
            "{} {} {:?} from {} text={:?} choice={:?} media={:?} about={:?} {:?}",
            m.direction.as_str(),
            m.kind.as_str(),
            m.identity,
            m.contact.ids.iter().map(|id| id.kind.as_str()).collect::<Vec<_>>().join("+"),
            m.text,
            m.choice.as_ref().map(|choice| &choice.id),
            m.attachments.first().map(|attachment| &attachment.mime),
            m.reply_to,
            m.attributes,
        ),
        Event::Enclosing(..) => panic!("its files are at the provider"),
        Event::Status(s) => format!("status {} {:?}", s.status.as_str(), s.error_code),
        Event::Notice(notice) => format!("notice {}: {}", notice.what, notice.detail),
    }
}

#[test]
fn case_1_every_sample_gives_one_event_for_each_element() {
    for (name, body) in samples() {
        let lists = ["messages", "statuses", "message_echoes", "calls", "errors"];
        let elements: usize = body["entry"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|entry| entry["changes"].as_array().unwrap())
            .map(|change| {
                let count = |list: &&str| change["value"][list].as_array().map_or(0, Vec::len);
                let template = change["field"] == "message_template_status_update";
                lists.iter().map(count).sum::<usize>() + usize::from(template)
            })
            .sum();
        let events = adapt(body.to_string().as_bytes()).unwrap();
        assert_eq!(events.len(), elements, "{name}");
    }
}

/// The body that tells `message` of Ana's.
fn body(message: &Value) -> Value {
    let value = json!({
        "metadata": {"phone_number_id": "111"},
        "contacts": [{"profile": {"name": "Ana"}, "wa_id": "5511987654321", "user_id": "BR.1"}],
        "messages": [message],
    });
    json!({"entry": [{"changes": [{"field": "messages", "value": value}]}]})
}

#[test]
fn case_1_kinds_are_understood() {
    let base = |kind: &str, part: Value| {
        let mut message = json!({"from": "5511987654321", "id": "wamid.A", "timestamp": "1697043223", "type": kind});
        message[kind] = part;
        body(&message)
    };
    let bodies = [
        base("text", json!({"body": "minha internet caiu"})),
        base("button", json!({"payload": "p1", "text": "Segunda via"})),
        base(
            "interactive",
            json!({"type": "list_reply", "list_reply": {"id": "l1", "title": "Planos"}}),
        ),
        base("interactive", Value::Null),
        base("audio", json!({"id": "m1", "mime_type": "audio/ogg", "voice": true})),
        base(
            "document",
            json!({"id": "m2", "mime_type": "application/pdf", "filename": "c.pdf", "caption": "comprovante"}),
        ),
        base("reaction", json!({"message_id": "wamid.0", "emoji": "👍"})),
        base("revoke", json!({"original_message_id": "wamid.0"})),
        base("system", json!({"type": "user_changed_number", "body": "User A changed"})),
        base(
            "location",
            json!({"latitude": -23.55, "longitude": -46.63, "name": "Padaria", "address": "Rua A 10"}),
        ),
        base(
            "contacts",
            json!([{"name": {"formatted_name": "Bia"}, "phones": [{"phone": "+55 11 98765-4321"}]}]),
        ),
        base(
            "image",
            json!({"id": "m3", "mime_type": "image/jpeg", "caption": "a luz está vermelha"}),
        ),
        base("video", json!({"id": "m4", "mime_type": "video/mp4"})),
        base("sticker", json!({"id": "m5", "mime_type": "image/webp"})),
        base("order", json!({"catalog_id": "1", "text": "quero este", "product_items": []})),
        base(
            "edit",
            json!({"original_message_id": "wamid.0", "message": {"type": "text", "text": {"body": "caiu"}}}),
        ),
        base("hologram", json!({})),
    ];
    let told: Vec<String> = bodies
        .iter()
        .flat_map(|body| adapt(body.to_string().as_bytes()).unwrap())
        .map(|event| summary(&event))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    inbound text Provider("wamid.A") from bsuid+wa_phone text=Some("minha internet caiu") choice=None media=None about=None {}
    inbound button Provider("wamid.A") from bsuid+wa_phone text=Some("Segunda via") choice=Some("p1") media=None about=None {}
    inbound interactive Provider("wamid.A") from bsuid+wa_phone text=Some("Planos") choice=Some("l1") media=None about=None {}
    inbound unsupported Provider("wamid.A") from bsuid+wa_phone text=None choice=None media=None about=None {}
    inbound audio Provider("wamid.A") from bsuid+wa_phone text=None choice=None media=Some("audio/ogg") about=None {}
    inbound document Provider("wamid.A") from bsuid+wa_phone text=Some("comprovante") choice=None media=Some("application/pdf") about=None {}
    inbound reaction Provider("wamid.A") from bsuid+wa_phone text=Some("👍") choice=None media=None about=Some("wamid.0") {}
    inbound delete Provider("wamid.A") from bsuid+wa_phone text=None choice=None media=None about=Some("wamid.0") {"provider_kind": "revoke"}
    inbound system Provider("wamid.A") from bsuid+wa_phone text=Some("O cliente mudou de número.") choice=None media=None about=None {"system_type": "user_changed_number"}
    inbound location Provider("wamid.A") from bsuid+wa_phone text=Some("Padaria, Rua A 10 (-23.550000, -46.630000)") choice=None media=None about=None {}
    inbound contacts Provider("wamid.A") from bsuid+wa_phone text=Some("Bia: +55 11 98765-4321") choice=None media=None about=None {}
    inbound image Provider("wamid.A") from bsuid+wa_phone text=Some("a luz está vermelha") choice=None media=Some("image/jpeg") about=None {}
    inbound video Provider("wamid.A") from bsuid+wa_phone text=None choice=None media=Some("video/mp4") about=None {}
    inbound sticker Provider("wamid.A") from bsuid+wa_phone text=None choice=None media=Some("image/webp") about=None {}
    inbound order Provider("wamid.A") from bsuid+wa_phone text=Some("quero este") choice=None media=None about=None {}
    inbound edit Provider("wamid.A") from bsuid+wa_phone text=Some("caiu") choice=None media=None about=Some("wamid.0") {}
    inbound unsupported Provider("wamid.A") from bsuid+wa_phone text=None choice=None media=None about=None {"provider_kind": "hologram"}
    "#);
}

#[test]
fn null_is_as_good_as_nothing() {
    let message =
        json!({"id": "wamid.1", "from": "5511987654321", "type": "text", "text": {"body": "oi"}});
    let value =
        json!({"metadata": null, "contacts": null, "statuses": null, "messages": [message]});
    let changes = json!([{"value": null}, {"value": value}]);
    let body = json!({"entry": [{"changes": null}, {"changes": changes}]});
    assert_eq!(adapt(body.to_string().as_bytes()).map(|events| events.len()), Ok(1));
    assert_eq!(adapt(br#"{"entry":null}"#), Ok(Vec::new()));
}

#[test]
fn a_contact_without_a_phone_is_a_contact() {
    let body = json!({"entry": [{"changes": [{"value": {"messages": [
        {"from_user_id": "BR.9", "id": "w", "type": "text", "text": {"body": "oi"}},
        {"id": "nobody", "type": "text", "text": {"body": "oi"}},
    ]}}]}]});
    let events = adapt(body.to_string().as_bytes()).unwrap();
    assert!(summary(&events[0]).contains("from bsuid text"));
    let nobody = "notice message_passed_over: names nobody";
    assert_eq!(summary(&events[1]), nobody, "without anybody to answer it is no conversation");
}

#[test]
fn what_is_about_the_account_is_told_to_operators() {
    let changes = json!([
        { "field": "messages", "value": {
            "messages": [3, { "from": "5511987654321", "id": "w", "type": "text", "text": { "body": "oi" } }],
            "statuses": ["x"],
            "errors": [{ "code": 131_000, "title": "Something went wrong" }, {}],
        } },
        { "field": "message_template_status_update", "value": { "event": "PAUSED", "reason": "NONE",
            "message_template_name": "retorno", "message_template_language": "pt_BR" } },
        { "field": "phone_number_quality_update", "value": { "event": "FLAGGED" } },
        { "field": "account review!", "value": null },
    ]);
    let body = json!({ "entry": [{ "changes": changes }] }).to_string();
    let told: Vec<String> = adapt(body.as_bytes()).unwrap().iter().map(summary).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    notice message_passed_over: unreadable
    inbound text Provider("w") from wa_phone text=Some("oi") choice=None media=None about=None {}
    notice status_passed_over: unreadable
    notice error_131000: Something went wrong
    notice error_0: 
    notice template_paused: retorno pt_BR: NONE
    notice phone_number_quality_update: FLAGGED
    notice account_review_: 
    "#);
}

#[test]
fn a_form_is_what_was_filled_in_and_a_new_number_is_the_same_customers() {
    let message = |kind: &str, part: Value| {
        let mut message = json!({ "from": "5511987654321", "id": "wamid.A", "type": kind });
        message[kind] = part;
        match adapt(body(&message).to_string().as_bytes()).unwrap().remove(0) {
            Event::Message(message) => *message,
            other => panic!("{other:?}"),
        }
    };
    let filled = json!({ "flow_token": "t", "plano": "500 mega", "pontos": 2, "extra": null });
    let reply = json!({ "name": "flow", "body": "Sent", "response_json": filled.to_string() });
    let form = message("interactive", json!({ "type": "nfm_reply", "nfm_reply": reply }));
    assert_eq!(form.kind, MessageKind::Interactive);
    assert_eq!(form.text.as_deref(), Some("plano: 500 mega\npontos: 2"));
    for strange in ["{", "[]", "{}"] {
        let reply = json!({ "body": "Sent", "response_json": strange });
        let text = message("interactive", json!({ "nfm_reply": reply })).text;
        assert_eq!(text.is_some(), strange == "{}", "{strange}: {text:?}");
    }
    let changed = message(
        "system",
        json!({ "type": "user_changed_number", "wa_id": "551133334444",
            "body": "User A changed from 5511987654321 to 551133334444" }),
    );
    assert_eq!(changed.text.as_deref(), Some("O cliente mudou de número."));
    let ids: Vec<_> = changed.contact.ids.iter().map(|id| (id.value.as_str(), &id.scope)).collect();
    let scope = Some(NEW_NUMBER.to_owned());
    let numbers = [("BR.1", &None), ("+5511987654321", &None), ("+551133334444", &scope)];
    assert_eq!(ids, numbers, "goes by what it went by");
}

proptest! {
    #[test]
    fn nothing_makes_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = adapt(&bytes);
    }

    #[test]
    fn no_shape_makes_it_fail(kind in "[a-z]{0,8}", junk in "\\PC{0,20}", n in any::<i64>()) {
        for part in [json!(null), json!(n), json!(junk), json!([junk]), json!({"body": n, "id": {"a": junk}})] {
            let message = json!({"type": kind, "from": "1", "id": junk, "timestamp": junk, kind.clone(): part});
            let body = json!({"entry": [{"changes": [{"value": {"messages": [message, 3, null]}}]}]});
            adapt(body.to_string().as_bytes()).unwrap();
        }
    }
}
