//! Several accounts of one tenant at one provider: a customer is answered by the one they wrote to.

use std::time::{Duration, SystemTime};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use tests::api::Api;
use tests::histories::of;
use tests::provider::Provider;
use tests::server::{Options, Server};
use tests::whatsapp;

const PATIENCE: Duration = Duration::from_secs(60);
const WISH: &str = "falar com atendente";

/// Two accounts of each, which differ in what tells them apart and nothing else.
fn options(dir: &tempfile::TempDir, provider: &str) -> Options {
    let graph = format!("{provider}/graph");
    let mut options = Options::at(dir.path());
    for n in ["1", "2"] {
        let number = format!("+55114000000{n}");
        let url = format!("https://isp.example/twilio/{n}");
        let settings = [
            ("WHATSAPP_CLOUD", "APP_SECRET", "app_secret"),
            ("WHATSAPP_CLOUD", "VERIFY_TOKEN", "T"),
            ("WHATSAPP_CLOUD", "ACCESS_TOKEN", "token"),
            ("WHATSAPP_CLOUD", "PHONE_NUMBER_ID", n),
            ("WHATSAPP_CLOUD", "API_URL", &graph),
            ("TWILIO", "ACCOUNT_SID", &format!("AC{n}")),
            ("TWILIO", "AUTH_TOKEN", "auth"),
            ("TWILIO", "NUMBERS", &number),
            ("TWILIO", "PUBLIC_URL", &url),
            ("TWILIO", "API_URL", provider),
            ("TELEGRAM", "SECRET_TOKEN", "psst"),
            ("TELEGRAM", "BOT_TOKEN", &format!("{n}:abc")),
            ("TELEGRAM", "API_URL", provider),
            ("CHATWOOT", "WEBHOOK_SECRET", "hook"),
            ("CHATWOOT", "ACCOUNT_ID", n),
            ("CHATWOOT", "ACCESS_TOKEN", "bot"),
            ("CHATWOOT", "API_URL", provider),
        ];
        for (channel, key, value) in settings {
            options = options.with(&format!("CHANNELS__{channel}__A{n}__{key}"), value);
        }
        for channel in ["WHATSAPP_CLOUD", "TWILIO", "TELEGRAM", "CHATWOOT"] {
            options = options.with(&format!("CHANNELS__{channel}__A{n}__TENANT"), "demo");
        }
    }
    options
}

async fn by_whatsapp(api: &Api, n: &str) {
    let words = json!({ "body": WISH });
    let from = format!("551191111222{n}");
    let mut value = whatsapp::written(&from, &format!("w{n}"), "text", words);
    value["metadata"]["phone_number_id"] = json!(n);
    let body = json!({ "entry": [{ "changes": [{ "value": value }] }] }).to_string();
    let signature = whatsapp::signature("app_secret", body.as_bytes()).unwrap();
    post(api, &format!("whatsapp_cloud/a{n}"), &[("x-hub-signature-256", &signature)], body).await;
}

async fn by_twilio(api: &Api, n: &str) {
    let (from, to) = (format!("+551193333444{n}"), format!("+55114000000{n}"));
    let id = format!("SM{n}");
    let form = [("Body", WISH), ("From", &from), ("MessageSid", &id), ("To", &to)];
    let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(b"auth").unwrap();
    mac.update(format!("https://isp.example/twilio/{n}").as_bytes());
    form.iter().for_each(|(name, value)| mac.update(format!("{name}{value}").as_bytes()));
    let signature = BASE64.encode(&mac.finalize().into_bytes());
    let encoded = |value: &str| value.replace('+', "%2B").replace(' ', "+");
    let fields = form.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    let body = fields.collect::<Vec<_>>().join("&");
    let kind = ("content-type", "application/x-www-form-urlencoded");
    post(api, &format!("twilio/a{n}"), &[kind, ("x-twilio-signature", &signature)], body).await;
}

async fn by_telegram(api: &Api, n: &str) {
    let user: i64 = n.parse().unwrap();
    let update = json!({ "update_id": 1, "message": { "message_id": 41, "date": 1_763_740_800,
        "from": { "id": user, "first_name": "João" }, "chat": { "id": user, "type": "private" },
        "text": WISH } });
    let secret = [("x-telegram-bot-api-secret-token", "psst")];
    post(api, &format!("telegram/a{n}"), &secret, update.to_string()).await;
}

async fn by_chatwoot(api: &Api, n: &str) {
    let number: i64 = n.parse().unwrap();
    let body = json!({ "event": "message_created", "id": number, "content": WISH,
        "message_type": "incoming", "content_attributes": {}, "account": { "id": number },
        "inbox": { "id": 3 }, "sender": { "id": 9 },
        "conversation": { "id": 88, "channel": "Channel::Api", "meta": { "sender": { "id": 9 } } } })
    .to_string();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let timestamp = now.as_secs().to_string();
    let signature = whatsapp::signature("hook", format!("{timestamp}.{body}").as_bytes()).unwrap();
    let headers = [
        ("x-chatwoot-signature", signature.as_str()),
        ("x-chatwoot-timestamp", timestamp.as_str()),
    ];
    post(api, &format!("chatwoot/a{n}"), &headers, body).await;
}

async fn post(api: &Api, place: &str, headers: &[(&str, &str)], body: String) {
    let path = format!("/v1/channels/{place}");
    let answer = api.post_raw(&path, headers, body.into_bytes()).await.unwrap();
    assert_eq!(answer.status, 200, "{place}: {}", answer.text);
}

#[tokio::test]
async fn each_customer_is_answered_by_the_account_they_wrote_to() {
    let dir = tempfile::tempdir().unwrap();
    let (provider, url) = Provider::start().await.unwrap();
    let server = Server::start(options(&dir, &url)).await.unwrap();
    let api = server.api();
    for n in ["1", "2"] {
        by_telegram(&api, n).await;
        by_chatwoot(&api, n).await;
        by_whatsapp(&api, n).await;
        by_twilio(&api, n).await;
        let so_far = 4 * n.parse::<usize>().unwrap();
        let enough = |lines: &[Value]| of(lines, "reply_sent").len() >= so_far;
        let lines = api.until_lines(PATIENCE, enough).await.unwrap();
        let sent = of(&lines, "reply_sent");
        assert!(sent.iter().all(|line| line["detail"]["result"] == "sent"), "{sent:?}");
    }
    let mut asked: Vec<String> =
        provider.requests.lock().iter().map(|(path, _)| path.clone()).collect();
    asked.sort();
    let expected = [
        "/2010-04-01/Accounts/AC1/Messages.json",
        "/2010-04-01/Accounts/AC2/Messages.json",
        "/api/v1/accounts/1/conversations/88/messages",
        "/api/v1/accounts/2/conversations/88/messages",
        "/bot1:abc/sendMessage",
        "/bot2:abc/sendMessage",
        "/graph/1/messages",
        "/graph/2/messages",
    ];
    assert_eq!(asked, expected);
}
