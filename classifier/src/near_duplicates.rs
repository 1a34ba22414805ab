//! Near-duplicate texts, by Jaccard similarity of their character trigrams.
//!
//! Invariant: finds every pair at or over the threshold, without comparing all pairs: if two sets
//! have Jaccard ≥ t, they share one of their ⌊(1 − t)·|x|⌋ + 1 rarest trigrams (prefix filtering,
//! Chaudhuri, Ganti & Kaushik 2006), so only rows that meet in an index of those are compared.

use crate::text::tokens::Tokens;
use std::collections::HashMap;

/// Two rows and how alike they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NearDuplicate {
    /// The earlier row.
    pub first: usize,
    /// The later row.
    pub second: usize,
    /// Shared trigrams over all trigrams of both, 0..=1.
    pub jaccard: f64,
}

/// Similarity from which two texts count as near-duplicates.
pub const JACCARD_MIN: f64 = 0.6;

/// All pairs of texts with a trigram Jaccard of at least `jaccard_min`, in order of the rows; of
/// several texts that are the same once normalised, each is paired with the first alone.
///
/// Texts are compared as the classifier reads them: folded, abbreviations written out, numbers
/// typed. Texts that normalise to nothing equal nothing.
#[must_use]
pub fn find<S: AsRef<str>>(texts: &[S], jaccard_min: f64) -> Vec<NearDuplicate> {
    let sets = rare_first(texts);
    let mut same: HashMap<&[u32], usize> = HashMap::new();
    let mut found = Vec::new();
    let mut distinct: Vec<(usize, &[u32])> = Vec::new();
    for (row, set) in sets.iter().enumerate().filter(|(_, set)| !set.is_empty()) {
        let first = *same.entry(set).or_insert(row);
        if first == row {
            distinct.push((row, set));
        } else {
            found.push(NearDuplicate { first, second: row, jaccard: 1.0 });
        }
    }
    // Shorter sets first: then only the shorter of a pair needs indexing, and less of it.
    distinct.sort_by_key(|(row, set)| (set.len(), *row));
    join(&distinct, jaccard_min, &mut found);
    found.sort_unstable_by_key(|pair| (pair.first, pair.second));
    found
}

/// Where a trigram occurs: the place in `distinct`, and the place in that set.
type Posting = (u32, u32);

/// A candidate whose rest cannot reach the overlap needed.
const RULED_OUT: u32 = u32::MAX;

/// The pairs among distinct sets, ordered by size, by prefix and position filtering (Xiao, Wang,
/// Lin & Yu 2008, "Efficient similarity joins", PPJoin).
fn join(distinct: &[(usize, &[u32])], jaccard_min: f64, found: &mut Vec<NearDuplicate>) {
    let ranks = distinct.iter().filter_map(|(_, set)| set.last()).max();
    let mut index: Vec<Vec<Posting>> = vec![Vec::new(); ranks.map_or(0, |rank| *rank as usize + 1)];
    // Prefix trigrams shared with each earlier set, and the sets with any.
    let mut shared: Vec<u32> = vec![0; distinct.len()];
    let mut candidates: Vec<u32> = Vec::new();
    let bitmaps: Vec<Bitmap> = distinct.iter().map(|(_, set)| bitmap(set)).collect();
    for (((row, set), own), at) in distinct.iter().zip(&bitmaps).zip(0u32..) {
        meet(distinct, set, at, jaccard_min, &mut index, &mut shared, &mut candidates);
        for other in candidates.drain(..) {
            let count = shared.get_mut(other as usize).map(std::mem::take);
            let Some((other_row, other_set)) = distinct.get(other as usize) else { continue };
            let differing = bitmaps.get(other as usize).map_or(0, |other| distance(own, other));
            let all = (set.len() + other_set.len()) as f64;
            let most = (1.0 - jaccard_min) / (1.0 + jaccard_min) * all + 1e-9;
            if count == Some(RULED_OUT) || f64::from(differing) > most {
                continue;
            }
            let jaccard = jaccard(other_set, set);
            if jaccard >= jaccard_min {
                let (first, second) = (*row.min(other_row), *row.max(other_row));
                found.push(NearDuplicate { first, second, jaccard });
            }
        }
    }
}

/// One bit of 256 for each member of a set.
type Bitmap = [u64; 4];

/// The bitmap of a set: each differing bit of two bitmaps is at least one member that only one of
/// the sets has, which rules most candidates out at once (Sandes, Teodoro & Melo 2020).
fn bitmap(set: &[u32]) -> Bitmap {
    let mut bits = Bitmap::default();
    for member in set {
        let at = member.wrapping_mul(0x9E37_79B1) >> 24;
        if let Some(word) = bits.get_mut(at as usize / 64) {
            *word |= 1 << (at % 64);
        }
    }
    bits
}

fn distance(a: &Bitmap, b: &Bitmap) -> u32 {
    a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum()
}

/// Counts the prefix trigrams that `set` shares with earlier sets, and adds it to the index.
fn meet(
    distinct: &[(usize, &[u32])],
    set: &[u32],
    at: u32,
    jaccard_min: f64,
    index: &mut [Vec<Posting>],
    shared: &mut [u32],
    candidates: &mut Vec<u32>,
) {
    let len = set.len();
    let size = |other: u32| distinct.get(other as usize).map_or(0, |(_, set)| set.len());
    let probe = prefix_len(len, jaccard_min * len as f64);
    let indexed = prefix_len(len, 2.0 * jaccard_min / (1.0 + jaccard_min) * len as f64);
    for ((i, trigram), place) in set.iter().take(probe).enumerate().zip(0u32..) {
        let Some(postings) = index.get_mut(*trigram as usize) else { continue };
        // Sizes only grow, so a set too short now stays too short.
        let too_short = |other: u32| (size(other) as f64) < jaccard_min * len as f64 - 1e-9;
        let stale = postings.iter().take_while(|(other, _)| too_short(*other)).count();
        postings.drain(..stale);
        for &(other, j) in postings.iter() {
            let Some(count) = shared.get_mut(other as usize) else { continue };
            if *count == RULED_OUT {
                continue;
            }
            if *count == 0 {
                candidates.push(other);
            }
            let other_len = size(other);
            let needed = jaccard_min / (1.0 + jaccard_min) * (len + other_len) as f64 - 1e-9;
            let reach = 1 + (len - i - 1).min(other_len - j as usize - 1);
            let in_reach = f64::from(*count) + reach as f64 >= needed;
            *count = if in_reach { *count + 1 } else { RULED_OUT };
        }
        if i < indexed {
            postings.push((at, place));
        }
    }
}

/// The group of each text `[texts]`: the lowest row it is linked to through near-duplicates.
#[must_use]
pub fn groups<S: AsRef<str>>(texts: &[S], jaccard_min: f64) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..texts.len()).collect();
    for pair in find(texts, jaccard_min) {
        let (a, b) = (root(&parent, pair.first), root(&parent, pair.second));
        if let Some(parent) = parent.get_mut(a.max(b)) {
            *parent = a.min(b);
        }
    }
    (0..texts.len()).map(|row| root(&parent, row)).collect()
}

fn root(parent: &[usize], mut row: usize) -> usize {
    while let Some(&above) = parent.get(row) {
        if above == row {
            break;
        }
        row = above;
    }
    row
}

/// Length of the prefix that two sets must share a member of, if they share `overlap` or more of
/// the `len` members of this one.
fn prefix_len(len: usize, overlap: f64) -> usize {
    // Rounded the safe way: one trigram too many costs a comparison, one too few a pair.
    (0..len).take_while(|&kept| kept as f64 <= len as f64 - overlap + 1e-9).count()
}

/// The trigram set of each text, as rising ranks of rarity: the rarest trigram of all is 0.
fn rare_first<S: AsRef<str>>(texts: &[S]) -> Vec<Vec<u32>> {
    let mut tokens = Tokens::default();
    let mut frequency: HashMap<u64, u32> = HashMap::new();
    let mut sets: Vec<Vec<u64>> = Vec::with_capacity(texts.len());
    for text in texts {
        tokens.read(text.as_ref());
        let mut set: Vec<u64> = tokens.chars().windows(3).map(trigram).collect();
        set.sort_unstable();
        set.dedup();
        for &trigram in &set {
            *frequency.entry(trigram).or_default() += 1;
        }
        sets.push(set);
    }
    let mut order: Vec<(u32, u64)> = frequency.into_iter().map(|(t, n)| (n, t)).collect();
    order.sort_unstable();
    let ranks: HashMap<u64, u32> = order.iter().zip(0..).map(|((_, t), rank)| (*t, rank)).collect();
    let rank = |trigram: &u64| ranks.get(trigram).copied().unwrap_or_default();
    sets.iter()
        .map(|set| {
            let mut set: Vec<u32> = set.iter().map(rank).collect();
            set.sort_unstable();
            set
        })
        .collect()
}

/// Three characters of 21 bits each.
fn trigram(window: &[char]) -> u64 {
    window.iter().fold(0, |packed, &c| packed << 21 | u64::from(u32::from(c)))
}

/// Shared over all members of two rising sets; 0 for empty ones.
fn jaccard(a: &[u32], b: &[u32]) -> f64 {
    let mut rest = b.iter().peekable();
    let shared = a
        .iter()
        .filter(|member| {
            while rest.next_if(|other| other < member).is_some() {}
            rest.peek() == Some(member)
        })
        .count();
    let all = a.len() + b.len() - shared;
    if all == 0 { 0.0 } else { shared as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_rewordings_and_not_mere_neighbours() {
        let texts = [
            "quero a segunda via do boleto",
            "Quero a 2ª via do boleto!!",
            "quero cancelar o contrato",
            "",
            "...",
            "minha internet caiu",
        ];
        let found = find(&texts, JACCARD_MIN);
        assert_eq!(found.iter().map(|p| (p.first, p.second)).collect::<Vec<_>>(), [(0, 1)]);
        assert_eq!(groups(&texts, JACCARD_MIN), [0, 0, 2, 3, 4, 5]);
    }

    /// Texts of ten words, drawn from two thousand by a fixed generator.
    fn texts(n: usize) -> Vec<String> {
        let mut state = 7u64;
        let mut letter = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
        };
        let words: Vec<String> =
            (0..2_000).map(|i| (0..3 + i % 7).map(|_| letter()).collect()).collect();
        let pick = |i: usize| words[i.wrapping_mul(i + 2_654_435_761) / 7 % words.len()].as_str();
        (0..n).map(|i| (0..10).map(|k| pick(10 * i + k)).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn twenty_thousand_rows_are_quick() {
        let mut texts = texts(20_000);
        texts[19_999] = texts[5].clone() + " ok";
        let started = std::time::Instant::now();
        let found = find(&texts, JACCARD_MIN);
        assert!(found.iter().any(|pair| (pair.first, pair.second) == (5, 19_999)));
        assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
    }

    proptest! {
        #[test]
        fn the_index_misses_no_pair(texts in prop::collection::vec("[ab ]{0,12}", 0..25)) {
            let quick: Vec<_> = find(&texts, 0.6).iter().map(|p| (p.first, p.second)).collect();
            let sets = rare_first(&texts);
            let first_of = |set: &Vec<u32>| sets.iter().position(|other| other == set).unwrap();
            let mut slow = Vec::new();
            for first in 0..sets.len() {
                for second in first + 1..sets.len() {
                    let (a, b) = (&sets[first], &sets[second]);
                    let is_first = first_of(a) == first;
                    let is_new = first_of(b) == second || a == b;
                    if is_first && is_new && jaccard(a, b) >= 0.6 {
                        slow.push((first, second));
                    }
                }
            }
            prop_assert_eq!(quick, slow);
        }
    }
}
