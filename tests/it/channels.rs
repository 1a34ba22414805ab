//! Channels in both directions, against a provider of our own making that answers as it is told.

use std::time::{Duration, SystemTime};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use tests::api::Api;
use tests::histories::of;
use tests::provider::{Provider, Turn};
use tests::server::{Options, Server};
use tests::whatsapp;

const PATIENCE: Duration = Duration::from_secs(40);
const TWILIO: &str = "/v1/channels/twilio/principal";
const TELEGRAM: &str = "/v1/channels/telegram/robo";
const CHATWOOT: &str = "/v1/channels/chatwoot/desk";
const TWILIO_URL: &str = "https://isp.example/v1/channels/twilio/principal";

fn options(dir: &tempfile::TempDir, provider: &str) -> Options {
    let (twilio, telegram, chatwoot) =
        ("CHANNELS__TWILIO__PRINCIPAL", "CHANNELS__TELEGRAM__ROBO", "CHANNELS__CHATWOOT__DESK");
    let options = whatsapp::account(Options::at(dir.path()), &format!("{provider}/graph"));
    [
        (twilio, "TENANT", "demo"),
        (twilio, "ACCOUNT_SID", "AC1"),
        (twilio, "AUTH_TOKEN", "auth"),
        (twilio, "PUBLIC_URL", TWILIO_URL),
        (twilio, "API_URL", provider),
        (twilio, "CONTENT_URL", provider),
        (telegram, "TENANT", "demo"),
        (telegram, "SECRET_TOKEN", "psst"),
        (telegram, "BOT_TOKEN", "900:abc"),
        (telegram, "API_URL", provider),
        (chatwoot, "TENANT", "demo"),
        (chatwoot, "WEBHOOK_SECRET", "hook"),
        (chatwoot, "ACCOUNT_ID", "1"),
        (chatwoot, "ACCESS_TOKEN", "bot"),
        (chatwoot, "API_URL", provider),
    ]
    .into_iter()
    .fold(options, |options, (account, key, value)| {
        options.with(&format!("{account}__{key}"), value)
    })
}

fn written(id: &str, kind: &str, part: Value) -> Value {
    whatsapp::written("5511911112222", id, kind, part)
}

/// Written so long ago.
fn written_ago(id: &str, text: &str, ago: Duration) -> Value {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut value = written(id, "text", json!({ "body": text }));
    value["messages"][0]["timestamp"] = json!((now - ago).as_secs().to_string());
    value
}

fn told(id: &str, status: &str, callback: &str) -> Value {
    let status = json!({ "id": id, "status": status, "recipient_id": "5511911112222",
        "timestamp": "1763740800", "biz_opaque_callback_data": callback });
    json!({ "metadata": { "phone_number_id": "111" }, "statuses": [status] })
}

async fn until(api: &Api, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    api.until_lines(PATIENCE, enough).await.unwrap()
}

#[tokio::test]
async fn cases_8_and_10_whatsapp_waits_its_turn_and_statuses_only_go_forward() {
    let dir = tempfile::tempdir().unwrap();
    let (provider, url) = Provider::start().await.unwrap();
    provider.turns.lock().push_back(Turn::Says(429, json!({ "error": { "code": 130_429 } })));
    let server = Server::start(options(&dir, &url)).await.unwrap();
    let api = server.api();
    let message = written("wamid.1", "text", json!({ "body": "quero falar com atendente" }));
    for _ in 0..5 {
        assert_eq!(whatsapp::post(&api, &message).await.unwrap(), 200);
    }
    let asked = provider.asked(2).await.unwrap();
    assert_eq!(asked[0], asked[1], "the same reply again, with the same id of ours");
    assert_eq!(asked[0].0, "/graph/111/messages");
    let sent: Value = serde_json::from_str(&asked[1].1).unwrap();
    assert_eq!(sent["to"], "5511911112222");
    let ours = sent["biz_opaque_callback_data"].as_str().unwrap();
    let found = until(&api, |lines| !of(lines, "reply_sent").is_empty()).await;
    assert_eq!(of(&found, "reply_sent")[0]["detail"]["result"], "sent");
    assert_eq!(of(&found, "message_received").len(), 1, "five deliveries, one message");
    for status in ["read", "delivered", "sent"] {
        assert_eq!(whatsapp::post(&api, &told("wamid.out.2", status, ours)).await.unwrap(), 200);
    }
    // In the order of the contact, so what comes behind the statuses tells that they have passed.
    let reaction = written("wamid.2", "reaction", json!({ "message_id": "x", "emoji": "👍" }));
    assert_eq!(whatsapp::post(&api, &reaction).await.unwrap(), 200);
    let found = until(&api, |lines| of(lines, "message_received").len() == 2).await;
    let statuses = of(&found, "status_changed");
    assert_eq!(statuses.len(), 1, "{statuses:?}");
    assert_eq!(statuses[0]["detail"]["status"], "read");
    assert_eq!(provider.requests.lock().len(), 2, "one reply");
}

#[tokio::test]
async fn what_may_have_gone_out_is_not_sent_again_and_a_status_tells() {
    let dir = tempfile::tempdir().unwrap();
    let (provider, url) = Provider::start().await.unwrap();
    provider.turns.lock().push_back(Turn::Hangs);
    let server = Server::start(options(&dir, &url)).await.unwrap();
    let api = server.api();
    let message = written("wamid.1", "text", json!({ "body": "quero falar com atendente" }));
    assert_eq!(whatsapp::post(&api, &message).await.unwrap(), 200);
    let asked = provider.asked(1).await.unwrap();
    let sent: Value = serde_json::from_str(&asked[0].1).unwrap();
    let ours = sent["biz_opaque_callback_data"].as_str().unwrap().to_owned();
    let found = until(&api, |lines| !of(lines, "reply_sent").is_empty()).await;
    assert_eq!(of(&found, "reply_sent")[0]["detail"]["result"], "uncertain");
    assert_eq!(whatsapp::post(&api, &told("wamid.late", "delivered", &ours)).await.unwrap(), 200);
    let found = until(&api, |lines| !of(lines, "status_changed").is_empty()).await;
    let reply = of(&found, "status_changed")[0]["detail"]["reply"].as_str().unwrap();
    assert!(ours.ends_with(reply), "{reply} is the end of {ours}");
    assert_eq!(provider.requests.lock().len(), 1, "never sent again");
}

#[tokio::test]
async fn case_9_what_is_edited_or_deleted_is_not_decided_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (_provider, url) = Provider::start().await.unwrap();
    let server = Server::start(options(&dir, &url)).await.unwrap();
    let api = server.api();
    let message = written("wamid.1", "text", json!({ "body": "minha internet caiu" }));
    assert_eq!(whatsapp::post(&api, &message).await.unwrap(), 200);
    until(&api, |lines| !of(lines, "turn_decided").is_empty()).await;
    let edit = json!({ "original_message_id": "wamid.1",
        "message": { "type": "text", "text": { "body": "minha internet voltou" } } });
    assert_eq!(whatsapp::post(&api, &written("wamid.2", "edit", edit)).await.unwrap(), 200);
    let gone = json!({ "original_message_id": "wamid.1" });
    assert_eq!(whatsapp::post(&api, &written("wamid.3", "revoke", gone)).await.unwrap(), 200);
    let next = written("wamid.4", "text", json!({ "body": "quero falar com atendente" }));
    assert_eq!(whatsapp::post(&api, &next).await.unwrap(), 200);
    let found = until(&api, |lines| of(lines, "turn_decided").len() == 2).await;
    assert_eq!(of(&found, "message_received").len(), 4);
    let kinds: Vec<&str> = of(&found, "message_received")
        .iter()
        .map(|line| line["detail"]["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["text", "edit", "delete", "text"]);
    // Of what was taken back nothing is read any more: not by agents, and not as it was edited.
    let id = found[0]["conversation_id"].as_str().unwrap();
    let gone = |answer: &tests::api::Answer| {
        answer.body["history"].as_array().is_some_and(|lines| {
            let first = of(lines, "message_received").first().map(|line| line["detail"].clone());
            first.is_some_and(|detail| detail["deleted"] == true)
        })
    };
    let shown = api.until(&format!("/v1/conversations/{id}"), PATIENCE, gone).await.unwrap();
    for word in ["internet", "caiu", "voltou"] {
        let lines = shown.body["history"].as_array().unwrap();
        let messages = of(lines, "message_received");
        assert!(!messages.iter().any(|line| line.to_string().contains(word)), "{word}");
    }
    let changes = &of(shown.body["history"].as_array().unwrap(), "message_received")[2]["detail"];
    assert_eq!((changes["kind"].as_str(), changes["text"].is_null()), (Some("delete"), true));
    assert!(changes["changes"].is_string(), "it says which message: {changes}");
}

#[tokio::test]
async fn cases_11_and_19_twilio_and_telegram_are_heard_and_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (provider, url) = Provider::start().await.unwrap();
    let server = Server::start(options(&dir, &url)).await.unwrap();
    let api = server.api();
    let form = "Body=falar+com+atendente&From=whatsapp%3A%2B5511933334444&MessageSid=SM1&New=1\
                &To=whatsapp%3A%2B551140000000";
    let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(b"auth").unwrap();
    mac.update(TWILIO_URL.as_bytes());
    mac.update(b"Bodyfalar com atendenteFromwhatsapp:+5511933334444MessageSidSM1New1Towhatsapp:+551140000000");
    let signature = BASE64.encode(&mac.finalize().into_bytes());
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let good = [kind, ("x-twilio-signature", signature.as_str())];
    let taken = api.post_raw(TWILIO, &good, form.into()).await.unwrap();
    assert_eq!((taken.status, taken.text.as_str()), (200, "<Response/>"));
    let forged = api.post_raw(TWILIO, &[kind, ("x-twilio-signature", "AAAA")], form.into()).await;
    assert_eq!(forged.unwrap().status, 401);
    let asked = provider.asked(1).await.unwrap();
    assert_eq!(asked[0].0, "/2010-04-01/Accounts/AC1/Messages.json");
    assert!(asked[0].1.contains("To=whatsapp%3A%2B5511933334444"), "{}", asked[0].1);
    assert!(asked[0].1.contains("From=whatsapp%3A%2B551140000000"), "{}", asked[0].1);

    let update = json!({ "update_id": 1, "message": { "message_id": 41, "date": 1_763_740_800,
        "from": { "id": 7, "is_bot": false, "first_name": "João" },
        "chat": { "id": 7, "type": "private" }, "text": "falar com atendente" } });
    let secret = |value| [("x-telegram-bot-api-secret-token", value)];
    let body = update.to_string();
    let wrong = api.post_raw(TELEGRAM, &secret("other"), body.clone().into()).await.unwrap();
    assert_eq!(wrong.status, 401);
    for _ in 0..3 {
        let right = api.post_raw(TELEGRAM, &secret("psst"), body.clone().into()).await.unwrap();
        assert_eq!(right.status, 200);
    }
    let tap = json!({ "update_id": 2, "callback_query": { "id": "tap-1", "data": "menu",
        "from": { "id": 7, "first_name": "João" },
        "message": { "message_id": 40, "chat": { "id": 7, "type": "private" } } } });
    let tapped = api.post_raw(TELEGRAM, &secret("psst"), tap.to_string().into()).await.unwrap();
    assert_eq!(tapped.str("/method"), "answerCallbackQuery", "{}", tapped.text);
    assert_eq!(tapped.str("/callback_query_id"), "tap-1");
    let asked = provider.asked(2).await.unwrap();
    assert_eq!(asked[1].0, "/bot900:abc/sendMessage");
    let sent: Value = serde_json::from_str(&asked[1].1).unwrap();
    assert_eq!(sent["chat_id"], "7");
    // The tap may come while the message waits for more, or after it was decided.
    let whole = |lines: &[Value]| {
        (of(lines, "message_received").len(), of(lines, "reply_sent").len()) == (3, 2)
    };
    until(&api, whole).await;
}

/// Posts what Chatwoot tells of a message in the conversation of one customer, signed.
async fn chatwoot(api: &Api, id: i64, kind: &str, text: &str, attributes: Value) -> u16 {
    let body = json!({
        "event": "message_created", "id": id, "content": text, "message_type": kind,
        "content_attributes": attributes, "account": { "id": 1 }, "inbox": { "id": 3 },
        "sender": { "id": 9, "name": "Maria" },
        "conversation": { "id": 88, "channel": "Channel::Api",
            "meta": { "sender": { "id": 9, "name": "Maria" } } },
    })
    .to_string();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let timestamp = now.as_secs().to_string();
    let signature = whatsapp::signature("hook", format!("{timestamp}.{body}").as_bytes()).unwrap();
    let headers = [
        ("x-chatwoot-signature", signature.as_str()),
        ("x-chatwoot-timestamp", timestamp.as_str()),
    ];
    api.post_raw(CHATWOOT, &headers, body.into_bytes()).await.unwrap().status
}

#[tokio::test]
async fn case_21_chatwoots_customers_are_answered_and_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let (provider, url) = Provider::start().await.unwrap();
    let server = Server::start(options(&dir, &url)).await.unwrap();
    let api = server.api();
    let unsigned = api.post_raw(CHATWOOT, &[], b"{}".to_vec()).await.unwrap();
    assert_eq!(unsigned.status, 401);
    let wish = "quero a segunda via do boleto";
    for _ in 0..3 {
        assert_eq!(chatwoot(&api, 1, "incoming", wish, json!({})).await, 200);
    }
    let (path, body) = provider.asked(1).await.unwrap().remove(0);
    assert_eq!(path, "/api/v1/accounts/1/conversations/88/messages");
    let sent: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (sent["message_type"].as_str(), sent["private"].as_bool()),
        (Some("outgoing"), Some(false))
    );
    // Everything that is written there comes back, ours and the robots' too.
    let text = sent["content"].as_str().unwrap();
    for (id, kind, attributes) in [
        (2, "outgoing", sent["content_attributes"].clone()),
        (3, "template", json!({})),
        (4, "outgoing", json!({})),
    ] {
        assert_eq!(chatwoot(&api, id, kind, text, attributes).await, 200);
    }
    let found = until(&api, |lines| of(lines, "message_received").len() > 1).await;
    assert_eq!(
        of(&found, "message_received").len(),
        2,
        "the customer's and the agent's: {found:?}"
    );
    // What is decided after them shows that nothing before was.
    assert_eq!(chatwoot(&api, 5, "incoming", "obrigada", json!({})).await, 200);
    until(&api, |lines| of(lines, "turn_decided").len() == 2).await;
    let asked = provider.requests.lock().clone();
    assert!(asked.iter().all(|(path, _)| path.ends_with("/conversations/88/messages")));
    assert!(asked.len() <= 2, "one answer a turn: {asked:?}");
}

#[tokio::test]
async fn case_31_what_cannot_be_read_is_set_aside_and_what_was_heard_can_be_heard_again() {
    let dir = tempfile::tempdir().unwrap();
    let (_provider, url) = Provider::start().await.unwrap();
    let options = options(&dir, &url);
    let server = Server::start(options.clone()).await.unwrap();
    let api = server.api();
    let message = written("wamid.1", "text", json!({ "body": "quero falar com atendente" }));
    assert_eq!(whatsapp::post(&api, &message).await.unwrap(), 200);
    assert_eq!(whatsapp::post_body(&api, "{\"entry\":".as_bytes()).await.unwrap(), 400);
    assert_eq!(whatsapp::post_body(&api, "x".repeat(10 << 20).as_bytes()).await.unwrap(), 413);
    until(&api, |lines| !of(lines, "reply_sent").is_empty()).await;
    server.stop().await.unwrap();
    let letters = options.run(&["dead-letters", "list"]).unwrap();
    assert_eq!(letters.matches(" door ").count(), 1, "{letters}");
    let replay = ["raw", "replay", "--channel", "whatsapp_cloud", "--account", "principal"];
    let told = options.run(&replay).unwrap();
    assert!(told.contains("2 requests told 1 messages"), "{told}");
    assert!(told.contains("1 were unreadable"), "{told}");
    let server = Server::start(options).await.unwrap();
    let api = server.api();
    let next = written("wamid.2", "text", json!({ "body": "oi" }));
    assert_eq!(whatsapp::post(&api, &next).await.unwrap(), 200);
    let found = until(&api, |lines| of(lines, "message_received").len() >= 2).await;
    assert_eq!(of(&found, "message_received").len(), 2, "heard again is not heard twice");
}

#[tokio::test]
async fn case_10_after_the_window_an_agent_sends_what_was_approved() {
    let dir = tempfile::tempdir().unwrap();
    let (provider, url) = Provider::start().await.unwrap();
    let waba = ("CHANNELS__WHATSAPP_CLOUD__PRINCIPAL__BUSINESS_ACCOUNT_ID", "900");
    let options = options(&dir, &url).with(waba.0, waba.1);
    let server = Server::start(options.clone()).await.unwrap();
    let api = server.api();
    let day = Duration::from_secs(25 * 3600);
    let message = written_ago("wamid.1", "quero falar com atendente", day);
    assert_eq!(whatsapp::post(&api, &message).await.unwrap(), 200);
    let of_the_notice = |lines: &[Value]| {
        of(lines, "reply_sent").first().map(|line| line["detail"]["result"].clone())
    };
    let found = until(&api, |lines| of_the_notice(lines).is_some()).await;
    assert_eq!(of_the_notice(&found).unwrap(), "failed", "too late for a free text");
    assert!(provider.requests.lock().is_empty(), "and the provider was not asked");

    let id = found[0]["conversation_id"].as_str().unwrap().to_owned();
    let conversation = format!("/v1/conversations/{id}");
    let offered = api.get(&format!("{conversation}/templates")).await.unwrap().body;
    assert_eq!(offered["window_open"], false);
    let template = offered["templates"][0]["answer_id"].as_str().unwrap();
    let claim = json!({ "agent": "Ana" });
    assert_eq!(api.post(&format!("{conversation}/claim"), &claim).await.unwrap().status, 200);
    let reply = format!("{conversation}/reply");
    let unknown = json!({ "agent": "Ana", "template": "modelo.nenhum" });
    assert_eq!(api.post(&reply, &unknown).await.unwrap().status, 422);
    let known = json!({ "agent": "Ana", "template": template });
    assert_eq!(api.post(&reply, &known).await.unwrap().status, 200);
    let sent: Value = serde_json::from_str(&provider.asked(1).await.unwrap()[0].1).unwrap();
    assert_eq!(sent["type"], "template");
    assert_eq!(sent["template"]["name"], "retorno_atendimento");
    let gap = &sent["template"]["components"][0]["parameters"][0]["text"];
    assert_eq!(gap.as_str().unwrap(), found[0]["protocol"].as_str().unwrap());
    server.stop().await.unwrap();

    // What the provider has, beside what the catalogue says of it.
    let listed = |status: &str| {
        let body = json!({ "type": "BODY", "text": "Olá! Protocolo {{1}}." });
        let entry = json!({ "name": "retorno_atendimento", "language": "pt_BR", "status": status,
            "components": [body] });
        Turn::Says(200, json!({ "data": [entry], "paging": { "cursors": { "after": "x" } } }))
    };
    let nothing = || Turn::Says(200, json!({ "contents": [] }));
    provider.turns.lock().extend([listed("APPROVED"), nothing(), listed("PAUSED"), nothing()]);
    let check = || {
        let options = options.clone();
        tokio::task::spawn_blocking(move || options.run(&["templates", "check"]))
    };
    let told = check().await.unwrap().unwrap();
    assert!(told.contains("every template"), "{told}");
    let refused = check().await.unwrap().unwrap_err().to_string();
    assert!(refused.contains("is paused"), "{refused}");
}
