//! Two hours of all channels at once, in simulated time: every request of a provider comes late, several
//! times and out of order, as do the statuses of what is answered. One message each, one answer each turn.

use ingest::channels::email::{Inbox, Postmark};
use ingest::channels::webhook::Webhook;
use ingest::channels::{chatwoot, telegram, twilio, whatsapp_cloud};
use ingest::door::sealed;
use schemas::work::Handoff;
use serde_json::json;

use super::*;

const HOURS: i64 = 2;
/// After the last request, until the last turn has closed and is answered.
const QUIET_S: i64 = 120;
const CUSTOMERS: u64 = 140;
/// Between two bursts of one customer, on average.
const PAUSE_S: u64 = 1_500;

/// The same numbers at every run (splitmix64, Steele and others 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    /// When the copies of a request come, in seconds after it happened: at least one.
    fn deliveries(&mut self) -> Vec<i64> {
        let copies = [1, 1, 1, 2, 2, 3, 5][usize::try_from(self.below(7)).unwrap()];
        let late = |dice: &mut Self| match dice.below(50) {
            0 => dice.below(1_800),
            1..=5 => dice.below(120),
            _ => dice.below(4),
        };
        (0..copies).map(|_| i64::try_from(late(self)).unwrap()).collect()
    }
}

/// One account at each provider.
struct Accounts(Vec<Box<dyn Webhook>>);

impl Accounts {
    fn new() -> Self {
        let (tenant, secret) = ("demo".to_owned(), "x".to_owned());
        let own = vec!["suporte@isp.example".to_owned()];
        Self(vec![
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
        ])
    }

    /// What the provider of customer `who` posts of message `id`. Two customers in six write by Twilio:
    /// one by WhatsApp, one by SMS.
    fn body(who: u64, id: u64, text: &str, at_s: i64) -> (usize, String) {
        let phone = format!("55119{who:08}");
        let told = |what: serde_json::Value| what.to_string();
        match who % 6 {
            0 => (
                0,
                told(json!({ "entry": [{ "changes": [{ "value": {
                "metadata": { "phone_number_id": "111" },
                "messages": [{ "from": phone, "id": format!("wamid.{id}"), "type": "text",
                    "timestamp": at_s.to_string(), "text": { "body": text } }] } }] }] })),
            ),
            kind @ (1 | 2) => {
                let at = if kind == 1 { "whatsapp:" } else { "" };
                let form = form_urlencoded::Serializer::new(String::new())
                    .append_pair("MessageSid", &format!("SM{id}"))
                    .append_pair("From", &format!("{at}+{phone}"))
                    .append_pair("To", &format!("{at}+551140000000"))
                    .append_pair("Body", text)
                    .finish();
                (1, form)
            }
            3 => (
                2,
                told(json!({ "update_id": id, "message": { "message_id": id, "date": at_s,
                "from": { "id": who, "first_name": "Ana" },
                "chat": { "id": who, "type": "private" }, "text": text } })),
            ),
            4 => (
                3,
                told(json!({ "event": "message_created", "id": id, "content": text,
                "message_type": "incoming", "created_at": at_s, "account": { "id": 1 },
                "sender": { "id": who, "name": "Ana", "type": "contact" },
                "conversation": { "id": who, "inbox_id": 4 } })),
            ),
            _ => (
                4,
                told(json!({ "From": format!("c{who}@x.example"), "Subject": format!("caso {id}"),
                "FromFull": { "Email": format!("c{who}@x.example"), "Name": "Ana" },
                "MessageID": format!("pm-{id}"), "TextBody": text,
                "Headers": [{ "Name": "Message-ID", "Value": format!("<{id}@x.example>") }] })),
            ),
        }
    }

    fn records(&self, keyring: &Keyring, body: &(usize, String), now_ms: i64) -> Vec<Record> {
        let events = self.0[body.0].adapt(&BTreeMap::new(), body.1.as_bytes()).unwrap();
        assert_eq!(events.len(), 1, "{}", body.1);
        sealed(keyring, "demo", events, now_ms).unwrap()
    }
}

/// What the world answers to what is written: it knows what it has seen.
#[derive(Default)]
struct World(BTreeSet<(Topic, u32, pipeline::Offset)>);

impl World {
    /// Records of `topic` it has not seen yet.
    fn news(&mut self, log: &MemoryLog, topic: Topic) -> Vec<pipeline::Stored> {
        let mut records = log.records(topic);
        records.retain(|stored| self.0.insert((topic, stored.partition, stored.offset)));
        records
    }

    /// Outcomes by their second.
    fn answers(&mut self, log: &MemoryLog, now_s: i64, dice: &mut Dice) -> Vec<(i64, Record)> {
        let at_ms = now_s * 1_000;
        let mut answers = Vec::new();
        for stored in self.news(log, ACTIONS) {
            let asked = ActionRequest::from_bytes(stored.value.as_ref().unwrap()).unwrap();
            let failed = dice.below(20) == 0;
            let outcome = ActionOutcome {
                conversation_id: asked.conversation_id,
                turn: asked.turn,
                action: asked.action,
                result: if failed { ActionResult::Failed } else { ActionResult::Done },
                finding: "ok".to_owned(),
                fields_sealed: None,
                facts: BTreeMap::new(),
                customer: None,
            };
            let outcome = record(stored.key.to_vec(), InboundBody::ActionOutcome(outcome), at_ms);
            answers.push((now_s + 1, outcome));
        }
        for stored in self.news(log, REPLIES) {
            let reply = Reply::from_bytes(stored.value.as_ref().unwrap()).unwrap();
            let outcome = InboundBody::DeliveryOutcome(Box::new(sent(reply)));
            let outcome = record(stored.key.to_vec(), outcome, at_ms);
            // Told again after a crash, it is the same outcome.
            let again_s = now_s + 1 + i64::try_from(dice.below(40)).unwrap();
            answers.extend([(now_s + 1, outcome.clone()), (again_s, outcome)]);
        }
        for stored in self.news(log, HANDOFFS) {
            let asked = Handoff::from_bytes(stored.value.as_ref().unwrap()).unwrap();
            let begin_s = now_s + 20 + i64::try_from(dice.below(200)).unwrap();
            let n = u64::try_from(self.0.len()).unwrap();
            for (part, command) in (0..).zip(worked_on(asked.conversation_id, n)) {
                let at_s = begin_s + part * 15;
                let command = InboundBody::Command(command);
                answers.push((at_s, record(stored.key.to_vec(), command, at_s * 1_000)));
            }
        }
        answers
    }
}

/// An agent takes it, answers, and is done with it.
fn worked_on(conversation_id: ConversationId, n: u64) -> Vec<Command> {
    let actions = [CommandAction::Claim, CommandAction::Reply, CommandAction::Resolve];
    let command = |(part, action): (u8, CommandAction)| {
        let mut id = [part; 16];
        id[..8].copy_from_slice(&n.to_be_bytes());
        let text = (action == CommandAction::Reply).then_some("já vou ver");
        Command {
            command_id: CommandId(id),
            conversation_id,
            agent: "Ana".to_owned(),
            action,
            text_sealed: text.map(|text| keys().seal(&id, text.as_bytes()).unwrap()),
            text_masked: text.map(str::to_owned),
            label: None,
            queue: None,
            to_agent: None,
            until_ms: None,
            answer_id: None,
            score: None,
        }
    };
    (0..).zip(actions).map(command).collect()
}

/// What is due at which second: requests of providers, and records of the world.
#[derive(Default)]
struct Due {
    requests: BTreeMap<i64, Vec<(usize, String)>>,
    records: BTreeMap<i64, Vec<Record>>,
}

/// Everybody's two hours. Gives how many messages were written.
fn written(due: &mut Due, dice: &mut Dice, texts: &[String]) -> u64 {
    let (begin_s, end_s) = (START_MS / 1_000, START_MS / 1_000 + HOURS * 3_600);
    let mut id = 0;
    for who in 0..CUSTOMERS {
        let mut at_s = begin_s + i64::try_from(dice.below(PAUSE_S)).unwrap();
        while at_s < end_s {
            for _ in 0..=dice.below(3) {
                id += 1;
                let text = &texts[usize::try_from(dice.below(texts.len() as u64)).unwrap()];
                let body = Accounts::body(who, id, text, at_s);
                for late_s in dice.deliveries() {
                    due.requests.entry(at_s + late_s).or_default().push(body.clone());
                }
                at_s += 1 + i64::try_from(dice.below(4)).unwrap();
            }
            at_s += i64::try_from(dice.below(2 * PAUSE_S)).unwrap();
        }
    }
    id
}

#[tokio::test]
async fn two_hours_of_all_channels_are_one_message_each_and_one_answer_each_turn() {
    let texts: Vec<String> = corpus::training().unwrap().into_iter().map(|row| row.text).collect();
    let mut bench = Bench::new(Layout::Chained, &models()).await;
    let (accounts, keyring) = (Accounts::new(), Keyring::new([keys()]));
    let (mut due, mut dice, mut world) = (Due::default(), Dice(20_261_128), World::default());
    let messages = written(&mut due, &mut dice, &texts);
    let requests: usize = due.requests.values().map(Vec::len).sum();
    let (mut now_s, mut quiet_s) = (START_MS / 1_000, 0);
    while quiet_s < QUIET_S {
        quiet_s = if due.requests.is_empty() && due.records.is_empty() { quiet_s + 1 } else { 0 };
        bench.clock.set(now_s * 1_000);
        let mut records = due.records.remove(&now_s).unwrap_or_default();
        for body in due.requests.remove(&now_s).unwrap_or_default() {
            records.extend(accounts.records(&keyring, &body, now_s * 1_000));
        }
        bench.feed(records).await;
        for (at_s, answer) in world.answers(&bench.log, now_s, &mut dice) {
            due.records.entry(at_s).or_default().push(answer);
        }
        now_s += 1;
    }
    judged(&bench.log, messages, requests);
}

/// One message each, one answer each turn.
fn judged(log: &MemoryLog, messages: u64, requests: usize) {
    let mut heard = BTreeMap::<MessageId, usize>::new();
    let mut decided = BTreeMap::<MessageId, usize>::new();
    let mut automatic = BTreeSet::new();
    let mut sent = BTreeMap::<(ConversationId, i64, i32), Vec<ReplyPurpose>>::new();
    for stored in log.records(CONVERSATIONS) {
        let line = Conversation::from_bytes(&stored.value.unwrap()).unwrap();
        match line.event {
            ConversationEvent::MessageReceived(message) => {
                *heard.entry(message.head.message_id).or_default() += 1;
            }
            ConversationEvent::TurnDecided(turn) => {
                for id in &turn.messages {
                    *decided.entry(*id).or_default() += 1;
                }
                if turn.route == schemas::conversation::Route::Auto {
                    automatic.insert((line.conversation_id, turn.turn, 0));
                }
            }
            ConversationEvent::ReplySent(reply) => {
                let of = (line.conversation_id, reply.turn, reply.part);
                sent.entry(of).or_default().push(reply.purpose);
            }
            _ => {}
        }
    }
    let replies = log.records(REPLIES).len();
    println!(
        "{requests} requests told {messages} messages: {} turns answered by the machine, {replies} replies",
        automatic.len()
    );
    assert_eq!(heard.len(), usize::try_from(messages).unwrap(), "none lost");
    assert!(heard.values().all(|times| *times == 1), "none twice");
    assert!(decided.keys().eq(heard.keys()), "each is decided");
    assert!(decided.values().all(|times| *times == 1), "each in one turn");
    assert!(sent.values().all(|replies| replies.len() == 1), "one reply each turn: {sent:?}");
    assert_eq!(sent.len(), replies, "each reply came to its end once");
    let unanswered: Vec<_> = automatic.iter().filter(|turn| !sent.contains_key(turn)).collect();
    assert!(unanswered.is_empty(), "{unanswered:?}");
    assert!(automatic.len() > 100 && requests > heard.len() * 3 / 2, "a mix worth the name");
}
