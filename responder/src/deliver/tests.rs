use parking_lot::Mutex;
use pipeline::Headers;
use pipeline::clock::SystemClock;
use pipeline::log::memory::MemoryLog;
use schemas::Avro;
use schemas::conversation::{Address, AnswerDue};
use schemas::ids::{ContactKey, ConversationId};
use schemas::line::Inbound;
use schemas::message::{Channel, Contact};
use schemas::sealed::TenantKeys;
use schemas::topics::REPLIES;

use super::*;

/// Takes texts, but for those it is told to refuse.
#[derive(Default)]
struct Provider {
    refuses: Option<&'static str>,
    took: Mutex<Vec<String>>,
}

#[async_trait]
impl Sender for Provider {
    fn name(&self) -> &'static str {
        "provider"
    }

    fn is_idempotent(&self) -> bool {
        false
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Sent, SendError> {
        if self.refuses == Some(outgoing.text.as_str()) {
            return Err(SendError::Refused("no".to_owned()));
        }
        self.took.lock().push(outgoing.text.clone());
        Ok(Sent::default())
    }
}

fn keys() -> TenantKeys {
    TenantKeys::derive("demo", "1", &[7; 32])
}

fn part(part: i32, parts: i32, text: &str) -> Envelope<Reply> {
    let contact = Contact { ids: Vec::new(), name: None };
    let key = LineKey::new("demo", ContactKey([1; 16]));
    let body = Reply {
        conversation_id: ConversationId::new(key.contact, 1),
        protocol: "1".to_owned(),
        due: AnswerDue {
            purpose: ReplyPurpose::Answer,
            turn: 1,
            part,
            via: AnswerVia::Channel,
            tell_protocol: false,
            address: Address {
                channel: Channel::Telegram,
                provider: "provider".to_owned(),
                account: "a".to_owned(),
                contact_sealed: keys().seal_contact(&contact).unwrap(),
                reply_window_until_ms: None,
                thread_key: None,
                thread_sealed: None,
            },
            expires_at_ms: i64::MAX,
            intent: None,
        },
        answer_id: None,
        catalogue_version: "v".to_owned(),
        agent: None,
        text_sealed: keys().seal(b"t", text.as_bytes()).unwrap(),
        text_masked: text.to_owned(),
        buttons: Vec::new(),
        options_title: String::new(),
        template_sealed: None,
        parts,
    };
    let headers = Headers::default();
    let key = key.to_bytes().into();
    Envelope { key, topic: REPLIES, partition: 0, offset: 0, time_ms: 1, headers, body }
}

/// How each of three texts ended, told twice, and what the provider took.
async fn delivered(refuses: Option<&'static str>) -> (Vec<String>, Vec<String>) {
    let provider = Arc::new(Provider { refuses, ..Provider::default() });
    let senders = HashMap::from([("provider", Arc::clone(&provider) as Arc<dyn Sender>)]);
    let ledger = Arc::new(MemoryLog::new(1));
    let keyring = Arc::new(Keyring::new([keys()]));
    let deliver = Deliver::new(senders, ledger, keyring, Arc::new(SystemClock));
    let mut ended = Vec::new();
    for _ in 0..2 {
        ended.clear();
        for (at, text) in (0..).zip(["um", "dois", "três"]) {
            let [Outcome::Done(told)] = &deliver.apply(&[part(at, 3, text)]).await[..] else {
                panic!("not done")
            };
            let body = Inbound::from_bytes(told[0].value.as_ref().unwrap()).unwrap().body;
            let InboundBody::DeliveryOutcome(outcome) = body else { panic!() };
            assert_eq!((outcome.part, outcome.parts), (at, 3));
            ended.push(outcome.error.unwrap_or_else(|| outcome.result.as_str().to_owned()));
        }
    }
    let took = provider.took.lock().clone();
    (ended, took)
}

#[tokio::test]
async fn parts_go_out_in_order_once_each_and_end_with_the_first_that_fails() {
    let (ended, took) = delivered(None).await;
    assert_eq!((ended.join(" "), took.join(" ")), ("sent sent sent".into(), "um dois três".into()));
    let (ended, took) = delivered(Some("dois")).await;
    assert_eq!((ended.join(" "), took.join(" ")), ("sent no part_before".into(), "um".into()));
}

/// Takes templates only: by its clock the window has closed.
#[derive(Default)]
struct Late(Mutex<Vec<Option<String>>>);

#[async_trait]
impl Sender for Late {
    fn name(&self) -> &'static str {
        "late"
    }

    fn is_idempotent(&self) -> bool {
        false
    }

    fn takes_templates(&self) -> bool {
        true
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Sent, SendError> {
        self.0.lock().push(outgoing.template.as_ref().map(|template| template.name.clone()));
        match outgoing.template {
            Some(_) => Ok(Sent::default()),
            None => Err(SendError::Refused(WINDOW_CLOSED.to_owned())),
        }
    }
}

#[tokio::test]
async fn what_the_provider_finds_too_late_goes_out_as_a_template_or_to_a_person() {
    let late = Arc::new(Late::default());
    let senders = HashMap::from([("provider", Arc::clone(&late) as Arc<dyn Sender>)]);
    let ledger = Arc::new(MemoryLog::new(1));
    let keyring = Arc::new(Keyring::new([keys()]));
    let deliver = Deliver::new(senders, ledger, keyring, Arc::new(SystemClock));
    let template = Template {
        name: "retorno".to_owned(),
        language: "pt_BR".to_owned(),
        content_sid: String::new(),
        params: Vec::new(),
    };
    let template = serde_json::to_vec(&template).unwrap();
    let mut ended = Vec::new();
    for (turn, template) in [(1, Some(template)), (2, None)] {
        let mut reply = part(0, 1, "um");
        reply.body.due.turn = turn;
        reply.body.template_sealed = template.map(|plain| keys().seal(b"t", &plain).unwrap());
        let [Outcome::Done(told)] = &deliver.apply(&[reply]).await[..] else { panic!("not done") };
        let body = Inbound::from_bytes(told[0].value.as_ref().unwrap()).unwrap().body;
        let InboundBody::DeliveryOutcome(outcome) = body else { panic!() };
        ended.push((outcome.result, outcome.error));
    }
    let held = (DeliveryResult::Failed, Some(WINDOW_CLOSED.to_owned()));
    assert_eq!(ended, [(DeliveryResult::Sent, None), held]);
    assert_eq!(*late.0.lock(), [None, Some("retorno".to_owned()), None]);
}
