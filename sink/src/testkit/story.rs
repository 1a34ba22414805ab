//! A conversation to fill stores with: two messages, an answer, then a queue.

use pipeline::{Envelope, Headers};
use schemas::conversation::*;
use schemas::ids::{ContactKey, ConversationId, LineKey, MessageId};
use schemas::line::{
    Classification, Inbound, InboundBody, IntentScore, NgramWeight, Sentiment, TurnClosedBy,
};
use schemas::message::*;
use schemas::sealed::SealedText;
use schemas::topics::{CONVERSATIONS, INBOUND, Topic};

use crate::rows::{self, Row};

/// Whose customers the stories' are.
pub const TENANT: &str = "demo";

/// One contact's conversation.
pub struct Story {
    pub key: LineKey,
    n: u8,
    /// Tells the stories of one telling from those of another.
    telling: u8,
}

fn sealed(byte: u8) -> SealedText {
    SealedText { key_id: "1".to_owned(), nonce: vec![byte; 12], bytes: vec![byte; 24] }
}

impl Story {
    /// The `n`th: each has its own contact, times and deadline.
    #[must_use]
    pub fn new(n: u8) -> Self {
        Self { key: LineKey::new(TENANT, ContactKey([n; 16])), n, telling: 0 }
    }

    /// The same again, of other contacts of a tenant of their own: for stores that are not emptied.
    #[must_use]
    pub fn told_again(n: u8, telling: u8) -> Self {
        let mut contact = [n; 16];
        contact[15] = telling;
        Self { key: LineKey::new(&format!("demo{telling}"), ContactKey(contact)), n, telling }
    }

    #[must_use]
    pub fn conversation_id(&self) -> ConversationId {
        ConversationId::new(self.key.contact, self.opened_at_ms())
    }

    fn opened_at_ms(&self) -> i64 {
        i64::from(self.n) * 60_000
    }

    #[must_use]
    pub fn messages(&self) -> Vec<MessageId> {
        let id = |first: u8| {
            let mut id = [first; 16];
            id[15] = if self.telling == 0 { first } else { self.telling };
            MessageId(id)
        };
        vec![id(self.n), id(self.n + 100)]
    }

    /// How many lines its history has.
    #[must_use]
    pub fn records(&self) -> i64 {
        i64::try_from(self.events().len()).unwrap()
    }

    fn head(&self, at: usize) -> MessageHead {
        MessageHead {
            message_id: self.messages()[at],
            channel: Channel::Whatsapp,
            provider: "whatsapp_cloud".to_owned(),
            account: "1".to_owned(),
            direction: Direction::Inbound,
            kind: MessageKind::Text,
            provider_message_id: None,
            reply_to: None,
            thread_key: None,
            contact_sealed: sealed(self.n),
            text_sealed: Some(sealed(self.n + u8::try_from(at).unwrap())),
            text_masked: Some("texto legível".to_owned()),
            choice: None,
            attachments: Vec::new(),
            site: None,
            auto_generated: false,
            verified: false,
            event_time_ms: self.opened_at_ms(),
            reply_window_until_ms: None,
            answer_via: AnswerVia::Channel,
            attributes: std::collections::BTreeMap::new(),
            thread_sealed: None,
            changes: None,
            deleted: false,
        }
    }

    fn events(&self) -> Vec<(ConversationState, ConversationEvent)> {
        use ConversationState::{BotAnswered, Queued as Waits, Triage};
        let received = |at| {
            ConversationEvent::MessageReceived(Box::new(MessageReceived { head: self.head(at) }))
        };
        let decided = |turn, route, reason| {
            ConversationEvent::TurnDecided(Box::new(TurnDecided {
                turn,
                messages: vec![self.messages()[usize::try_from(turn - 1).unwrap()]],
                closed_by: TurnClosedBy::Window,
                route,
                reason,
                classification: Some(Classification {
                    model_version: "m".to_owned(),
                    intents: vec![IntentScore { id: "sem_conexao".to_owned(), probability: 0.9 }],
                    confidence: 0.9,
                    in_scope: true,
                    threshold: 0.8,
                    would_answer: true,
                    sentiment: Sentiment::Negativo,
                    sentiment_confidence: 0.8,
                    frustrated: false,
                    urgent: false,
                    unknown_share: 0.0,
                    explanation: vec![NgramWeight { ngram: "internet".to_owned(), weight: 1.0 }],
                }),
                action: None,
                policy_version: String::new(),
                transcript_confidence: None,
            }))
        };
        let sent = ConversationEvent::ReplySent(Box::new(ReplySent {
            turn: 1,
            purpose: ReplyPurpose::Answer,
            part: 0,
            since_ms: Some(1),
            agent: None,
            answer_id: None,
            result: DeliveryResult::Sent,
            provider_message_id: None,
            text_sealed: Some(sealed(9)),
            text_masked: Some("texto legível".to_owned()),
            buttons: Vec::new(),
        }));
        let opened = Opened {
            provider: "whatsapp_cloud".to_owned(),
            account: "1".to_owned(),
            contact_sealed: sealed(self.n),
        };
        vec![
            (Triage, ConversationEvent::Opened(opened)),
            (Triage, received(0)),
            (BotAnswered, decided(1, Route::Auto, RouteReason::Confident)),
            (BotAnswered, sent),
            (BotAnswered, received(1)),
            (Waits, decided(2, Route::Human, RouteReason::Frustrated)),
        ]
    }

    fn envelope<T>(&self, topic: Topic, offset: u64, time_ms: i64, body: T) -> Envelope<T> {
        Envelope {
            key: self.key.to_bytes().into(),
            topic,
            partition: u32::from(self.n) % 3,
            offset,
            time_ms,
            headers: Headers::default(),
            body,
        }
    }

    /// Its rows, as the effects would make them.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for at in 0..2 {
            rows.push(self.accepted(at, i64::try_from(at).unwrap() * 4_000 + 1_000));
        }
        for (at, (state, event)) in self.events().into_iter().enumerate() {
            // Message lines carry the time the door took the message in.
            let at_ms = i64::try_from(at).unwrap() * 1_000 + if at == 4 { 1_000 } else { 0 };
            let queued = state == ConversationState::Queued;
            rows.push(self.line(i64::try_from(at).unwrap() + 1, at_ms, |record| {
                record.state = state;
                record.queue = queued.then(|| "suporte".to_owned());
                record.priority = if queued { Priority::High } else { Priority::Normal };
                record.sla_due_ms = queued.then(|| 1_000_000 - i64::from(self.n) * 1_000);
                record.event = event;
            }));
        }
        rows
    }

    /// The row of a line of its history, so long after it opened; `told` says what it tells.
    pub fn line(&self, seq: i64, after_ms: i64, told: impl FnOnce(&mut Conversation)) -> Row {
        self.told_line(seq, after_ms, told).remove(0)
    }

    /// All rows of such a line.
    pub fn told_line(
        &self,
        seq: i64,
        after_ms: i64,
        told: impl FnOnce(&mut Conversation),
    ) -> Vec<Row> {
        let mut record = Conversation {
            tenant: self.key.tenant.clone(),
            conversation_id: self.conversation_id(),
            protocol: format!("20261120{:010}", self.n),
            seq,
            chat_seq: None,
            channel: Channel::Whatsapp,
            state: ConversationState::Triage,
            owner: None,
            queue: None,
            priority: Priority::Normal,
            sla_due_ms: None,
            opened_at_ms: self.opened_at_ms(),
            command_id: None,
            settled: Vec::new(),
            answer_due: None,
            to_check: None,
            event: ConversationEvent::Reopened(Reopened {}),
        };
        told(&mut record);
        let time_ms = self.opened_at_ms() + after_ms;
        let envelope = self.envelope(CONVERSATIONS, seq.unsigned_abs(), time_ms, record);
        rows::of_conversation(&envelope).unwrap()
    }

    /// The row of a message at a door, so long after the conversation opened.
    pub fn accepted(&self, at: usize, after_ms: i64) -> Row {
        let message = Message { head: self.head(at), text: Some("texto".to_owned()), flush: false };
        let body = Inbound { body: InboundBody::Message(Box::new(message)) };
        let time_ms = self.opened_at_ms() + after_ms;
        rows::of_inbound(&self.envelope(INBOUND, at as u64, time_ms, body)).remove(0)
    }

    /// An edit or a deletion of message `about`.
    #[must_use]
    pub fn change(&self, kind: MessageKind, n: u8, about: MessageId) -> ConversationEvent {
        let mut head = MessageHead {
            message_id: MessageId([n; 16]),
            kind,
            changes: Some(about),
            ..self.head(0)
        };
        if kind == MessageKind::Delete {
            (head.text_sealed, head.text_masked) = (None, None);
        }
        ConversationEvent::MessageReceived(Box::new(MessageReceived { head }))
    }

    /// Another message.
    #[must_use]
    pub fn says(&self, n: u8) -> ConversationEvent {
        let head = MessageHead { message_id: MessageId([n; 16]), ..self.head(0) };
        ConversationEvent::MessageReceived(Box::new(MessageReceived { head }))
    }

    /// What was said in the recording of a message.
    #[must_use]
    pub fn transcribed(message_id: MessageId) -> ConversationEvent {
        ConversationEvent::Transcribed(Transcribed {
            message_id,
            part: 0,
            result: TranscriptResult::Heard,
            text_sealed: Some(sealed(8)),
            text_masked: Some("texto legível".to_owned()),
            confidence: 0.9,
        })
    }

    /// A decision that says nothing of what the turn was about.
    #[must_use]
    pub fn unclassified(turn: i64) -> ConversationEvent {
        ConversationEvent::TurnDecided(Box::new(TurnDecided {
            turn,
            messages: Vec::new(),
            closed_by: TurnClosedBy::Window,
            route: Route::Human,
            reason: RouteReason::NeedsPerson,
            classification: None,
            action: None,
            policy_version: String::new(),
            transcript_confidence: None,
        }))
    }
}
