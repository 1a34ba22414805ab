//! A conversation told line by line, as the router and the planner would.

use benches::draw::Draw;
use schemas::conversation::{
    Address, AgentReplied, AnswerDue, Assigned, Closed, Conversation, ConversationEvent,
    ConversationState, MessageReceived, Opened, Priority, ReplySent, Resolved, Route, RouteReason,
    Settlement, TurnDecided,
};
use schemas::ids::MessageId;
use schemas::line::{Classification, IntentScore, NgramWeight, Sentiment, TurnClosedBy};
use schemas::message::{AnswerVia, Channel, DeliveryResult, ReplyPurpose};

use crate::made::{self, Plan, QUEUES};

const INTENTS: [&str; 8] = [
    "sem_conexao",
    "lentidao",
    "segunda_via_boleto",
    "pix",
    "mudanca_endereco",
    "cancelamento",
    "visita_tecnica",
    "planos",
];

/// A line of a history.
#[derive(Debug, Clone)]
pub struct Line {
    /// When (Unix, ms).
    pub at_ms: i64,
    /// What it tells, and how the conversation stands after it.
    pub record: Conversation,
}

/// All lines of a conversation; its messages have the ids that `message_id` gives out.
pub fn lines(plan: &Plan, message_id: &mut dyn FnMut() -> MessageId) -> Vec<Line> {
    let mut teller = Teller {
        record: made::blank(plan),
        at_ms: plan.opened_at_ms,
        draw: Draw::of(plan.n ^ 0x7e11),
        turn: 0,
        chat_seq: 0,
        messages: Vec::new(),
        lines: Vec::new(),
        message_id,
    };
    teller.tell(plan.stands);
    teller.lines
}

struct Teller<'a> {
    record: Conversation,
    at_ms: i64,
    draw: Draw,
    turn: i64,
    chat_seq: i64,
    /// Of the turn in hand.
    messages: Vec<MessageId>,
    lines: Vec<Line>,
    message_id: &'a mut dyn FnMut() -> MessageId,
}

impl Teller<'_> {
    fn tell(&mut self, stands: ConversationState) {
        use ConversationState::{
            Assigned, BotAnswered, Csat, Queued, Resolved, Triage, WaitingCustomer,
        };
        self.opened();
        if stands == Triage {
            return self.received();
        }
        let needs_person = matches!(stands, Queued | Assigned | WaitingCustomer);
        let people = needs_person || (stands != BotAnswered && self.draw.below(10) < 4);
        let turns = if people { self.draw.below(2) } else { 1 + self.draw.below(3) };
        for _ in 0..turns {
            self.writes();
            self.decided(Route::Auto);
            self.sent(None);
        }
        if people {
            self.writes();
            self.decided(Route::Human);
            if stands == Queued {
                return;
            }
            self.assigned();
            self.replied();
            if stands == Assigned {
                return;
            }
            for _ in 0..self.draw.below(3) {
                self.received();
                self.replied();
            }
        }
        match stands {
            BotAnswered => {}
            WaitingCustomer => self.stand(WaitingCustomer),
            Resolved | Csat => self.resolved(stands),
            _ => {
                self.resolved(Resolved);
                self.closed(stands);
            }
        }
    }

    fn line(&mut self, after_ms: u64, event: ConversationEvent) {
        self.at_ms += 1 + self.draw.below(after_ms).cast_signed();
        self.record.seq += 1;
        self.record.event = event;
        self.lines.push(Line { at_ms: self.at_ms, record: self.record.clone() });
        let record = &mut self.record;
        (record.answer_due, record.to_check, record.chat_seq) = (None, None, None);
        record.settled.clear();
    }

    /// A line the customer sees.
    fn shown(&mut self, after_ms: u64, event: ConversationEvent) {
        self.chat_seq += 1;
        self.record.chat_seq = Some(self.chat_seq);
        self.line(after_ms, event);
    }

    fn stand(&mut self, state: ConversationState) {
        if let Some(last) = self.lines.last_mut() {
            last.record.state = state;
        }
    }

    fn opened(&mut self) {
        let (provider, account) = ("whatsapp_cloud".to_owned(), "5511987654321".to_owned());
        let contact_sealed = made::sealed(&mut self.draw, 44);
        self.line(1, ConversationEvent::Opened(Opened { provider, account, contact_sealed }));
    }

    /// One message, or two.
    fn writes(&mut self) {
        for _ in 0..=self.draw.below(2) {
            self.received();
        }
    }

    fn received(&mut self) {
        let (id, length) = ((self.message_id)(), 20 + self.draw.below(100));
        let head = made::head(&mut self.draw, id, self.at_ms, length);
        self.messages.push(id);
        self.shown(60_000, ConversationEvent::MessageReceived(Box::new(MessageReceived { head })));
    }

    fn decided(&mut self, route: Route) {
        self.turn += 1;
        let intent = self.draw.of_all(&INTENTS).to_owned();
        let confidence = 0.55 + self.draw.below(45).cast_signed() as f64 / 100.0;
        let is_auto = route == Route::Auto;
        if is_auto {
            self.record.state = ConversationState::BotAnswered;
            self.record.answer_due = Some(self.due(&intent));
        } else {
            self.record.state = ConversationState::Queued;
            self.record.queue = Some(self.draw.of_all(&QUEUES).to_owned());
            self.record.priority = self.draw.of_all(&[
                Priority::Normal,
                Priority::Normal,
                Priority::High,
                Priority::Urgent,
            ]);
            let due_ms = self.at_ms + self.draw.below(7_200_000).cast_signed();
            self.record.sla_due_ms = Some(due_ms);
        }
        let decided = TurnDecided {
            turn: self.turn,
            messages: std::mem::take(&mut self.messages),
            closed_by: TurnClosedBy::Window,
            route,
            reason: if is_auto { RouteReason::Confident } else { RouteReason::LowConfidence },
            classification: Some(classification(intent, confidence, is_auto)),
            action: None,
            policy_version: "8f14e45f".to_owned(),
            transcript_confidence: None,
        };
        self.line(5_000, ConversationEvent::TurnDecided(Box::new(decided)));
    }

    fn due(&mut self, intent: &str) -> AnswerDue {
        AnswerDue {
            purpose: ReplyPurpose::Answer,
            turn: self.turn,
            part: 0,
            via: AnswerVia::Channel,
            tell_protocol: self.turn == 1,
            address: Address {
                channel: Channel::Whatsapp,
                provider: "whatsapp_cloud".to_owned(),
                account: "5511987654321".to_owned(),
                contact_sealed: made::sealed(&mut self.draw, 44),
                reply_window_until_ms: Some(self.at_ms + 86_400_000),
                thread_key: None,
                thread_sealed: None,
            },
            expires_at_ms: self.at_ms + 60_000,
            intent: Some(intent.to_owned()),
        }
    }

    /// What was written went out.
    fn sent(&mut self, agent: Option<String>) {
        let (turn, text) = (self.turn, 60 + self.draw.below(140));
        if agent.is_none() {
            let (route, reason) = (Route::Auto, RouteReason::Confident);
            self.record.settled = vec![Settlement { turn, route, reason, messages: 1 }];
            // One answer in twenty is to be looked at.
            self.record.to_check = (self.draw.below(20) == 0).then(|| vec![turn]);
        }
        let sent = ReplySent {
            turn,
            purpose: if agent.is_none() { ReplyPurpose::Answer } else { ReplyPurpose::AgentReply },
            part: 0,
            since_ms: Some(self.at_ms),
            answer_id: agent.is_none().then(|| "resposta.padrao".to_owned()),
            agent,
            result: DeliveryResult::Sent,
            provider_message_id: Some("wamid.HBgNNTUxMTk4NzY1NDMyMRUCABIYFjNFQjA".to_owned()),
            text_sealed: Some(made::sealed(&mut self.draw, text)),
            text_masked: None,
            buttons: Vec::new(),
        };
        self.shown(2_000, ConversationEvent::ReplySent(Box::new(sent)));
    }

    fn assigned(&mut self) {
        let agent = made::agent(self.draw.below(40));
        self.record.state = ConversationState::Assigned;
        self.record.owner = Some(agent.clone());
        self.line(600_000, ConversationEvent::Assigned(Assigned { agent }));
    }

    /// The agent writes, and it goes out.
    fn replied(&mut self) {
        let agent = self.record.owner.clone().unwrap_or_default();
        let text_sealed = made::sealed(&mut self.draw, 90);
        let replied = AgentReplied {
            agent: agent.clone(),
            part: 0,
            text_sealed,
            text_masked: String::new(),
            answer_id: None,
        };
        self.line(120_000, ConversationEvent::AgentReplied(replied));
        self.sent(Some(agent));
    }

    fn resolved(&mut self, state: ConversationState) {
        self.record.state = state;
        self.record.sla_due_ms = None;
        let by = self.record.owner.clone();
        self.line(600_000, ConversationEvent::Resolved(Resolved { by }));
    }

    fn closed(&mut self, state: ConversationState) {
        self.record.state = state;
        self.line(86_400_000, ConversationEvent::Closed(Closed {}));
    }
}

fn classification(intent: String, confidence: f64, would_answer: bool) -> Classification {
    let ngram = |ngram: &str, weight| NgramWeight { ngram: ngram.to_owned(), weight };
    Classification {
        model_version: "a1b2c3d4e5f6".to_owned(),
        intents: vec![
            IntentScore { id: intent, probability: confidence },
            IntentScore { id: "planos".to_owned(), probability: 0.04 },
            IntentScore { id: "fora_escopo".to_owned(), probability: 0.01 },
        ],
        confidence,
        in_scope: true,
        threshold: 0.8,
        would_answer,
        sentiment: Sentiment::Neutro,
        sentiment_confidence: 0.8,
        frustrated: false,
        urgent: false,
        unknown_share: 0.05,
        explanation: vec![
            ngram("internet caiu", 2.5),
            ngram("desde ontem", 1.2),
            ngram("caiu", 0.9),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::Keys;

    #[test]
    fn what_has_ended_has_six_to_twenty_lines_without_gaps_and_stands_as_planned() {
        let keys = Keys::of(10_000, 0);
        for n in 0..3_000 {
            let plan = Plan::stored(keys, n);
            let mut messages = 0;
            let told = lines(&plan, &mut || {
                messages += 1;
                keys.message(n * 100 + messages)
            });
            let last = told.last().unwrap();
            assert_eq!(last.record.state, plan.stands, "conversation {n}");
            assert!(told.iter().zip(1..).all(|(line, seq)| line.record.seq == seq));
            assert!(told.is_sorted_by_key(|line| line.at_ms) && messages > 0);
            if plan.stands == ConversationState::Closed {
                assert!((6..=20).contains(&told.len()), "{} lines", told.len());
            }
        }
    }

    #[test]
    fn keys_are_in_the_order_of_their_numbers() {
        let keys = Keys::of(1_000, 5);
        assert!((0..999).all(|n| keys.contact(n).contact < keys.contact(n + 1).contact));
        assert!((0..999).all(|n| keys.message(n) < keys.message(n + 1)));
    }
}
