//! Two tenants on one line: what each of them writes is what it writes alone, whatever the other does.
//! Their customers have the same telephone numbers, and providers name the messages alike.

use ingest::door::{Event, HeardMessage, Identity, sealed};
use pipeline::Envelope;
use proptest::prelude::*;
use schemas::topics::LABELS;
use sink::rows::{self, Row};

use super::*;

const TENANTS: [&str; 2] = ["acme", "demo"];
const TEXTS: [&str; 6] = [
    "minha internet caiu",
    "quero a segunda via do boleto",
    "falar com atendente",
    "oi",
    "quero cancelar o contrato",
    "xyzzy",
];

/// Somebody does something, some time after the one before.
#[derive(Debug, Clone)]
struct Step {
    tenant: usize,
    customer: u8,
    what: What,
    after_ms: i64,
}

#[derive(Debug, Clone)]
enum What {
    Writes {
        text: usize,
        again: bool,
    },
    /// The CRM and the channels answer what was asked, agents do some work.
    WorldAnswers,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let writes = (0..TEXTS.len(), any::<bool>());
    let writes = writes.prop_map(|(text, again)| What::Writes { text, again });
    let what = prop_oneof![3 => writes, 1 => Just(What::WorldAnswers)];
    let step = (0..2usize, 0..3u8, what, prop_oneof![Just(0), 1..400i64, 5_000..30_000i64]);
    let step = step.prop_map(|(tenant, customer, what, after_ms)| Step {
        tenant,
        customer,
        what,
        after_ms,
    });
    prop::collection::vec(step, 4..20)
}

fn keyring() -> Arc<Keyring> {
    Arc::new(Keyring::new(
        [(TENANTS[0], 1), (TENANTS[1], 2)]
            .map(|(name, secret)| TenantKeys::derive(name, "1", &[secret; 32])),
    ))
}

/// Each tenant has some things of its own.
fn settings() -> Settings {
    let mut settings = Settings::load(None).unwrap();
    let mut own = settings.tenants["demo"].clone();
    own.grouping = Some(toml::from_str("window_ms = 3000").unwrap());
    settings.tenants.insert("acme".to_owned(), own);
    settings
}

fn heard(n: usize, step: &Step, text: &str) -> HeardMessage {
    let phone = format!("+551198765432{}", step.customer);
    HeardMessage {
        channel: Channel::Whatsapp,
        provider: "whatsapp_cloud",
        account: "main".to_owned(),
        contact: Contact {
            ids: vec![ContactId { kind: ContactIdKind::WaPhone, value: phone, scope: None }],
            name: Some("Maria".to_owned()),
        },
        identity: Identity::Provider(format!("wamid.{n}")),
        direction: Direction::Inbound,
        kind: MessageKind::Text,
        text: Some(text.to_owned()),
        choice: None,
        attachments: Vec::new(),
        reply_to: None,
        thread: None,
        auto_generated: false,
        verified: false,
        event_time_ms: None,
        reply_window_ms: None,
        answer_via: AnswerVia::Channel,
        flush: false,
        attributes: BTreeMap::new(),
    }
}

/// What the world answers to one tenant's customers, the same whatever else is in the log.
fn world(log: &MemoryLog, tenant: &str, keyring: &Keyring, at_ms: i64) -> Vec<Record> {
    let of = |topic: Topic| {
        let ours = move |stored: &pipeline::Stored| is_of(&stored.key, tenant);
        log.records(topic)
            .into_iter()
            .filter(ours)
            .filter_map(|it| Some((it.key.to_vec(), it.value?)))
    };
    let mut answers = Vec::new();
    for (key, value) in of(ACTIONS) {
        let asked = ActionRequest::from_bytes(&value).unwrap();
        let outcome = ActionOutcome {
            conversation_id: asked.conversation_id,
            turn: asked.turn,
            action: asked.action,
            result: ActionResult::Done,
            finding: "line_los".to_owned(),
            fields_sealed: None,
            facts: BTreeMap::from([("line_down".to_owned(), true)]),
            customer: None,
        };
        answers.push(record(key, InboundBody::ActionOutcome(outcome), at_ms));
    }
    for (key, value) in of(REPLIES) {
        let body = InboundBody::DeliveryOutcome(Box::new(sent(Reply::from_bytes(&value).unwrap())));
        answers.push(record(key, body, at_ms));
    }
    for (key, value) in of(CONVERSATIONS) {
        let told = Conversation::from_bytes(&value).unwrap();
        let ConversationEvent::TurnDecided(decided) = told.event else { continue };
        let id = |part: u8| {
            let mut id = [part; 16];
            id[..8].copy_from_slice(&decided.turn.to_be_bytes());
            id[8..12].copy_from_slice(&told.conversation_id.0[..4]);
            CommandId(id)
        };
        let work = [CommandAction::Claim, CommandAction::Reply, CommandAction::Resolve];
        for (part, action) in (0..).zip(work).skip(usize::from(decided.turn % 2 == 0)) {
            let keys = keyring.of(tenant).unwrap();
            let text = (action == CommandAction::Reply).then_some("já vou ver");
            let command = Command {
                command_id: id(part),
                conversation_id: told.conversation_id,
                agent: "Ana".to_owned(),
                action,
                text_sealed: text.map(|text| keys.seal(&id(part).0, text.as_bytes()).unwrap()),
                text_masked: text.map(str::to_owned),
                label: None,
                queue: None,
                to_agent: None,
                until_ms: None,
                answer_id: None,
                score: None,
            };
            answers.push(record(key.clone(), InboundBody::Command(command), at_ms));
        }
    }
    answers
}

fn is_of(key: &[u8], tenant: &str) -> bool {
    key.strip_prefix(tenant.as_bytes())
        .is_some_and(|rest| matches!(rest.first(), Some(b':' | b'|')))
}

/// Lives through `steps` with the tenants in `present`.
async fn lived(steps: &[Step], present: &[&str], models: &Arc<Swapped<Models>>) -> MemoryLog {
    let (keyring, settings) = (keyring(), settings());
    let mut bench = Bench::of(&settings, &keyring, models).await;
    for (n, step) in steps.iter().enumerate() {
        bench.clock.set(bench.clock.now_ms() + step.after_ms);
        bench.settle().await;
        let (tenant, now_ms) = (TENANTS[step.tenant], bench.clock.now_ms());
        if present.contains(&tenant) {
            let records = match &step.what {
                What::Writes { text, again } => {
                    // Providers number messages for each of their accounts: two may have the same.
                    let heard = heard(n / 2, step, TEXTS[*text]);
                    let twice = if *again { vec![heard.clone(), heard] } else { vec![heard] };
                    let events = twice.into_iter().map(|it| Event::Message(Box::new(it)));
                    sealed(&keyring, tenant, events.collect(), now_ms).unwrap()
                }
                What::WorldAnswers => world(&bench.log, tenant, &keyring, now_ms),
            };
            bench.log.append(records).await.unwrap();
        }
        bench.settle().await;
    }
    bench.pass(30, 3).await;
    bench.log
}

/// What a tenant has in every topic, and what of it comes into the store.
fn all_of(log: &MemoryLog, tenant: &str) -> BTreeMap<&'static str, String> {
    let streams = [
        INBOUND,
        TURNS,
        CLASSIFIED,
        CONVERSATIONS,
        ACTIONS,
        HANDOFFS,
        REPLIES,
        LABELS,
        DEAD_LETTERS,
    ];
    let mut all = BTreeMap::new();
    for topic in streams {
        let ours: Vec<_> =
            said(log, topic).into_iter().filter(|(key, _)| is_of(key, tenant)).collect();
        all.insert(topic.0, format!("{ours:?}"));
    }
    // Of states the last word counts: how often they are written down is the runner's affair.
    for topic in [TURNS_STATE, ROUTER_STATE, METRICS_STATE] {
        let mut last = BTreeMap::new();
        for stored in log.records(topic).into_iter().filter(|stored| is_of(&stored.key, tenant)) {
            last.insert(stored.key, stored.value);
        }
        all.insert(topic.0, format!("{last:?}"));
    }
    let mut kept: Vec<Row> = Vec::new();
    for stored in log.records(CONVERSATIONS).iter().filter(|stored| is_of(&stored.key, tenant)) {
        let body = Conversation::from_bytes(stored.value.as_ref().unwrap()).unwrap();
        assert_eq!(body.tenant, tenant);
        let envelope = Envelope {
            key: stored.key.clone(),
            topic: stored.topic,
            partition: 0,
            offset: 0,
            time_ms: stored.time_ms,
            headers: Headers::default(),
            body,
        };
        kept.extend(rows::of_conversation(&envelope).unwrap());
    }
    kept.sort_by_key(|row| format!("{row:?}"));
    all.insert("store", format!("{kept:?}"));
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn each_tenant_lives_as_if_it_were_alone(steps in steps()) {
        static MODELS: std::sync::OnceLock<Arc<Swapped<Models>>> = std::sync::OnceLock::new();
        let models = MODELS.get_or_init(models);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (together, alone) = runtime.block_on(async {
            let together = lived(&steps, &TENANTS, models).await;
            let mut alone = Vec::new();
            for tenant in TENANTS {
                alone.push(lived(&steps, &[tenant], models).await);
            }
            (together, alone)
        });
        for (tenant, alone) in TENANTS.into_iter().zip(&alone) {
            let (beside, alone) = (all_of(&together, tenant), all_of(alone, tenant));
            for (topic, beside) in &beside {
                prop_assert_eq!(beside, &alone[topic], "{} of {}", topic, tenant);
            }
        }
        let [acme, demo] = TENANTS.map(|tenant| {
            let wrote = |step: &&Step| matches!(step.what, What::Writes { .. });
            steps.iter().filter(wrote).any(|step| TENANTS[step.tenant] == tenant)
        });
        // It is no empty promise: who wrote has a history.
        prop_assert_eq!(all_of(&together, "acme")["store"] != "[]", acme);
        prop_assert_eq!(all_of(&together, "demo")["store"] != "[]", demo);
    }
}
