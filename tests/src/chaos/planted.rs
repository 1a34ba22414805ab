//! Faults planted on purpose: a judge that misses one of them is not believed.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, ensure};
use data_encoding::BASE32_DNSSEC;
use rusqlite::{Connection, params};

use super::facts::{Facts, Line};
use super::judge::{Violation, judge};

/// A fault: how it is planted, and what the judge must call it.
struct Fault {
    name: &'static str,
    plant: fn(&mut Facts) -> Option<()>,
    is: fn(&Violation) -> bool,
}

/// A history in the middle of a run, with enough in it for every fault.
fn busy(facts: &mut Facts) -> Option<&mut Vec<Line>> {
    facts.histories.values_mut().max_by_key(|lines| lines.len())
}

fn at(lines: &[Line], event: &str) -> Option<usize> {
    lines.iter().position(|line| line.event == event)
}

fn last(lines: &[Line], event: &str) -> Option<usize> {
    lines.iter().rposition(|line| line.event == event)
}

fn number(lines: &mut [Line]) {
    lines.iter_mut().zip(1i64..).for_each(|(line, seq)| line.seq = seq);
}

/// Whichever history has a line of `event` with `name` = `value`.
fn with<'a>(
    facts: &'a mut Facts,
    event: &str,
    name: &str,
    value: &str,
) -> Option<(&'a mut Vec<Line>, usize)> {
    facts.histories.values_mut().find_map(|lines| {
        let at = lines.iter().position(|line| line.event == event && line.str(name) == value)?;
        Some((lines, at))
    })
}

fn lose(facts: &mut Facts) -> Option<()> {
    let lines = busy(facts)?;
    lines.remove(at(lines, "message_received")?);
    number(lines);
    Some(())
}

fn double(facts: &mut Facts) -> Option<()> {
    let lines = busy(facts)?;
    let again = lines.get(at(lines, "message_received")?)?.clone();
    lines.push(again);
    number(lines);
    Some(())
}

fn invent(facts: &mut Facts) -> Option<()> {
    facts.written.values_mut().find(|written| written.len() > 1)?.pop().map(drop)
}

fn alter(facts: &mut Facts) -> Option<()> {
    let lines = busy(facts)?;
    let at = at(lines, "message_received")?;
    *lines.get_mut(at)?.detail.get_mut("text")? = "outra coisa".into();
    Some(())
}

fn swap(facts: &mut Facts) -> Option<()> {
    let lines = busy(facts)?;
    let (first, second) = (at(lines, "message_received")?, last(lines, "message_received")?);
    (first != second).then(|| lines.swap(first, second))?;
    number(lines);
    Some(())
}

fn tear(facts: &mut Facts) -> Option<()> {
    let lines = busy(facts)?;
    lines.remove(at(lines, "turn_decided")?);
    Some(())
}

fn leave_undecided(facts: &mut Facts) -> Option<()> {
    let lines = busy(facts)?;
    lines.remove(last(lines, "turn_decided")?);
    number(lines);
    Some(())
}

fn decide_twice(facts: &mut Facts) -> Option<()> {
    let lines = busy(facts)?;
    let again = lines.get(at(lines, "turn_decided")?)?.clone();
    lines.push(again);
    number(lines);
    Some(())
}

fn decide_early(facts: &mut Facts) -> Option<()> {
    let lines = busy(facts)?;
    let early = lines.remove(at(lines, "turn_decided")?);
    lines.insert(0, early);
    number(lines);
    Some(())
}

fn forget_the_answer(facts: &mut Facts) -> Option<()> {
    let (lines, at) = with(facts, "reply_sent", "purpose", "answer")?;
    let forgotten = lines.remove(at);
    lines.retain(|line| line.event != "queued" || line.turn() != forgotten.turn());
    number(lines);
    Some(())
}

fn answer_twice(facts: &mut Facts) -> Option<()> {
    let (lines, at) = with(facts, "reply_sent", "purpose", "answer")?;
    let again = lines.get(at)?.clone();
    lines.push(again);
    number(lines);
    Some(())
}

fn send_twice(facts: &mut Facts) -> Option<()> {
    facts.sent.push(facts.sent.first()?.clone());
    Some(())
}

fn send_unknown(facts: &mut Facts) -> Option<()> {
    let mut sent = facts.sent.first()?.clone();
    sent.id = format!("{}/999999/answer/0", sent.conversation_id);
    facts.sent.push(sent);
    Some(())
}

fn never_send(facts: &mut Facts) -> Option<()> {
    let (lines, at) = with(facts, "reply_sent", "result", "sent")?;
    let line = lines.get(at)?;
    let reply = format!("/{}/{}/", line.turn()?, line.str("purpose"));
    let before = facts.sent.len();
    facts.sent.retain(|sent| !sent.id.contains(&reply));
    (facts.sent.len() < before).then_some(())
}

fn contradict(facts: &mut Facts) -> Option<()> {
    let decision = facts.decisions.values_mut().next()?;
    *decision.get_mut("conversation_id")? = "conv_of_another".into();
    Some(())
}

fn set_aside(facts: &mut Facts) -> Option<()> {
    facts.dead_letters += 1;
    Some(())
}

const FAULTS: &[Fault] = &[
    Fault { name: "a message lost", plant: lose, is: |v| matches!(v, Violation::Lost(_)) },
    Fault { name: "a message twice", plant: double, is: |v| matches!(v, Violation::Doubled(_)) },
    Fault {
        name: "a message nobody wrote",
        plant: invent,
        is: |v| matches!(v, Violation::Invented(_)),
    },
    Fault { name: "another text", plant: alter, is: |v| matches!(v, Violation::Altered(_)) },
    Fault { name: "messages swapped", plant: swap, is: |v| matches!(v, Violation::OutOfOrder(_)) },
    Fault { name: "a gap", plant: tear, is: |v| matches!(v, Violation::Torn(_)) },
    Fault {
        name: "no decision",
        plant: leave_undecided,
        is: |v| matches!(v, Violation::Undecided(_)),
    },
    Fault {
        name: "decided twice",
        plant: decide_twice,
        is: |v| matches!(v, Violation::DecidedTwice(_)),
    },
    Fault {
        name: "decided early",
        plant: decide_early,
        is: |v| matches!(v, Violation::DecidedUnseen(_)),
    },
    Fault {
        name: "no answer",
        plant: forget_the_answer,
        is: |v| matches!(v, Violation::Unanswered(_)),
    },
    Fault {
        name: "answered twice",
        plant: answer_twice,
        is: |v| matches!(v, Violation::AnsweredTwice(_)),
    },
    Fault { name: "sent twice", plant: send_twice, is: |v| matches!(v, Violation::SentTwice(_)) },
    Fault {
        name: "sent unknown",
        plant: send_unknown,
        is: |v| matches!(v, Violation::SentUnknown(_)),
    },
    Fault { name: "never sent", plant: never_send, is: |v| matches!(v, Violation::NeverSent(_)) },
    Fault {
        name: "doors disagree",
        plant: contradict,
        is: |v| matches!(v, Violation::Contradicted(_)),
    },
    Fault {
        name: "a dead letter",
        plant: set_aside,
        is: |v| matches!(v, Violation::DeadLetters(_)),
    },
];

/// Plants every fault into `facts`, one at a time; gives how many there are and which the judge did
/// not call by their name, or could not be planted.
#[must_use]
pub fn missed(facts: &Facts) -> (usize, Vec<&'static str>) {
    let missed = FAULTS.iter().filter(|fault| {
        let mut facts = facts.clone();
        (fault.plant)(&mut facts).is_none() || !judge(&facts).iter().any(fault.is)
    });
    (FAULTS.len(), missed.map(|fault| fault.name).collect())
}

/// Plants a loss, a duplicate and a swap into the store of a stopped server, so that not only the
/// judge but the whole way to it is tried: into histories of `facts`, for what others wrote is not judged.
///
/// # Errors
/// When the store does not hold enough for that.
pub fn plant_in_store(data_dir: &Path, facts: &Facts) -> anyhow::Result<()> {
    let store = Connection::open(data_dir.join("store.db"))?;
    let mut asked = store.prepare(
        "SELECT conversation, max(seq) FROM lines GROUP BY conversation \
         HAVING count(*) > 8 ORDER BY conversation",
    )?;
    let mut rows: Vec<(Vec<u8>, i64)> =
        asked.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let judged: BTreeSet<&str> = facts.histories.keys().map(|(_, id)| id.as_str()).collect();
    rows.retain(|(id, _)| judged.contains(format!("c_{}", BASE32_DNSSEC.encode(id)).as_str()));
    let [lost, doubled, swapped, ..] = rows.as_slice() else {
        anyhow::bail!("the run was too short to plant faults in its store");
    };
    // The first line is `opened`, the second the first message.
    let place = |id: &[u8], seq: i64| -> anyhow::Result<i64> {
        let of = "SELECT place FROM lines WHERE conversation = ?1 AND seq = ?2";
        Ok(store.query_row(of, params![id, seq], |row| row.get(0))?)
    };
    let gone = "DELETE FROM history WHERE place = ?1";
    ensure!(store.execute(gone, [place(&lost.0, 2)?])? == 1, "nothing to lose");
    let again = "INSERT INTO history SELECT ?2, at_ms, record FROM history WHERE place = ?1";
    let behind = place(&doubled.0, doubled.1)? + 1;
    ensure!(store.execute(again, [place(&doubled.0, 2)?, behind])? == 1, "nothing to double");
    let record = |at: i64| -> anyhow::Result<Vec<u8>> {
        let of = "SELECT record FROM history WHERE place = ?1";
        store.query_row(of, [at], |row| row.get(0)).context("nothing to swap")
    };
    let (one, other) = (place(&swapped.0, 2)?, place(&swapped.0, 3)?);
    let (first, second) = (record(one)?, record(other)?);
    let put = "UPDATE history SET record = ?2 WHERE place = ?1";
    store.execute(put, params![one, second])?;
    store.execute(put, params![other, first])?;
    Ok(())
}
