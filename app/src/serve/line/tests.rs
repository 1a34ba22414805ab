//! Both layouts over the same traffic: what they write is the same, topic by topic.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use classifier::{Models, Task, corpus, train_bundled_head, write_head};
use pipeline::broadcast::Versioned;
use pipeline::clock::ManualClock;
use pipeline::log::memory::MemoryLog;
use pipeline::runner::{StageRunner, Stepped};
use pipeline::telemetry::metrics::Metrics;
use pipeline::{Headers, Log, Policy};
use schemas::conversation::{Conversation, ConversationEvent};
use schemas::ids::{CommandId, ContactKey, ConversationId, LineKey, MessageId};
use schemas::line::{Classified, ClassifiedBody, Turns as TurnsRecord, TurnsBody};
use schemas::message::*;
use schemas::ops::DeadLetter;
use schemas::sealed::TenantKeys;
use schemas::topics::{DEAD_LETTERS, HANDOFFS, Topic};
use schemas::work::{ActionRequest, Reply};

use super::*;

mod isolation;
mod mix;

const START_MS: i64 = 1_795_262_400_000;
const CONTACTS: u8 = 40;

fn keys() -> TenantKeys {
    TenantKeys::derive("demo", "1", &[7; 32])
}

fn contact(n: u8) -> Vec<u8> {
    LineKey::new("demo", ContactKey([n; 16])).to_bytes()
}

fn record(key: Vec<u8>, body: InboundBody, at_ms: i64) -> Record {
    Record::new(INBOUND, key, Inbound { body }.to_bytes().unwrap(), at_ms)
}

/// A message; every ninth is a button or a picture, every eleventh waits for its answer.
fn message(n: u16, text: &str, at_ms: i64) -> Record {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&n.to_be_bytes());
    let kind = if n % 9 == 4 { MessageKind::Image } else { MessageKind::Text };
    let message = Message {
        head: MessageHead {
            message_id: MessageId(id),
            channel: Channel::WebChat,
            provider: "web_chat".to_owned(),
            account: "site".to_owned(),
            direction: Direction::Inbound,
            kind,
            provider_message_id: None,
            reply_to: None,
            thread_key: None,
            contact_sealed: keys().seal(b"contact", b"x").unwrap(),
            text_sealed: Some(keys().seal(&id, text.as_bytes()).unwrap()),
            text_masked: Some(text.to_owned()),
            choice: None,
            attachments: Vec::new(),
            site: None,
            auto_generated: n % 37 == 5,
            verified: n.is_multiple_of(2),
            event_time_ms: at_ms,
            reply_window_until_ms: None,
            answer_via: AnswerVia::Channel,
            attributes: BTreeMap::new(),
            thread_sealed: None,
            changes: None,
            deleted: false,
        },
        text: Some(text.to_owned()),
        flush: n % 11 == 3,
    };
    let who = u8::try_from((u32::from(n) * 7) % u32::from(CONTACTS)).unwrap();
    record(contact(who), InboundBody::Message(Box::new(message)), at_ms)
}

/// Messages one after the other; every eighth comes twice, some come in a way nobody can use.
fn messages(texts: &[String], numbers: std::ops::Range<u16>, from_ms: i64) -> Vec<Record> {
    let mut records = Vec::new();
    for n in numbers {
        let at_ms = from_ms + i64::from(n) * 97;
        let text = &texts[usize::from(n) * 13 % texts.len()];
        records.push(message(n, text, at_ms));
        if n % 8 == 6 {
            records.push(message(n, text, at_ms + 3));
        }
        if n % 50 == 20 {
            records.push(Record::new(INBOUND, contact(1), "not a record".as_bytes(), at_ms));
        }
    }
    records
}

/// It reached the customer.
fn sent(reply: Reply) -> DeliveryOutcome {
    DeliveryOutcome {
        conversation_id: reply.conversation_id,
        turn: reply.due.turn,
        purpose: reply.due.purpose,
        part: reply.due.part,
        parts: reply.parts,
        result: DeliveryResult::Sent,
        provider_message_id: None,
        error: None,
        agent: reply.agent,
        answer_id: reply.answer_id,
        text_sealed: Some(reply.text_sealed),
        text_masked: Some(reply.text_masked),
        buttons: Vec::new(),
        intent: reply.due.intent,
    }
}

/// What the world and the agents answer to what was written: outcomes, statuses and commands.
fn answers(log: &MemoryLog, at_ms: i64) -> Vec<Record> {
    let read = |topic: Topic| log.records(topic).into_iter().filter(|r| r.value.is_some());
    let mut answers = Vec::new();
    for (n, stored) in read(ACTIONS).enumerate() {
        let asked = ActionRequest::from_bytes(&stored.value.unwrap()).unwrap();
        let outcome = ActionOutcome {
            conversation_id: asked.conversation_id,
            turn: asked.turn,
            action: asked.action,
            result: if n % 3 == 2 { ActionResult::Failed } else { ActionResult::Done },
            finding: "ok".to_owned(),
            fields_sealed: None,
            facts: BTreeMap::from([("line_down".to_owned(), n % 2 == 0)]),
            customer: None,
        };
        answers.push(record(stored.key.to_vec(), InboundBody::ActionOutcome(outcome), at_ms));
    }
    for stored in read(REPLIES) {
        let outcome = sent(Reply::from_bytes(&stored.value.unwrap()).unwrap());
        let body = InboundBody::DeliveryOutcome(Box::new(outcome));
        answers.push(record(stored.key.to_vec(), body, at_ms));
    }
    let mut seen = BTreeSet::new();
    for stored in read(CONVERSATIONS) {
        let told = Conversation::from_bytes(&stored.value.unwrap()).unwrap();
        if matches!(told.event, ConversationEvent::Queued(_) | ConversationEvent::TurnDecided(_))
            && seen.insert(told.conversation_id)
        {
            let n = u8::try_from(seen.len()).unwrap();
            answers.extend(commands(&stored.key, told.conversation_id, n, at_ms));
        }
    }
    answers
}

fn commands(key: &[u8], of: ConversationId, n: u8, at_ms: i64) -> Vec<Record> {
    use CommandAction::{Claim, Release, Reply, Resolve};
    let asked: &[CommandAction] = match n % 4 {
        0 => &[Claim, Reply, Resolve],
        1 => &[Claim, Release],
        2 => &[Reply, Reply],
        _ => &[],
    };
    let command = |(part, action): (u8, &CommandAction)| {
        let text = (*action == Reply).then_some("já vou ver");
        let command = Command {
            command_id: CommandId([n * 4 + part; 16]),
            conversation_id: of,
            agent: "Ana".to_owned(),
            action: *action,
            text_sealed: text.map(|text| keys().seal(&[n, part], text.as_bytes()).unwrap()),
            text_masked: text.map(str::to_owned),
            label: None,
            queue: None,
            to_agent: None,
            until_ms: None,
            answer_id: None,
            score: None,
        };
        record(key.to_vec(), InboundBody::Command(command), at_ms + i64::from(n))
    };
    (0..).zip(asked).map(command).collect()
}

/// The stages of a layout over a log in memory.
struct Bench {
    log: MemoryLog,
    clock: Arc<ManualClock>,
    runners: Vec<StageRunner>,
}

impl Bench {
    async fn new(layout: Layout, models: &Arc<Swapped<Models>>) -> Self {
        let mut settings = Settings::load(None).unwrap();
        settings.line.layout = layout;
        Self::of(&settings, &Arc::new(Keyring::new([keys()])), models).await
    }

    async fn of(
        settings: &Settings,
        keyring: &Arc<Keyring>,
        models: &Arc<Swapped<Models>>,
    ) -> Self {
        let log = MemoryLog::new(4);
        let clock = Arc::new(ManualClock::at(START_MS));
        let (inputs, _) = Inputs::load(&log, settings, START_MS).await.unwrap();
        let mut policy = Policy { commit_every: Duration::ZERO, ..Policy::default() };
        policy.brake.consecutive_max = 1_000;
        let mut runners = Vec::new();
        let minutes = Chain::of(CONVERSATIONS, CountMinutes, Arc::new(Nothing::default()));
        let [counting, ..] = other_groups();
        let mut chains = answering(keyring, &inputs, Some(models), settings).unwrap();
        chains.push((minutes, counting));
        for (chain, group) in chains {
            let setup = Setup {
                log: Arc::new(log.clone()),
                clock: Arc::clone(&clock) as _,
                metrics: Arc::new(Metrics::new().unwrap()),
                ticks: Some(tick),
                policy,
                probe: None,
            };
            let stop = CancellationToken::new();
            runners.push(StageRunner::join_chain(chain, &group, setup, stop).await.unwrap());
        }
        Self { log, clock, runners }
    }

    /// Until nobody has anything left to do.
    async fn settle(&mut self) {
        let mut quiet = 0;
        while quiet < 2 {
            quiet += 1;
            for runner in &mut self.runners {
                while runner.step(Duration::ZERO).await.unwrap() == Stepped::Worked
                    || self.log.lag(runner.group()).await.unwrap() > 0
                {
                    quiet = 0;
                }
            }
        }
    }

    async fn feed(&mut self, records: Vec<Record>) {
        self.log.append(records).await.unwrap();
        self.settle().await;
    }

    /// Moves the time second by second, then by the minute, so that deadlines pass one after the other.
    async fn pass(&mut self, seconds: i64, minutes: i64) {
        let steps = (0..seconds).map(|_| 1_000).chain((0..minutes).map(|_| 60_000));
        for step in steps {
            self.clock.set(self.clock.now_ms() + step);
            self.settle().await;
        }
    }
}

type Said = (Option<Vec<u8>>, i64, Option<pipeline::TraceContext>, Option<String>);

/// What a topic says of each key, in order, without who made it of what.
fn said(log: &MemoryLog, topic: Topic) -> BTreeMap<Vec<u8>, Vec<Said>> {
    let mut said: BTreeMap<_, Vec<Said>> = BTreeMap::new();
    for stored in log.records(topic) {
        let Headers { trace, replay_of, .. } = stored.headers;
        let mut value = stored.value.map(|value| value.to_vec());
        if topic == DEAD_LETTERS {
            // The place is that of what the chain took, and the headers name whose output it was.
            let mut letter = DeadLetter::from_bytes(&value.unwrap()).unwrap();
            (letter.partition, letter.offset, letter.headers) = (0, 0, Vec::new());
            value = Some(letter.to_bytes().unwrap());
        }
        let replay_of = replay_of.map(String::from);
        let entry = (value, stored.time_ms, trace, replay_of);
        said.entry(stored.key.to_vec()).or_default().push(entry);
    }
    said
}

fn models() -> Arc<Swapped<Models>> {
    let rows: Vec<_> = corpus::training().unwrap().into_iter().step_by(2).collect();
    let dir = tempfile::tempdir().unwrap();
    let head = train_bundled_head(Task::Intent, &rows, &mut |_| {}).unwrap();
    write_head(dir.path(), &head).unwrap();
    let models = Models::open(dir.path()).unwrap();
    let first = Arc::new(Versioned { version: models.version().into(), content: models });
    Arc::new(Swapped::new(first, |_| panic!("only one version")))
}

#[tokio::test]
async fn both_layouts_write_the_same() {
    let models = models();
    let texts: Vec<String> =
        corpus::training().unwrap().into_iter().map(|row| row.text).take(3_000).collect();
    let mut separate = Bench::new(Layout::Separate, &models).await;
    let mut chained = Bench::new(Layout::Chained, &models).await;
    assert_eq!((separate.runners.len(), chained.runners.len()), (5, 2));
    let mut fed = 0;
    for round in 0..2u16 {
        let from_ms = separate.clock.now_ms();
        let first = messages(&texts, round * 200..(round + 1) * 200, from_ms);
        fed += first.len();
        for bench in [&mut separate, &mut chained] {
            bench.feed(first.clone()).await;
            bench.pass(60, 0).await;
        }
        let second = answers(&separate.log, separate.clock.now_ms());
        fed += second.len();
        for bench in [&mut separate, &mut chained] {
            bench.feed(second.clone()).await;
            bench.pass(5, 40).await;
        }
    }
    for bench in [&mut separate, &mut chained] {
        bench.pass(0, 60).await;
    }
    let mut counts = BTreeMap::new();
    let topics =
        [INBOUND, TURNS, CLASSIFIED, CONVERSATIONS, ACTIONS, HANDOFFS, REPLIES, DEAD_LETTERS];
    for topic in topics {
        let (alone, together) = (said(&separate.log, topic), said(&chained.log, topic));
        counts.insert(topic.0, alone.values().map(Vec::len).sum::<usize>());
        assert_eq!(alone.keys().collect::<Vec<_>>(), together.keys().collect::<Vec<_>>());
        for (key, alone) in alone {
            assert_eq!(together[&key], alone, "{topic} of {}", String::from_utf8_lossy(&key));
        }
    }
    assert!(fed >= 500 && counts.values().all(|count| *count > 0), "{fed} fed; {counts:?}");
    assert!(chained.log.records(TURNS_STATE).is_empty() && counts["inbound"] > fed, "{counts:?}");
    let ticked = |topic: Topic, is_tick: fn(&[u8]) -> bool| {
        separate.log.records(topic).iter().any(|r| r.value.as_deref().is_some_and(is_tick))
    };
    assert!(ticked(TURNS, |bytes| {
        matches!(TurnsRecord::from_bytes(bytes).unwrap().body, TurnsBody::Tick(_))
    }));
    assert!(ticked(CLASSIFIED, |bytes| {
        matches!(Classified::from_bytes(bytes).unwrap().body, ClassifiedBody::Tick(_))
    }));
}
