use schemas::message::Channel;

use super::*;
use crate::deliver::http::Answer;
use crate::deliver::sender::{sample, told};

#[test]
fn a_reply_goes_out_on_the_channel_it_came_by() {
    let mut outgoing = sample(1);
    outgoing.account = "whatsapp:+551140000000".to_owned();
    let form = request::form(&outgoing, "https://isp.example/t").unwrap();
    assert_eq!(form[0], ("To", "whatsapp:+5511987654321".to_owned()));
    assert_eq!(form[1], ("From", "whatsapp:+551140000000".to_owned()));
    assert_eq!(form[3], ("Body", "Olá\n• Opção 1 com um nome comprido".to_owned()));
    outgoing.channel = Channel::Sms;
    assert_eq!(request::form(&outgoing, "").unwrap()[0].1, "+5511987654321");
    outgoing.text = "a".repeat(1_601);
    assert!(matches!(request::form(&outgoing, ""), Err(SendError::Refused(_))));
}

#[test]
fn after_the_window_a_template_goes_out() {
    let mut outgoing = sample(1);
    let mut template = crate::template::Template {
        name: String::new(),
        language: String::new(),
        content_sid: "HX0".to_owned(),
        params: vec!["Ana \"A\"".to_owned(), "2026".to_owned()],
    };
    outgoing.template = Some(template.clone());
    let form = request::form(&outgoing, "").unwrap();
    assert!(form.iter().all(|(name, _)| *name != "Body"));
    assert_eq!(form[3], ("ContentSid", "HX0".to_owned()));
    assert_eq!(form[4], ("ContentVariables", r#"{"1":"Ana \"A\"","2":"2026"}"#.to_owned()));
    template.content_sid.clear();
    outgoing.template = Some(template);
    assert_eq!(request::form(&outgoing, ""), Err(SendError::Refused("window_closed".to_owned())));
}

#[test]
fn codes_mean_what_the_provider_says() {
    let table = [
        (201, None, "accepted"),
        (429, Some(20_429), "again in Some(2) s"),
        (400, Some(63_016), "refused window_closed"),
        (400, Some(21_610), "refused recipient_unreachable"),
        (401, Some(20_003), "again in Some(30) s"),
        (400, Some(21_617), "refused code 21617"),
        (500, Some(20_500), "nobody knows"),
        (503, None, "again in None s"),
    ];
    for (status, code, expected) in table {
        let body = code.map(|code: i64| serde_json::json!({ "code": code }).to_string());
        let body = body.unwrap_or_default().into();
        let meaning = errors::meaning(&Answer { status, retry_after: None, body });
        assert_eq!(told(&meaning), expected, "{status} {code:?}");
    }
}

#[test]
fn a_reply_goes_out_by_the_account_that_has_the_number() {
    let account = |tenant: &str, sid: &str, numbers: &[&str]| Account {
        tenant: tenant.to_owned(),
        account_sid: sid.to_owned(),
        auth_token: String::new(),
        numbers: numbers.iter().map(|number| (*number).to_owned()).collect(),
        status_url: String::new(),
        api_url: String::new(),
        content_url: String::new(),
    };
    let accounts = vec![
        account("other", "AC0", &[]),
        account("demo", "AC1", &[]),
        account("demo", "AC2", &["+551140000002", "whatsapp:+551140000003"]),
        account("acme", "AC3", &["551140000004"]),
    ];
    let twilio = Twilio::new(accounts).unwrap();
    let found = |tenant: &str, number: &str| {
        let mut outgoing = sample(0);
        (outgoing.tenant, outgoing.account) = (tenant.to_owned(), number.to_owned());
        twilio.account(&outgoing).map(|account| account.account_sid.clone())
    };
    for (tenant, number, expected) in [
        ("demo", "whatsapp:+551140000002", Some("AC2")),
        ("demo", "+551140000003", Some("AC2")),
        ("demo", "+551140000001", Some("AC1")),
        ("other", "+551140000002", Some("AC0")),
        ("acme", "+551140000004", Some("AC3")),
        ("acme", "+551140000005", None),
    ] {
        assert_eq!(found(tenant, number).as_deref(), expected, "{tenant} {number}");
    }
}
