//! The webhooks of channels, by the one shape they have.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use http::{HeaderMap, HeaderValue};
use ingest::channels::webhook::{Request, Webhook};
use ingest::channels::{chatwoot, telegram, twilio, whatsapp_cloud};
use ingest::door;
use schemas::sealed::{Keyring, TenantKeys};

use crate::Target;

const TENANT: &str = "demo";
/// Whatever a provider's clock says, ours says this (Unix, ms).
const NOW_MS: i64 = 1_795_000_000_000;

/// What was understood must become records.
pub(crate) fn seal(events: Vec<door::Event>) {
    static KEYRING: OnceLock<Keyring> = OnceLock::new();
    let keyring =
        KEYRING.get_or_init(|| Keyring::new([TenantKeys::derive(TENANT, "k1", &[7; 32])]));
    let records = door::sealed(keyring, TENANT, events, NOW_MS);
    assert!(records.is_ok(), "what was understood cannot be written down: {records:?}");
}

/// What an account tells of a body must become records; headers of any bytes must not upset its check.
pub(crate) fn read(webhook: &dyn Webhook, kept: &BTreeMap<String, String>, body: &[u8]) {
    if let Ok(events) = webhook.adapt(kept, body) {
        seal(events);
    }
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(body.get(..body.len().min(120)).unwrap_or_default())
    {
        for name in [
            "x-hub-signature-256",
            "x-twilio-signature",
            "x-telegram-bot-api-secret-token",
            "x-chatwoot-signature",
            "x-chatwoot-timestamp",
            "authorization",
        ] {
            headers.insert(name, value.clone());
        }
    }
    let query = String::from_utf8_lossy(body);
    let request = Request { query: &query, headers: &headers, body, received_at_ms: NOW_MS };
    assert!(webhook.verify(&request).is_err(), "nobody knows the secret");
    let _ = webhook.challenge(&query);
}

fn plain(webhook: &dyn Webhook, body: &[u8]) {
    read(webhook, &BTreeMap::new(), body);
}

fn secret() -> String {
    "a secret that no bytes tell: 5d41402abc4b2a76b9719d911017c592".to_owned()
}

fn whatsapp(body: &[u8]) {
    let account = whatsapp_cloud::Account {
        tenant: TENANT.to_owned(),
        app_secret: secret(),
        verify_token: secret(),
    };
    plain(&account, body);
}

fn twilio(body: &[u8]) {
    let public_url = "https://isp.example/v1/channels/twilio/principal".to_owned();
    let account = twilio::Account { tenant: TENANT.to_owned(), auth_token: secret(), public_url };
    plain(&account, body);
    let json = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
    read(&account, &json, body);
}

fn telegram(body: &[u8]) {
    let account = telegram::Account {
        name: "robo".to_owned(),
        tenant: TENANT.to_owned(),
        secret_token: secret(),
    };
    plain(&account, body);
}

fn chatwoot(body: &[u8]) {
    let account = chatwoot::Account {
        tenant: TENANT.to_owned(),
        webhook_secret: secret(),
        mirror_inbox_id: None,
    };
    plain(&account, body);
}

pub(crate) fn targets() -> Vec<Target> {
    vec![
        Target { name: "whatsapp", seeds: WHATSAPP, read: whatsapp },
        Target { name: "twilio", seeds: TWILIO, read: twilio },
        Target { name: "telegram", seeds: TELEGRAM, read: telegram },
        Target { name: "chatwoot", seeds: CHATWOOT, read: chatwoot },
    ]
}

const WHATSAPP: &[&[u8]] = &[
    br#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"111","display_phone_number":"5511"},"contacts":[{"wa_id":"5511987654321","user_id":"BR.1","profile":{"name":"Ana"}}],"messages":[{"from":"5511987654321","from_user_id":"BR.1","id":"wamid.1","timestamp":"1763740800","type":"text","text":{"body":"oi"},"context":{"id":"wamid.0"}}]}}]}]}"#,
    br#"{"entry":[{"changes":[{"value":{"metadata":{"phone_number_id":"111"},"statuses":[{"id":"wamid.1","status":"failed","recipient_id":"5511987654321","timestamp":"1763740800","biz_opaque_callback_data":"c_1/1/answer/0","errors":[{"code":131047,"title":"x"}]}],"errors":[{"code":1}]}}]}]}"#,
    br#"{"entry":[{"changes":[{"value":{"metadata":{"phone_number_id":"111"},"messages":[{"from":"55","id":"a","type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":"b","title":"c"},"list_reply":{"id":"d","title":"e"}}},{"from":"55","id":"b","type":"image","image":{"id":"9","mime_type":"image/jpeg","sha256":"x","caption":"y"}},{"from":"55","id":"c","type":"location","location":{"latitude":-23.5,"longitude":-46.6,"name":"z"}},{"from":"55","id":"d","type":"reaction","reaction":{"message_id":"x","emoji":"y"}},{"from":"55","id":"e","type":"edit","edit":{"original_message_id":"a","message":{"type":"text","text":{"body":"f"}}}},{"from":"55","id":"f","type":"contacts","contacts":[{"name":{"formatted_name":"g"},"phones":[{"phone":"1"}]}]},{"from":"55","id":"g","type":"revoke","revoke":{"original_message_id":"a"}},{"from":"55","id":"h","type":"system","system":{"type":"user_changed_number","wa_id":"56","body":"i"}}],"calls":[{"id":"x","from":"55","event":"connect","timestamp":"1"}]}}]}]}"#,
];
const TWILIO: &[&[u8]] = &[
    b"MessageSid=SM1&From=whatsapp%3A%2B5511987654321&To=whatsapp%3A%2B551140000000&Body=oi&ProfileName=Ana&WaId=5511987654321&NumMedia=0",
    b"SmsSid=SM2&From=%2B5511987654321&To=%2B551140000000&Body=&NumMedia=2&MediaUrl0=https%3A%2F%2Fx%2F1&MediaContentType0=audio%2Fogg&MediaUrl1=y&MediaContentType1=image%2Fjpeg&ButtonPayload=b&ButtonText=c",
    b"MessageSid=SM3&MessageStatus=undelivered&ErrorCode=63016&To=whatsapp%3A%2B55&From=x&Latitude=-23.5&Longitude=-46.6",
    br#"{"MessageSid":"SM1","From":"+55","Body":"oi"}"#,
];
const TELEGRAM: &[&[u8]] = &[
    br#"{"update_id":1,"message":{"message_id":2,"from":{"id":3,"first_name":"Ana","last_name":"S"},"chat":{"id":3,"type":"private"},"date":1763740800,"text":"oi","reply_to_message":{"message_id":1}}}"#,
    br#"{"update_id":2,"callback_query":{"id":"9","from":{"id":3,"first_name":"Ana"},"message":{"message_id":2,"chat":{"id":3,"type":"private"}},"data":"b1"}}"#,
    br#"{"update_id":3,"edited_message":{"message_id":2,"chat":{"id":3,"type":"private"},"date":1,"edit_date":2,"voice":{"file_id":"f","mime_type":"audio/ogg","file_size":1,"duration":2},"photo":[{"file_id":"p","file_size":3}],"caption":"c"}}"#,
];
const CHATWOOT: &[&[u8]] = &[
    br#"{"event":"message_created","id":1,"content":"oi","message_type":"incoming","created_at":"2026-11-20T10:00:00Z","private":false,"sender":{"id":2,"name":"Ana","phone_number":"+5511987654321","email":"a@b.c"},"conversation":{"id":3,"inbox_id":4},"account":{"id":1,"name":"x"},"attachments":[{"file_type":"audio","data_url":"https://x"}]}"#,
    br#"{"event":"message_updated","id":1,"message_type":1,"content_attributes":{"deleted":true},"sender":{"type":"agent_bot"}}"#,
];
