//! A sample of every record type that crosses a topic, every branch of every union.

use schemas::codec::Avro;
use schemas::conversation::*;
use schemas::customers::*;
use schemas::ids::*;
use schemas::labels::*;
use schemas::line::*;
use schemas::message::*;
use schemas::models::*;
use schemas::ops::*;
use schemas::sealed::SealedText;
use schemas::state::*;
use schemas::thread::*;
use schemas::work::*;

fn sealed() -> SealedText {
    SealedText { key_id: "1".into(), nonce: vec![1; 12], bytes: vec![2; 20] }
}

fn head() -> MessageHead {
    MessageHead {
        message_id: MessageId([1; 16]),
        channel: Channel::Whatsapp,
        provider: "whatsapp_cloud".into(),
        account: "972123456789".into(),
        direction: Direction::Inbound,
        kind: MessageKind::Audio,
        provider_message_id: Some("wamid.x".into()),
        reply_to: None,
        thread_key: None,
        contact_sealed: sealed(),
        text_sealed: Some(sealed()),
        text_masked: Some("minha internet caiu".into()),
        choice: Some(Choice { id: "a".into(), title: "A".into() }),
        attachments: vec![Attachment {
            reference: "media-1".into(),
            mime: "audio/ogg".into(),
            filename: None,
            size_bytes: Some(12_345),
            sha256: None,
            transcript_sealed: Some(sealed()),
            confidence: Some(0.5),
        }],
        site: Some(Site { olt: Some("olt-3".into()), ..Site::default() }),
        auto_generated: false,
        verified: true,
        event_time_ms: 1_763_700_000_000,
        reply_window_until_ms: Some(1_763_786_400_000),
        answer_via: AnswerVia::Caller,
        attributes: [("referral".to_owned(), "ad".to_owned())].into(),
        thread_sealed: Some(sealed()),
        changes: Some(MessageId([2; 16])),
        deleted: true,
    }
}

fn turn() -> Turn {
    Turn {
        turn: 3,
        messages: vec![TurnMessage { message_id: MessageId([1; 16]), kind: MessageKind::Text }],
        text: Some("minha internet caiu".into()),
        text_masked: Some("minha internet caiu".into()),
        closed_by: TurnClosedBy::MaxAge,
        answer_via: AnswerVia::Channel,
        needs_person: false,
        choice: None,
        auto_generated: false,
        facts: [("line_down".to_owned(), true)].into(),
        previous_intent: Some("pix".into()),
        linked: vec![ContactKey([7; 16])],
        elsewhere: vec![elsewhere()],
        claims_sealed: Some(sealed()),
        transcript_confidence: Some(0.8),
    }
}

fn classification() -> Classification {
    Classification {
        model_version: "a1b2c3".into(),
        intents: vec![IntentScore { id: "sem_conexao".into(), probability: 0.97 }],
        confidence: 0.97,
        in_scope: true,
        threshold: 0.8,
        would_answer: true,
        sentiment: Sentiment::Negativo,
        sentiment_confidence: 0.7,
        frustrated: true,
        urgent: false,
        unknown_share: 0.1,
        explanation: vec![NgramWeight { ngram: "internet caiu".into(), weight: 2.5 }],
    }
}

fn address() -> Address {
    Address {
        channel: Channel::WebChat,
        provider: "web_chat".into(),
        account: "site".into(),
        contact_sealed: sealed(),
        reply_window_until_ms: None,
        thread_key: Some("1f".into()),
        thread_sealed: Some(sealed()),
    }
}

fn due() -> AnswerDue {
    AnswerDue {
        purpose: ReplyPurpose::Answer,
        turn: 3,
        part: 0,
        via: AnswerVia::Channel,
        tell_protocol: true,
        address: address(),
        expires_at_ms: 5,
        intent: Some("pix".into()),
    }
}

fn command() -> Command {
    Command {
        command_id: CommandId([3; 16]),
        conversation_id: ConversationId([4; 20]),
        agent: "Ana".into(),
        action: CommandAction::Label,
        text_sealed: Some(sealed()),
        text_masked: Some("oi".into()),
        label: Some(LabelGiven {
            turn: 3,
            messages: vec![MessageId([1; 16])],
            intent: "lentidao".into(),
            sentiment: Some(Sentiment::Neutro),
            model_version: "a1b2c3".into(),
            predicted: "sem_conexao".into(),
            confidence: 0.97,
            predicted_sentiment: Sentiment::Negativo,
            route: Route::Auto,
        }),
        queue: Some("vendas".into()),
        to_agent: Some("Bia".into()),
        until_ms: Some(9),
        answer_id: Some("modelo.retorno".into()),
        score: Some(4),
    }
}

fn outcome() -> Box<DeliveryOutcome> {
    Box::new(DeliveryOutcome {
        conversation_id: ConversationId([4; 20]),
        turn: 3,
        purpose: ReplyPurpose::HandoffNotice,
        part: 0,
        parts: 2,
        result: DeliveryResult::Uncertain,
        provider_message_id: None,
        error: Some("timeout".into()),
        agent: None,
        answer_id: Some("sem_conexao.guia".into()),
        text_sealed: Some(sealed()),
        text_masked: Some("…".into()),
        buttons: vec![Button { id: "1".into(), title: "Sim".into() }],
        intent: Some("pix".into()),
    })
}

fn status() -> ProviderStatus {
    ProviderStatus {
        provider_message_id: "w".into(),
        status: ProviderStatusKind::Read,
        error_code: None,
        event_time_ms: 1,
        callback: None,
    }
}

fn action() -> ActionOutcome {
    ActionOutcome {
        conversation_id: ConversationId([4; 20]),
        turn: 3,
        action: "open_invoice".into(),
        result: ActionResult::Done,
        finding: "open".into(),
        fields_sealed: Some(sealed()),
        facts: [("open_invoice".to_owned(), true)].into(),
        customer: Some(ContactKey([7; 16])),
    }
}

fn tick() -> Tick {
    Tick { stage: "router".into(), state_key: b"demo:x".to_vec(), deadline_ms: 9 }
}

fn fetched() -> MediaFetched {
    MediaFetched {
        message_id: MessageId([1; 16]),
        part: 0,
        result: MediaResult::Stored,
        sha256: Some("ab".into()),
        mime: Some("audio/ogg".into()),
        filename: None,
        size_bytes: Some(3),
    }
}

fn transcribed() -> Transcribed {
    Transcribed {
        message_id: MessageId([1; 16]),
        part: 0,
        result: TranscriptResult::Heard,
        text_sealed: Some(sealed()),
        text_masked: Some("oi".into()),
        confidence: 0.8,
    }
}

fn labeled() -> Labeled {
    Labeled {
        agent: "Ana".into(),
        source: LabelSource::Check,
        turn: 3,
        intent: "lentidao".into(),
        sentiment: None,
        model_version: "a1b2c3".into(),
        predicted: "sem_conexao".into(),
        confidence: 0.97,
        route: Route::Auto,
    }
}

fn events() -> Vec<ConversationEvent> {
    use ConversationEvent as E;
    vec![
        E::Opened(Opened { provider: "p".into(), account: "a".into(), contact_sealed: sealed() }),
        E::MessageReceived(Box::new(MessageReceived { head: head() })),
        E::TurnDecided(Box::new(TurnDecided {
            turn: 3,
            messages: vec![MessageId([1; 16])],
            closed_by: TurnClosedBy::Window,
            route: Route::Auto,
            reason: RouteReason::Confident,
            classification: Some(classification()),
            action: Some("line_check".into()),
            policy_version: "p".into(),
            transcript_confidence: None,
        })),
        E::ActionDone(ActionDone {
            turn: 3,
            intent: "sem_conexao".into(),
            sentiment: Sentiment::Neutro,
            action: "line_check".into(),
            result: ActionResult::Done,
            finding: "line_los".into(),
            fields_sealed: Some(sealed()),
        }),
        E::Queued(Queued { turn: Some(3), reason: RouteReason::ActionFailed }),
        E::ReplySent(Box::new(ReplySent {
            turn: 3,
            purpose: ReplyPurpose::Answer,
            part: 0,
            since_ms: Some(1),
            agent: None,
            answer_id: None,
            result: DeliveryResult::Sent,
            provider_message_id: None,
            text_sealed: Some(sealed()),
            text_masked: Some("oi".into()),
            buttons: vec![],
        })),
        E::Resolved(Resolved { by: None }),
        E::Reopened(Reopened {}),
        E::Closed(Closed {}),
        E::SlaBreached(SlaBreached { due_ms: 9, resolution: true }),
        E::StatusChanged(StatusChanged {
            provider_message_id: "wamid.x".into(),
            status: ProviderStatusKind::Read,
            error_code: None,
            reply: Some("1/answer/0".into()),
        }),
        E::Labeled(labeled()),
        E::MediaFetched(fetched()),
        E::Transcribed(transcribed()),
    ]
}

fn of_the_team() -> Vec<ConversationEvent> {
    use ConversationEvent as E;
    vec![
        E::Refused(Refused {
            agent: "Bia".into(),
            action: CommandAction::Claim,
            reason: "owned".into(),
        }),
        E::Assigned(Assigned { agent: "Ana".into() }),
        E::AgentReplied(AgentReplied {
            agent: "Ana".into(),
            part: 1,
            text_sealed: sealed(),
            text_masked: "oi".into(),
            answer_id: Some("modelo.retorno".into()),
        }),
        E::Transferred(Transferred {
            agent: "Ana".into(),
            queue: Some("vendas".into()),
            to_agent: None,
            note_sealed: Some(sealed()),
            note_masked: Some("quer o plano maior".into()),
        }),
        E::Noted(Noted {
            agent: "Ana".into(),
            text_sealed: sealed(),
            text_masked: "ligar amanhã".into(),
        }),
        E::Snoozed(Snoozed { agent: "Ana".into(), until_ms: 9 }),
        E::Woken(Woken {}),
        E::Linked(Linked {
            link_id: CommandId([3; 16]),
            contact: ContactKey([7; 16]),
            undone: false,
            source: LinkSource::Agent,
            by: Some("Ana".into()),
        }),
        E::CsatAsked(CsatAsked {}),
        E::CsatAnswered(CsatAnswered {
            score: 4,
            comment_sealed: Some(sealed()),
            comment_masked: Some("demorou".into()),
            by: Some("Ana".into()),
        }),
    ]
}

fn conversation(event: ConversationEvent) -> Conversation {
    Conversation {
        tenant: "demo".into(),
        conversation_id: ConversationId([4; 20]),
        protocol: "202611200001234567".into(),
        seq: 7,
        chat_seq: Some(2),
        channel: Channel::WebChat,
        state: ConversationState::BotAnswered,
        owner: None,
        queue: Some("suporte".into()),
        priority: Priority::High,
        sla_due_ms: Some(3),
        opened_at_ms: 1,
        command_id: Some(CommandId([3; 16])),
        settled: vec![Settlement {
            turn: 3,
            route: Route::Auto,
            reason: RouteReason::Confident,
            messages: 1,
        }],
        answer_due: Some(due()),
        to_check: Some(vec![3]),
        event,
    }
}

/// Encodes and holds the type to reading back the same.
fn whole<T: Avro + PartialEq + std::fmt::Debug>(record: &T) -> (&'static str, Vec<u8>) {
    let bytes = record.to_bytes().unwrap();
    assert_eq!(&T::from_bytes(&bytes).unwrap(), record, "{} does not round-trip", T::NAME);
    (T::NAME, bytes)
}

/// Type name and encoding of every sample.
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![whole(&Contact {
        ids: vec![ContactId { kind: ContactIdKind::Bsuid, value: "BR.1".into(), scope: None }],
        name: Some("Ana".into()),
    })];
    all.extend(line());
    all.extend(events().into_iter().chain(of_the_team()).map(|event| whole(&conversation(event))));
    all.extend(work());
    all.extend(states());
    all.extend(ops());
    all.extend(models());
    all.extend(labels());
    all.extend(customers());
    all
}

fn elsewhere() -> OpenElsewhere {
    OpenElsewhere {
        conversation_id: ConversationId([4; 20]),
        channel: Channel::Email,
        queue: Some("suporte".into()),
        owner: None,
    }
}

fn link() -> CustomerLink {
    CustomerLink {
        tenant: "demo".into(),
        link_id: CommandId([3; 16]),
        command_id: CommandId([3; 16]),
        contact: ContactKey([6; 16]),
        other: ContactKey([7; 16]),
        undone: false,
        source: LinkSource::Agent,
        by: Some("Ana".into()),
        reason_sealed: Some(sealed()),
        at_ms: 5,
    }
}

fn news() -> CustomerNews {
    CustomerNews {
        about: ContactKey([6; 16]),
        via: ContactKey([6; 16]),
        opened_at_ms: 4,
        seq: 9,
        at_ms: 5,
        open: Some(elsewhere()),
        facts: [("line_down".to_owned(), true)].into(),
        intent: Some("pix".into()),
        to: vec![ContactKey([7; 16])],
    }
}

fn customers() -> Vec<(&'static str, Vec<u8>)> {
    let named = ContactNamed {
        tenant: "demo".into(),
        contact: ContactKey([6; 16]),
        channel: Channel::Whatsapp,
        aliases: vec![Alias([8; 16])],
        at_ms: 5,
    };
    let bodies = [CustomerBody::CustomerLink(link()), CustomerBody::ContactNamed(named)];
    bodies.into_iter().map(|body| whole(&CustomerRecord { body })).collect()
}

fn line() -> Vec<(&'static str, Vec<u8>)> {
    let message = Message { head: head(), text: Some("minha internet caiu".into()), flush: true };
    let received = Box::new(Received { head: head(), aliases: vec![Alias([8; 16])] });
    let classified = ClassifiedTurn { turn: turn(), classification: Some(classification()) };
    let inbound = [
        InboundBody::Message(Box::new(message)),
        InboundBody::Command(command()),
        InboundBody::ProviderStatus(status()),
        InboundBody::ActionOutcome(action()),
        InboundBody::DeliveryOutcome(outcome()),
        InboundBody::Tick(tick()),
        InboundBody::CustomerLink(Box::new(link())),
        InboundBody::CustomerNews(Box::new(news())),
        InboundBody::MediaFetched(fetched()),
        InboundBody::Transcribed(transcribed()),
    ];
    let turns = [
        TurnsBody::Received(received.clone()),
        TurnsBody::Turn(Box::new(turn())),
        TurnsBody::Command(command()),
        TurnsBody::ProviderStatus(status()),
        TurnsBody::ActionOutcome(action()),
        TurnsBody::DeliveryOutcome(outcome()),
        TurnsBody::Tick(tick()),
        TurnsBody::CustomerLink(Box::new(link())),
        TurnsBody::CustomerNews(Box::new(news())),
        TurnsBody::MediaFetched(fetched()),
        TurnsBody::Transcribed(transcribed()),
    ];
    let classified = [
        ClassifiedBody::Received(received),
        ClassifiedBody::ClassifiedTurn(Box::new(classified)),
        ClassifiedBody::Command(command()),
        ClassifiedBody::ProviderStatus(status()),
        ClassifiedBody::ActionOutcome(action()),
        ClassifiedBody::DeliveryOutcome(outcome()),
        ClassifiedBody::Tick(tick()),
        ClassifiedBody::CustomerLink(Box::new(link())),
        ClassifiedBody::CustomerNews(Box::new(news())),
        ClassifiedBody::MediaFetched(fetched()),
        ClassifiedBody::Transcribed(transcribed()),
    ];
    let mut all = Vec::new();
    all.extend(inbound.into_iter().map(|body| whole(&Inbound { body })));
    all.extend(turns.into_iter().map(|body| whole(&Turns { body })));
    all.extend(classified.into_iter().map(|body| whole(&Classified { body })));
    all
}

fn work() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        whole(&ActionRequest {
            conversation_id: ConversationId([4; 20]),
            turn: 3,
            action: "open_invoice".into(),
            intent: "segunda_via".into(),
            contact_sealed: sealed(),
            verified: true,
            expires_at_ms: 4,
            claims_sealed: Some(sealed()),
            choice: Some("10".into()),
        }),
        whole(&Reply {
            conversation_id: ConversationId([4; 20]),
            protocol: "1".into(),
            due: due(),
            answer_id: None,
            catalogue_version: "x".into(),
            agent: None,
            text_sealed: sealed(),
            text_masked: "oi".into(),
            buttons: vec![],
            options_title: "Opções".into(),
            template_sealed: Some(sealed()),
            parts: 2,
        }),
        whole(&Handoff {
            tenant: "demo".into(),
            conversation_id: ConversationId([4; 20]),
            protocol: "1".into(),
            turn: Some(3),
            channel: Channel::Sms,
            queue: "vendas".into(),
            priority: Priority::Urgent,
            reason: RouteReason::Policy,
            intent: None,
            confidence: None,
            sentiment: None,
            frustrated: false,
            urgent: false,
            sla_due_ms: 1,
            text_masked: None,
        }),
    ]
}

fn turns_state() -> TurnsState {
    let open = OpenMessage {
        message_id: MessageId([1; 16]),
        kind: MessageKind::Text,
        text_sealed: Some(sealed()),
    };
    TurnsState {
        last_turn: 2,
        owned: true,
        open: Some(OpenTurn { opened_at_ms: 1, closes_at_ms: 2, messages: vec![open] }),
        seen: vec![SeenMessage { message_id: MessageId([1; 16]), at_ms: 1 }],
        facts: vec![KnownFact { name: "line_down".into(), is_true: true, at_ms: 1 }],
        previous: Some(KnownIntent { intent: "pix".into(), at_ms: 1 }),
        waiting: vec![WaitingAudio {
            message_id: MessageId([1; 16]),
            text_sealed: None,
            until_ms: 9,
            answer_via: AnswerVia::Channel,
        }],
        media_told: vec![ToldMedia {
            message_id: MessageId([1; 16]),
            part: 0,
            transcribed: true,
            at_ms: 1,
        }],
        deleted: vec![SeenMessage { message_id: MessageId([2; 16]), at_ms: 5 }],
        linked: vec![LinkedContact { link_id: CommandId([3; 16]), contact: ContactKey([7; 16]) }],
        undone_links: vec![CommandId([4; 16])],
        contact_nonce: vec![1; 12],
        elsewhere: vec![Elsewhere {
            about: ContactKey([7; 16]),
            opened_at_ms: 1,
            seq: 2,
            at_ms: 3,
            open: Some(elsewhere()),
        }],
    }
}

fn states() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        whole(&turns_state()),
        whole(&router_state()),
        whole(&MinuteMetrics {
            tenant: "demo".into(),
            minute: 1,
            source_partition: 0,
            values: [("settled/auto".to_owned(), 2)].into(),
        }),
    ]
}

fn router_state() -> RouterState {
    RouterState {
        conversation_id: ConversationId([4; 20]),
        protocol: "1".into(),
        seq: 1,
        chat_seq: 1,
        state: ConversationState::Queued,
        channel: Channel::Api,
        address: address(),
        owner: None,
        queue: None,
        priority: Priority::Low,
        sla_due_ms: None,
        sla_breached: false,
        opened_at_ms: 1,
        changed_at_ms: 1,
        resolved_at_ms: None,
        protocol_told: false,
        bot_answers: 0,
        last_intent: None,
        last_intent_answers: 0,
        agent_replies: 0,
        agent_deadline_ms: None,
        verified: false,
        pending: vec![PendingTurn {
            turn: 3,
            since_ms: 1,
            messages: 1,
            via: AnswerVia::Channel,
            intent: "pix".into(),
            sentiment: Sentiment::Neutro,
            action: None,
            action_deadline_ms: None,
            answered: true,
        }],
        commands: vec![CommandId([3; 16])],
        replies_seen: vec!["3/answer/0".into()],
        to_check: vec![3],
        answered_threads: vec![AnsweredThread { thread_key: "1f".into(), turn: 3, at_ms: 1 }],
        statuses: vec![ToldStatus {
            provider_message_id: "wamid.9".into(),
            status: ProviderStatusKind::Read,
        }],
        resolution_due_ms: Some(8),
        resolution_left_ms: None,
        resolution_breached: false,
        snoozed_until_ms: Some(9),
        linked: vec![ContactKey([7; 16])],
        identity_asked: true,
        claims_sealed: Some(sealed()),
        asked: Some(AskedIdentity { intent: "pix".into(), action: "open_invoice".into() }),
        sent: vec![SentReply {
            provider_message_id: "wamid.9".into(),
            turn: 3,
            purpose: ReplyPurpose::Answer,
            part: 0,
        }],
        csat_asked_ms: Some(8),
        csat_score: Some(4),
        csat_message: Some(MessageId([9; 16])),
    }
}

fn ops() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        whole(&RawRequest {
            provider: "whatsapp_cloud".into(),
            account: "1".into(),
            received_at_ms: 1,
            headers: [("x-hub-signature-256".to_owned(), "sha256=".to_owned())].into(),
            body: b"{}".to_vec(),
        }),
        whole(&DeadLetter {
            stage: "classify".into(),
            reason: DeadLetterReason::Panicked,
            detail: "index".into(),
            topic: "turns".into(),
            partition: 1,
            offset: 2,
            key: b"k".to_vec(),
            value: None,
            headers: vec![],
            time_ms: 3,
        }),
        whole(&MailCursor {
            uid_validity: 7,
            uid_next: 42,
            read_to_ms: 1,
            recent: vec![vec![1; 16].into()],
        }),
        whole(&Thread {
            message_id: Some("a@b".into()),
            references: vec!["c@d".into()],
            subject: Some("Boleto".into()),
        }),
        whole(&Setting { name: "answers".into(), version: "x".into(), content: b"a".to_vec() }),
        whole(&SettingInUse {
            name: "catalogue".into(),
            tenant: "demo".into(),
            version: "x".into(),
            configured: "w".into(),
            by: "Ana".into(),
            at_ms: 1,
        }),
    ]
}

fn models() -> Vec<(&'static str, Vec<u8>)> {
    let in_use = ModelsInUse {
        live: "m-a".into(),
        previous: Some("m-b".into()),
        candidate: None,
        change: ModelsChange::RolledBack,
        changed_by: "ana".into(),
        changed_at_ms: 1,
    };
    let published = ModelPublished {
        version: "m-a".into(),
        chunks: 2,
        size_bytes: 3,
        sha256: "00".into(),
        heads: vec!["intent".into()],
        published_by: "ana".into(),
        published_at_ms: 1,
    };
    let verdict = |route: &str| ShadowVerdict {
        intent: "sem_conexao".into(),
        confidence: 0.5,
        route: route.into(),
    };
    let bodies = [
        ModelBody::ModelsInUse(in_use),
        ModelBody::ModelPublished(published),
        ModelBody::Look(Look { partition: 1 }),
    ];
    let mut all: Vec<_> = bodies.map(|body| whole(&ModelRecord { body })).into();
    let file = ModelFile { name: "intent.model".into(), content: vec![1, 2] };
    all.push(whole(&ModelFiles { files: vec![file] }));
    all.push(whole(&ModelChunk { version: "m-a".into(), index: 0, content: vec![1, 2] }));
    all.push(whole(&ShadowTally {
        live: "m-a".into(),
        candidate: "m-b".into(),
        source_partition: 3,
        since_ms: 1,
        until_ms: 2,
        turns: 1,
        intents: [("fatura>boleto".to_owned(), 1)].into(),
        routes: [("auto>suporte".to_owned(), 1)].into(),
        confidence_live: 0.5,
        confidence_candidate: 0.5,
        raised: 0,
        lowered: 0,
        examples: vec![ShadowExample {
            time_ms: 1,
            text_masked: "minha internet caiu".into(),
            live: verdict("auto"),
            candidate: verdict("suporte"),
        }],
    }));
    all
}

fn labels() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        whole(&Label {
            label_id: CommandId([3; 16]),
            tenant: "demo".into(),
            conversation_id: ConversationId([4; 20]),
            turn: 3,
            messages: vec![MessageId([1; 16])],
            channel: Channel::Whatsapp,
            text_masked: "minha internet caiu".into(),
            intent: "lentidao".into(),
            sentiment: Some(Sentiment::Negativo),
            model_version: "a1b2c3".into(),
            predicted: "sem_conexao".into(),
            confidence: 0.97,
            predicted_sentiment: Sentiment::Negativo,
            route: Route::Auto,
            source: LabelSource::Correction,
            by: "Ana".into(),
            at_ms: 1,
        }),
        whole(&AutomaticPath {
            tenant: "demo".into(),
            intent: "pix".into(),
            open: false,
            at_ms: 2,
            by: None,
            model_version: "a1b2c3".into(),
            checked: 40,
            overridden: 9,
            override_rate_min: 0.1,
        }),
    ]
}
