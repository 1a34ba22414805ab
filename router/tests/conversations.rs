//! The conversation state machine, told as stories.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test fails loudly

use std::sync::Arc;

use pipeline::Verdict;
use pipeline::testkit::{Driver, Seen};
use proptest::prelude::*;
use router::{Router, RouterOut, Settings};
use schemas::conversation::*;
use schemas::ids::*;
use schemas::labels::LabelGiven;
use schemas::line::*;
use schemas::message::*;
use schemas::sealed::{Keyring, SealedText, TenantKeys};

const MINUTE_MS: i64 = 60_000;
const START_MS: i64 = 1_795_262_400_000;

fn keys() -> TenantKeys {
    TenantKeys::derive("demo", "1", &[7; 32])
}

fn sealed(text: &str) -> SealedText {
    keys().seal(b"t", text.as_bytes()).unwrap()
}

/// One contact's conversation, from the outside.
struct Story {
    driver: Driver<Router>,
    key: LineKey,
    now_ms: i64,
    turn: i64,
    command: u8,
    /// Of an e-mail; none: they chat.
    thread: Option<String>,
    /// Until when the customer may be written to.
    window_until_ms: Option<i64>,
    seen: Vec<Seen<RouterOut>>,
}

impl Story {
    fn new() -> Self {
        Self::with(Settings::built_in().unwrap())
    }

    fn with(settings: Settings) -> Self {
        let keyring = Arc::new(Keyring::new([keys()]));
        let tick = |tick| Classified { body: ClassifiedBody::Tick(tick) };
        Self {
            driver: Driver::new(Router::new(keyring), settings.into(), tick),
            key: LineKey::new("demo", ContactKey([1; 16])),
            now_ms: START_MS,
            turn: 0,
            command: 0,
            thread: None,
            window_until_ms: None,
            seen: Vec::new(),
        }
    }

    /// From now on messages come with a window for answers.
    fn window_until(&mut self, ms: i64) -> &mut Self {
        self.window_until_ms = Some(ms);
        self
    }

    fn feed(&mut self, body: ClassifiedBody) -> &mut Self {
        let seen = self.driver.feed(&self.key.to_bytes(), self.now_ms, Classified { body });
        self.seen.push(seen);
        self
    }

    fn after(&mut self, ms: i64) -> &mut Self {
        self.now_ms += ms;
        let seen = self.driver.pass(self.now_ms);
        self.seen.extend(seen);
        self
    }

    fn receives(&mut self, text: &str) -> &mut Self {
        self.receives_marked(text, false)
    }

    fn receives_marked(&mut self, text: &str, auto_generated: bool) -> &mut Self {
        let head = MessageHead {
            message_id: MessageId([u8::try_from(self.turn % 250).unwrap() + 1; 16]),
            channel: self.thread.as_ref().map_or(Channel::WebChat, |_| Channel::Email),
            provider: "web_chat".into(),
            account: "site".into(),
            direction: Direction::Inbound,
            kind: MessageKind::Text,
            provider_message_id: None,
            reply_to: None,
            thread_key: self.thread.clone(),
            contact_sealed: sealed("contact"),
            text_sealed: Some(sealed(text)),
            text_masked: Some(text.into()),
            choice: None,
            attachments: vec![],
            site: None,
            auto_generated,
            verified: false,
            event_time_ms: self.now_ms,
            reply_window_until_ms: self.window_until_ms,
            answer_via: AnswerVia::Channel,
            attributes: std::collections::BTreeMap::new(),
            thread_sealed: None,
            changes: None,
            deleted: false,
        };
        self.feed(ClassifiedBody::Received(Box::new(Received { head, aliases: Vec::new() })))
    }

    fn receives_from_a_machine(&mut self) -> &mut Self {
        self.receives_marked("estou de férias", true)
    }

    /// A message that is a turn of its own, classified as `c`.
    fn says(&mut self, text: &str, c: Option<Classification>) -> &mut Self {
        self.says_with(text, c, |_| {})
    }

    fn says_with(
        &mut self,
        text: &str,
        classification: Option<Classification>,
        change: impl Fn(&mut Turn),
    ) -> &mut Self {
        self.receives(text);
        self.turn += 1;
        let mut turn = Turn {
            turn: self.turn,
            messages: vec![TurnMessage {
                message_id: MessageId([u8::try_from((self.turn - 1) % 250).unwrap() + 1; 16]),
                kind: MessageKind::Text,
            }],
            text: None,
            text_masked: Some(text.into()),
            closed_by: TurnClosedBy::Window,
            answer_via: AnswerVia::Channel,
            needs_person: false,
            choice: None,
            auto_generated: false,
            facts: std::collections::BTreeMap::new(),
            previous_intent: None,
            linked: Vec::new(),
            elsewhere: Vec::new(),
            claims_sealed: None,
            transcript_confidence: None,
        };
        change(&mut turn);
        self.feed(ClassifiedBody::ClassifiedTurn(Box::new(ClassifiedTurn { turn, classification })))
    }

    fn conversation(&self) -> ConversationId {
        self.records().last().map_or(ConversationId([0; 20]), |record| record.conversation_id)
    }

    fn action(&mut self, action: &str, result: ActionResult, finding: &str) -> &mut Self {
        let outcome = ActionOutcome {
            conversation_id: self.conversation(),
            turn: self.turn,
            action: action.into(),
            result,
            finding: finding.into(),
            fields_sealed: None,
            facts: std::collections::BTreeMap::new(),
            customer: None,
        };
        self.feed(ClassifiedBody::ActionOutcome(outcome))
    }

    fn delivered(&mut self, turn: i64, purpose: ReplyPurpose, result: DeliveryResult) -> &mut Self {
        let part = if purpose == ReplyPurpose::AgentReply { 1 } else { 0 };
        self.delivered_part(turn, purpose, result, (part, 1))
    }

    fn delivered_part(
        &mut self,
        turn: i64,
        purpose: ReplyPurpose,
        result: DeliveryResult,
        (part, parts): (i32, i32),
    ) -> &mut Self {
        let outcome = DeliveryOutcome {
            conversation_id: self.conversation(),
            turn,
            purpose,
            part,
            result,
            parts,
            provider_message_id: Some(format!("out.{turn}.{part}")),
            error: None,
            agent: None,
            answer_id: None,
            text_sealed: None,
            text_masked: None,
            buttons: vec![],
            intent: None,
        };
        self.feed(ClassifiedBody::DeliveryOutcome(Box::new(outcome)))
    }

    /// A provider tells that a reply it had taken did not arrive.
    fn failed(&mut self, turn: i64, part: i32) -> &mut Self {
        self.feed(ClassifiedBody::ProviderStatus(ProviderStatus {
            provider_message_id: format!("out.{turn}.{part}"),
            status: ProviderStatusKind::Failed,
            error_code: Some("131026".into()),
            event_time_ms: self.now_ms,
            callback: None,
        }))
    }

    fn asks(&mut self, agent: &str, action: CommandAction) -> &mut Self {
        self.asks_with(agent, action, |_| {})
    }

    fn asks_with(
        &mut self,
        agent: &str,
        action: CommandAction,
        change: impl Fn(&mut Command),
    ) -> &mut Self {
        self.command += 1;
        let text = (action == CommandAction::Reply).then(|| "já vou ver".to_owned());
        let mut command = Command {
            command_id: CommandId([self.command; 16]),
            conversation_id: self.conversation(),
            agent: agent.into(),
            action,
            text_sealed: text.as_deref().map(sealed),
            text_masked: text,
            label: None,
            queue: None,
            to_agent: None,
            until_ms: None,
            answer_id: None,
            score: None,
        };
        change(&mut command);
        self.feed(ClassifiedBody::Command(command))
    }

    fn transfers(&mut self, agent: &str, queue: Option<&str>, to_agent: Option<&str>) -> &mut Self {
        self.asks_with(agent, CommandAction::Transfer, |command| {
            command.queue = queue.map(str::to_owned);
            command.to_agent = to_agent.map(str::to_owned);
            command.text_sealed = Some(sealed("quer o plano maior"));
            command.text_masked = Some("quer o plano maior".into());
        })
    }

    fn snoozes(&mut self, agent: &str, ms: i64) -> &mut Self {
        let until_ms = self.now_ms + ms;
        self.asks_with(agent, CommandAction::Snooze, |command| command.until_ms = Some(until_ms))
    }

    /// Minutes from the story's begin to what the last record says is due.
    fn due_minutes(&self) -> Option<i64> {
        let due_ms = self.records().last().and_then(|record| record.sla_due_ms)?;
        Some((due_ms - START_MS) / MINUTE_MS)
    }

    /// An agent says that turn `turn`, taken for `predicted`, was about `intent`.
    fn labels(&mut self, turn: i64, predicted: &str, intent: &str) -> &mut Self {
        self.command += 1;
        let first = MessageId([u8::try_from((turn - 1) % 250).unwrap() + 1; 16]);
        let label = LabelGiven {
            turn,
            messages: vec![first],
            intent: intent.into(),
            sentiment: None,
            model_version: "test".into(),
            predicted: predicted.into(),
            confidence: 0.97,
            predicted_sentiment: Sentiment::Neutro,
            route: Route::Auto,
        };
        self.feed(ClassifiedBody::Command(Command {
            command_id: CommandId([self.command; 16]),
            conversation_id: self.conversation(),
            agent: "Ana".into(),
            action: CommandAction::Label,
            text_sealed: None,
            text_masked: Some("meu CPF é [cpf]".into()),
            label: Some(label),
            queue: None,
            to_agent: None,
            until_ms: None,
            answer_id: None,
            score: None,
        }))
    }

    fn records(&self) -> Vec<&Conversation> {
        let outputs = self.seen.iter().flat_map(|seen| &seen.outputs);
        outputs
            .filter_map(|(_, out)| match out {
                RouterOut::Conversation(record) => Some(&**record),
                _ => None,
            })
            .collect()
    }

    /// The story so far, a line a record.
    fn told(&self) -> String {
        let mut lines = Vec::new();
        for seen in &self.seen {
            if seen.verdict != Verdict::Done {
                lines.push(format!("  {:?}", seen.verdict));
            }
            for (_, out) in &seen.outputs {
                lines.push(match out {
                    RouterOut::Conversation(record) => line_of(record),
                    RouterOut::Action(request) => format!("  asks CRM {}", request.action),
                    RouterOut::Handoff(handoff) => format!(
                        "  asks people in {} ({:?}) because {:?}",
                        handoff.queue, handoff.priority, handoff.reason
                    ),
                    RouterOut::Customer(record) => format!("  customers: {}", record.key()),
                    RouterOut::Told(key, told) => format!("  tells {key:?}: {told:?}"),
                    RouterOut::Label(label) => format!(
                        "  label {}: {} instead of {}, {}",
                        label.source.as_str(),
                        label.intent,
                        label.predicted,
                        label.text_masked
                    ),
                });
            }
        }
        lines.join("\n")
    }
}

fn line_of(record: &Conversation) -> String {
    let mut line = format!("{} {}", record.seq, record.event.name());
    match &record.event {
        ConversationEvent::TurnDecided(decided) => {
            line += &format!(" {:?} {:?}", decided.route, decided.reason);
        }
        ConversationEvent::Queued(queued) => line += &format!(" {:?}", queued.reason),
        ConversationEvent::Refused(refused) => {
            line += &format!(" {} {:?}: {}", refused.agent, refused.action, refused.reason);
        }
        ConversationEvent::ReplySent(sent) => {
            line += &format!(" {:?} {:?}", sent.purpose, sent.result);
        }
        ConversationEvent::ActionDone(done) => {
            line += &format!(" {:?} {}", done.result, done.finding);
        }
        ConversationEvent::Transferred(transferred) => {
            let to = transferred.queue.as_ref().or(transferred.to_agent.as_ref());
            line += &format!(" by {} to {}", transferred.agent, to.unwrap());
        }
        ConversationEvent::SlaBreached(SlaBreached { resolution: true, .. }) => {
            line += " resolution";
        }
        _ => {}
    }
    line += &format!(" -> {}", record.state.as_str());
    if let Some(owner) = &record.owner {
        line += &format!(" of {owner}");
    }
    if let Some(due) = &record.answer_due {
        let protocol = if due.tell_protocol { " with protocol" } else { "" };
        line += &format!(" | due {:?}{protocol}", due.purpose);
    }
    if let Some(turns) = &record.to_check {
        line += &format!(" | to check {turns:?}");
    }
    for settled in &record.settled {
        line += &format!(" | settled {} {:?}", settled.turn, settled.route);
    }
    line
}

fn sure(intent: &str) -> Option<Classification> {
    scored(intent, 0.97)
}

#[allow(clippy::unnecessary_wraps)] // the shape of the field
fn scored(intent: &str, confidence: f64) -> Option<Classification> {
    Some(Classification {
        model_version: "test".into(),
        intents: vec![IntentScore { id: intent.into(), probability: confidence }],
        confidence,
        in_scope: true,
        threshold: 0.8,
        would_answer: confidence >= 0.8,
        sentiment: Sentiment::Neutro,
        sentiment_confidence: 0.9,
        frustrated: false,
        urgent: false,
        unknown_share: 0.0,
        explanation: vec![],
    })
}

fn with(c: Option<Classification>, change: impl Fn(&mut Classification)) -> Option<Classification> {
    c.map(|mut c| {
        change(&mut c);
        c
    })
}

#[test]
fn the_machine_checks_the_line_and_answers() {
    let mut story = Story::new();
    story
        .says("minha internet caiu", sure("sem_conexao"))
        .after(200)
        .action("line_check", ActionResult::Done, "line_ok")
        .delivered(1, ReplyPurpose::Answer, DeliveryResult::Sent)
        .after(20_000)
        .says("obrigada!", sure("agradecimento"))
        .delivered(2, ReplyPurpose::Answer, DeliveryResult::Sent);
    insta::assert_snapshot!(story.told(), @r"
    1 opened -> triage
    2 message_received -> triage
    3 turn_decided Auto Confident -> triage
      asks CRM line_check
    4 action_done Done line_ok -> bot_answered | due Answer with protocol
    5 reply_sent Answer Sent -> bot_answered | settled 1 Auto
    6 message_received -> bot_answered
    7 turn_decided Auto Confident -> bot_answered | due Answer
    8 reply_sent Answer Sent -> bot_answered | settled 2 Auto
    9 resolved -> resolved
    ");
}

/// The built-in policy, of which a person looks at every automatic answer.
fn all_checked() -> Settings {
    let mut settings = Settings::built_in().unwrap();
    settings.checks.share = 1.0;
    settings
}

#[test]
fn what_was_picked_is_checked_once_and_changes_nothing_for_the_customer() {
    let mut story = Story::with(all_checked());
    story
        .says("quais planos vocês têm?", sure("planos"))
        .delivered(1, ReplyPurpose::Answer, DeliveryResult::Sent)
        .labels(1, "planos", "cobertura")
        .labels(1, "planos", "planos")
        .says("e o pix", sure("nota_fiscal"))
        .delivered(2, ReplyPurpose::Answer, DeliveryResult::Failed);
    insta::assert_snapshot!(story.told(), @r"
    1 opened -> triage
    2 message_received -> triage
    3 turn_decided Auto Confident -> bot_answered | due Answer with protocol
    4 reply_sent Answer Sent -> bot_answered | to check [1] | settled 1 Auto
    5 labeled -> bot_answered | to check []
      label check: cobertura instead of planos, meu CPF é [cpf]
    6 labeled -> bot_answered
      label correction: planos instead of planos, meu CPF é [cpf]
    7 message_received -> bot_answered
    8 turn_decided Auto Confident -> bot_answered | due Answer
    9 reply_sent Answer Failed -> bot_answered
    10 queued Undeliverable -> queued | settled 2 Human
      asks people in financeiro (Normal) because Undeliverable
    ");
    let visible = story.records().iter().filter(|record| record.chat_seq.is_some()).count();
    assert_eq!(visible, 4, "messages, answer and queue: {}", story.told());
    let label = story.seen.iter().flat_map(|seen| &seen.outputs).find_map(|(key, out)| match out {
        RouterOut::Label(label) => Some((key.clone(), label.clone())),
        _ => None,
    });
    let (key, label) = label.unwrap();
    assert_eq!(key, label.messages[0].to_string(), "the key does not tell the contact");
}

#[test]
fn what_is_due_says_what_it_is_about_as_far_as_the_machine_knows() {
    let mut story = Story::new();
    story
        .says("minha internet caiu", sure("sem_conexao"))
        .action("line_check", ActionResult::Done, "line_ok")
        .says("e os planos?", sure("planos"))
        .says("tá lenta", sure("lentidao"))
        .action("line_check", ActionResult::Failed, "refused")
        .asks("Ana", CommandAction::Claim)
        .asks("Ana", CommandAction::Reply);
    let mut doubtful = Story::new();
    doubtful.says("hm", scored("pix", 0.2));
    let mut likely = Story::new();
    likely.says("acho que é o pix", scored("pix", 0.7));
    let stories = [story, doubtful, likely];
    let about: Vec<_> = stories
        .iter()
        .flat_map(Story::records)
        .filter_map(|record| record.answer_due.as_ref())
        .map(|due| (due.purpose, due.intent.as_deref()))
        .collect();
    let expected = [
        (ReplyPurpose::Answer, Some("sem_conexao")),
        (ReplyPurpose::Answer, Some("planos")),
        (ReplyPurpose::HandoffNotice, Some("lentidao")),
        (ReplyPurpose::AgentReply, None),
        (ReplyPurpose::HandoffNotice, None),
        (ReplyPurpose::HandoffNotice, Some("pix")),
    ];
    assert_eq!(about, expected);
}

#[test]
fn checks_lapse_with_the_conversation_and_labels_need_one() {
    let mut story = Story::with(all_checked());
    story
        .says("quais planos vocês têm?", sure("planos"))
        .delivered(1, ReplyPurpose::Answer, DeliveryResult::Sent)
        .after(31 * MINUTE_MS)
        .after(4 * 24 * 60 * MINUTE_MS)
        .labels(1, "planos", "cobertura");
    let told = story.told();
    assert!(told.contains("closed -> closed | to check []"), "{told}");
    assert!(told.ends_with("refused Ana Label: not_open -> closed"), "{told}");
}

#[test]
fn the_same_turns_are_picked_whenever_the_log_is_read() {
    let mut settings = all_checked();
    settings.checks.share = 0.25;
    let picked = || {
        let mut story = Story::with(settings.clone());
        for turn in 1..=8 {
            story
                .says(
                    "quais planos vocês têm?",
                    sure(if turn % 2 == 0 { "planos" } else { "cobertura" }),
                )
                .delivered(turn, ReplyPurpose::Answer, DeliveryResult::Sent);
        }
        story.records().iter().filter_map(|record| record.to_check.clone()).collect::<Vec<_>>()
    };
    let first = picked();
    assert!(!first.is_empty() && first.len() < 8, "{first:?}");
    assert_eq!(first, picked());
}

#[test]
fn an_answer_in_parts_has_arrived_with_the_last_and_failed_with_the_first_that_did() {
    let settled = |story: &Story| {
        let told = story.records();
        told.iter().flat_map(|line| line.settled.clone()).map(|it| it.route).collect::<Vec<_>>()
    };
    let (answer, sent) = (ReplyPurpose::Answer, DeliveryResult::Sent);
    let mut story = Story::new();
    story.says("quais planos vocês têm?", sure("planos"));
    story.delivered_part(1, answer, sent, (0, 3)).delivered_part(1, answer, sent, (1, 3));
    assert_eq!(settled(&story), []);
    // Told twice, it counts once.
    story.delivered_part(1, answer, sent, (1, 3)).delivered_part(1, answer, sent, (2, 3));
    assert_eq!(settled(&story), [Route::Auto]);
    let mut story = Story::new();
    story.says("quais planos vocês têm?", sure("planos"));
    story.delivered_part(1, answer, sent, (0, 3));
    story.delivered_part(1, answer, DeliveryResult::Failed, (1, 3));
    assert_eq!(settled(&story), [Route::Human]);
    story.delivered_part(1, answer, DeliveryResult::Failed, (2, 3));
    assert_eq!(settled(&story), [Route::Human], "once");
}

#[test]
fn an_intent_that_was_closed_goes_to_people_of_that_tenant() {
    let closed = |tenant: &str| {
        let names = [(tenant.to_owned(), "planos".to_owned())].into();
        let mut story = Story::with(Settings::built_in().unwrap().with_closed(names));
        story.says("quais planos vocês têm?", sure("planos"));
        story.told()
    };
    assert!(closed("demo").contains("turn_decided Human Suspended"), "{}", closed("demo"));
    assert!(closed("other").contains("turn_decided Auto Confident"));
}

#[test]
fn a_cut_fibre_is_told_and_given_to_people() {
    let mut story = Story::new();
    story
        .says("luz vermelha no aparelho", sure("luz_los"))
        .action("line_check", ActionResult::Done, "line_los")
        .delivered(1, ReplyPurpose::Answer, DeliveryResult::Sent);
    insta::assert_snapshot!(story.told(), @r"
    1 opened -> triage
    2 message_received -> triage
    3 turn_decided Auto Confident -> triage
      asks CRM line_check
    4 action_done Done line_los -> bot_answered | due Answer with protocol
    5 queued Policy -> queued
      asks people in suporte (High) because Policy
    6 reply_sent Answer Sent -> queued | settled 1 Auto
    ");
}

#[test]
fn who_waits_for_a_person_goes_on_waiting_when_the_crm_answers() {
    let mut story = Story::new();
    story
        .says("minha internet caiu", sure("sem_conexao"))
        .says("quero falar com uma pessoa", sure("falar_atendente"))
        .action("line_check", ActionResult::Done, "line_ok")
        .delivered(1, ReplyPurpose::Answer, DeliveryResult::Sent);
    let last = story.records().last().map(|record| (record.state, record.queue.is_some()));
    assert_eq!(last, Some((ConversationState::Queued, true)), "{}", story.told());
    // And who was served stays served.
    let mut done = Story::new();
    done.says("minha internet caiu", sure("sem_conexao"))
        .says("quero falar com uma pessoa", sure("falar_atendente"))
        .asks("Ana", CommandAction::Claim)
        .asks("Ana", CommandAction::Resolve)
        .action("line_check", ActionResult::Done, "line_ok");
    let last = done.records().last().map(|record| (record.state, record.answer_due.is_none()));
    assert_eq!(last, Some((ConversationState::Csat, true)), "{}", done.told());
}

#[test]
fn a_person_claims_answers_and_resolves_and_the_machine_is_silent() {
    let mut story = Story::new();
    story
        .says("quero cancelar tudo", sure("cancelar"))
        .delivered(1, ReplyPurpose::HandoffNotice, DeliveryResult::Sent)
        .after(MINUTE_MS)
        .asks("Ana", CommandAction::Claim)
        .asks("Bia", CommandAction::Claim)
        .says("minha internet caiu", sure("sem_conexao"))
        .asks("Bia", CommandAction::Reply)
        .asks("Ana", CommandAction::Reply)
        .delivered(0, ReplyPurpose::AgentReply, DeliveryResult::Sent)
        .asks("Ana", CommandAction::Resolve)
        .asks("Ana", CommandAction::Reply);
    insta::assert_snapshot!(story.told(), @r"
    1 opened -> triage
    2 message_received -> triage
    3 turn_decided Human Policy -> queued | due HandoffNotice with protocol | settled 1 Human
      asks people in vendas (High) because Policy
    4 reply_sent HandoffNotice Sent -> queued
    5 assigned -> assigned of Ana
    6 refused Bia Claim: owned_by_another -> assigned of Ana
    7 message_received -> assigned of Ana
    8 turn_decided Owned Owned -> assigned of Ana | settled 2 Owned
    9 refused Bia Reply: owned_by_another -> assigned of Ana
    10 agent_replied -> waiting_customer of Ana | due AgentReply
    11 reply_sent AgentReply Sent -> waiting_customer of Ana
    12 resolved -> resolved of Ana
    13 csat_asked -> csat of Ana
    14 refused Ana Reply: resolved -> csat of Ana
    ");
}

#[test]
fn a_customer_is_asked_once_how_it_was_and_a_number_reopens_nothing() {
    let resolved = |change: fn(&mut Story)| {
        let mut story = Story::new();
        story.says("quero cancelar tudo", sure("cancelar")).asks("Ana", CommandAction::Claim);
        change(&mut story);
        story.asks("Ana", CommandAction::Resolve);
        story
    };
    let mut story = resolved(|_| {});
    story.says("nota 4", None);
    let events = |story: &Story| -> Vec<&'static str> {
        story.records().iter().map(|record| record.event.name()).collect()
    };
    let told = events(&story);
    assert_eq!(
        told[told.len() - 5..],
        ["resolved", "csat_asked", "message_received", "csat_answered", "turn_decided"],
        "{}",
        story.told()
    );
    let last = *story.records().last().unwrap();
    assert_eq!(last.state, ConversationState::Csat);
    assert!(last.settled.iter().all(|settled| settled.route == Route::Dropped));
    // Anything else comes back under the same protocol, and nobody is asked again.
    story
        .says("ainda quero cancelar", sure("cancelar"))
        .asks("Ana", CommandAction::Claim)
        .asks("Ana", CommandAction::Resolve);
    let told = events(&story);
    assert!(told.contains(&"reopened"), "{}", story.told());
    assert_eq!(told.iter().filter(|event| **event == "csat_asked").count(), 1);
    assert_eq!(story.records().last().unwrap().state, ConversationState::Resolved);
    // Where nobody may be written to any more, nobody is asked.
    let mut closed = Story::new();
    closed.says("quero cancelar tudo", sure("cancelar"));
    closed.window_until(closed.now_ms + MINUTE_MS);
    closed.says("alô?", None).asks("Ana", CommandAction::Claim).after(2 * MINUTE_MS);
    closed.asks("Ana", CommandAction::Resolve);
    assert!(!events(&closed).contains(&"csat_asked"), "{}", closed.told());
    // Left alone, it is over after as long as any other.
    let mut over = resolved(|_| {});
    over.after(73 * 60 * MINUTE_MS);
    assert_eq!(over.records().last().unwrap().state, ConversationState::Closed, "{}", over.told());
}

#[test]
fn anger_raises_priority_and_only_ends_automation_after_an_answer() {
    let angry = |c: &mut Classification| {
        c.frustrated = true;
        c.sentiment = Sentiment::Negativo;
    };
    let mut story = Story::new();
    story
        .says("TERCEIRA VEZ que cai essa porcaria", with(sure("sem_conexao"), angry))
        .action("line_check", ActionResult::Done, "line_ok")
        .delivered(1, ReplyPurpose::Answer, DeliveryResult::Sent)
        .says("não adiantou nada, que ódio", with(sure("sem_conexao"), angry));
    insta::assert_snapshot!(story.told(), @r"
    1 opened -> triage
    2 message_received -> triage
    3 turn_decided Auto Confident -> triage
      asks CRM line_check
    4 action_done Done line_ok -> bot_answered | due Answer with protocol
    5 reply_sent Answer Sent -> bot_answered | settled 1 Auto
    6 message_received -> bot_answered
    7 turn_decided Human Frustrated -> queued | due HandoffNotice | settled 2 Human
      asks people in suporte (High) because Frustrated
    ");
}

#[test]
fn doubt_strangers_pictures_and_cries_for_a_person_go_to_people() {
    for (c, change, reason) in [
        (scored("pix", 0.7), (|_| {}) as fn(&mut Turn), RouteReason::LowConfidence),
        (with(sure("pix"), |c| c.in_scope = false), |_| {}, RouteReason::OutOfScope),
        (None, |turn| turn.needs_person = true, RouteReason::NeedsPerson),
        (None, |_| {}, RouteReason::Unclassified),
        (sure("nunca_visto"), |_| {}, RouteReason::Unclassified),
        (sure("pix"), |turn| turn.closed_by = TurnClosedBy::PersonAsked, RouteReason::PersonAsked),
        (scored("falar_atendente", 0.4), |_| {}, RouteReason::PersonAsked),
        (sure("negociar_divida"), |_| {}, RouteReason::Policy),
    ] {
        let mut story = Story::new();
        story.says_with("x", c, change);
        let last = story.records().last().copied().unwrap().clone();
        let ConversationEvent::TurnDecided(decided) = last.event else { panic!() };
        assert_eq!((decided.route, decided.reason), (Route::Human, reason));
        assert_eq!(last.state, ConversationState::Queued);
        assert!(last.sla_due_ms.unwrap() > START_MS);
    }
}

#[test]
fn the_same_wish_a_third_time_goes_to_people() {
    let mut story = Story::new();
    for turn in 1..=3 {
        story.says("e a senha do wifi?", sure("senha_wifi"));
        if turn < 3 {
            story.delivered(turn, ReplyPurpose::Answer, DeliveryResult::Sent);
        }
    }
    insta::assert_snapshot!(story.told(), @r"
    1 opened -> triage
    2 message_received -> triage
    3 turn_decided Auto Confident -> bot_answered | due Answer with protocol
    4 reply_sent Answer Sent -> bot_answered | settled 1 Auto
    5 message_received -> bot_answered
    6 turn_decided Auto Confident -> bot_answered | due Answer
    7 reply_sent Answer Sent -> bot_answered | settled 2 Auto
    8 message_received -> bot_answered
    9 turn_decided Human Repeated -> queued | due HandoffNotice | settled 3 Human
      asks people in suporte (Normal) because Repeated
    ");
}

#[test]
fn what_the_crm_or_the_channel_cannot_do_people_do() {
    let mut story = Story::new();
    story.says("boleto", sure("segunda_via")).action(
        "open_invoice",
        ActionResult::Failed,
        "timeout",
    );
    insta::assert_snapshot!(story.told(), @r"
    1 opened -> triage
    2 message_received -> triage
    3 turn_decided Auto Confident -> triage
      asks CRM open_invoice
    4 action_done Failed timeout -> triage
    5 queued ActionFailed -> queued | due HandoffNotice with protocol | settled 1 Human
      asks people in financeiro (Normal) because ActionFailed
    ");
    let mut silent = Story::new();
    silent.says("boleto", sure("segunda_via")).after(10_000).action(
        "open_invoice",
        ActionResult::Done,
        "open",
    );
    insta::assert_snapshot!(silent.told(), @r"
    1 opened -> triage
    2 message_received -> triage
    3 turn_decided Auto Confident -> triage
      asks CRM open_invoice
    4 queued ActionFailed -> queued | due HandoffNotice with protocol | settled 1 Human
      asks people in financeiro (Normal) because ActionFailed
      Drop(Irrelevant)
    ");
    let mut undelivered = Story::new();
    undelivered
        .says("bom dia", sure("saudacao"))
        .delivered(1, ReplyPurpose::Answer, DeliveryResult::Uncertain)
        .delivered(1, ReplyPurpose::Answer, DeliveryResult::Sent);
    insta::assert_snapshot!(undelivered.told(), @r"
    1 opened -> triage
    2 message_received -> triage
    3 turn_decided Auto Confident -> bot_answered | due Answer with protocol
    4 reply_sent Answer Uncertain -> bot_answered
    5 queued Undeliverable -> queued | settled 1 Human
      asks people in geral (Normal) because Undeliverable
      Drop(Duplicate)
    ");
}

#[test]
fn what_was_taken_and_did_not_arrive_people_do() {
    use DeliveryResult::Sent;
    let mut story = Story::new();
    story.says("minha internet caiu", sure("sem_conexao"));
    story.action("line_check", ActionResult::Done, "line_ok");
    story.delivered(1, ReplyPurpose::Answer, Sent).after(60_000).failed(9, 0);
    let state = |story: &Story| story.records().last().unwrap().state;
    assert_eq!(state(&story), ConversationState::BotAnswered, "nothing of ours");
    story.failed(1, 0).failed(1, 0);
    let queued = |story: &Story| {
        let queued = |record: &&Conversation| match &record.event {
            ConversationEvent::Queued(queued) => queued.reason == RouteReason::Undeliverable,
            _ => false,
        };
        story.records().into_iter().filter(queued).count()
    };
    assert_eq!(
        (state(&story), queued(&story)),
        (ConversationState::Queued, 1),
        "told twice, done once"
    );
    // The machine had thought it was done.
    let mut story = Story::new();
    story.says("minha internet caiu", sure("sem_conexao"));
    story.action("line_check", ActionResult::Done, "line_ok");
    story.delivered(1, ReplyPurpose::Answer, Sent).after(3_600_000);
    assert_eq!(state(&story), ConversationState::Resolved);
    story.failed(1, 0);
    assert_eq!((state(&story), queued(&story)), (ConversationState::Queued, 1));
    // Who wrote sees it, and nobody else is asked.
    let mut story = Story::new();
    story.says("quero falar com atendente", None);
    story.asks("Ana", CommandAction::Claim).asks("Ana", CommandAction::Reply);
    story.delivered(0, ReplyPurpose::AgentReply, Sent);
    assert_eq!(state(&story), ConversationState::WaitingCustomer);
    story.failed(0, 1);
    assert_eq!((state(&story), queued(&story)), (ConversationState::Assigned, 0));
}

#[test]
fn time_resolves_reopens_breaches_requeues_and_closes() {
    let mut story = Story::new();
    story
        .says("bom dia", sure("saudacao"))
        .delivered(1, ReplyPurpose::Answer, DeliveryResult::Sent)
        .after(31 * MINUTE_MS)
        .says("quero negociar", sure("negociar_divida"))
        .after(31 * MINUTE_MS)
        .asks("Ana", CommandAction::Claim)
        .after(16 * MINUTE_MS)
        .asks("Bia", CommandAction::Claim)
        .asks("Bia", CommandAction::Reply)
        .after(25 * 60 * MINUTE_MS)
        .after(73 * 60 * MINUTE_MS);
    insta::assert_snapshot!(story.told(), @r"
    1 opened -> triage
    2 message_received -> triage
    3 turn_decided Auto Confident -> bot_answered | due Answer with protocol
    4 reply_sent Answer Sent -> bot_answered | settled 1 Auto
    5 resolved -> resolved
    6 reopened -> triage
    7 message_received -> triage
    8 turn_decided Human Policy -> queued | due HandoffNotice | settled 2 Human
      asks people in financeiro (Normal) because Policy
    9 sla_breached -> queued
    10 assigned -> assigned of Ana
    11 queued AgentSilent -> queued
      asks people in financeiro (Normal) because AgentSilent
    12 assigned -> assigned of Bia
    13 agent_replied -> waiting_customer of Bia | due AgentReply
    14 resolved -> resolved of Bia
    15 closed -> closed of Bia
    ");
    assert!(story.driver.state(&story.key.to_bytes()).is_none(), "nothing is kept of it");
    let first = story.conversation();
    story.says("oi de novo", sure("saudacao"));
    assert_ne!(story.conversation(), first, "another conversation, another protocol");
    // Commands to a conversation that is over are refused, not lost.
    let mut late = Story::new();
    late.asks("Ana", CommandAction::Claim);
    insta::assert_snapshot!(late.told(), @"0 refused Ana Claim: not_open -> closed");
}

/// What the machine wrote or would have written.
fn written(story: &Story) -> Vec<i64> {
    let due = |record: &&Conversation| record.answer_due.is_some();
    story.records().iter().filter(|record| due(record)).map(|record| record.seq).collect()
}

/// Acceptance case 14: a machine at the other end that says nothing of being one and answers everything.
/// Whatever its mails are headed, in a day it gets one.
#[test]
fn case_14_a_hundred_rounds_with_a_machine_are_one_answer() {
    for intents in [["planos", "planos"], ["sem_conexao", "lentidao"], ["fora_escopo", "planos"]] {
        for keeps_the_protocol in [true, false] {
            let mut story = Story::new();
            story.thread = Some("a subject".to_owned());
            for round in 0..100 {
                let c = sure(intents[round % 2]);
                story.says("estou de férias", c);
                if story.told().lines().last().is_some_and(|line| line.contains("asks CRM")) {
                    story.action("line_check", ActionResult::Done, "line_ok");
                }
                let turn = story.turn;
                story.delivered(turn, ReplyPurpose::Answer, DeliveryResult::Sent);
                story.after(10 * MINUTE_MS);
                if keeps_the_protocol {
                    story.thread = Some(story.records()[0].protocol.clone());
                }
            }
            assert_eq!(written(&story).len(), 1, "{intents:?}: {}", story.told());
        }
    }
}

#[test]
fn another_thread_and_another_day_are_answered() {
    let mut story = Story::new();
    let mut asks = |thread: &str, after_ms: i64| {
        story.thread = Some(thread.to_owned());
        story.after(after_ms).says("quais planos vocês têm?", sure("planos"));
        let turn = story.turn;
        story.delivered(turn, ReplyPurpose::Answer, DeliveryResult::Sent);
        written(&story).len()
    };
    assert_eq!(asks("a", 0), 1);
    assert_eq!(asks("b", MINUTE_MS), 2);
    assert_eq!(asks("a", 25 * 60 * MINUTE_MS), 3);
    assert_eq!(asks("a", MINUTE_MS), 3);
}

#[test]
fn what_the_crm_cannot_do_is_told_in_the_thread() {
    let mut story = Story::new();
    story.thread = Some("a".to_owned());
    story.says("minha internet caiu", sure("sem_conexao")).action(
        "line_check",
        ActionResult::Failed,
        "refused",
    );
    assert_eq!(written(&story).len(), 1, "the notice: {}", story.told());
}

#[test]
fn what_a_machine_wrote_wakes_nobody_and_is_no_address() {
    let mut story = Story::new();
    story.says("obrigada!", sure("agradecimento"));
    story.delivered(1, ReplyPurpose::Answer, DeliveryResult::Sent).receives_from_a_machine();
    let last = *story.records().last().unwrap();
    assert_eq!(last.state, ConversationState::Resolved, "{}", story.told());
}

#[test]
fn a_machine_is_never_answered() {
    let mut story = Story::new();
    story.says_with("estou de férias", sure("saudacao"), |turn| turn.auto_generated = true);
    insta::assert_snapshot!(story.told(), @r"
    1 opened -> triage
    2 message_received -> triage
    3 turn_decided Dropped AutoGenerated -> triage | settled 1 Dropped
    ");
}

#[test]
fn a_transfer_keeps_the_clock_and_brings_its_note() {
    let mut story = Story::new();
    story.says("internet lenta", scored("lentidao", 0.5));
    assert_eq!(story.due_minutes(), Some(15));
    story
        .after(5 * MINUTE_MS)
        .asks("Ana", CommandAction::Claim)
        .transfers("Bia", Some("vendas"), None)
        .transfers("Ana", Some("diretoria"), None)
        .transfers("Ana", Some("vendas"), None);
    assert_eq!(story.due_minutes(), Some(15), "the clock of who waits, not of the queue");
    story.transfers("Caio", None, Some("Bia"));
    assert_eq!(story.due_minutes(), Some(15));
    // Given back by silence, it is still due when it was.
    story.after(16 * MINUTE_MS);
    assert_eq!(story.due_minutes(), Some(15));
    insta::assert_snapshot!(story.told(), @r"
    1 opened -> triage
    2 message_received -> triage
    3 turn_decided Human LowConfidence -> queued | due HandoffNotice with protocol | settled 1 Human
      asks people in suporte (Normal) because LowConfidence
    4 assigned -> assigned of Ana
    5 refused Bia Transfer: owned_by_another -> assigned of Ana
    6 refused Ana Transfer: unknown_queue -> assigned of Ana
    7 transferred by Ana to vendas -> queued
    8 queued Transferred -> queued
      asks people in vendas (Normal) because Transferred
    9 transferred by Caio to Bia -> assigned of Bia
    10 assigned -> assigned of Bia
    11 sla_breached -> assigned of Bia
    12 queued AgentSilent -> queued
      asks people in vendas (Normal) because AgentSilent
    ");
    let noted = story.records().into_iter().find_map(|record| match &record.event {
        ConversationEvent::Transferred(transferred) => transferred.note_masked.clone(),
        _ => None,
    });
    assert_eq!(noted.as_deref(), Some("quer o plano maior"));
}

#[test]
fn what_is_put_aside_comes_back_and_the_customer_brings_it_back_sooner() {
    let mut story = Story::new();
    story
        .says("quero negociar", sure("negociar_divida"))
        .asks("Ana", CommandAction::Claim)
        .asks("Ana", CommandAction::Reply)
        .snoozes("Bia", MINUTE_MS)
        .snoozes("Ana", -MINUTE_MS)
        .snoozes("Ana", 3 * 24 * 60 * MINUTE_MS)
        .after(2 * 24 * 60 * MINUTE_MS)
        .after(24 * 60 * MINUTE_MS)
        .asks("Ana", CommandAction::Reply)
        .snoozes("Ana", 60 * MINUTE_MS)
        .says("e aí?", None)
        .after(16 * MINUTE_MS);
    insta::assert_snapshot!(story.told(), @r"
    1 opened -> triage
    2 message_received -> triage
    3 turn_decided Human Policy -> queued | due HandoffNotice with protocol | settled 1 Human
      asks people in financeiro (Normal) because Policy
    4 assigned -> assigned of Ana
    5 agent_replied -> waiting_customer of Ana | due AgentReply
    6 refused Bia Snooze: owned_by_another -> waiting_customer of Ana
    7 refused Ana Snooze: bad_time -> waiting_customer of Ana
    8 snoozed -> waiting_customer of Ana
    9 woken -> assigned of Ana
    10 agent_replied -> waiting_customer of Ana | due AgentReply
    11 snoozed -> waiting_customer of Ana
    12 message_received -> waiting_customer of Ana
    13 turn_decided Owned Owned -> assigned of Ana | settled 2 Owned
    14 queued AgentSilent -> queued
      asks people in financeiro (Normal) because AgentSilent
    ");
}

#[test]
fn the_time_to_be_done_stands_still_while_the_customer_is_waited_for() {
    let mut story = Story::new();
    story
        .says("quero negociar", sure("negociar_divida"))
        .after(10 * MINUTE_MS)
        .asks("Ana", CommandAction::Claim)
        .asks("Ana", CommandAction::Reply);
    assert_eq!(story.due_minutes(), None, "nothing is owed");
    story.after(300 * MINUTE_MS).says("pode ser", None);
    assert_eq!(story.due_minutes(), Some(240 + 300), "four hours of work, less ten minutes");
    story.snoozes("Ana", 300 * MINUTE_MS).after(235 * MINUTE_MS);
    let last = story.records().last().map(|record| record.event.clone());
    let due_ms = START_MS + 540 * MINUTE_MS;
    let told = ConversationEvent::SlaBreached(SlaBreached { due_ms, resolution: true });
    assert_eq!(last, Some(told), "putting it aside does not stop it: {}", story.told());
}

#[test]
fn clocks_stand_still_at_lunch_and_on_holidays() {
    // START_MS is a Saturday, 09:00 in Brasília.
    let hours = r#"saturday = ["08:00-09:10", "10:00-11:00"]
        sunday = ["08:00-20:00"]
        monday = ["08:00-18:00"]
        holidays = ["2026-11-22"]"#;
    let mut story = Story::with(story_settings(hours));
    story.says("internet lenta", scored("lentidao", 0.5));
    assert_eq!(story.due_minutes(), Some(65), "ten minutes before lunch, five after");
    story
        .after(5 * MINUTE_MS)
        .asks("Ana", CommandAction::Claim)
        .after(56 * MINUTE_MS)
        .asks("Ana", CommandAction::Release);
    let silent = story.told().contains("AgentSilent");
    assert!(!silent, "lunch is no silence: {}", story.told());
    let mut late = Story::with(story_settings(hours));
    late.after(115 * MINUTE_MS).says("internet lenta", scored("lentidao", 0.5));
    let monday = 47 * 60 + 10;
    assert_eq!(late.due_minutes(), Some(monday), "five minutes on Saturday, ten on Monday");
}

fn story_settings(hours: &str) -> Settings {
    let mut settings = Settings::built_in().unwrap();
    settings.business_hours.insert("demo".to_owned(), toml::from_str(hours).unwrap());
    settings
}

#[derive(Debug, Clone)]
enum Move {
    Says(usize, u32),
    Action(u8),
    Delivered(i64, u8),
    Asks(u8, u8),
    Waits(i64),
}

fn a_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        (0usize..8, 0u32..100).prop_map(|(intent, sure)| Move::Says(intent, sure)),
        (0u8..5).prop_map(Move::Action),
        (0i64..12, 0u8..12).prop_map(|(turn, what)| Move::Delivered(turn, what)),
        (0u8..2, 0u8..7).prop_map(|(agent, action)| Move::Asks(agent, action)),
        prop_oneof![0i64..60_000, 0i64..90_000_000, Just(300_000_000i64)].prop_map(Move::Waits),
    ]
}

fn is_even(command: &Command) -> bool {
    command.command_id.as_bytes()[0].is_multiple_of(2)
}

fn play(moves: &[Move]) -> Story {
    const INTENTS: [&str; 8] = [
        "sem_conexao",
        "segunda_via",
        "saudacao",
        "agradecimento",
        "cancelar",
        "falar_atendente",
        "senha_wifi",
        "fora_escopo",
    ];
    use ActionResult::{Done, Failed, IdentityRequired, NotFound, Uncertain};
    let mut story = Story::new();
    for step in moves {
        match step {
            Move::Says(intent, sure) => {
                story.says("…", scored(INTENTS[*intent], f64::from(*sure) / 100.0));
            }
            Move::Action(result) => {
                let result =
                    [Done, Failed, IdentityRequired, NotFound, Uncertain][usize::from(*result)];
                story.action("line_check", result, "line_ok");
                story.action("open_invoice", result, "open");
            }
            Move::Delivered(turn, what) => {
                let purpose =
                    [ReplyPurpose::Answer, ReplyPurpose::HandoffNotice, ReplyPurpose::AgentReply]
                        [usize::from(what % 3)];
                let result = [
                    DeliveryResult::Sent,
                    DeliveryResult::Failed,
                    DeliveryResult::Uncertain,
                    DeliveryResult::ReturnedToCaller,
                ][usize::from(what / 3)];
                story.delivered(*turn, purpose, result);
            }
            Move::Asks(agent, action) => {
                let action = [
                    CommandAction::Claim,
                    CommandAction::Release,
                    CommandAction::Reply,
                    CommandAction::Resolve,
                    CommandAction::Transfer,
                    CommandAction::Snooze,
                    CommandAction::Note,
                ][usize::from(*action)];
                let until_ms = story.now_ms + 86_400_000;
                story.asks_with(["Ana", "Bia"][usize::from(*agent)], action, |command| {
                    // Every other transfer is to the colleague.
                    let to_agent = is_even(command).then(|| "Bia".to_owned());
                    command.queue = to_agent.is_none().then(|| "vendas".to_owned());
                    command.to_agent = to_agent;
                    command.until_ms = Some(until_ms);
                });
            }
            Move::Waits(ms) => {
                story.after(*ms);
            }
        }
    }
    story
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happens in whatever order, the invariants of ARCHITECTURE.md hold.
    #[test]
    fn invariants(moves in prop::collection::vec(a_move(), 1..60)) {
        let mut story = play(&moves);
        // Given time, everything comes to its end.
        for _ in 0..5 {
            story.after(3_000_000_000);
        }
        prop_assert!(story.driver.state(&story.key.to_bytes()).is_none(), "{}", story.told());
        let mut seq = std::collections::BTreeMap::new();
        let mut chat = std::collections::BTreeMap::new();
        let (mut decided, mut settled, mut answers) =
            (Vec::new(), Vec::new(), std::collections::BTreeSet::new());
        let mut owner: Option<String> = None;
        for record in story.records().into_iter().filter(|record| record.seq > 0) {
            let next = seq.entry(record.conversation_id).or_insert(0);
            *next += 1;
            prop_assert_eq!(record.seq, *next, "seq has no gaps");
            if let Some(seen) = record.chat_seq {
                let next = chat.entry(record.conversation_id).or_insert(0);
                *next += 1;
                prop_assert_eq!(seen, *next, "nor has what the customer sees");
            }
            if let ConversationEvent::TurnDecided(turn) = &record.event {
                decided.push(turn.turn);
            }
            settled.extend(record.settled.iter().map(|settled| settled.turn));
            if let Some(due) = &record.answer_due {
                let human = matches!(
                    record.state,
                    ConversationState::Assigned | ConversationState::WaitingCustomer
                );
                prop_assert!(
                    !human || due.purpose == ReplyPurpose::AgentReply,
                    "the machine is silent while a person owns: {}", story.told()
                );
                if due.purpose != ReplyPurpose::AgentReply {
                    let news = answers.insert((record.conversation_id, due.turn, due.purpose.as_str()));
                    prop_assert!(
                        news || due.turn == 0 || due.purpose == ReplyPurpose::HandoffNotice,
                        "one answer a turn"
                    );
                }
            }
            if let ConversationEvent::Assigned(assigned) = &record.event {
                prop_assert!(
                    owner.is_none() || owner.as_ref() == Some(&assigned.agent), "one owner"
                );
            }
            owner.clone_from(&record.owner);
        }
        settled.sort_unstable();
        decided.sort_unstable();
        prop_assert_eq!(settled, decided, "every turn settles exactly once");
    }
}

/// How a first turn is routed, and why.
fn routed(change: impl Fn(&mut Turn), c: Option<Classification>) -> (Route, RouteReason) {
    let mut story = Story::new();
    story.says_with("quais planos vocês têm?", c, change);
    let decided = story.records().into_iter().find_map(|record| match &record.event {
        ConversationEvent::TurnDecided(decided) => Some((decided.route, decided.reason)),
        _ => None,
    });
    decided.unwrap()
}

#[test]
fn words_that_were_hardly_understood_are_not_answered_by_the_machine() {
    let heard = |confidence| {
        routed(|turn| turn.transcript_confidence = Some(confidence), scored("planos", 0.97))
    };
    assert_eq!(heard(0.95), (Route::Auto, RouteReason::Confident));
    // 0.97 × 0.8 is less than the threshold of 0.8.
    assert_eq!(heard(0.8), (Route::Human, RouteReason::LowConfidence));
    assert_eq!(routed(|_| {}, scored("planos", 0.97)), (Route::Auto, RouteReason::Confident));
}

#[test]
fn what_nobody_wrote_down_goes_to_people_who_see_what_it_is() {
    let of = |kind| {
        let change = move |turn: &mut Turn| {
            turn.needs_person = true;
            turn.messages[0].kind = kind;
        };
        routed(change, None)
    };
    assert_eq!(of(MessageKind::Audio), (Route::Human, RouteReason::AudioWithoutTranscript));
    assert_eq!(of(MessageKind::Call), (Route::Human, RouteReason::CallBack));
    assert_eq!(of(MessageKind::Image), (Route::Human, RouteReason::NeedsPerson));
}

#[test]
fn a_deletion_that_comes_when_all_is_over_is_told_outside_any_history() {
    let mut story = Story::new();
    let changed = |kind, n: u8| {
        let mut told = Story::new();
        told.receives("oi");
        let record = told.records().into_iter().nth(1).unwrap().clone();
        let ConversationEvent::MessageReceived(received) = record.event else { panic!() };
        let mut head = received.head;
        head.message_id = MessageId([n; 16]);
        (head.kind, head.changes) = (kind, Some(MessageId([9; 16])));
        ClassifiedBody::Received(Box::new(Received { head, aliases: Vec::new() }))
    };
    let deletion = changed(MessageKind::Delete, 41);
    story.feed(deletion);
    let edit = changed(MessageKind::Edit, 42);
    story.feed(edit);
    let records = story.records();
    assert_eq!(records.len(), 1, "an edit of what is over changes nothing: {records:?}");
    assert_eq!((records[0].seq, records[0].chat_seq), (0, None), "it opens nothing");
    let ConversationEvent::MessageReceived(told) = &records[0].event else { panic!() };
    assert_eq!(told.head.changes, Some(MessageId([9; 16])));
    story.says("bom dia", sure("saudacao"));
    assert_eq!(story.records()[1].seq, 1, "the next message opens a conversation as ever");
}
