//! What customers do in two hours, and when each copy of it is delivered.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::START_MS;

pub(super) const HOURS: i64 = 2;
const CUSTOMERS: u64 = 190;
/// Between two bursts of one customer, on average.
const PAUSE_S: u64 = 1_500;
/// Ways to write, a customer each.
const WAYS: u64 = 9;

/// Which account of `doors.rs` a body is for.
pub(super) const WHATSAPP: usize = 0;
pub(super) const TWILIO: usize = 1;
const TELEGRAM: usize = 2;
const CHATWOOT: usize = 3;
const POSTMARK: usize = 4;

/// The same numbers at every run (splitmix64, Steele and others 2014).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    pub(super) fn seconds(&mut self, below: u64) -> i64 {
        i64::try_from(self.below(below)).unwrap()
    }

    /// When the copies of a request come, in seconds after it happened: at least one.
    pub(super) fn deliveries(&mut self) -> Vec<i64> {
        let copies = [1, 1, 1, 2, 2, 3, 5][usize::try_from(self.below(7)).unwrap()];
        let late = |dice: &mut Self| match dice.below(50) {
            0 => dice.seconds(1_800),
            1..=5 => dice.seconds(120),
            _ => dice.seconds(4),
        };
        (0..copies).map(|_| late(self)).collect()
    }
}

/// What comes to a door.
#[derive(Clone)]
pub(super) enum Request {
    /// A body a provider posts to an account.
    Webhook(usize, String),
    /// A visitor of the web chat writes.
    Visitor { who: u64, cid: String, text: String },
    /// A program writes for a customer.
    Program { key: String, body: Value },
    /// An event of Asterisk's.
    Call(String),
}

/// What is due at which second.
pub(super) type Due = BTreeMap<i64, Vec<Request>>;

/// What was written, by what it is.
#[derive(Default)]
pub(super) struct Written {
    /// Messages that are a turn or a part of one.
    pub(super) messages: u64,
    /// Recordings among them.
    pub(super) recordings: u64,
    /// Edits and deletions of messages.
    pub(super) changes: u64,
    /// Messages and changes by the way they came.
    pub(super) ways: BTreeMap<&'static str, u64>,
}

fn telephone(who: u64) -> String {
    format!("55119{who:08}")
}

fn whatsapp(who: u64, id: &str, at_s: i64, kind: &str, part: &Value) -> Request {
    let message = json!({ "from": telephone(who), "id": id, "type": kind,
        "timestamp": at_s.to_string(), kind: part });
    let value = json!({ "metadata": { "phone_number_id": "111" }, "messages": [message] });
    let body = json!({ "entry": [{ "changes": [{ "value": value }] }] });
    Request::Webhook(WHATSAPP, body.to_string())
}

fn twilio(who: u64, channel: &str, id: u64, text: &str) -> Request {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("MessageSid", &format!("SM{id}"))
        .append_pair("From", &format!("{channel}+{}", telephone(who)))
        .append_pair("To", &format!("{channel}+551140000000"))
        .append_pair("Body", text)
        .finish();
    Request::Webhook(TWILIO, form)
}

fn telegram(
    who: u64,
    update: u64,
    at_s: i64,
    named: &str,
    (message, part): (u64, Value),
) -> Request {
    let mut told = json!({ "message_id": message, "date": at_s, "from": { "id": who, "first_name": "Ana" },
        "chat": { "id": who, "type": "private" } });
    told.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
    let body = json!({ "update_id": update, named: told });
    Request::Webhook(TELEGRAM, body.to_string())
}

fn chatwoot(who: u64, id: u64, at_s: i64, text: &str) -> Request {
    let body = json!({ "event": "message_created", "id": id, "content": text,
        "message_type": "incoming", "created_at": at_s, "account": { "id": 1 },
        "sender": { "id": who, "name": "Ana", "type": "contact" },
        "conversation": { "id": who, "inbox_id": 4 } });
    Request::Webhook(CHATWOOT, body.to_string())
}

fn email(who: u64, id: u64, text: &str) -> Request {
    let body = json!({ "From": format!("c{who}@x.example"), "Subject": format!("caso {id}"),
        "FromFull": { "Email": format!("c{who}@x.example"), "Name": "Ana" },
        "MessageID": format!("pm-{id}"), "TextBody": text,
        "Headers": [{ "Name": "Message-ID", "Value": format!("<{id}@x.example>") }] });
    Request::Webhook(POSTMARK, body.to_string())
}

fn program(who: u64, id: u64, text: &str) -> Request {
    let body = json!({ "channel": "api", "customer": { "id": format!("P{who}") }, "text": text });
    Request::Program { key: format!("k-{id}"), body }
}

/// Everybody's two hours.
pub(super) struct Traffic<'a> {
    pub(super) due: Due,
    pub(super) dice: &'a mut Dice,
    pub(super) written: Written,
    texts: &'a [String],
    id: u64,
}

impl<'a> Traffic<'a> {
    pub(super) fn of(texts: &'a [String], dice: &'a mut Dice) -> Self {
        let (due, written) = (Due::new(), Written::default());
        let mut traffic = Self { due, dice, written, texts, id: 0 };
        for who in 0..CUSTOMERS {
            traffic.customer(who);
        }
        traffic
    }

    fn customer(&mut self, who: u64) {
        let (begin_s, end_s) = (START_MS / 1_000, START_MS / 1_000 + HOURS * 3_600);
        let mut at_s = begin_s + self.dice.seconds(PAUSE_S);
        while at_s < end_s {
            if who % WAYS == 8 {
                self.calls(who, at_s);
            } else {
                for _ in 0..=self.dice.below(3) {
                    self.writes(who, at_s);
                    at_s += 1 + self.dice.seconds(4);
                }
            }
            at_s += 60 + self.dice.seconds(2 * PAUSE_S);
        }
    }

    /// Delivered late, several times, and among others.
    fn deliver(&mut self, at_s: i64, way: &'static str, request: &Request) {
        *self.written.ways.entry(way).or_default() += 1;
        for late_s in self.dice.deliveries() {
            self.due.entry(at_s + late_s).or_default().push(request.clone());
        }
    }

    fn text(&mut self) -> String {
        self.texts[usize::try_from(self.dice.below(self.texts.len() as u64)).unwrap()].clone()
    }

    fn writes(&mut self, who: u64, at_s: i64) {
        self.id += 1;
        self.written.messages += 1;
        let (id, text) = (self.id, self.text());
        let (speaks, changes) = (self.dice.below(8) == 0, self.dice.below(8) == 0);
        match who % WAYS {
            0 if speaks => {
                self.written.recordings += 1;
                let voice = json!({ "id": format!("M{id}"), "mime_type": "audio/ogg; codecs=opus", "voice": true });
                self.deliver(
                    at_s,
                    "whatsapp audio",
                    &whatsapp(who, &format!("wamid.{id}"), at_s, "audio", &voice),
                );
            }
            0 => {
                let wamid = format!("wamid.{id}");
                self.deliver(
                    at_s,
                    "whatsapp",
                    &whatsapp(who, &wamid, at_s, "text", &json!({ "body": text })),
                );
                if changes {
                    self.changes_whatsapp(who, &wamid, at_s + 2);
                }
            }
            1 => self.deliver(at_s, "twilio whatsapp", &twilio(who, "whatsapp:", id, &text)),
            2 => self.deliver(at_s, "sms", &twilio(who, "", id, &text)),
            3 if speaks => {
                self.written.recordings += 1;
                let voice =
                    json!({ "voice": { "file_id": format!("F{id}"), "mime_type": "audio/ogg" } });
                self.deliver(
                    at_s,
                    "telegram voice",
                    &telegram(who, id, at_s, "message", (id, voice)),
                );
            }
            3 => {
                let said = json!({ "text": text });
                self.deliver(at_s, "telegram", &telegram(who, id, at_s, "message", (id, said)));
                if changes {
                    let (before, said) =
                        (id, json!({ "text": self.text(), "edit_date": at_s + 2 }));
                    self.id += 1;
                    self.written.changes += 1;
                    let edit = telegram(who, self.id, at_s, "edited_message", (before, said));
                    self.deliver(at_s + 2, "telegram edit", &edit);
                }
            }
            4 => self.deliver(at_s, "chatwoot", &chatwoot(who, id, at_s, &text)),
            5 => self.deliver(at_s, "email", &email(who, id, &text)),
            6 => self.deliver(
                at_s,
                "web chat",
                &Request::Visitor { who, cid: format!("m{id}"), text },
            ),
            _ => self.deliver(at_s, "api", &program(who, id, &text)),
        }
    }

    fn changes_whatsapp(&mut self, who: u64, wamid: &str, at_s: i64) {
        self.id += 1;
        self.written.changes += 1;
        let id = format!("wamid.{}", self.id);
        let (kind, part) = if self.dice.below(2) == 0 {
            let message = json!({ "type": "text", "text": { "body": self.text() } });
            ("edit", json!({ "original_message_id": wamid, "message": message }))
        } else {
            ("revoke", json!({ "original_message_id": wamid }))
        };
        self.deliver(at_s, "whatsapp edit", &whatsapp(who, &id, at_s, kind, &part));
    }

    /// A call comes to a digit, to a recording or to nothing; Asterisk's events come in order but for the
    /// last ones, and some of them twice.
    fn calls(&mut self, who: u64, at_s: i64) {
        self.id += 1;
        self.written.messages += 1;
        *self.written.ways.entry("phone").or_default() += 1;
        let id = format!("{at_s}.{}", self.id);
        let leg = json!({ "id": id, "caller": { "name": "", "number": telephone(who) },
            "dialplan": { "app_name": "Stasis", "app_data": "correnteza" } });
        let told = |kind: &str, more: Value| {
            let mut event = json!({ "type": kind, "channel": leg });
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            Request::Call(event.to_string())
        };
        let mut events = vec![(0, told("StasisStart", json!({})))];
        let ends_s = match self.dice.below(3) {
            0 => {
                events.push((4, told("ChannelDtmfReceived", json!({ "digit": "7" }))));
                events.push((9, told("ChannelDtmfReceived", json!({ "digit": "1" }))));
                12
            }
            1 => {
                self.written.recordings += 1;
                let played = json!({ "playback": { "id": format!("menu1-{id}") } });
                events.push((6, told("PlaybackFinished", played)));
                let recording =
                    json!({ "name": format!("vm-{id}"), "duration": 9, "talking_duration": 7 });
                // Before the caller has gone, or after.
                let at = 18 + self.dice.seconds(6);
                events.push((at, told("RecordingFinished", json!({ "recording": recording }))));
                20
            }
            _ => 5,
        };
        events.push((ends_s, told("StasisEnd", json!({}))));
        events.push((ends_s + 1, told("ChannelDestroyed", json!({}))));
        for (after_s, event) in events {
            let copies = 1 + usize::from(self.dice.below(4) == 0);
            let due = self.due.entry(at_s + after_s).or_default();
            due.extend(std::iter::repeat_n(event, copies));
        }
    }
}
