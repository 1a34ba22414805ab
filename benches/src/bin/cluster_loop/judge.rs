//! Whether a run may be believed: nothing refused, lost, doubled or out of order, and a generator that
//! kept its times.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use futures::stream::{self, StreamExt, TryStreamExt};
use schemas::ids::ConversationId;
use sink::Store;
use sink::store::cql::CqlStore;

use crate::generator::{Shot, ordered_pairs};
use crate::stored::{Line, Told};

/// Queries to the database in flight.
const READS: usize = 16;

/// Where lines of a message came to lie: it may be stored twice, never in two places.
pub type Places<'a> = HashMap<(Told, &'a str), Vec<&'a Line>>;

/// The lines of a run by message.
pub fn places(lines: &[Line]) -> Places<'_> {
    let mut places: Places<'_> = HashMap::new();
    for line in lines {
        places.entry((line.told, &line.message)).or_default().push(line);
    }
    places
}

/// Whether every message that was taken is stored, and how it was decided.
pub fn all_stored(shots: &[Shot], places: &Places<'_>) -> bool {
    shots.iter().filter_map(|shot| shot.message.as_deref()).all(|message| {
        let is_there = |told| places.contains_key(&(told, message));
        is_there(Told::Received) && is_there(Told::Decided)
    })
}

/// What is wrong with what was sent and stored; empty when nothing is.
pub fn wrong(shots: &[Shot], places: &Places<'_>) -> Vec<String> {
    let mut found: BTreeMap<&str, u64> = BTreeMap::new();
    let mut count = |what, wrong: bool| *found.entry(what).or_default() += u64::from(wrong);
    for shot in shots {
        count("refused, not answered or not decided", !shot.went_well());
        let Some(message) = &shot.message else { continue };
        for (told, lost, doubled) in [
            (Told::Received, "message lost", "message with two lines"),
            (Told::Decided, "decision lost", "message decided twice"),
        ] {
            let lines = places.get(&(told, message.as_str()));
            count(lost, lines.is_none());
            let doubles = lines.is_some_and(|lines| {
                lines
                    .iter()
                    .any(|line| lines.first().is_some_and(|first| place(first) != place(line)))
            });
            count(doubled, doubles);
        }
    }
    for (before, after) in ordered_pairs(shots) {
        let lines = received(places, before).zip(received(places, after));
        let out = lines.is_some_and(|(before, after)| place(before) > place(after));
        count("message before one that was acknowledged earlier", out);
    }
    found.retain(|_, wrong| *wrong > 0);
    found.into_iter().map(|(what, wrong)| format!("{wrong} × {what}")).collect()
}

/// The line of the history that holds a message.
fn received<'a>(places: &'a Places<'a>, shot: &'a Shot) -> Option<&'a Line> {
    places.get(&(Told::Received, shot.message.as_deref()?))?.first().copied()
}

/// The conversations of a contact by the second they were opened, their lines by seq.
fn place(line: &Line) -> (ConversationId, i64) {
    (line.conversation, line.seq)
}

/// Reads every line back from the database: gives how many are not there or elsewhere, and how many
/// histories have a gap.
pub async fn missing(store: &CqlStore, lines: &[Line]) -> anyhow::Result<Vec<String>> {
    let mut wanted: BTreeMap<ConversationId, Vec<i64>> = BTreeMap::new();
    for line in lines {
        wanted.entry(line.conversation).or_default().push(line.seq);
    }
    let looks = wanted.into_iter().map(|(id, mut seqs)| async move {
        seqs.sort_unstable();
        let first = seqs.first().copied().unwrap_or(1);
        let limit = usize::try_from(seqs.last().copied().unwrap_or(1) - first + 1)?;
        let found =
            store.history(id, first - 1, limit).await.context("a history cannot be read")?;
        let found: Vec<i64> = found.iter().map(|(_, record)| record.seq).collect();
        let lost = seqs.iter().filter(|seq| found.binary_search(seq).is_err()).count();
        let gap = found.windows(2).any(|pair| matches!(pair, [a, b] if *b != a + 1));
        anyhow::Ok((lost, usize::from(gap)))
    });
    let (lost, gaps) = stream::iter(looks)
        .buffer_unordered(READS)
        .try_fold((0, 0), |(lost, gaps), (l, g)| async move { Ok((lost + l, gaps + g)) })
        .await?;
    let told = [(lost, "row not in the database"), (gaps, "history with a gap")];
    let told = told.into_iter().filter(|(wrong, _)| *wrong > 0);
    Ok(told.map(|(wrong, what)| format!("{wrong} × {what}")).collect())
}

#[cfg(test)]
mod tests {
    use schemas::ids::ContactKey;

    use super::*;

    fn shot(n: u64) -> Shot {
        Shot {
            n,
            customer: 1,
            intended_us: n * 10,
            sent_us: n * 10,
            answered_us: n * 10 + 5,
            waited: true,
            status: 200,
            message: Some(format!("m{n}")),
        }
    }

    fn line(told: Told, n: u64, seq: i64) -> Line {
        let conversation = ConversationId::new(ContactKey([1; 16]), 1_000);
        Line { told, message: format!("m{n}"), conversation, seq, stored_us: n * 10 + 7 }
    }

    fn whole() -> (Vec<Shot>, Vec<Line>) {
        let lines = (0..3).flat_map(|n| {
            let seq = i64::try_from(n).unwrap() * 2;
            [line(Told::Received, n, seq + 1), line(Told::Decided, n, seq + 2)]
        });
        ((0..3).map(shot).collect(), lines.collect())
    }

    #[test]
    fn a_run_in_which_all_went_well_is_believed() {
        let (shots, mut lines) = whole();
        assert_eq!(wrong(&shots, &places(&lines)), Vec::<String>::new());
        // Stored again in its place changes nothing.
        lines.push(line(Told::Received, 1, 3));
        assert_eq!(wrong(&shots, &places(&lines)), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_told() {
        type Fault = fn(&mut Vec<Shot>, &mut Vec<Line>);
        let faults: [(&str, Fault); 6] = [
            ("refused", |shots, _| shots[1].status = 202),
            ("message lost", |_, lines| drop(lines.remove(2))),
            ("decision lost", |_, lines| drop(lines.remove(3))),
            ("two lines", |_, lines| lines.push(line(Told::Received, 1, 9))),
            ("decided twice", |_, lines| lines.push(line(Told::Decided, 1, 9))),
            ("acknowledged earlier", |_, lines| {
                let (a, b) = (lines[0].seq, lines[2].seq);
                (lines[0].seq, lines[2].seq) = (b, a);
            }),
        ];
        for (words, fault) in faults {
            let (mut shots, mut lines) = whole();
            fault(&mut shots, &mut lines);
            let told = wrong(&shots, &places(&lines));
            assert!(told.len() == 1 && told[0].contains(words), "{words}: {told:?}");
        }
    }
}
