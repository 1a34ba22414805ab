//! Two hours of all channels at once, in simulated time: every request comes late, several times and out of
//! order, as do the statuses of what is answered, and what is said in recordings. One message each, one answer
//! each turn.

mod doors;
mod traffic;
mod world;

use schemas::provider_status::ProviderStatusKind;

use self::doors::Doors;
use self::traffic::{Dice, Traffic, Written};
use self::world::World;
use super::*;

/// After the last request, until the last turn has closed and is answered.
const QUIET_S: i64 = 180;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hours_of_all_channels_are_one_message_each_and_one_answer_each_turn() {
    let texts: Vec<String> = corpus::training().unwrap().into_iter().map(|row| row.text).collect();
    let mut settings = Settings::load(None).unwrap();
    settings.line.layout = Layout::Chained;
    // Turns of recordings wait for their words; who writes them down is the world.
    settings.transcriber.url = "http://127.0.0.1:1".to_owned();
    let keyring = Arc::new(Keyring::new([keys()]));
    let mut bench = Bench::of(&settings, &keyring, &models()).await;
    let mut doors = Doors::open(&bench, &settings, &keyring).await;
    let (mut dice, mut world) = (Dice(20_261_128), World::default());
    let Traffic { mut due, written, .. } = Traffic::of(&texts, &mut dice);
    let requests: usize = due.values().map(Vec::len).sum();
    let (mut now_s, mut quiet_s) = (START_MS / 1_000, 0);
    while quiet_s < QUIET_S {
        quiet_s = if due.is_empty() && world.due.is_empty() { quiet_s + 1 } else { 0 };
        bench.clock.set(now_s * 1_000);
        let mut records = world.due.remove(&now_s).unwrap_or_default();
        records.extend(doors.pass(now_s * 1_000));
        for request in due.remove(&now_s).unwrap_or_default() {
            records.extend(doors.take(request, now_s * 1_000).await);
        }
        bench.feed(records).await;
        world.answer(&bench.log, now_s, &mut dice, &mut due);
        now_s += 1;
    }
    println!("{requests} requests and {} statuses: {:?}", world.statuses, written.ways);
    judged(&bench.log, &written, requests);
}

/// What the history tells.
#[derive(Default)]
struct Told {
    heard: BTreeMap<MessageId, usize>,
    changes: BTreeMap<MessageId, usize>,
    decided: BTreeMap<MessageId, usize>,
    transcripts: BTreeMap<MessageId, usize>,
    automatic: BTreeSet<(ConversationId, i64, i32)>,
    sent: BTreeMap<(ConversationId, i64, i32), Vec<ReplyPurpose>>,
    statuses: BTreeMap<String, Vec<ProviderStatusKind>>,
}

impl Told {
    fn by(log: &MemoryLog) -> Self {
        let mut told = Self::default();
        for stored in log.records(CONVERSATIONS) {
            let line = Conversation::from_bytes(&stored.value.unwrap()).unwrap();
            told.take(line);
        }
        told
    }

    fn take(&mut self, line: Conversation) {
        match line.event {
            ConversationEvent::MessageReceived(message) => {
                let is_change =
                    matches!(message.head.kind, MessageKind::Edit | MessageKind::Delete);
                let of = if is_change { &mut self.changes } else { &mut self.heard };
                *of.entry(message.head.message_id).or_default() += 1;
            }
            ConversationEvent::TurnDecided(turn) => {
                for id in &turn.messages {
                    *self.decided.entry(*id).or_default() += 1;
                }
                if turn.route == schemas::conversation::Route::Auto {
                    self.automatic.insert((line.conversation_id, turn.turn, 0));
                }
            }
            ConversationEvent::ReplySent(reply) => {
                let of = (line.conversation_id, reply.turn, reply.part);
                self.sent.entry(of).or_default().push(reply.purpose);
            }
            ConversationEvent::StatusChanged(changed) => {
                let of = self.statuses.entry(changed.provider_message_id).or_default();
                of.push(changed.status);
            }
            ConversationEvent::Transcribed(transcribed) => {
                *self.transcripts.entry(transcribed.message_id).or_default() += 1;
            }
            _ => {}
        }
    }
}

fn count(n: u64) -> usize {
    usize::try_from(n).unwrap()
}

/// One message each, one answer each turn, and no status that takes another one back.
fn judged(log: &MemoryLog, written: &Written, requests: usize) {
    let told = Told::by(log);
    let replies = log.records(REPLIES).len();
    let read = |of: &&Vec<ProviderStatusKind>| of.last() == Some(&ProviderStatusKind::Read);
    let read = told.statuses.values().filter(read).count();
    println!(
        "{} messages ({} recordings, {} transcripts), {} edits and deletions; {} turns answered by the \
         machine, {replies} replies, of {} of which a provider told, {read} to the end",
        told.heard.len(),
        written.recordings,
        told.transcripts.len(),
        told.changes.len(),
        told.automatic.len(),
        told.statuses.len(),
    );
    assert_eq!(told.heard.len(), count(written.messages), "none lost");
    assert!(told.heard.values().all(|times| *times == 1), "none twice");
    assert_eq!(told.changes.len(), count(written.changes), "no edit lost");
    assert!(told.changes.values().all(|times| *times == 1), "no edit twice");
    assert!(told.decided.keys().eq(told.heard.keys()), "each is decided, and no edit is");
    assert!(told.decided.values().all(|times| *times == 1), "each in one turn");
    assert!(told.transcripts.values().all(|times| *times == 1), "no recording's words twice");
    let twice: Vec<_> = told.sent.iter().filter(|(_, replies)| replies.len() != 1).collect();
    assert!(twice.is_empty(), "one reply each turn: {twice:?}");
    assert_eq!(told.sent.len(), replies, "each reply came to its end once");
    let unanswered: Vec<_> =
        told.automatic.iter().filter(|turn| !told.sent.contains_key(turn)).collect();
    assert!(unanswered.is_empty(), "{unanswered:?}");
    for (id, statuses) in &told.statuses {
        let rises = statuses.windows(2).all(|pair| pair[1].is_news_after(pair[0]));
        assert!(rises, "{id}: {statuses:?}");
    }
    let enough = told.automatic.len() > 100
        && requests > told.heard.len() * 3 / 2
        && told.transcripts.len() > 20
        && told.changes.len() > 20
        && read > 200;
    assert!(enough && written.ways.len() == 13, "a mix worth the name: {:?}", written.ways);
}
