//! What the world answers to what is written: the CRM, providers with their statuses, agents, and a server
//! that writes down recordings.

use schemas::media::{MediaFetched, MediaResult, Transcribed, TranscriptResult};
use schemas::work::Handoff;
use serde_json::json;

use super::super::*;
use super::traffic::{Dice, Due, Request, TWILIO, WHATSAPP};

/// It knows what it has seen.
#[derive(Default)]
pub(super) struct World {
    seen: BTreeSet<(Topic, u32, pipeline::Offset)>,
    /// Outcomes and commands by their second.
    pub(super) due: BTreeMap<i64, Vec<Record>>,
    /// Statuses that were posted, repeats included.
    pub(super) statuses: usize,
}

impl World {
    /// Records of `topic` it has not seen yet.
    fn news(&mut self, log: &MemoryLog, topic: Topic) -> Vec<pipeline::Stored> {
        let mut records = log.records(topic);
        records.retain(|stored| self.seen.insert((topic, stored.partition, stored.offset)));
        records
    }

    fn put(&mut self, at_s: i64, key: &[u8], body: InboundBody) {
        let record = record(key.to_vec(), body, at_s * 1_000);
        self.due.entry(at_s).or_default().push(record);
    }

    /// Answers to everything new; what providers post goes to their doors.
    pub(super) fn answer(
        &mut self,
        log: &MemoryLog,
        now_s: i64,
        dice: &mut Dice,
        posted: &mut Due,
    ) {
        self.asked(log, now_s, dice);
        self.told(log, now_s, dice, posted);
        self.handed_over(log, now_s, dice);
        self.listened(log, now_s, dice);
    }

    fn asked(&mut self, log: &MemoryLog, now_s: i64, dice: &mut Dice) {
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
            self.put(now_s + 1, &stored.key, InboundBody::ActionOutcome(outcome));
        }
    }

    fn told(&mut self, log: &MemoryLog, now_s: i64, dice: &mut Dice, posted: &mut Due) {
        for stored in self.news(log, REPLIES) {
            let reply = Reply::from_bytes(stored.value.as_ref().unwrap()).unwrap();
            let id = format!(
                "{}/{}/{}/{}",
                reply.conversation_id,
                reply.due.turn,
                reply.due.purpose.as_str(),
                reply.due.part
            );
            self.statuses += statuses(&reply, &id, now_s + 2, dice, posted);
            let outcome = DeliveryOutcome { provider_message_id: Some(id), ..sent(reply) };
            let outcome = InboundBody::DeliveryOutcome(Box::new(outcome));
            // Told again after a crash, it is the same outcome.
            self.put(now_s + 1, &stored.key, outcome.clone());
            self.put(now_s + 1 + dice.seconds(40), &stored.key, outcome);
        }
    }

    fn handed_over(&mut self, log: &MemoryLog, now_s: i64, dice: &mut Dice) {
        for stored in self.news(log, HANDOFFS) {
            let asked = Handoff::from_bytes(stored.value.as_ref().unwrap()).unwrap();
            let begin_s = now_s + 20 + dice.seconds(200);
            let n = u64::try_from(self.seen.len()).unwrap();
            for (part, command) in (0..).zip(worked_on(asked.conversation_id, n)) {
                self.put(begin_s + part * 15, &stored.key, InboundBody::Command(command));
            }
        }
    }

    /// A recording is fetched, and what is said in it written down, or nobody knows; both are told twice, and
    /// either may take longer than its turn waits.
    fn listened(&mut self, log: &MemoryLog, now_s: i64, dice: &mut Dice) {
        for stored in self.news(log, TURNS) {
            let turns = TurnsRecord::from_bytes(stored.value.as_ref().unwrap()).unwrap();
            let TurnsBody::Received(received) = turns.body else { continue };
            if received.head.attachments.is_empty() {
                continue;
            }
            let message_id = received.head.message_id;
            let fetched = MediaFetched {
                message_id,
                part: 0,
                result: if dice.below(10) == 0 {
                    MediaResult::Refused
                } else {
                    MediaResult::Stored
                },
                sha256: Some("0".repeat(64)),
                mime: Some("audio/ogg".to_owned()),
                filename: None,
                size_bytes: Some(4_000),
            };
            let heard = dice.below(10) > 0;
            let said = "minha internet caiu";
            let transcribed = Transcribed {
                message_id,
                part: 0,
                result: if heard { TranscriptResult::Heard } else { TranscriptResult::Failed },
                text_sealed: heard.then(|| keys().seal(&message_id.0, said.as_bytes()).unwrap()),
                text_masked: heard.then(|| said.to_owned()),
                confidence: if heard { 0.9 } else { 0.0 },
            };
            let at_s = now_s + 1 + dice.seconds(5);
            let words_s =
                at_s + 1 + [dice.seconds(20), dice.seconds(400)][usize::from(dice.below(8) == 0)];
            for again_s in [0, dice.seconds(60)] {
                self.put(at_s + again_s, &stored.key, InboundBody::MediaFetched(fetched.clone()));
                if fetched.result == MediaResult::Stored {
                    let body = InboundBody::Transcribed(transcribed.clone());
                    self.put(words_s + again_s, &stored.key, body);
                }
            }
        }
    }
}

/// What the provider tells of a reply: late, several times and out of order; gives how many posts.
fn statuses(reply: &Reply, id: &str, at_s: i64, dice: &mut Dice, posted: &mut Due) -> usize {
    let address = &reply.due.address;
    if !["whatsapp_cloud", "twilio"].contains(&address.provider.as_str()) {
        return 0;
    }
    let contact = keys().open_contact(&address.contact_sealed).unwrap();
    let Some(number) = contact.id(ContactIdKind::WaPhone).or(contact.id(ContactIdKind::E164))
    else {
        return 0;
    };
    let told: &[&str] = match dice.below(25) {
        0 => &["sent", "failed"],
        _ => &["sent", "delivered", "read"],
    };
    let mut posts = 0;
    for status in told {
        let request = if address.provider == "twilio" {
            let of = if address.channel == Channel::Whatsapp { "whatsapp:" } else { "" };
            let form = form_urlencoded::Serializer::new(String::new())
                .append_pair("MessageSid", id)
                .append_pair("MessageStatus", status)
                .append_pair("From", &format!("{of}+551140000000"))
                .append_pair("To", &format!("{of}{number}"))
                .finish();
            Request::Webhook(TWILIO, form)
        } else {
            let status = json!({ "id": id, "status": status, "timestamp": at_s.to_string(),
                "recipient_id": number.trim_start_matches('+'), "biz_opaque_callback_data": id });
            let value = json!({ "metadata": { "phone_number_id": "111" }, "statuses": [status] });
            let body = json!({ "entry": [{ "changes": [{ "value": value }] }] });
            Request::Webhook(WHATSAPP, body.to_string())
        };
        for late_s in dice.deliveries() {
            posts += 1;
            posted.entry(at_s + late_s).or_default().push(request.clone());
        }
    }
    posts
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
