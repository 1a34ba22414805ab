//! A provider that is not sure: each webhook comes several times, late, beside others, and out of order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::super::installation::STAGES;
use super::{Scene, Struck};
use crate::api::Api;
use crate::chaos::customers::{mix, pick};
use crate::chaos::facts::Written;
use crate::whatsapp::signature;

const SECRET: &str = "of the chaos account";
const PATH: &str = "/v1/channels/whatsapp_cloud/chaos";
/// How many write, and how many messages each.
const WRITERS: u64 = 40;
const MESSAGES: u64 = 6;
/// So many deliveries again at most, spread over so long.
const AGAIN_MAX: u64 = 4;
const LATE_MS_MAX: u64 = 8_000;
/// Between two tries of a delivery that was not acknowledged, and how long it is tried.
const RETRY: Duration = Duration::from_millis(200);
const TRIED: Duration = Duration::from_secs(120);
/// Between two messages of a writer, in milliseconds, and until somebody is killed.
const PAUSE_MS_MAX: u64 = 2_500;
const UNTIL_KILLED: Duration = Duration::from_secs(4);
/// How long a message may take to be in a history.
const SHOWN_WITHIN: Duration = Duration::from_secs(90);

/// The settings an installation needs for it.
pub(in super::super) fn account() -> [(String, String); 3] {
    let of = |key: &str, value: &str| {
        (format!("CHANNELS__WHATSAPP_CLOUD__CHAOS__{key}"), value.to_owned())
    };
    [of("TENANT", "demo"), of("APP_SECRET", SECRET), of("VERIFY_TOKEN", "unused")]
}

/// Writers and their provider; who takes in and who decides are killed in between.
pub(super) async fn webhooks(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    for round in 0..scene.rounds {
        let mut writing = JoinSet::new();
        for n in 0..WRITERS {
            let dice = scene.dice(round, n);
            let writer = Writer {
                api: Api::new(&scene.installation.url),
                phone: format!("55119{:08}", dice % 100_000_000),
                name: format!("w{}-{round}-{n}", scene.seed),
                dice,
            };
            writing.spawn(writer.write());
        }
        for victim in ["doors", STAGES, "doors"] {
            tokio::time::sleep(UNTIL_KILLED).await;
            scene.installation.kill(victim)?;
            scene.installation.restart(victim)?;
        }
        let (mut texts, mut deliveries) = (BTreeMap::new(), 0);
        while let Some(done) = writing.join_next().await {
            let (name, written, delivered) = done??;
            deliveries += delivered;
            texts.insert(name, written);
        }
        scene.installation.at_work().await?;
        let api = Api::new(&scene.installation.url);
        let began_ms = texts.values().flatten().map(|text| text.at_ms).min().unwrap_or_default();
        let wanted: BTreeSet<&str> = texts.values().flatten().map(|one| &*one.text).collect();
        let found = shown(&api, &wanted, began_ms).await?;
        for (name, texts) in &texts {
            let written = texts.iter().filter_map(|one| {
                let message_id = found.get(&one.text)?.clone();
                Some(Written { message_id, customer: name.clone(), text: one.text.clone() })
            });
            struck.journal.insert(name.clone(), written.collect());
        }
        let lost = wanted.iter().filter(|text| !found.contains_key(**text)).count();
        let messages = wanted.len();
        struck.notes.push(format!("{messages} messages delivered {deliveries} times"));
        if lost > 0 {
            struck.broken.push(format!("{lost} messages of webhooks are in no history"));
        }
    }
    Ok(struck.ends())
}

/// A text, and since when it was acknowledged (Unix, ms).
struct Said {
    text: String,
    at_ms: i64,
}

struct Writer {
    api: Api,
    phone: String,
    name: String,
    dice: u64,
}

impl Writer {
    /// Writes everything; gives the texts in the order in which the first delivery of each was
    /// acknowledged, and how many deliveries were.
    async fn write(self) -> anyhow::Result<(String, Vec<Said>, usize)> {
        let mut order: Vec<u64> = (0..MESSAGES).collect();
        if self.dice.is_multiple_of(3) {
            // The provider lost the order: what it delivers first comes first.
            order.sort_by_key(|k| mix(self.dice ^ k));
        }
        let (mut said, mut again) = (Vec::new(), JoinSet::new());
        for k in order {
            let dice = mix(self.dice.wrapping_add(k));
            tokio::time::sleep(Duration::from_millis(dice % PAUSE_MS_MAX)).await;
            // One before may come along in the same body once more.
            let along = pick(&said, mix(dice)).map(|one: &(u64, Said)| one.0);
            let together: Vec<u64> =
                along.into_iter().filter(|_| dice.is_multiple_of(2)).chain([k]).collect();
            let at_ms = now_ms();
            deliver(&self.api, self.body(&together)).await?;
            for nth in 0..mix(dice) % (AGAIN_MAX + 1) {
                let late = Duration::from_millis(mix(dice ^ nth) % LATE_MS_MAX);
                let (api, body) = (self.api.clone(), self.body(&[k]));
                again.spawn(async move {
                    tokio::time::sleep(late).await;
                    deliver(&api, body).await
                });
            }
            said.push((k, Said { text: self.text(k), at_ms }));
        }
        let mut deliveries = said.len();
        while let Some(done) = again.join_next().await {
            done??;
            deliveries += 1;
        }
        Ok((self.name, said.into_iter().map(|(_, said)| said).collect(), deliveries))
    }

    fn text(&self, k: u64) -> String {
        format!("minha internet caiu de novo ({}, {k})", self.name)
    }

    fn body(&self, messages: &[u64]) -> Value {
        let messages: Vec<Value> = messages
            .iter()
            .map(|k| {
                json!({ "from": self.phone, "id": format!("wamid.{}-{k}", self.name), "type": "text",
                    "timestamp": (now_ms() / 1_000).to_string(), "text": { "body": self.text(*k) } })
            })
            .collect();
        json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [{
            "field": "messages",
            "value": {
                "messaging_product": "whatsapp",
                "metadata": { "display_phone_number": "551133334444", "phone_number_id": "1122334455667" },
                "contacts": [{ "wa_id": self.phone, "profile": { "name": "Maria" } }],
                "messages": messages,
            },
        }] }] })
    }
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or_default())
}

/// Until it is acknowledged, as providers do.
async fn deliver(api: &Api, body: Value) -> anyhow::Result<()> {
    let body = serde_json::to_vec(&body)?;
    let signed = signature(SECRET, &body)?;
    let headers = [("content-type", "application/json"), ("x-hub-signature-256", &*signed)];
    let until = Instant::now() + TRIED;
    loop {
        match api.post_raw(PATH, &headers, body.clone()).await {
            Ok(answer) if answer.status == 200 => return Ok(()),
            Ok(answer) => ensure!(answer.status >= 500, "a webhook was answered {}", answer.status),
            Err(_) => {}
        }
        ensure!(Instant::now() < until, "a webhook was never acknowledged");
        tokio::time::sleep(RETRY).await;
    }
}

/// Which message has each of `texts`, as far as histories since `began_ms` show them in time.
async fn shown(
    api: &Api,
    texts: &BTreeSet<&str>,
    began_ms: i64,
) -> anyhow::Result<BTreeMap<String, String>> {
    let until = Instant::now() + SHOWN_WITHIN;
    loop {
        let mut found = BTreeMap::new();
        for conversation in conversations(api, began_ms).await? {
            let events = api.get(&format!("/v1/conversations/{conversation}/events")).await?;
            let events = events.body.get("events").and_then(Value::as_array).cloned();
            for detail in events.unwrap_or_default().iter().filter_map(|event| event.get("detail"))
            {
                let of = |name: &str| detail.get(name).and_then(Value::as_str);
                if let (Some(id), Some(text)) = (of("message_id"), of("text"))
                    && texts.contains(text)
                {
                    found.insert(text.to_owned(), id.to_owned());
                }
            }
        }
        if found.len() == texts.len() || Instant::now() > until {
            return Ok(found);
        }
    }
}

/// Conversations on WhatsApp with news since `began_ms`.
async fn conversations(api: &Api, began_ms: i64) -> anyhow::Result<BTreeSet<String>> {
    let (mut found, mut before_ms) = (BTreeSet::new(), i64::MAX);
    loop {
        let page = api.get(&format!("/v1/conversations?limit=200&before_ms={before_ms}")).await?;
        let listed = page.body.get("conversations").and_then(Value::as_array);
        let listed = listed.with_context(|| format!("no conversations: {}", page.text))?;
        let before = before_ms;
        for one in listed {
            let of = |name: &str| one.get(name).and_then(Value::as_str);
            if of("channel") == Some("whatsapp") {
                found.extend(of("conversation_id").map(str::to_owned));
            }
            let at_ms = one.get("updated_at_ms").and_then(Value::as_i64).unwrap_or_default();
            before_ms = before_ms.min(at_ms);
        }
        if listed.is_empty() || before_ms >= before || before_ms < began_ms {
            return Ok(found);
        }
    }
}
