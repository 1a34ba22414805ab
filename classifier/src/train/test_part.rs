//! Rows held back for a test: what neither weights, calibration nor thresholds have seen.
//!
//! Invariant: the near-duplicates of a test row are test rows, or else it is none.

use super::card::{LiveFigures, TestFigures, TestSplit};
use super::held_out::folds;
use crate::evaluate::{Evaluation, evaluate};
use crate::near_duplicates::{JACCARD_MIN, groups};
use crate::perturb::Haste;
use crate::rows::{Row, Task};
use crate::serve::head::Head;
use std::collections::{BTreeMap, HashSet};

/// One row of so many is held back.
const ONE_OF: usize = 7;

/// Rows below which none is held back.
const ROWS_MIN: usize = 200;

/// How much worse than the live head a new one may be on the same test part.
const WORSE_MAX: f64 = 0.01;

/// The rows, parted.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) split: TestSplit,
    pub(crate) rest: Vec<Row>,
    pub(crate) test: Vec<Row>,
}

/// Parts rows by time where all of them tell it, else by near-duplicate group if `wanted`.
pub(crate) fn split(task: Task, rows: &[Row], wanted: bool) -> Option<Parts> {
    let moments: Option<Vec<i64>> = rows.iter().map(|row| row.ts).collect();
    if rows.len() < ROWS_MIN || moments.is_none() && !wanted {
        return None;
    }
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    let groups = groups(&texts, JACCARD_MIN);
    let (split, is_test) = match moments {
        Some(moments) => (TestSplit::Time, latest(&moments, &groups)),
        None => (TestSplit::Groups, one_fold(task, rows, &groups)),
    };
    let part = |held: bool| -> Vec<Row> {
        let rows = rows.iter().zip(&is_test).filter(|(_, is_test)| **is_test == held);
        rows.map(|(row, _)| row.clone()).collect()
    };
    Some(Parts { split, rest: part(false), test: part(true) })
        .filter(|parts| !parts.test.is_empty())
}

/// The rows later than the rest, and like none of it.
fn latest(moments: &[i64], groups: &[usize]) -> Vec<bool> {
    let mut sorted = moments.to_vec();
    sorted.sort_unstable();
    let border = sorted.get(sorted.len() - sorted.len() / ONE_OF - 1).copied().unwrap_or_default();
    let earlier: HashSet<usize> = moments
        .iter()
        .zip(groups)
        .filter(|(moment, _)| **moment <= border)
        .map(|(_, group)| *group)
        .collect();
    groups.iter().map(|group| !earlier.contains(group)).collect()
}

fn one_fold(task: Task, rows: &[Row], groups: &[usize]) -> Vec<bool> {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let labels: Vec<usize> = rows
        .iter()
        .map(|row| {
            let next = numbers.len();
            *numbers.entry(task.label_of(row)).or_insert(next)
        })
        .collect();
    folds(groups, &labels, ONE_OF).into_iter().map(|fold| fold == 0).collect()
}

/// Tests a head, and the live one beside it.
pub(crate) fn figures(
    split: TestSplit,
    test: &[Row],
    own: &Head,
    live: Option<&Head>,
) -> TestFigures {
    let live = live.map(|live| LiveFigures {
        sha256: data_encoding::HEXLOWER.encode(&live.model.digest),
        figures: evaluate(live, test),
    });
    let hasty = Haste::ALL.map(|way| (way.name().to_owned(), evaluate(own, &hasty(test, way))));
    TestFigures { split, own: evaluate(own, test), hasty: hasty.to_vec(), live }
}

fn hasty(rows: &[Row], way: Haste) -> Vec<Row> {
    let rows = rows.iter().zip(0u64..);
    rows.map(|(row, seed)| Row { text: way.write(&row.text, seed), ..row.clone() }).collect()
}

/// In words, if the head is worse than the live one.
pub(crate) fn worse_than_live(task: Task, test: &TestFigures) -> Option<String> {
    // A yes-or-no head trades accuracy for recall; F1 values both.
    let measure = |of: &Evaluation| if task.is_binary() { of.macro_f1 } else { of.accuracy };
    let (own, live) = (measure(&test.own), measure(&test.live.as_ref()?.figures));
    (live - own > WORSE_MAX).then(|| {
        let (name, n) = (if task.is_binary() { "macro-F1" } else { "accuracy" }, test.own.n);
        format!(
            "worse than the live model on the same {n} test rows: {name} {own:.3} against {live:.3}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(ts: impl Fn(usize) -> Option<i64>) -> Vec<Row> {
        let words = ["boleto", "pix", "senha", "plano", "visita", "luz", "loja", "multa"];
        let word = |i: usize| words[i % words.len()];
        let text = |i: usize| format!("{} {} {}", word(i), word(i / 8), word(i / 64));
        let row = |i: usize| Row { ts: ts(i), ..Row::new(text(i), word(i)) };
        (0..400).map(row).collect()
    }

    #[test]
    fn the_latest_rows_are_the_test_and_like_none_before() {
        let parts = split(Task::Intent, &rows(|i| Some(i as i64)), false).unwrap();
        assert_eq!(parts.split, TestSplit::Time);
        assert_eq!(parts.rest.len() + parts.test.len(), 400);
        let first = parts.test.iter().map(|row| row.ts).min().unwrap();
        assert!(first >= Some(400 - 400 / 7 - 1), "{first:?}");
        let all: Vec<&str> =
            parts.rest.iter().chain(&parts.test).map(|row| row.text.as_str()).collect();
        let groups = groups(&all, JACCARD_MIN);
        let (rest, test) = groups.split_at(parts.rest.len());
        assert!(test.iter().all(|group| !rest.contains(group)));
    }

    #[test]
    fn without_times_rows_are_parted_only_where_it_is_wanted() {
        let untold = rows(|i| (i > 0).then_some(5));
        assert!(split(Task::Intent, &untold, false).is_none());
        let parts = split(Task::Intent, &untold, true).unwrap();
        assert_eq!(parts.split, TestSplit::Groups);
        assert!((40..80).contains(&parts.test.len()), "{}", parts.test.len());
        assert!(split(Task::Intent, &untold[..100], true).is_none());
    }
}
