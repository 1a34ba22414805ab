use super::*;
use crate::deliver::http::Answer;
use crate::deliver::sender::{sample, told};

#[test]
fn buttons_stand_under_the_text() {
    insta::assert_snapshot!(request::body(&sample(1)).unwrap(), @r#"{"chat_id":"700001","reply_markup":{"inline_keyboard":[[{"callback_data":"b1","text":"Opção 1 com um nome comprido"}]]},"text":"Olá"}"#);
    let mut outgoing = sample(1);
    outgoing.buttons[0].id = "x".repeat(65);
    let body = request::body(&outgoing).unwrap();
    assert_eq!(
        (body["text"].as_str().map(|text| text.contains('•')), body.get("reply_markup")),
        (Some(true), None)
    );
}

#[test]
fn statuses_mean_what_the_provider_says() {
    let table = [
        (200, "{}", "accepted"),
        (429, r#"{"parameters":{"retry_after":7}}"#, "again in Some(7) s"),
        (401, "{}", "again in Some(30) s"),
        (403, "{}", "refused recipient_unreachable"),
        (400, "{}", "refused status 400"),
        (502, "", "nobody knows"),
    ];
    for (status, body, expected) in table {
        let meaning = errors::meaning(&Answer { status, retry_after: None, body: body.into() });
        assert_eq!(told(&meaning), expected, "{status}");
    }
}
