use std::collections::BTreeMap;
use std::sync::Arc;

use pipeline::testkit::{Driver, Seen};
use pipeline::{DropReason, Verdict};
use proptest::prelude::*;
use schemas::customers::{CustomerLink, CustomerNews, LinkSource, OpenElsewhere};
use schemas::ids::{Alias, CommandId, ContactKey, ConversationId, LineKey, MessageId};
use schemas::line::{Inbound, InboundBody, Turn, TurnsBody};
use schemas::message::*;
use schemas::sealed::{Keyring, TenantKeys};
use schemas::state::TurnsState;

use super::super::{Settings, Turns, TurnsOut};
use super::take;
use crate::door::key_of;

const HOUR_MS: i64 = 3_600_000;
const PHONE: &str = "+5511987654321";
const OTHER: ContactKey = ContactKey([2; 16]);
const THIRD: ContactKey = ContactKey([3; 16]);

fn keys() -> TenantKeys {
    TenantKeys::derive("demo", "1", &[7; 32])
}

fn contact(ids: &[(ContactIdKind, &str)]) -> Contact {
    let ids = ids.iter().map(|(kind, value)| ContactId {
        kind: *kind,
        value: (*value).to_owned(),
        scope: None,
    });
    Contact { ids: ids.collect(), name: None }
}

/// One contact's turns, from the outside. Nothing is grouped.
struct Line {
    driver: Driver<Turns>,
    key: LineKey,
    channel: Channel,
    messages: u8,
}

impl Line {
    fn of(channel: Channel, ids: &[(ContactIdKind, &str)]) -> Self {
        let keyring = Arc::new(Keyring::new([keys()]));
        let mut settings = Settings::default();
        settings.default.enabled = false;
        let tick = |tick| Inbound { body: InboundBody::Tick(tick) };
        let driver = Driver::new(Turns::new(keyring), settings, tick);
        let key = key_of(&keys(), "demo", channel, &contact(ids));
        Self { driver, key, channel, messages: 0 }
    }

    fn feed(&mut self, at_ms: i64, body: InboundBody) -> Seen<TurnsOut> {
        self.driver.feed(&self.key.to_bytes(), at_ms, Inbound { body })
    }

    fn writes(&mut self, at_ms: i64, ids: &[(ContactIdKind, &str)]) -> Seen<TurnsOut> {
        self.messages += 1;
        let id = MessageId([self.messages; 16]);
        let head = MessageHead {
            message_id: id,
            channel: self.channel,
            provider: "p".to_owned(),
            account: "1".to_owned(),
            direction: Direction::Inbound,
            kind: MessageKind::Text,
            provider_message_id: None,
            reply_to: None,
            thread_key: None,
            contact_sealed: keys().seal_contact(&contact(ids)).unwrap(),
            text_sealed: Some(keys().seal(id.as_bytes(), b"oi").unwrap()),
            text_masked: Some("oi".to_owned()),
            choice: None,
            attachments: Vec::new(),
            site: None,
            auto_generated: false,
            verified: false,
            event_time_ms: at_ms,
            reply_window_until_ms: None,
            answer_via: AnswerVia::Channel,
            attributes: BTreeMap::new(),
            thread_sealed: None,
            changes: None,
            deleted: false,
        };
        let message = Message { head, text: Some("oi".to_owned()), flush: false };
        self.feed(at_ms, InboundBody::Message(Box::new(message)))
    }

    fn link(&self, n: u8, other: ContactKey, undone: bool) -> InboundBody {
        let link = CustomerLink {
            tenant: "demo".to_owned(),
            link_id: CommandId([n; 16]),
            command_id: CommandId([if undone { n + 100 } else { n }; 16]),
            contact: self.key.contact,
            other,
            undone,
            source: LinkSource::Agent,
            by: Some("Ana".to_owned()),
            reason_sealed: None,
            at_ms: 1,
        };
        InboundBody::CustomerLink(Box::new(link))
    }
}

fn aliases(seen: &Seen<TurnsOut>) -> Vec<Alias> {
    let received = seen.outputs.iter().filter_map(|(_, out)| match &out.0.body {
        TurnsBody::Received(received) => Some(received.aliases.clone()),
        _ => None,
    });
    received.flatten().collect()
}

fn links(seen: &Seen<TurnsOut>) -> Vec<CustomerLink> {
    let links = seen.outputs.iter().filter_map(|(_, out)| match &out.0.body {
        TurnsBody::CustomerLink(link) => Some((**link).clone()),
        _ => None,
    });
    links.collect()
}

fn turn(seen: &Seen<TurnsOut>) -> Turn {
    let turns = seen.outputs.iter().filter_map(|(_, out)| match &out.0.body {
        TurnsBody::Turn(turn) => Some((**turn).clone()),
        _ => None,
    });
    turns.last().unwrap()
}

fn news(about: ContactKey, via: ContactKey, seq: i64, queue: Option<&str>) -> CustomerNews {
    CustomerNews {
        about,
        via,
        opened_at_ms: 1,
        seq,
        at_ms: 10,
        open: queue.map(|queue| OpenElsewhere {
            conversation_id: ConversationId::new(about, 1_000),
            channel: Channel::Email,
            queue: Some(queue.to_owned()),
            owner: None,
        }),
        facts: BTreeMap::from([("open_invoice".to_owned(), true)]),
        intent: Some("pix".to_owned()),
        to: Vec::new(),
    }
}

fn told(news: CustomerNews) -> InboundBody {
    InboundBody::CustomerNews(Box::new(news))
}

#[test]
fn names_are_told_once_and_are_the_same_on_every_channel() {
    let sms = [(ContactIdKind::E164, "+551187654321")];
    let mut line = Line::of(Channel::Sms, &sms);
    let first = aliases(&line.writes(0, &sms));
    assert_eq!(first, [keys().alias("phone", PHONE)], "with its ninth digit");
    assert!(aliases(&line.writes(1, &sms)).is_empty(), "known");
    let with_mail = [sms[0], (ContactIdKind::Email, " Ana@Exemplo.com.br ")];
    let mail = keys().alias("email", "ana@exemplo.com.br");
    assert_eq!(aliases(&line.writes(2, &with_mail)), [first[0], mail]);
    // What a visitor claims to be called at the CRM, and numbers of services, are nobody's names.
    let claims = [(ContactIdKind::Crm, "C7"), (ContactIdKind::E164, "28123")];
    assert!(aliases(&Line::of(Channel::WebChat, &claims).writes(0, &claims)).is_empty());
}

#[test]
fn case_4_the_phone_appears_and_it_is_the_same_contact_and_customer() {
    let (id, phone) = ((ContactIdKind::Bsuid, "BR.1"), (ContactIdKind::WaPhone, PHONE));
    let mut line = Line::of(Channel::Whatsapp, &[id]);
    assert_eq!(line.key, Line::of(Channel::Whatsapp, &[id, phone]).key, "never keyed anew");
    assert!(links(&line.writes(0, &[id])).is_empty());
    let made = links(&line.writes(1, &[id, phone]));
    let by_number = Line::of(Channel::Whatsapp, &[phone]).key.contact;
    let [link] = made.as_slice() else { panic!("{made:?}") };
    assert_eq!((link.contact, link.other), (line.key.contact, by_number));
    assert_eq!((link.source, link.undone), (LinkSource::Provider, false));
    assert!(links(&line.writes(2, &[id])).is_empty());
    assert!(links(&line.writes(3, &[id, phone])).is_empty(), "made once");
    let undone = CustomerLink { undone: true, by: Some("Ana".to_owned()), ..link.clone() };
    line.feed(4, InboundBody::CustomerLink(Box::new(undone)));
    line.writes(5, &[id]);
    assert!(links(&line.writes(6, &[id, phone])).is_empty(), "what people undid stays undone");
}

#[test]
fn the_crms_word_links_to_its_customer_and_says_nothing_of_others() {
    let ids = [(ContactIdKind::WebChat, "s_1")];
    let mut line = Line::of(Channel::WebChat, &ids);
    line.writes(0, &ids);
    let outcome = |customer| {
        InboundBody::ActionOutcome(ActionOutcome {
            conversation_id: ConversationId([1; 20]),
            turn: 1,
            action: "open_invoice".to_owned(),
            result: ActionResult::Done,
            finding: "open_invoice".to_owned(),
            fields_sealed: None,
            facts: BTreeMap::new(),
            customer,
        })
    };
    assert!(links(&line.feed(1, outcome(None))).is_empty());
    let customer = keys().customer("C7");
    let made = links(&line.feed(2, outcome(Some(customer))));
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].other, made[0].source), (customer, LinkSource::Crm));
    assert!(links(&line.feed(3, outcome(Some(customer)))).is_empty());
}

#[test]
fn links_outlast_the_messages() {
    let ids = [(ContactIdKind::WebChat, "s_1")];
    let mut line = Line::of(Channel::WebChat, &ids);
    line.writes(0, &ids);
    let link = line.link(5, OTHER, false);
    assert_eq!(links(&line.feed(1, link)).len(), 1, "passed on in its place");
    line.driver.pass(60 * 24 * HOUR_MS);
    let seen = line.writes(60 * 24 * HOUR_MS, &ids);
    assert_eq!((turn(&seen).turn, turn(&seen).linked), (1, vec![OTHER]));
}

#[test]
fn a_link_of_others_is_set_aside() {
    let ids = [(ContactIdKind::WebChat, "s_1")];
    let mut line = Line::of(Channel::WebChat, &ids);
    let InboundBody::CustomerLink(link) = line.link(5, OTHER, false) else { panic!() };
    for wrong in [
        CustomerLink { contact: THIRD, ..(*link).clone() },
        CustomerLink { other: link.contact, ..(*link).clone() },
        CustomerLink { tenant: "other".to_owned(), ..(*link).clone() },
    ] {
        let seen = line.feed(0, InboundBody::CustomerLink(Box::new(wrong)));
        assert!(matches!(seen.verdict, Verdict::Reject(_)));
    }
}

#[test]
fn news_goes_with_the_next_turn_and_on_to_the_others_once() {
    let ids = [(ContactIdKind::WebChat, "s_1")];
    let mut line = Line::of(Channel::WebChat, &ids);
    for (n, other) in [(5, OTHER), (6, THIRD)] {
        let link = line.link(n, other, false);
        line.feed(0, link);
    }
    let far = ContactKey([9; 16]);
    let seen = line.feed(20, told(news(far, OTHER, 3, Some("suporte"))));
    let passed: Vec<_> = seen.outputs.iter().map(|(_, out)| out.0.body.clone()).collect();
    let [TurnsBody::CustomerNews(passed)] = passed.as_slice() else { panic!("{passed:?}") };
    assert_eq!((passed.via, &passed.to), (line.key.contact, &vec![THIRD]), "not back");
    // Round the circle, late, its own, or from a stranger: no news.
    for known in [
        news(far, THIRD, 3, Some("suporte")),
        news(far, OTHER, 2, None),
        news(line.key.contact, OTHER, 9, None),
        news(far, ContactKey([8; 16]), 9, None),
    ] {
        assert_eq!(line.feed(21, told(known)).verdict, Verdict::Drop(DropReason::Duplicate));
    }
    let with = turn(&line.writes(30, &ids));
    assert_eq!(with.elsewhere.len(), 1);
    assert_eq!(with.elsewhere[0].queue.as_deref(), Some("suporte"));
    assert_eq!(with.facts, BTreeMap::from([("open_invoice".to_owned(), true)]));
    assert_eq!(with.previous_intent.as_deref(), Some("pix"));
    // It ends there.
    line.feed(40, told(news(far, OTHER, 4, None)));
    assert!(turn(&line.writes(50, &ids)).elsewhere.is_empty());
}

#[test]
fn what_was_known_by_a_link_goes_with_it() {
    let ids = [(ContactIdKind::WebChat, "s_1")];
    let mut line = Line::of(Channel::WebChat, &ids);
    let (made, undone) = (line.link(5, OTHER, false), line.link(5, OTHER, true));
    line.feed(0, made.clone());
    line.feed(20, told(news(OTHER, OTHER, 3, Some("suporte"))));
    line.feed(21, undone);
    line.feed(22, made);
    let with = turn(&line.writes(30, &ids));
    assert_eq!((with.elsewhere, with.facts, with.linked), (vec![], BTreeMap::new(), vec![]));
}

proptest! {
    /// Links made and undone, seen in any order and any number of times, leave the same contacts linked.
    #[test]
    fn the_order_in_which_links_are_heard_of_does_not_matter(
        order in Just((0u8..6).flat_map(|n| [(n, false), (n, n % 2 == 0)]).collect::<Vec<_>>())
            .prop_shuffle(),
        again in prop::collection::vec(0usize..12, 0..6),
    ) {
        let line = Line::of(Channel::WebChat, &[(ContactIdKind::WebChat, "s_1")]);
        let mut state = TurnsState::default();
        let repeated: Vec<_> = again.iter().filter_map(|at| order.get(*at)).copied().collect();
        for (n, undone) in order.into_iter().chain(repeated) {
            let InboundBody::CustomerLink(link) = line.link(n, ContactKey([n; 16]), undone) else {
                panic!()
            };
            take(&mut state, line.key.contact, &link);
        }
        prop_assert_eq!(super::linked(&state), [1, 3, 5].map(|n| ContactKey([n; 16])).to_vec());
    }
}
