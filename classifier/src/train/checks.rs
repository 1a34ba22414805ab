//! Checks of the training rows, before anything is trained on them.

use super::card::DataChecks;
use super::error::TrainError;
use crate::near_duplicates::{JACCARD_MIN, find};
use crate::rows::{Row, Task};
use crate::text::tokens::Tokens;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Rows below which a label cannot be in every fold.
const LABEL_ROWS_MIN: usize = 5;

/// Rows below which a label is named as thin in the card.
const LABEL_ROWS_THIN: usize = 40;

/// Share of rows that may contradict one another before the data are refused.
const CONTRADICTORY_MAX: f64 = 0.02;

/// Ordinary rows below which the hard ones are measured on as well.
const ORDINARY_ROWS_MIN: usize = 500;

/// Rows that passed, as parallel lists.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) texts: Vec<String>,
    /// Class number of each text.
    pub(crate) labels: Vec<usize>,
    /// Trained on, but not measured on?
    pub(crate) hard: Vec<bool>,
    /// Class number of a second intent in each text.
    pub(crate) seconds: Vec<Option<usize>>,
    /// Sorted.
    pub(crate) names: Vec<String>,
    pub(crate) checks: DataChecks,
    pub(crate) data_sha256: String,
}

/// Leaves out rows that cannot be trained on; refuses data that are not fit for training, or with
/// `force` leaves out what can be left out.
pub(crate) fn check(
    task: Task,
    rows: &[Row],
    unseen: &[&str],
    force: bool,
) -> Result<Checked, TrainError> {
    let mut checks = DataChecks { rows: rows.len(), ..DataChecks::default() };
    let filled = drop_empty(task, rows, &mut checks);
    let distinct = drop_repeated(&filled, &mut checks);
    let mut kept = drop_leaked(distinct, unseen, &mut checks);
    let share = checks.contradictory as f64 / (rows.len() as f64).max(1.0);
    if share > CONTRADICTORY_MAX && !force {
        return Err(TrainError::Contradictory { rows: checks.contradictory });
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, label) in &kept {
        *counts.entry(label).or_default() += 1;
    }
    let thin = |min: usize| counts.iter().filter(move |(_, n)| **n < min).map(|(label, _)| *label);
    let too_thin: Vec<String> = thin(LABEL_ROWS_MIN).map(str::to_owned).collect();
    if !too_thin.is_empty() && !force {
        return Err(TrainError::ThinLabels { labels: too_thin, min: LABEL_ROWS_MIN });
    }
    checks.thin_labels = thin(LABEL_ROWS_THIN).map(str::to_owned).collect();
    let names: Vec<String> = counts
        .keys()
        .filter(|label| !too_thin.iter().any(|t| t == *label))
        .map(|l| (*l).to_owned())
        .collect();
    if names.len() < 2 {
        return Err(TrainError::OneLabel { labels: names.len() });
    }
    if task.is_binary() && names != ["false", "true"] {
        return Err(TrainError::NotBinary { task: task.name(), labels: names });
    }
    kept.retain(|(_, label)| names.iter().any(|name| name == label));
    checks.kept = kept.len();
    let class = |label: &str| names.binary_search_by(|name| name.as_str().cmp(label)).ok();
    let labels = kept.iter().filter_map(|(_, label)| class(label)).collect();
    let told: HashMap<&str, &str> = rows
        .iter()
        .filter(|_| task == Task::Intent)
        .filter_map(|row| Some((row.text.trim(), row.second.as_deref()?)))
        .collect();
    let seconds = kept.iter().map(|(text, _)| told.get(text).and_then(|label| class(label)));
    let seconds = seconds.collect();
    let data_sha256 = digest(&kept);
    let hard = hard(task, rows, &kept);
    checks.hard = hard.iter().filter(|hard| **hard).count();
    let texts = kept.into_iter().map(|(text, _)| text.to_owned()).collect();
    Ok(Checked { texts, labels, hard, seconds, names, checks, data_sha256 })
}

/// Which rows are hard; none where too few others are left to measure on, and none for yes or no:
/// the traps are in what is wanted, not in the tone, and ordinary messages are rarely a yes.
fn hard(task: Task, rows: &[Row], kept: &[Labelled<'_>]) -> Vec<bool> {
    let texts: HashSet<&str> =
        rows.iter().filter(|row| row.hard).map(|row| row.text.trim()).collect();
    let hard: Vec<bool> = kept.iter().map(|(text, _)| texts.contains(text)).collect();
    let ordinary = hard.iter().filter(|hard| !**hard).count();
    if task.is_binary() || ordinary < ORDINARY_ROWS_MIN { vec![false; kept.len()] } else { hard }
}

type Labelled<'a> = (&'a str, &'a str);

fn drop_empty<'a>(task: Task, rows: &'a [Row], checks: &mut DataChecks) -> Vec<Labelled<'a>> {
    let labelled = rows.iter().map(|row| (row.text.trim(), task.label_of(row).trim()));
    let filled: Vec<Labelled<'a>> =
        labelled.filter(|(text, label)| !text.is_empty() && !label.is_empty()).collect();
    checks.empty = rows.len() - filled.len();
    filled
}

/// One row a normalised text; texts under several labels are left out altogether.
fn drop_repeated<'a>(rows: &[Labelled<'a>], checks: &mut DataChecks) -> Vec<Labelled<'a>> {
    let mut tokens = Tokens::default();
    let mut first: HashMap<Vec<char>, (&str, bool)> = HashMap::new();
    let keys: Vec<Vec<char>> = rows
        .iter()
        .map(|(text, label)| {
            tokens.read(text);
            // A text that normalises to nothing is told apart by its characters.
            let blank = tokens.list().is_empty();
            let key = if blank { text.chars().collect() } else { tokens.chars().to_vec() };
            let (known, agrees) = first.entry(key.clone()).or_insert((*label, true));
            *agrees &= known == label;
            key
        })
        .collect();
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for (row, key) in rows.iter().zip(&keys) {
        if first.get(key).is_some_and(|(_, agrees)| !agrees) {
            checks.contradictory += 1;
        } else if seen.insert(key) {
            kept.push(*row);
        } else {
            checks.repeated += 1;
        }
    }
    kept
}

/// Words up to which many people write the same by themselves: "oi", "boleto".
const SAME_BY_NATURE_WORDS: usize = 2;

fn is_same_by_nature(text: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).count()
        <= SAME_BY_NATURE_WORDS
}

/// Leaves out near-duplicates of rows that must stay unseen, but for messages so short that they
/// are no sign of a copied row.
fn drop_leaked<'a>(
    rows: Vec<Labelled<'a>>,
    unseen: &[&str],
    checks: &mut DataChecks,
) -> Vec<Labelled<'a>> {
    if unseen.is_empty() {
        return rows;
    }
    let texts: Vec<&str> =
        unseen.iter().copied().chain(rows.iter().map(|(text, _)| *text)).collect();
    let leaked: HashSet<usize> = find(&texts, JACCARD_MIN)
        .into_iter()
        .filter(|pair| pair.first < unseen.len())
        .filter(|pair| {
            let text = |row: usize| texts.get(row).copied().unwrap_or_default();
            !is_same_by_nature(text(pair.first)) || !is_same_by_nature(text(pair.second))
        })
        .filter_map(|pair| pair.second.checked_sub(unseen.len()))
        .collect();
    checks.leaked = leaked.len();
    let kept = rows.into_iter().enumerate().filter(|(row, _)| !leaked.contains(row));
    kept.map(|(_, row)| row).collect()
}

fn digest(rows: &[Labelled<'_>]) -> String {
    let mut hash = Sha256::new();
    for (text, label) in rows {
        for part in [text, label] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(list: &[(&str, &str, usize)]) -> Vec<Row> {
        let row = |(text, label, n): &(&str, &str, usize)| {
            let words = [
                "em abril",
                "de novo",
                "sem querer",
                "hoje cedo",
                "na loja",
                "por que",
                "com taxa",
                "no fim",
            ];
            let many = |i: usize| Row::new(format!("{text} {0} {0}", words[i]), *label);
            (0..*n).map(many).collect::<Vec<_>>()
        };
        list.iter().flat_map(row).collect()
    }

    #[test]
    fn empty_repeated_and_contradictory_rows_are_left_out() {
        let mut rows = rows(&[("boleto vencido", "a", 8), ("internet lenta", "b", 8)]);
        rows.extend([Row::new(" ", "a"), Row::new("x", "")]);
        rows.push(Row::new("BOLETO vencido em abril em abril", "a"));
        let checked = check(Task::Intent, &rows, &[], false).unwrap();
        assert_eq!((checked.checks.empty, checked.checks.repeated), (2, 1));
        assert_eq!(checked.checks.kept, 16);
        assert_eq!(checked.names, ["a", "b"]);
        rows.push(Row::new("boleto vencido em abril em abril", "b"));
        let refused = check(Task::Intent, &rows, &[], false);
        assert!(matches!(refused, Err(TrainError::Contradictory { rows: 3 })));
        assert_eq!(check(Task::Intent, &rows, &[], true).unwrap().checks.kept, 15);
    }

    #[test]
    fn hard_rows_are_marked_where_enough_others_are_left() {
        let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap());
        let text = |i: usize| format!("boleto {}{}{}", letter(i), letter(i / 26), letter(i / 676));
        let ordinary = |n: usize| -> Vec<Row> {
            (0..n).map(|i| Row::new(text(i), if i % 2 == 0 { "a" } else { "b" })).collect()
        };
        let hard = Row { hard: true, ..Row::new("quero boleto e pix", "a") };
        for (n, marked) in [(ORDINARY_ROWS_MIN, 1), (ORDINARY_ROWS_MIN - 1, 0)] {
            let mut rows = ordinary(n);
            rows.push(hard.clone());
            let checked = check(Task::Intent, &rows, &[], false).unwrap();
            assert_eq!((checked.checks.kept, checked.checks.hard), (n + 1, marked));
            assert_eq!(checked.hard.last(), Some(&(marked == 1)));
        }
    }

    #[test]
    fn thin_single_and_misnamed_labels_are_refused() {
        let thin = rows(&[("boleto", "a", 8), ("internet", "b", 8), ("senha", "c", 2)]);
        assert!(matches!(
            check(Task::Intent, &thin, &[], false),
            Err(TrainError::ThinLabels { .. })
        ));
        assert_eq!(check(Task::Intent, &thin, &[], true).unwrap().names, ["a", "b"]);
        let one = rows(&[("boleto", "a", 8)]);
        assert!(matches!(check(Task::Intent, &one, &[], true), Err(TrainError::OneLabel { .. })));
        let binary = rows(&[("boleto", "a", 8), ("internet", "b", 8)]);
        assert!(matches!(
            check(Task::Urgent, &binary, &[], false),
            Err(TrainError::NotBinary { .. })
        ));
    }

    #[test]
    fn near_duplicates_of_unseen_rows_are_left_out() {
        let rows = rows(&[("quero boleto vencido", "a", 8), ("internet muito lenta", "b", 8)]);
        let unseen = ["Quero BOLETO vencido na loja na loja!"];
        let checked = check(Task::Intent, &rows, &unseen, false).unwrap();
        assert_eq!((checked.checks.leaked, checked.checks.kept), (1, 15));
    }
}
