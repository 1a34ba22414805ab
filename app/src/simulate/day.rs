//! A provider's day, for `serve --demo`: customers come at the pace of the hour, write in several
//! pieces, come back, and a team of agents looks after the queues. Now and then one district loses its
//! connection, everybody who lives there writes within minutes, and it is mended.

use std::sync::Arc;
use std::time::Duration;

use responder::act::Districts;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::client::{Client, Outgoing};
use super::texts::{Dice, Texts};

/// How busy each hour of the day is, from midnight, as a share of the busiest.
const BUSY: [f64; 24] = [
    0.15, 0.08, 0.05, 0.04, 0.05, 0.10, 0.22, 0.42, 0.68, 0.90, 1.00, 0.95, 0.80, 0.85, 0.92, 0.90,
    0.85, 0.82, 0.88, 0.95, 0.90, 0.70, 0.45, 0.28,
];
/// Conversations begun a second in the busiest hour.
const BUSIEST_A_SECOND: f64 = 0.8;
/// A simulated hour takes so long.
const HOUR: Duration = Duration::from_secs(60);
/// The first outage comes so long after the beginning, the others so long after each other.
const FIRST_OUTAGE: Duration = Duration::from_secs(60);
const OUTAGE_EVERY: Duration = Duration::from_secs(10 * 60);
/// Where the first one is, and how far apart in the city two of them are.
const FIRST_DISTRICT: u64 = 5;
const NEXT_DISTRICT: u64 = 7;
/// So many of those who live there write, with such a pause between two of them.
const VICTIMS: u64 = 40;
const VICTIM_EVERY: Duration = Duration::from_secs(3);
/// How often an agent looks for work.
const AGENT_EVERY: Duration = Duration::from_secs(2);
const CHANNELS: [&str; 6] = ["whatsapp", "whatsapp", "whatsapp", "web_chat", "email", "sms"];
const AGENTS: [&str; 5] = ["Ana", "Bruno", "Carla", "Diego", "Elaine"];
const REPLIES: [&str; 4] = [
    "Oi! Já estou vendo seu caso aqui, um momento.",
    "Conferi no sistema e já ajustei para você. Pode testar de novo?",
    "Entendi. Vou abrir uma ordem de serviço e te aviso do horário.",
    "Resolvido por aqui. Qualquer coisa, é só chamar!",
];

/// Where the day takes place.
pub struct Demo {
    url: String,
    token: String,
    city: Arc<Districts>,
    /// So many times as fast as usual.
    pace: f64,
}

impl Demo {
    /// On the server at `url`, `pace` times as fast as usual.
    pub fn at(url: &str, token: &str, pace: f64) -> Self {
        let city = Arc::new(Districts::connected());
        Self { url: url.to_owned(), token: token.to_owned(), city, pace }
    }

    /// Where its customers live.
    pub fn city(&self) -> Arc<Districts> {
        Arc::clone(&self.city)
    }
}

/// Lives through days until `stop`.
pub async fn live(demo: Demo, stop: CancellationToken) -> anyhow::Result<()> {
    let client = Client::new(&demo.url, &demo.token)?;
    let texts = Texts::load()?;
    let outages = stop.run_until_cancelled(outages(&demo, client.clone()));
    let customers = stop.run_until_cancelled(customers(&demo, client.clone(), texts));
    let agents = AGENTS.iter().zip(11..).map(|(name, seed)| agent(client.clone(), name, seed));
    let agents = stop.run_until_cancelled(futures::future::join_all(agents));
    tokio::join!(customers, outages, agents);
    Ok(())
}

async fn customers(demo: &Demo, client: Client, texts: Texts) {
    let mut dice = Dice::new(7);
    let texts = Arc::new(texts);
    let mut hours = BUSY.iter().cycle().skip(8);
    let mut n = 0u64;
    loop {
        let busy = hours.next().copied().unwrap_or(0.5);
        let until = tokio::time::Instant::now() + HOUR.div_f64(demo.pace);
        while tokio::time::Instant::now() < until {
            let pace =
                Duration::from_secs_f64(1.0 / (BUSIEST_A_SECOND * busy).max(0.02) / demo.pace);
            // Arrivals are not a metronome's: half to one and a half times the pace.
            let pause = pace
                .mul_f64(0.5 + f64::from(u32::try_from(dice.below(1000)).unwrap_or(500)) / 1000.0);
            tokio::time::sleep(pause).await;
            n += 1;
            let (client, texts) = (client.clone(), texts.clone());
            let own = Dice::new(dice.next());
            tokio::spawn(async move { customer(client, &texts, own, n).await });
        }
    }
}

/// One district after another loses its connection, until the last of those who write has written.
async fn outages(demo: &Demo, client: Client) {
    let mut dice = Dice::new(20);
    tokio::time::sleep(FIRST_OUTAGE.div_f64(demo.pace)).await;
    for outage in 0u64.. {
        let district = (FIRST_DISTRICT + outage * NEXT_DISTRICT) % Districts::COUNT;
        demo.city.lose(district);
        tracing::info!(district = Districts::name(district), "a simulated outage begins");
        for victim in 0..VICTIMS {
            let text = Texts::of_outage(&mut dice);
            let key = format!("outage-{outage}-{victim}");
            let customer = (outage * VICTIMS + victim) * Districts::COUNT + district;
            let message = Outgoing { channel: "whatsapp", customer, text, key: &key, wait: false };
            if let Err(error) = client.send(&message).await {
                tracing::debug!(%error, "a simulated customer was not heard");
            }
            let pause = VICTIM_EVERY.mul_f64(0.5 + dice.share()).div_f64(demo.pace);
            tokio::time::sleep(pause).await;
        }
        demo.city.mend(district);
        tracing::info!(district = Districts::name(district), "a simulated outage has ended");
        tokio::time::sleep(OUTAGE_EVERY.div_f64(demo.pace)).await;
    }
}

/// One customer's visit: a few pieces, now and then the same piece twice, perhaps a second wish.
async fn customer(client: Client, texts: &Texts, mut dice: Dice, n: u64) {
    let channel = CHANNELS.get(usize::try_from(dice.below(6)).unwrap_or_default());
    let customer = dice.below(4_000);
    let turns = 1 + dice.below(2);
    for turn in 0..turns {
        let mut pieces = Vec::new();
        if turn == 0 && dice.happens(0.3) {
            pieces.push("oi, boa tarde".to_owned());
        }
        pieces.push(texts.pick(&mut dice).to_owned());
        for (at, text) in pieces.iter().enumerate() {
            let key = format!("demo-{n}-{turn}-{at}");
            let channel = channel.copied().unwrap_or("whatsapp");
            let message = Outgoing { channel, customer, text, key: &key, wait: false };
            let times = 1 + u8::from(dice.happens(0.03));
            for _ in 0..times {
                if let Err(error) = client.send(&message).await {
                    tracing::debug!(%error, "a simulated customer was not heard");
                }
            }
            tokio::time::sleep(Duration::from_millis(800 + dice.below(2_500))).await;
        }
        tokio::time::sleep(Duration::from_secs(12 + dice.below(20))).await;
    }
}

/// An agent takes what is most urgent, writes, and is done with it.
async fn agent(client: Client, name: &str, seed: u64) {
    let mut dice = Dice::new(seed);
    loop {
        tokio::time::sleep(AGENT_EVERY + Duration::from_millis(dice.below(4_000))).await;
        let Ok(found) = client.get("/v1/conversations?state=queued&limit=5").await else {
            continue;
        };
        let waiting = found.get("conversations").and_then(Value::as_array).cloned();
        // The newest of a long queue are left to whoever looks at the page.
        let Some(id) = waiting
            .as_ref()
            .and_then(|all| all.first())
            .and_then(|first| first.get("conversation_id")?.as_str())
        else {
            continue;
        };
        if !matches!(client.command(id, "claim", &json!({ "agent": name })).await, Ok(200)) {
            continue; // the other one was quicker
        }
        tokio::time::sleep(Duration::from_millis(2_000 + dice.below(4_000))).await;
        let reply = REPLIES.get(usize::try_from(dice.below(4)).unwrap_or_default());
        let text = reply.copied().unwrap_or_default();
        let _ = client.command(id, "reply", &json!({ "agent": name, "text": text })).await;
        tokio::time::sleep(Duration::from_millis(1_000 + dice.below(2_000))).await;
        if dice.happens(0.95) {
            let _ = client.command(id, "resolve", &json!({ "agent": name })).await;
        }
    }
}
