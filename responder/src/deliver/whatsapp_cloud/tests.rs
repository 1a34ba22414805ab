use schemas::message::ContactIdKind;

use super::*;
use crate::deliver::http::Answer;
use crate::deliver::sender::{sample, told};

#[test]
fn a_text_goes_to_the_number_and_carries_our_id() {
    insta::assert_snapshot!(request::body(&sample(0)).unwrap(), @r#"{"biz_opaque_callback_data":"c_1/1/answer/0","messaging_product":"whatsapp","recipient_type":"individual","text":{"body":"Olá","preview_url":false},"to":"5511987654321","type":"text"}"#);
}

#[test]
fn case_3_without_a_phone_the_reply_is_addressed_to_the_bsuid() {
    let mut outgoing = sample(0);
    outgoing.contact.ids.retain(|id| id.kind == ContactIdKind::Bsuid);
    let body = request::body(&outgoing).unwrap();
    assert_eq!((body["recipient"].as_str(), body.get("to")), (Some("BR.1"), None));
    outgoing.contact.ids.clear();
    assert!(matches!(request::body(&outgoing), Err(SendError::Refused(_))));
}

#[test]
fn up_to_three_buttons_then_a_list_then_words() {
    let kind = |n| request::body(&sample(n)).unwrap();
    let buttons = kind(3);
    assert_eq!(buttons["interactive"]["type"], "button");
    let title = buttons["interactive"]["action"]["buttons"][0]["reply"]["title"].as_str().unwrap();
    assert_eq!(title.chars().count(), 20, "{title}");
    let list = kind(4);
    assert_eq!(list["interactive"]["type"], "list");
    assert_eq!(list["interactive"]["action"]["sections"][0]["rows"].as_array().unwrap().len(), 4);
    let words = kind(11);
    assert_eq!(words["type"], "text");
    assert!(words["text"]["body"].as_str().unwrap().contains("\n• Opção 11"));
    let mut long = sample(3);
    long.text = "a".repeat(1_025);
    assert_eq!(request::body(&long).unwrap()["type"], "text");
    long.text = "a".repeat(4_097);
    assert!(matches!(request::body(&long), Err(SendError::Refused(_))));
}

#[test]
fn case_10_after_the_window_a_template_goes_out() {
    let mut outgoing = sample(2);
    let template = |name: &str, params: &[&str]| crate::template::Template {
        name: name.to_owned(),
        language: "pt_BR".to_owned(),
        content_sid: String::new(),
        params: params.iter().map(|text| (*text).to_owned()).collect(),
    };
    outgoing.template = Some(template("retorno", &["Ana", "2026"]));
    insta::assert_snapshot!(request::body(&outgoing).unwrap(), @r#"{"biz_opaque_callback_data":"c_1/1/answer/0","messaging_product":"whatsapp","recipient_type":"individual","template":{"components":[{"parameters":[{"text":"Ana","type":"text"},{"text":"2026","type":"text"}],"type":"body"}],"language":{"code":"pt_BR"},"name":"retorno"},"to":"5511987654321","type":"template"}"#);
    outgoing.template = Some(template("retorno", &[]));
    assert_eq!(request::body(&outgoing).unwrap()["template"]["components"], serde_json::json!([]));
    outgoing.template = Some(template("", &[]));
    let refused = Err(SendError::Refused("window_closed".to_owned()));
    assert_eq!(request::body(&outgoing), refused, "approved by another provider only");
}

#[test]
fn case_10_codes_mean_what_the_provider_says() {
    let table = [
        (200, None, "accepted"),
        (400, Some(131_056), "again in Some(6) s"),
        (429, Some(130_429), "again in Some(2) s"),
        (400, Some(131_047), "refused window_closed"),
        (400, Some(131_026), "refused recipient_unreachable"),
        (400, Some(132_015), "refused template_not_approved"),
        (401, Some(190), "again in Some(30) s"),
        (503, Some(131_016), "again in Some(2) s"),
        (500, Some(131_000), "nobody knows"),
        (400, Some(100), "refused code 100"),
        (500, None, "nobody knows"),
        (429, None, "again in None s"),
        (404, None, "refused status 404"),
    ];
    for (status, code, expected) in table {
        let body =
            code.map(|code: i64| serde_json::json!({ "error": { "code": code } }).to_string());
        let body = body.unwrap_or_default().into();
        let meaning = errors::meaning(&Answer { status, retry_after: None, body });
        assert_eq!(told(&meaning), expected, "{status} {code:?}");
    }
}

#[test]
fn a_number_is_answered_by_its_tenants_account() {
    let account = |tenant: &str, number: &str| Account {
        tenant: tenant.to_owned(),
        phone_number_id: number.to_owned(),
        access_token: number.to_owned(),
        api_url: "http://127.0.0.1:1".to_owned(),
        business_account_id: String::new(),
    };
    let sender = WhatsappCloud::new(vec![
        account("other", ""),
        account("demo", "222"),
        account("demo", "111"),
    ])
    .unwrap();
    let mut outgoing = sample(0);
    let found = |outgoing: &Outgoing| {
        sender.account(outgoing).map(|(found, from)| (found.access_token.clone(), from))
    };
    assert_eq!(found(&outgoing), Some(("111".to_owned(), "111".to_owned())));
    outgoing.account = "222".to_owned();
    assert_eq!(found(&outgoing).map(|(token, _)| token).as_deref(), Some("222"));
    outgoing.account = "333".to_owned();
    assert_eq!(found(&outgoing), None);
    outgoing.tenant = "other".to_owned();
    assert_eq!(found(&outgoing).map(|(_, from)| from), Some("333".to_owned()));
    outgoing.account = "../me".to_owned();
    assert_eq!(found(&outgoing), None, "it becomes part of an address");
}
