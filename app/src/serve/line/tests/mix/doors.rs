//! The doors: accounts of the providers that call us, the telephone, and over real HTTP the web chat and the
//! API.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use async_trait::async_trait;
use ingest::Door;
use ingest::channels::api::{self, ApiSettings};
use ingest::channels::email::{Inbox, Postmark};
use ingest::channels::phone::{Menu, Overheard};
use ingest::channels::web_chat::{self, Looks, TypingTold};
use ingest::channels::webhook::Webhook;
use ingest::channels::{chatwoot, telegram, twilio, whatsapp_cloud};
use ingest::door::{
    DoorSettings, Event, HeardMessage, History, HistoryError, Hub, QueuePlace, Trace, sealed,
};
use schemas::conversation::Conversation;
use schemas::ids::{ConversationId, LineKey, MessageId};
use serde_json::{Value, json};

use super::super::*;
use super::traffic::Request;

/// A store that remembers nothing: whatever is a repeat, the line has to find out.
struct Forgetful;

#[async_trait]
impl History for Forgetful {
    async fn trace(&self, _: MessageId) -> Result<Option<Trace>, HistoryError> {
        Ok(None)
    }

    async fn latest_of(&self, _: &LineKey) -> Result<Vec<(i64, Conversation)>, HistoryError> {
        Ok(Vec::new())
    }

    async fn place(&self, _: ConversationId) -> Result<Option<QueuePlace>, HistoryError> {
        Ok(None)
    }
}

impl TypingTold for Forgetful {
    fn customer_types(&self, _: &str, _: ConversationId, _: bool) {}
}

impl Looks for Forgetful {
    fn look(&self, _: &str) -> Value {
        json!({})
    }
}

fn webhooks() -> Vec<Box<dyn Webhook>> {
    let (tenant, secret) = ("demo".to_owned(), "x".to_owned());
    let own = vec!["suporte@isp.example".to_owned()];
    vec![
        Box::new(whatsapp_cloud::Account {
            tenant: tenant.clone(),
            app_secret: secret.clone(),
            verify_token: secret.clone(),
        }),
        Box::new(twilio::Account {
            tenant: tenant.clone(),
            auth_token: secret.clone(),
            public_url: secret.clone(),
        }),
        Box::new(telegram::Account {
            name: "robo".to_owned(),
            tenant: tenant.clone(),
            secret_token: secret.clone(),
        }),
        Box::new(chatwoot::Account {
            tenant: tenant.clone(),
            webhook_secret: secret.clone(),
            mirror_inbox_id: None,
        }),
        Box::new(Postmark { inbox: Inbox { name: "suporte".to_owned(), tenant, own }, secret }),
    ]
}

pub(super) struct Doors {
    webhooks: Vec<Box<dyn Webhook>>,
    calls: Overheard,
    keyring: Arc<Keyring>,
    http: reqwest::Client,
    url: String,
    /// Tokens of the web chat's visitors.
    visitors: BTreeMap<u64, String>,
}

impl Doors {
    /// In front of `bench`'s log, by its clock.
    pub(super) async fn open(bench: &Bench, settings: &Settings, keyring: &Arc<Keyring>) -> Self {
        let door = Door::new(
            Arc::new(bench.log.clone()),
            Arc::clone(keyring),
            Arc::clone(&bench.clock) as _,
            Arc::new(Hub::default()),
            Arc::new(Forgetful),
            crate::channels::files::intake(settings, keyring),
            DoorSettings::default(),
        );
        let site = web_chat::Account {
            messages_per_minute: NonZeroU32::new(6_000).unwrap(),
            ..web_chat::Account::plain("loja", "demo")
        };
        let sites = web_chat::Accounts::new(vec![site], ["demo"], "demo");
        let nobody = (Arc::new(Forgetful) as _, Arc::new(Forgetful) as _);
        let chat = web_chat::routes(door.clone(), sites, nobody, CancellationToken::new());
        let (default_tenant, intent_group) = ("demo".to_owned(), Arc::new(|_: &str, _: &str| ""));
        let programs = api::routes(door, ApiSettings { default_tenant, intent_group });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, chat.merge(programs)).await });
        let digits = BTreeMap::from([("1".to_owned(), "segunda via".to_owned())]);
        let (greeting, thanks) = ("sound:menu".to_owned(), "sound:obrigado".to_owned());
        Self {
            webhooks: webhooks(),
            calls: Overheard::new("sac", Menu { greeting, thanks, digits, record_s_max: 60 }),
            keyring: Arc::clone(keyring),
            http: reqwest::Client::new(),
            url,
            visitors: BTreeMap::new(),
        }
    }

    /// Takes a request in: what is to be appended, where the door has not done that itself.
    pub(super) async fn take(&mut self, request: Request, now_ms: i64) -> Vec<Record> {
        match request {
            Request::Webhook(account, body) => {
                let told = self.webhooks[account].adapt(&BTreeMap::new(), body.as_bytes());
                let told = told.unwrap();
                assert_eq!(told.len(), 1, "{body}");
                sealed(&self.keyring, "demo", told, now_ms).unwrap()
            }
            Request::Call(line) => {
                let heard = self.calls.hear(&line, now_ms);
                self.told(heard, now_ms)
            }
            Request::Visitor { who, cid, text } => {
                let token = self.token(who).await;
                let body = json!({ "cid": cid, "text": text });
                let path = "/v1/channels/web_chat/loja/messages";
                let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(token);
                Self::taken(request.json(&body), 200).await;
                Vec::new()
            }
            Request::Program { key, body } => {
                let request = self.http.post(format!("{}/v1/messages", self.url));
                Self::taken(request.header("idempotency-key", key).json(&body), 202).await;
                Vec::new()
            }
        }
    }

    /// What callers leave as time passes.
    pub(super) fn pass(&mut self, now_ms: i64) -> Vec<Record> {
        let heard = self.calls.pass(now_ms);
        self.told(heard, now_ms)
    }

    fn told(&self, heard: Vec<HeardMessage>, now_ms: i64) -> Vec<Record> {
        let events = heard.into_iter().map(|message| Event::Message(Box::new(message))).collect();
        sealed(&self.keyring, "demo", events, now_ms).unwrap()
    }

    async fn token(&mut self, who: u64) -> String {
        if let Some(token) = self.visitors.get(&who) {
            return token.clone();
        }
        let path = "/v1/channels/web_chat/loja/visitors";
        let request = self.http.post(format!("{}{path}", self.url)).json(&json!({}));
        let told = Self::taken(request, 200).await;
        let token = told["token"].as_str().unwrap().to_owned();
        self.visitors.insert(who, token.clone());
        token
    }

    async fn taken(request: reqwest::RequestBuilder, status: u16) -> Value {
        let response = request.send().await.unwrap();
        let got = response.status().as_u16();
        let body = response.text().await.unwrap();
        assert_eq!(got, status, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}
