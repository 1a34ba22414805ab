use std::collections::BTreeMap;
use std::sync::Arc;

use pipeline::testkit::{Driver, Seen};
use pipeline::{DropReason, Verdict};
use proptest::prelude::*;
use schemas::ids::{CommandId, ContactKey, ConversationId, MessageId};
use schemas::line::{Inbound, InboundBody, TurnsBody};
use schemas::media::{MediaFetched, MediaResult, Transcribed, TranscriptResult};
use schemas::message::*;
use schemas::sealed::{Keyring, TenantKeys};

use super::*;

fn keys() -> TenantKeys {
    TenantKeys::derive("demo", "1", &[7; 32])
}

fn key() -> Vec<u8> {
    LineKey::new("demo", ContactKey([1; 16])).to_bytes()
}

fn driver() -> Driver<Turns> {
    let keyring = Arc::new(Keyring::new([keys()]));
    Driver::new(Turns::new(keyring), Settings::default(), |tick| Inbound {
        body: InboundBody::Tick(tick),
    })
}

fn message(n: u8, text: &str) -> Message {
    let id = MessageId([n; 16]);
    let contact_sealed = keys().seal(b"contact", b"x").unwrap();
    Message {
        head: MessageHead {
            message_id: id,
            channel: Channel::Whatsapp,
            provider: "whatsapp_cloud".to_owned(),
            account: "1".to_owned(),
            direction: Direction::Inbound,
            kind: MessageKind::Text,
            provider_message_id: None,
            reply_to: None,
            thread_key: None,
            contact_sealed,
            text_sealed: Some(keys().seal(id.as_bytes(), text.as_bytes()).unwrap()),
            text_masked: Some(text.to_owned()),
            choice: None,
            attachments: Vec::new(),
            site: None,
            auto_generated: false,
            verified: false,
            event_time_ms: 0,
            reply_window_until_ms: None,
            answer_via: AnswerVia::Channel,
            attributes: BTreeMap::new(),
            thread_sealed: None,
            changes: None,
            deleted: false,
        },
        text: Some(text.to_owned()),
        flush: false,
    }
}

fn inbound(message: Message) -> Inbound {
    Inbound { body: InboundBody::Message(Box::new(message)) }
}

fn claim() -> Inbound {
    command(CommandAction::Claim)
}

fn command(action: CommandAction) -> Inbound {
    Inbound {
        body: InboundBody::Command(Command {
            command_id: CommandId([1; 16]),
            conversation_id: ConversationId([1; 20]),
            agent: "Ana".to_owned(),
            action,
            text_sealed: None,
            text_masked: None,
            label: None,
            queue: None,
            to_agent: None,
            until_ms: None,
            answer_id: None,
            score: None,
        }),
    }
}

/// What was told, a line each.
fn told(seen: &[Seen<TurnsOut>]) -> String {
    let lines = seen.iter().flat_map(|seen| {
        let verdict = match &seen.verdict {
            Verdict::Done => None,
            other => Some(format!("{other:?}")),
        };
        verdict.into_iter().chain(seen.outputs.iter().map(|(_, out)| match &out.0.body {
            TurnsBody::Received(received) => {
                format!("received {}", received.head.text_masked.as_deref().unwrap_or("-"))
            }
            TurnsBody::Turn(turn) => format!(
                "turn {} of {} closed by {:?}: {:?}{}",
                turn.turn,
                turn.messages.len(),
                turn.closed_by,
                turn.text.as_deref().unwrap_or("-"),
                if turn.needs_person { " needs a person" } else { "" },
            ),
            TurnsBody::Command(command) => format!("command {:?}", command.action),
            other => format!("{other:?}"),
        }))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn groups_what_comes_within_the_window() {
    let mut turns = driver();
    let mut seen = vec![
        turns.feed(&key(), 1_000, inbound(message(1, "oi"))),
        turns.feed(&key(), 4_000, inbound(message(2, "minha internet caiu"))),
    ];
    assert_eq!(turns.deadline(&key()), Some(12_000));
    seen.extend(turns.pass(11_999));
    seen.extend(turns.pass(12_000));
    seen.push(turns.feed(&key(), 60_000, inbound(message(3, "alô?"))));
    seen.extend(turns.pass(100_000));
    insta::assert_snapshot!(told(&seen), @r#"
    received oi
    received minha internet caiu
    turn 1 of 2 closed by Window: "oi\nminha internet caiu"
    received alô?
    turn 2 of 1 closed by Window: "alô?"
    "#);
}

#[test]
fn a_turn_holds_no_more_text_than_is_handed_on() {
    let mut turns = driver();
    let seen = turns.feed(&key(), 1_000, inbound(message(1, "oi")));
    assert_eq!(seen.outputs.len(), 1);
    // The state of a customer who sends a megabyte again and again would grow beyond any record.
    let seen = turns.feed(&key(), 2_000, inbound(message(2, &"internet ".repeat(10_000))));
    let turn = seen.outputs.iter().find_map(|(_, out)| match &out.0.body {
        TurnsBody::Turn(turn) => Some(turn),
        _ => None,
    });
    let turn = turn.expect("the turn has ended");
    assert_eq!((turn.messages.len(), turn.closed_by), (2, TurnClosedBy::Size));
    let state = turns.state(&key()).unwrap().to_bytes().unwrap();
    assert!(state.len() < 1_024, "{} bytes are kept", state.len());
}

#[test]
fn a_turn_never_grows_for_longer_than_it_may() {
    let mut turns = driver();
    let mut seen = Vec::new();
    for n in 0..6 {
        seen.extend(turns.pass(1_000 + i64::from(n) * 5_000));
        let text = format!("parte {n}");
        seen.push(turns.feed(&key(), 1_000 + i64::from(n) * 5_000, inbound(message(n, &text))));
    }
    insta::assert_snapshot!(told(&seen), @r#"
    received parte 0
    received parte 1
    received parte 2
    received parte 3
    turn 1 of 4 closed by MaxAge: "parte 0\nparte 1\nparte 2\nparte 3"
    received parte 4
    received parte 5
    "#);
}

#[test]
fn a_repeat_is_dropped_also_days_later_and_a_forgotten_one_is_not() {
    let mut turns = driver();
    turns.feed(&key(), 0, inbound(message(1, "oi")));
    turns.pass(10_000);
    let six_days = 6 * 24 * HOUR_MS;
    for at in [1, 20_000, six_days] {
        let seen = turns.feed(&key(), at, inbound(message(1, "oi")));
        assert_eq!(seen.verdict, Verdict::Drop(DropReason::Duplicate));
        assert!(seen.outputs.is_empty());
    }
    // Remembered as long as providers retry, and no longer: the list does not grow for ever.
    turns.feed(&key(), 8 * 24 * HOUR_MS, inbound(message(2, "voltei")));
    assert_eq!(turns.state(&key()).unwrap().seen.len(), 1);
}

#[test]
fn buttons_media_callers_owners_and_cries_for_a_person_do_not_wait() {
    let mut turns = driver();
    let mut seen = vec![turns.feed(&key(), 1_000, inbound(message(1, "oi")))];
    let mut audio = message(2, "");
    audio.head.kind = MessageKind::Audio;
    audio.head.text_sealed = None;
    audio.head.text_masked = None;
    audio.text = None;
    seen.push(turns.feed(&key(), 2_000, inbound(audio)));
    let mut button = message(3, "Segunda via");
    button.head.kind = MessageKind::Button;
    button.head.choice = Some(Choice { id: "b1".to_owned(), title: "Segunda via".to_owned() });
    seen.push(turns.feed(&key(), 3_000, inbound(button)));
    let mut caller = message(4, "minha internet caiu");
    caller.flush = true;
    seen.push(turns.feed(&key(), 4_000, inbound(caller)));
    seen.push(turns.feed(&key(), 5_000, inbound(message(5, "Falar com atendente"))));
    seen.push(turns.feed(&key(), 6_000, inbound(message(6, "só mais uma coisa"))));
    seen.push(turns.feed(&key(), 7_000, claim()));
    seen.push(turns.feed(&key(), 8_000, inbound(message(7, "obrigada por me atender"))));
    insta::assert_snapshot!(told(&seen), @r#"
    received oi
    received -
    turn 1 of 2 closed by Media: "oi" needs a person
    received Segunda via
    turn 2 of 1 closed by Choice: "Segunda via"
    received minha internet caiu
    turn 3 of 1 closed by Caller: "minha internet caiu"
    received Falar com atendente
    turn 4 of 1 closed by PersonAsked: "Falar com atendente"
    received só mais uma coisa
    command Claim
    turn 5 of 1 closed by Owner: "só mais uma coisa"
    received obrigada por me atender
    turn 6 of 1 closed by Owner: "obrigada por me atender"
    "#);
}

#[test]
fn grouping_off_makes_every_message_a_turn() {
    let mut turns = driver();
    turns.broadcast_mut().default.enabled = false;
    let seen = [turns.feed(&key(), 0, inbound(message(1, "oi")))];
    insta::assert_snapshot!(told(&seen), @r#"
    received oi
    turn 1 of 1 closed by Window: "oi"
    "#);
}

#[test]
fn keeps_no_plain_text_and_forgets_who_is_gone() {
    let mut turns = driver();
    turns.feed(&key(), 0, inbound(message(1, "segredo 123")));
    let encoded = turns.state(&key()).unwrap().to_bytes().unwrap();
    assert!(!encoded.windows(7).any(|window| window == b"segredo"), "no plain text");
    turns.pass(40 * 24 * HOUR_MS);
    assert!(turns.state(&key()).is_none());
}

/// What the CRM and the channel say of a contact that was told of `sem_conexao`.
fn learned() -> [Inbound; 2] {
    let conversation_id = ConversationId([1; 20]);
    let found = ActionOutcome {
        conversation_id,
        turn: 1,
        action: "line_check".to_owned(),
        result: ActionResult::Done,
        finding: "line_los".to_owned(),
        fields_sealed: None,
        facts: BTreeMap::from([("line_down".to_owned(), true)]),
        customer: None,
    };
    let delivered = DeliveryOutcome {
        conversation_id,
        turn: 1,
        purpose: ReplyPurpose::Answer,
        part: 0,
        parts: 1,
        result: DeliveryResult::Sent,
        provider_message_id: None,
        error: None,
        agent: None,
        answer_id: None,
        text_sealed: None,
        text_masked: None,
        buttons: Vec::new(),
        intent: Some("sem_conexao".to_owned()),
    };
    let delivered = InboundBody::DeliveryOutcome(Box::new(delivered));
    [InboundBody::ActionOutcome(found), delivered].map(|body| Inbound { body })
}

#[test]
fn what_the_crm_told_goes_with_turns_for_as_long_as_it_holds() {
    /// What goes with a turn that comes `hours` later.
    fn later(hours: i64, context_hours: i64) -> Vec<(BTreeMap<String, bool>, Option<String>)> {
        let mut turns = driver();
        turns.broadcast_mut().default.enabled = false;
        turns.broadcast_mut().context_hours = context_hours;
        let mut seen = vec![turns.feed(&key(), 0, inbound(message(1, "caiu")))];
        for told in learned() {
            seen.push(turns.feed(&key(), 1_000, told));
        }
        turns.pass(hours * HOUR_MS);
        seen.push(turns.feed(&key(), hours * HOUR_MS, inbound(message(2, "e aí?"))));
        let outputs = seen.into_iter().flat_map(|seen| seen.outputs);
        let with = outputs.filter_map(|(_, out)| match out.0.body {
            TurnsBody::Turn(turn) => Some((turn.facts, turn.previous_intent)),
            _ => None,
        });
        with.collect()
    }
    let nothing = (BTreeMap::new(), None);
    let down = (BTreeMap::from([("line_down".to_owned(), true)]), Some("sem_conexao".to_owned()));
    assert_eq!(later(23, 24), [nothing.clone(), down]);
    assert_eq!(later(25, 24), [nothing.clone(), nothing.clone()]);
    assert_eq!(later(1, 0), [nothing.clone(), nothing], "off");
}

#[test]
fn a_stranger_is_set_aside() {
    let mut turns = driver();
    let key = LineKey::new("nobody", ContactKey([1; 16])).to_bytes();
    let seen = turns.feed(&key, 0, inbound(message(1, "oi")));
    assert!(matches!(seen.verdict, Verdict::Reject(why) if why.contains("nobody")));
}

proptest! {
    /// Whatever comes when: each message is received once and is in exactly one turn, in order.
    #[test]
    fn every_message_is_in_exactly_one_turn(
        steps in prop::collection::vec((0u8..30, 0i64..15_000, 0u8..8), 1..60),
    ) {
        let mut turns = driver();
        let (mut now, mut seen) = (0, Vec::new());
        for (id, pause, what) in steps {
            now += pause;
            seen.extend(turns.pass(now));
            let mut message = message(id, &format!("mensagem {id}"));
            message.flush = what == 0;
            if what == 1 {
                message.head.kind = MessageKind::Audio;
            }
            let input = if what == 2 { claim() } else { inbound(message) };
            seen.push(turns.feed(&key(), now, input));
        }
        seen.extend(turns.pass(now + 100_000));
        let (mut received, mut grouped, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        for (_, out) in seen.iter().flat_map(|seen| &seen.outputs) {
            match &out.0.body {
                TurnsBody::Received(message) => received.push(message.head.message_id),
                TurnsBody::Turn(turn) => {
                    grouped.extend(turn.messages.iter().map(|message| message.message_id));
                    numbers.push(turn.turn);
                }
                _ => {}
            }
        }
        prop_assert_eq!(&received, &grouped);
        received.sort_unstable();
        received.dedup();
        prop_assert_eq!(received.len(), grouped.len());
        prop_assert_eq!(numbers.clone(), (1..).take(numbers.len()).collect::<Vec<i64>>());
    }
}

/// A change of the message the provider calls `about`.
fn change(n: u8, kind: MessageKind, about: &str, text: &str) -> Message {
    let mut changed = message(n, text);
    changed.head.kind = kind;
    changed.head.reply_to = Some(about.to_owned());
    changed
}

/// A message by the name it gets at the door.
fn named(about: &str, text: &str) -> Message {
    let mut named = message(1, text);
    let key = LineKey::parse(&key()).unwrap();
    let id = crate::door::provider_message(&keys(), "whatsapp_cloud", "1", &key, about);
    named.head.message_id = id;
    named.head.text_sealed = Some(keys().seal(id.as_bytes(), text.as_bytes()).unwrap());
    named
}

#[test]
fn a_turn_that_still_grows_is_handed_on_as_it_was_edited() {
    let mut turns = driver();
    let changes = |about, text| change(2, MessageKind::Edit, about, text);
    let mut seen = vec![
        turns.feed(&key(), 1_000, inbound(named("wamid.1", "minha internet voltou"))),
        turns.feed(&key(), 2_000, inbound(changes("wamid.1", "minha internet caiu"))),
        turns.feed(&key(), 3_000, inbound(message(3, "me ajuda"))),
        turns.feed(&key(), 4_000, inbound(change(4, MessageKind::Delete, "other", ""))),
    ];
    seen.extend(turns.pass(20_000));
    let late = change(6, MessageKind::Edit, "wamid.1", "outra coisa");
    seen.push(turns.feed(&key(), 21_000, inbound(late)));
    insta::assert_snapshot!(told(&seen), @r#"
    received minha internet voltou
    received minha internet caiu
    received me ajuda
    received -
    turn 1 of 2 closed by Window: "minha internet caiu\nme ajuda"
    received outra coisa
    "#);
}

#[test]
fn nothing_of_a_deleted_message_goes_on_behind_its_deletion() {
    let mut turns = driver();
    let id = named("wamid.1", "").head.message_id;
    let mut seen = vec![
        turns.feed(&key(), 1_000, inbound(change(4, MessageKind::Delete, "wamid.1", ""))),
        turns.feed(&key(), 1_500, inbound(change(4, MessageKind::Delete, "wamid.1", ""))),
        // The provider delivers what was deleted after its deletion, and an edit of it.
        turns.feed(&key(), 2_000, inbound(named("wamid.1", "minha senha é 1234"))),
        turns.feed(&key(), 3_000, inbound(change(5, MessageKind::Edit, "wamid.1", "a senha"))),
    ];
    seen.extend(turns.pass(60_000));
    insta::assert_snapshot!(told(&seen), @r"
    received -
    Drop(Duplicate)
    received -
    received -
    ");
    let heads =
        seen.iter().flat_map(|seen| &seen.outputs).filter_map(|(_, out)| match &out.0.body {
            TurnsBody::Received(received) => Some(&received.head),
            _ => None,
        });
    let heads: Vec<_> = heads.collect();
    assert!(heads.iter().all(|head| head.deleted && head.text_sealed.is_none()));
    assert_eq!(heads[0].changes, Some(id), "what takes it out of the history");
    let body = InboundBody::MediaFetched(MediaFetched {
        message_id: id,
        part: 0,
        result: MediaResult::Stored,
        sha256: Some("aa".to_owned()),
        mime: Some("audio/ogg".to_owned()),
        filename: Some("senha.ogg".to_owned()),
        size_bytes: Some(1),
    });
    let file = turns.feed(&key(), 61_000, Inbound { body });
    let TurnsBody::MediaFetched(told) = &file.outputs[0].1.0.body else { panic!("{file:?}") };
    assert_eq!((told.sha256.as_deref(), told.filename.as_deref()), (None, None));
    let body = InboundBody::Transcribed(Transcribed {
        message_id: id,
        part: 0,
        result: TranscriptResult::Heard,
        text_sealed: named("wamid.1", "a senha").head.text_sealed,
        text_masked: Some("a senha".to_owned()),
        confidence: 0.9,
    });
    let words = turns.feed(&key(), 62_000, Inbound { body });
    let TurnsBody::Transcribed(told) = &words.outputs[0].1.0.body else { panic!("{words:?}") };
    assert_eq!((&told.text_sealed, &told.text_masked), (&None, &None));
}

#[test]
fn a_flush_ends_what_is_open_and_nothing_else() {
    let mut driver = driver();
    let mut closed = |now_ms: i64, input: Inbound| {
        let seen = driver.feed(&key(), now_ms, input);
        let turns = seen.outputs.iter().filter_map(|(_, out)| match &out.0.body {
            TurnsBody::Turn(turn) => Some((turn.messages.len(), turn.closed_by)),
            TurnsBody::Command(_) => panic!("the grouping's own affair is not passed on"),
            _ => None,
        });
        turns.collect::<Vec<_>>()
    };
    assert_eq!(closed(0, command(CommandAction::Flush)), []);
    assert_eq!(closed(1, inbound(message(1, "minha internet"))), []);
    assert_eq!(closed(2, inbound(message(2, "caiu"))), []);
    assert_eq!(closed(3, command(CommandAction::Flush)), [(2, TurnClosedBy::Flush)]);
    assert_eq!(closed(4, command(CommandAction::Flush)), [], "a repeat ends nothing");
    // The customer is grouped as before.
    assert_eq!(closed(5, inbound(message(3, "de novo"))), []);
    let later = driver.pass(20_000);
    assert_eq!(later.iter().flat_map(|seen| &seen.outputs).count(), 1);
}

const WAIT_MS: i64 = 60_000;

fn listening() -> Driver<Turns> {
    let mut turns = driver();
    turns.broadcast_mut().transcript_wait_ms = WAIT_MS;
    turns
}

fn audio(n: u8) -> Inbound {
    let mut audio = message(n, "");
    audio.head.kind = MessageKind::Audio;
    (audio.head.text_sealed, audio.head.text_masked, audio.text) = (None, None, None);
    audio.head.attachments = vec![Attachment {
        reference: "M".to_owned(),
        mime: "audio/ogg".to_owned(),
        filename: None,
        size_bytes: None,
        sha256: None,
        transcript_sealed: None,
        confidence: None,
    }];
    inbound(audio)
}

fn fetched(n: u8, result: MediaResult, mime: &str) -> Inbound {
    Inbound {
        body: InboundBody::MediaFetched(MediaFetched {
            message_id: MessageId([n; 16]),
            part: 0,
            result,
            sha256: Some("ab".to_owned()),
            mime: Some(mime.to_owned()),
            filename: None,
            size_bytes: None,
        }),
    }
}

fn transcribed(n: u8, said: Option<&str>) -> Inbound {
    let seal = |text: &str| keys().seal(&[n], text.as_bytes()).unwrap();
    Inbound {
        body: InboundBody::Transcribed(Transcribed {
            message_id: MessageId([n; 16]),
            part: 0,
            result: said.map_or(TranscriptResult::Failed, |_| TranscriptResult::Heard),
            text_sealed: said.map(seal),
            text_masked: said.map(str::to_owned),
            confidence: 0.83,
        }),
    }
}

/// The turns alone: how each ended, how sure its words are, whether it needs a person.
fn ended(seen: &[Seen<TurnsOut>]) -> Vec<(TurnClosedBy, Option<String>, Option<f64>, bool)> {
    let outputs = seen.iter().flat_map(|seen| &seen.outputs);
    let turns = outputs.filter_map(|(_, out)| match &out.0.body {
        TurnsBody::Turn(turn) => Some(turn),
        _ => None,
    });
    let told = turns.map(|turn| {
        (turn.closed_by, turn.text.clone(), turn.transcript_confidence, turn.needs_person)
    });
    told.collect()
}

fn said(text: &str) -> (TurnClosedBy, Option<String>, Option<f64>, bool) {
    (TurnClosedBy::Transcript, Some(text.to_owned()), Some(0.83), false)
}

const UNHEARD: (TurnClosedBy, Option<String>, Option<f64>, bool) =
    (TurnClosedBy::Media, None, None, true);

#[test]
fn case_12_texts_are_grouped_and_recordings_wait_each_for_its_words() {
    let mut turns = listening();
    let mut seen = vec![
        turns.feed(&key(), 1_000, inbound(message(1, "oi"))),
        turns.feed(&key(), 2_000, audio(2)),
        turns.feed(&key(), 3_000, audio(3)),
        turns.feed(&key(), 4_000, inbound(message(4, "entendeu?"))),
        turns.feed(&key(), 5_000, fetched(2, MediaResult::Stored, "audio/ogg")),
        turns.feed(&key(), 5_000, fetched(3, MediaResult::Stored, "audio/ogg")),
    ];
    assert_eq!(ended(&seen), [], "nothing is decided before its words are known");
    seen.push(turns.feed(&key(), 6_000, transcribed(3, Some("e quero a segunda via"))));
    seen.extend(turns.pass(30_000));
    seen.push(turns.feed(&key(), 31_000, transcribed(2, Some("minha internet caiu"))));
    let texts = (TurnClosedBy::Window, Some("oi\nentendeu?".to_owned()), None, false);
    assert_eq!(ended(&seen), [said("e quero a segunda via"), texts, said("minha internet caiu")]);
    assert_eq!(turns.state(&key()).unwrap().waiting, []);
}

#[test]
fn case_12_a_recording_nobody_can_write_down_goes_to_a_person() {
    for news in [
        fetched(1, MediaResult::TooLarge, ""),
        fetched(1, MediaResult::Stored, "application/pdf"),
        transcribed(1, None),
    ] {
        let mut turns = listening();
        let seen = [turns.feed(&key(), 0, audio(1)), turns.feed(&key(), 1, news)];
        assert_eq!(ended(&seen), [UNHEARD]);
    }
    let mut turns = listening();
    let mut seen = vec![turns.feed(&key(), 0, audio(1))];
    seen.extend(turns.pass(WAIT_MS - 1));
    assert_eq!(ended(&seen), []);
    seen.extend(turns.pass(WAIT_MS));
    seen.push(turns.feed(&key(), WAIT_MS + 1, transcribed(1, Some("tarde"))));
    assert_eq!(ended(&seen), [UNHEARD], "too late is history, and no turn");
    let history = seen.iter().flat_map(|seen| &seen.outputs);
    assert!(history.into_iter().any(|(_, out)| matches!(out.0.body, TurnsBody::Transcribed(_))));
    // Without a transcriber nothing waits.
    assert_eq!(ended(&[driver().feed(&key(), 0, audio(1))]), [UNHEARD]);
}

#[test]
fn who_listens_does_not_wait_and_what_is_told_twice_is_told_once() {
    let mut turns = listening();
    let seen = [turns.feed(&key(), 0, audio(1)), turns.feed(&key(), 1, claim())];
    assert_eq!(ended(&seen), [UNHEARD]);
    assert_eq!(ended(&[turns.feed(&key(), 2, audio(2))]), [UNHEARD], "a person listens");
    for news in [fetched(2, MediaResult::Stored, "audio/ogg"), transcribed(2, Some("oi"))] {
        assert_eq!(turns.feed(&key(), 3, news.clone()).verdict, Verdict::Done);
        let again = turns.feed(&key(), 4, news);
        assert_eq!(again.verdict, Verdict::Drop(DropReason::Duplicate));
        assert!(again.outputs.is_empty());
    }
}

proptest! {
    /// Whatever is told of recordings, when and how often: each message is in exactly one turn.
    #[test]
    fn every_recording_is_in_exactly_one_turn(
        steps in prop::collection::vec((0u8..6, 0i64..40_000, 0u8..7), 1..60),
    ) {
        let mut turns = listening();
        let (mut now, mut seen) = (0, Vec::new());
        for (id, pause, what) in steps {
            now += pause;
            seen.extend(turns.pass(now));
            let input = match what {
                0 => inbound(message(id + 100, "oi")),
                1 => claim(),
                2 => fetched(id, MediaResult::Stored, "audio/ogg"),
                3 => fetched(id, MediaResult::Refused, ""),
                4 => transcribed(id, Some("caiu")),
                5 => transcribed(id, None),
                _ => audio(id),
            };
            seen.push(turns.feed(&key(), now, input));
        }
        seen.extend(turns.pass(now + 1_000_000));
        let (mut received, mut grouped) = (Vec::new(), Vec::new());
        for (_, out) in seen.iter().flat_map(|seen| &seen.outputs) {
            match &out.0.body {
                TurnsBody::Received(message) => received.push(message.head.message_id),
                TurnsBody::Turn(turn) => {
                    grouped.extend(turn.messages.iter().map(|message| message.message_id));
                }
                _ => {}
            }
        }
        received.sort_unstable();
        grouped.sort_unstable();
        prop_assert_eq!(received, grouped);
    }
}
