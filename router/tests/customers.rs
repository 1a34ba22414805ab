//! One customer on several contacts, as the router tells it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test fails loudly

use std::collections::BTreeMap;
use std::sync::Arc;

use pipeline::Verdict;
use pipeline::testkit::Driver;
use router::{Router, RouterOut, Settings};
use schemas::conversation::*;
use schemas::customers::*;
use schemas::ids::*;
use schemas::line::*;
use schemas::message::*;
use schemas::sealed::{Keyring, SealedText, TenantKeys};

const START_MS: i64 = 1_795_262_400_000;
const OTHER: ContactKey = ContactKey([2; 16]);

fn sealed(text: &str) -> SealedText {
    TenantKeys::derive("demo", "1", &[7; 32]).seal(b"t", text.as_bytes()).unwrap()
}

struct Contact {
    driver: Driver<Router>,
    key: LineKey,
    turn: i64,
}

impl Contact {
    fn new() -> Self {
        let keyring = Arc::new(Keyring::new([TenantKeys::derive("demo", "1", &[7; 32])]));
        let tick = |tick| Classified { body: ClassifiedBody::Tick(tick) };
        let driver = Driver::new(Router::new(keyring), Settings::built_in().unwrap().into(), tick);
        Self { driver, key: LineKey::new("demo", ContactKey([1; 16])), turn: 0 }
    }

    fn feed(&mut self, body: ClassifiedBody) -> Vec<RouterOut> {
        let now_ms = START_MS + self.turn * 1_000;
        let seen = self.driver.feed(&self.key.to_bytes(), now_ms, Classified { body });
        assert_eq!(seen.verdict, Verdict::Done);
        for (key, out) in &seen.outputs {
            if let RouterOut::Told(to, _) = out {
                assert_eq!(key.as_ref(), to.to_bytes(), "in the other's order");
            }
        }
        seen.outputs.into_iter().map(|(_, out)| out).collect()
    }

    fn says(&mut self, intent: &str, change: impl Fn(&mut Turn)) -> Vec<RouterOut> {
        self.turn += 1;
        let message_id = MessageId([u8::try_from(self.turn).unwrap(); 16]);
        let head = MessageHead {
            message_id,
            channel: Channel::WebChat,
            provider: "web_chat".into(),
            account: "site".into(),
            direction: Direction::Inbound,
            kind: MessageKind::Text,
            provider_message_id: None,
            reply_to: None,
            thread_key: None,
            contact_sealed: sealed("contact"),
            text_sealed: Some(sealed("oi")),
            text_masked: Some("oi".into()),
            choice: None,
            attachments: vec![],
            site: None,
            auto_generated: false,
            verified: false,
            event_time_ms: START_MS,
            reply_window_until_ms: None,
            answer_via: AnswerVia::Channel,
            attributes: BTreeMap::new(),
            thread_sealed: None,
            changes: None,
            deleted: false,
        };
        let received = Received { head, aliases: vec![Alias([8; 16])] };
        let mut out = self.feed(ClassifiedBody::Received(Box::new(received)));
        let mut turn = Turn {
            turn: self.turn,
            messages: vec![TurnMessage { message_id, kind: MessageKind::Text }],
            text: None,
            text_masked: Some("oi".into()),
            closed_by: TurnClosedBy::Window,
            answer_via: AnswerVia::Channel,
            needs_person: false,
            choice: None,
            auto_generated: false,
            facts: BTreeMap::new(),
            previous_intent: None,
            linked: Vec::new(),
            elsewhere: Vec::new(),
            claims_sealed: None,
            transcript_confidence: None,
        };
        change(&mut turn);
        let classification = Some(Classification {
            model_version: "test".into(),
            intents: vec![IntentScore { id: intent.into(), probability: 0.97 }],
            confidence: 0.97,
            in_scope: true,
            threshold: 0.8,
            would_answer: true,
            sentiment: Sentiment::Neutro,
            sentiment_confidence: 0.9,
            frustrated: false,
            urgent: false,
            unknown_share: 0.0,
            explanation: Vec::new(),
        });
        let turn = Box::new(ClassifiedTurn { turn, classification });
        out.extend(self.feed(ClassifiedBody::ClassifiedTurn(turn)));
        out
    }

    fn link(&self, n: u8, source: LinkSource) -> CustomerLink {
        CustomerLink {
            tenant: "demo".into(),
            link_id: CommandId([n; 16]),
            command_id: CommandId([n; 16]),
            contact: self.key.contact,
            other: OTHER,
            undone: false,
            source,
            by: Some("Ana".into()),
            reason_sealed: Some(sealed("mesma pessoa")),
            at_ms: START_MS,
        }
    }
}

fn linked(link: &CustomerLink) -> ClassifiedBody {
    ClassifiedBody::CustomerLink(Box::new(link.clone()))
}

fn lines(out: &[RouterOut]) -> Vec<&Conversation> {
    let lines = out.iter().filter_map(|out| match out {
        RouterOut::Conversation(line) => Some(&**line),
        _ => None,
    });
    lines.collect()
}

fn news(out: &[RouterOut]) -> Vec<(ContactKey, CustomerNews)> {
    let news = out.iter().filter_map(|out| match out {
        RouterOut::Told(to, inbound) => match &inbound.body {
            InboundBody::CustomerNews(news) => Some((to.contact, (**news).clone())),
            _ => None,
        },
        _ => None,
    });
    news.collect()
}

fn customers(out: &[RouterOut]) -> Vec<String> {
    let records = out.iter().filter_map(|out| match out {
        RouterOut::Customer(record) => Some(record.key()),
        _ => None,
    });
    records.collect()
}

/// Whom the link was told.
fn told(out: &[RouterOut]) -> Vec<(ContactKey, CustomerLink)> {
    let told = out.iter().filter_map(|out| match out {
        RouterOut::Told(to, inbound) => match &inbound.body {
            InboundBody::CustomerLink(link) => Some((to.contact, (**link).clone())),
            _ => None,
        },
        _ => None,
    });
    told.collect()
}

#[test]
fn a_link_is_written_down_and_told_by_its_first_end_only() {
    let mut contact = Contact::new();
    let link = contact.link(5, LinkSource::Agent);
    let out = contact.feed(linked(&link));
    assert_eq!(customers(&out), [format!("demo|{}|made", link.link_id)]);
    assert_eq!(told(&out), [(OTHER, link.clone())]);
    // Nobody talks there: the agent is told all the same, outside any history.
    let [line] = lines(&out)[..] else { panic!("{out:?}") };
    assert_eq!(
        (line.seq, line.command_id, line.event.name()),
        (0, Some(link.command_id), "linked")
    );
    assert!(contact.driver.state(&contact.key.to_bytes()).is_none(), "no conversation for that");
    let undone = CustomerLink { undone: true, command_id: CommandId([6; 16]), ..link.clone() };
    let out = contact.feed(linked(&undone));
    assert_eq!(customers(&out), [format!("demo|{}|undone", link.link_id)]);
    assert_eq!(lines(&out)[0].event.name(), "unlinked");
    let by_machine = CustomerLink { by: None, ..contact.link(7, LinkSource::Crm) };
    assert!(lines(&contact.feed(linked(&by_machine))).is_empty(), "nobody asked");
    let other_end = CustomerLink { contact: OTHER, other: contact.key.contact, ..link };
    assert!(contact.feed(linked(&other_end)).is_empty(), "it was written down there");
}

#[test]
fn a_link_moves_nothing_and_vouches_for_nobody() {
    let mut contact = Contact::new();
    contact.says("falar_atendente", |_| {});
    let stands = |contact: &Contact| contact.driver.state(&contact.key.to_bytes()).unwrap().clone();
    let before = stands(&contact);
    let link = contact.link(5, LinkSource::Agent);
    let out = contact.feed(linked(&link));
    let after = stands(&contact);
    let line = lines(&out)[0].clone();
    assert_eq!(line.seq, before.seq + 1);
    let ConversationEvent::Linked(event) = &line.event else { panic!("{line:?}") };
    assert_eq!((event.contact, event.by.as_deref()), (OTHER, Some("Ana")));
    assert_eq!(
        (before.conversation_id, before.state, before.owner, before.queue, before.address),
        (after.conversation_id, after.state, after.owner, after.queue, after.address),
    );
    assert!(!after.verified, "the other's identity is not this one's");
    assert!(lines(&contact.feed(linked(&link))).is_empty(), "told once");
}

#[test]
fn a_contact_linked_to_a_verified_one_is_asked_of_the_crm_as_itself() {
    let mut contact = Contact::new();
    contact.feed(linked(&contact.link(5, LinkSource::Agent)));
    let out = contact.says("segunda_via", |turn| turn.linked = vec![OTHER]);
    let asked: Vec<_> = out
        .iter()
        .filter_map(|out| match out {
            RouterOut::Action(request) => Some((request.verified, request.contact_sealed.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [(false, sealed("contact"))]);
}

#[test]
fn what_people_have_here_the_other_contacts_hear_of() {
    let mut contact = Contact::new();
    assert!(news(&contact.says("planos", |_| {})).is_empty(), "nobody else is told");
    let out = contact.says("falar_atendente", |turn| turn.linked = vec![OTHER]);
    let heard = news(&out);
    let [(to, told)] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!((*to, told.about, told.via), (OTHER, contact.key.contact, contact.key.contact));
    let open = told.open.clone().unwrap();
    assert_eq!((open.channel, open.owner), (Channel::WebChat, None));
    assert!(open.queue.is_some());
    let again = contact.says("falar_atendente", |turn| turn.linked = vec![OTHER]);
    assert!(news(&again).is_empty(), "it waits there as before");
}

#[test]
fn news_is_passed_on_whether_anybody_talks_here_or_not() {
    let mut contact = Contact::new();
    let heard = CustomerNews {
        about: OTHER,
        via: contact.key.contact,
        opened_at_ms: 1,
        seq: 3,
        at_ms: 5,
        open: None,
        facts: BTreeMap::new(),
        intent: Some("pix".into()),
        to: vec![ContactKey([3; 16]), ContactKey([4; 16])],
    };
    let out = contact.feed(ClassifiedBody::CustomerNews(Box::new(heard.clone())));
    let passed = CustomerNews { to: Vec::new(), ..heard };
    let to = |n| (ContactKey([n; 16]), passed.clone());
    assert_eq!(news(&out), [to(3), to(4)]);
    assert_eq!(out.len(), 2);
}

#[test]
fn who_has_the_customer_elsewhere_takes_what_is_nobodys_in_particular() {
    let elsewhere = |turn: &mut Turn| {
        turn.elsewhere = vec![OpenElsewhere {
            conversation_id: ConversationId::new(OTHER, START_MS),
            channel: Channel::Email,
            queue: Some("financeiro".into()),
            owner: Some("Ana".into()),
        }];
    };
    let queue = |out: Vec<RouterOut>| lines(&out).last().unwrap().queue.clone().unwrap();
    assert_eq!(queue(Contact::new().says("falar_atendente", elsewhere)), "financeiro");
    assert_ne!(queue(Contact::new().says("falar_atendente", |_| {})), "financeiro");
    let clear = queue(Contact::new().says("contratar", elsewhere));
    assert_eq!(clear, queue(Contact::new().says("contratar", |_| {})), "of those who know it");
}

#[test]
fn names_are_written_down_as_digests() {
    let mut contact = Contact::new();
    let out = contact.says("planos", |_| {});
    assert_eq!(customers(&out), [format!("demo|{}|names", contact.key.contact)]);
}

#[test]
fn who_tells_who_they_are_is_asked_of_the_crm_about_what_they_wanted() {
    let mut contact = Contact::new();
    let asked = |out: &[RouterOut]| {
        out.iter().find_map(|out| match out {
            RouterOut::Action(request) => {
                Some((request.action.clone(), request.claims_sealed.clone()))
            }
            _ => None,
        })
    };
    let out = contact.says("segunda_via", |_| {});
    assert_eq!(asked(&out), Some(("open_invoice".to_owned(), None)));
    let outcome = |out: &[RouterOut], turn, result| {
        ClassifiedBody::ActionOutcome(ActionOutcome {
            conversation_id: lines(out)[0].conversation_id,
            turn,
            action: "open_invoice".into(),
            result,
            finding: "x".into(),
            fields_sealed: None,
            facts: BTreeMap::new(),
            customer: None,
        })
    };
    contact.feed(outcome(&out, 1, ActionResult::IdentityRequired));
    let claims = Some(sealed("cpf e contrato"));
    let tells = |turn: &mut Turn| turn.claims_sealed = Some(sealed("cpf e contrato"));
    // Whatever the models take the numbers for.
    let out = contact.says("fora_escopo", tells);
    assert_eq!(asked(&out), Some(("open_invoice".to_owned(), claims.clone())));
    contact.feed(outcome(&out, 2, ActionResult::Done));
    let next = contact.says("sem_conexao", |_| {});
    assert_eq!(asked(&next), Some(("line_check".to_owned(), claims)), "told once a conversation");
    // Who asks for a person gets one.
    let mut other = Contact::new();
    let out = other.says("segunda_via", |_| {});
    other.feed(outcome(&out, 1, ActionResult::IdentityRequired));
    let out = other.says("falar_atendente", |turn| {
        tells(turn);
        turn.closed_by = TurnClosedBy::PersonAsked;
    });
    assert_eq!(asked(&out), None);
}

#[test]
fn who_cannot_tell_who_they_are_is_asked_once() {
    let mut contact = Contact::new();
    let mut unknown = |intent: &str, action: &str| {
        let out = contact.says(intent, |_| {});
        let outcome = ActionOutcome {
            conversation_id: lines(&out)[0].conversation_id,
            turn: contact.turn,
            action: action.into(),
            result: ActionResult::IdentityRequired,
            finding: "identity_required".into(),
            fields_sealed: None,
            facts: BTreeMap::new(),
            customer: None,
        };
        contact.feed(ClassifiedBody::ActionOutcome(outcome))
    };
    let first = unknown("segunda_via", "open_invoice");
    assert!(lines(&first)[0].answer_due.is_some(), "told how to go on");
    let second = unknown("sem_conexao", "line_check");
    let last = *lines(&second).last().unwrap();
    assert_eq!(last.state, ConversationState::Queued);
    let ConversationEvent::Queued(queued) = &last.event else { panic!("{last:?}") };
    assert_eq!(queued.reason, RouteReason::IdentityMissing);
    assert_eq!(last.settled[0].route, Route::Human);
}
