//! The judge: what may never be, whatever was killed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::facts::{Facts, Line};

/// Something that may not be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// An acknowledged message is in no conversation.
    Lost(String),
    /// A message is in the histories more than once.
    Doubled(String),
    /// A message nobody wrote.
    Invented(String),
    /// A message is not what was written.
    Altered(String),
    /// A customer's messages are not in the order they were acknowledged in.
    OutOfOrder(String),
    /// A history has a gap, or a line twice.
    Torn(String),
    /// An acknowledged message is in no decided turn.
    Undecided(String),
    /// A message is in several decided turns, or a turn is decided twice.
    DecidedTwice(String),
    /// A turn is decided before its messages are in the history.
    DecidedUnseen(String),
    /// A turn routed to the machine has neither an answer nor a person who was told of it.
    Unanswered(String),
    /// More than one automatic answer to a turn, by the history.
    AnsweredTwice(String),
    /// The channel was sent the same reply more than once.
    SentTwice(String),
    /// The channel was sent a reply the histories do not know.
    SentUnknown(String),
    /// The histories say a reply was sent, and the channel never had it.
    NeverSent(String),
    /// What a door says of a message is not what its history says.
    Contradicted(String),
    /// Records were set aside although every message was sound.
    DeadLetters(u64),
}

impl Violation {
    /// Whether it may be work that is only not finished yet.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Lost(_)
                | Self::Undecided(_)
                | Self::Unanswered(_)
                | Self::NeverSent(_)
                | Self::SentUnknown(_)
                | Self::Contradicted(_)
        )
    }
}

/// Everything that is wrong with `facts`.
#[must_use]
pub fn judge(facts: &Facts) -> Vec<Violation> {
    let mut found = BTreeSet::new();
    messages(facts, &mut found);
    order(facts, &mut found);
    for ((_, conversation), lines) in &facts.histories {
        history(conversation, lines, &mut found);
    }
    turns(facts, &mut found);
    replies(facts, &mut found);
    if facts.dead_letters > 0 {
        found.insert(Violation::DeadLetters(facts.dead_letters));
    }
    found.into_iter().collect()
}

fn received(lines: &[Line]) -> impl Iterator<Item = &Line> {
    lines.iter().filter(|line| line.event == "message_received")
}

/// Each acknowledged message is in the histories once, as it was written, and no other.
fn messages(facts: &Facts, found: &mut BTreeSet<Violation>) {
    let mut seen: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    for line in facts.histories.values().flat_map(|lines| received(lines)) {
        seen.entry(line.str("message_id")).or_default().push(line);
    }
    for written in facts.written.values().flatten() {
        match seen.remove(written.message_id.as_str()).as_deref() {
            None | Some([]) => {
                found.insert(Violation::Lost(written.message_id.clone()));
            }
            Some([line]) if line.str("text") == written.text => {}
            Some([_]) => {
                found.insert(Violation::Altered(written.message_id.clone()));
            }
            Some(_) => {
                found.insert(Violation::Doubled(written.message_id.clone()));
            }
        }
    }
    found.extend(seen.into_keys().map(|id| Violation::Invented(id.to_owned())));
}

/// A customer's messages stand in the histories in the order they were acknowledged in.
fn order(facts: &Facts, found: &mut BTreeSet<Violation>) {
    let mut place: BTreeMap<&str, usize> = BTreeMap::new();
    for line in facts.histories.values().flat_map(|lines| received(lines)) {
        let next = place.len();
        place.entry(line.str("message_id")).or_insert(next);
    }
    for (customer, written) in &facts.written {
        let places: Vec<usize> =
            written.iter().filter_map(|one| place.get(one.message_id.as_str()).copied()).collect();
        if !places.is_sorted() {
            found.insert(Violation::OutOfOrder(customer.clone()));
        }
    }
}

/// A history is whole, and nothing in it comes before what it is about.
fn history(conversation: &str, lines: &[Line], found: &mut BTreeSet<Violation>) {
    if lines.iter().zip(1i64..).any(|(line, seq)| line.seq != seq) {
        found.insert(Violation::Torn(conversation.to_owned()));
    }
    let mut known: BTreeSet<&str> = BTreeSet::new();
    let mut decided: BTreeSet<i64> = BTreeSet::new();
    for line in lines {
        match line.event.as_str() {
            "message_received" => {
                known.insert(line.str("message_id"));
            }
            "turn_decided" => {
                let turn = line.turn().unwrap_or_default();
                if line.messages().iter().any(|id| !known.contains(id.as_str())) {
                    found.insert(Violation::DecidedUnseen(format!("{conversation}/{turn}")));
                }
                if !decided.insert(turn) {
                    found.insert(Violation::DecidedTwice(format!("{conversation}/{turn}")));
                }
            }
            _ => {}
        }
    }
}

/// Each message is in one decided turn, and its door says the same of it.
fn turns(facts: &Facts, found: &mut BTreeSet<Violation>) {
    let mut decided: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for ((_, conversation), lines) in &facts.histories {
        for line in lines.iter().filter(|line| line.event == "turn_decided") {
            for id in line.messages() {
                decided.entry(id).or_default().push(conversation);
            }
        }
    }
    for id in facts.written.values().flatten().map(|written| &written.message_id) {
        match decided.get(id).map(Vec::as_slice) {
            None | Some([]) => {
                found.insert(Violation::Undecided(id.clone()));
            }
            Some([conversation]) => {
                let told = facts.decisions.get(id).and_then(|told| told.get("conversation_id"));
                if told.and_then(Value::as_str) != Some(conversation) {
                    found.insert(Violation::Contradicted(id.clone()));
                }
            }
            Some(_) => {
                found.insert(Violation::DecidedTwice(id.clone()));
            }
        }
    }
}

/// At most one automatic answer a turn, none forgotten; the channel has what the histories say it has.
fn replies(facts: &Facts, found: &mut BTreeSet<Violation>) {
    let mut told: BTreeMap<String, bool> = BTreeMap::new();
    for ((_, conversation), lines) in &facts.histories {
        let mut answers: BTreeMap<i64, u32> = BTreeMap::new();
        let mut to_people: BTreeSet<i64> = BTreeSet::new();
        for line in lines {
            let turn = line.turn().unwrap_or_default();
            if line.event == "queued" {
                to_people.insert(turn);
            }
            if line.event != "reply_sent" {
                continue;
            }
            let sent = line.str("result") == "sent";
            let reply = format!("{conversation}/{turn}/{}", line.str("purpose"));
            let before = told.insert(reply.clone(), sent);
            if line.str("purpose") == "answer" {
                *answers.entry(turn).or_default() += 1;
            } else if before.is_some() {
                found.insert(Violation::AnsweredTwice(reply));
            }
        }
        for line in lines.iter().filter(|line| line.event == "turn_decided") {
            let turn = line.turn().unwrap_or_default();
            let name = format!("{conversation}/{turn}");
            match answers.remove(&turn) {
                Some(2..) => {
                    found.insert(Violation::AnsweredTwice(name));
                }
                None if line.str("route") == "auto" && !to_people.contains(&turn) => {
                    found.insert(Violation::Unanswered(name));
                }
                _ => {}
            }
        }
        // An answer to a turn nobody decided.
        found.extend(
            answers
                .into_keys()
                .map(|turn| Violation::Contradicted(format!("{conversation}/{turn}"))),
        );
    }
    channel(facts, &told, found);
}

/// `told`: whether the histories say that a reply was sent, by conversation/turn/purpose.
fn channel(facts: &Facts, told: &BTreeMap<String, bool>, found: &mut BTreeSet<Violation>) {
    let mut had: BTreeMap<&str, u32> = BTreeMap::new();
    for sent in &facts.sent {
        *had.entry(sent.id.as_str()).or_default() += 1;
    }
    let mut replies = BTreeSet::new();
    for (id, times) in had {
        // …/<part>
        let reply = id.rsplit_once('/').map_or(id, |(reply, _)| reply);
        replies.insert(reply.to_owned());
        if times > 1 {
            found.insert(Violation::SentTwice(id.to_owned()));
        }
        if !told.contains_key(reply) {
            found.insert(Violation::SentUnknown(id.to_owned()));
        }
    }
    for (reply, _) in told.iter().filter(|(_, sent)| **sent) {
        if !replies.contains(reply) {
            found.insert(Violation::NeverSent(reply.clone()));
        }
    }
}
