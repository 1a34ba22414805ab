//! One message → the scores of every head, in one pass.
//!
//! Invariant: reads the text once, hashes once, looks up once; touches only the weight rows of the
//! n-grams that are present. Equal to the training path (golden messages) and to linfa (tests).

use super::index::{HEADS, Index, NO_ROW};
use super::scratch::{HeadScratch, Hit, Scratch};
use crate::artifact::model::Model;
use crate::features::grams::{self, CHARS, GramKind, GramKinds};
use crate::score::reading::Reading;

/// Scores `text` under every head; results are in `scratch.heads`.
pub(crate) fn score(
    index: &Index,
    heads: &[Option<&Model>; HEADS],
    text: &str,
    scratch: &mut Scratch,
) {
    let kinds = heads.iter().flatten().map(|head| head.header.recipe.kinds);
    let kinds = kinds.fold(GramKinds::NONE, GramKinds::union);
    scratch.tokens.read(text);
    grams::read(&scratch.tokens, kinds, &mut scratch.grams);
    // Unknown to every head.
    let unknown = look_up(index, scratch);
    for ((head, model), out) in heads.iter().enumerate().zip(&mut scratch.heads) {
        if let Some(model) = model {
            let hits = (&scratch.word_hits[..], &scratch.char_hits[..]);
            score_head(head, model, hits, unknown, out);
        }
    }
}

/// Numbers of n-grams by kind.
type ByKind = [u32; GramKind::ALL.len()];

/// Fills the lists of hits with the distinct known n-grams.
fn look_up(index: &Index, scratch: &mut Scratch) -> ByKind {
    let mut unknown = ByKind::default();
    let Scratch { grams, slots, word_hits, char_hits, seen, .. } = scratch;
    slots.clear();
    slots.extend(grams.iter().map(|gram| index.first_slot(gram.hash)));
    word_hits.clear();
    char_hits.clear();
    seen.clear(grams.len());
    for (gram, slot) in grams.iter().zip(slots) {
        let Some(entry) = index.find_from(gram.hash, *slot) else {
            if let Some(count) = unknown.get_mut(gram.kind as usize) {
                *count += 1;
            }
            continue;
        };
        let hits = if gram.kind.is_char() { &mut *char_hits } else { &mut *word_hits };
        let next = u32::try_from(hits.len()).unwrap_or(u32::MAX);
        match seen.meet(entry, next) {
            Some(at) => {
                if let Some(hit) = hits.get_mut(at as usize) {
                    hit.count += 1;
                }
            }
            None => {
                let rows = [index.first_row(entry), NO_ROW, NO_ROW, NO_ROW];
                hits.push(Hit { entry, rows, count: 1, kind: gram.kind });
            }
        }
    }
    // One pass of independent reads, so that the cache misses overlap.
    for hit in word_hits {
        hit.rows = index.rows(hit.entry);
    }
    unknown
}

/// Distinct known n-grams: words and the like, and characters.
type Hits<'a> = (&'a [Hit], &'a [Hit]);

fn score_head(
    head: usize,
    model: &Model,
    (words, chars): Hits<'_>,
    unknown: ByKind,
    out: &mut HeadScratch,
) {
    let recipe = &model.header.recipe;
    let chars = if recipe.kinds.any(CHARS) { chars } else { &[] };
    // N-grams of other heads are unknown to this one.
    let (mut known, mut unknown) = (ByKind::default(), unknown);
    let (mut mass, mut squares) = (0.0, 0.0);
    out.values.clear();
    for hit in words.iter().chain(chars).filter(|hit| recipe.kinds.has(hit.kind)) {
        let row = hit.rows.get(head).copied().unwrap_or(NO_ROW);
        let Some(scale) = model.scales.get(row as usize) else {
            count(&mut unknown, hit);
            continue;
        };
        count(&mut known, hit);
        let value = recipe.term(hit.count) * scale;
        squares += value * value;
        mass += value;
        out.values.push((row, value));
    }
    out.unit = if recipe.is_unit_length() && squares > 0.0 { 1.0 / squares.sqrt() } else { 1.0 };
    model.weights.score(&out.values, out.unit, &mut out.scores);
    out.reading = Reading { mass: mass * out.unit, ..Reading::default() };
    for (kind, (known, unknown)) in GramKind::ALL.into_iter().zip(known.into_iter().zip(unknown)) {
        if recipe.kinds.has(kind) {
            out.reading.add(kind, known, true);
            out.reading.add(kind, unknown, false);
        }
    }
}

#[inline]
fn count(by_kind: &mut ByKind, hit: &Hit) {
    if let Some(count) = by_kind.get_mut(hit.kind as usize) {
        *count += hit.count;
    }
}
