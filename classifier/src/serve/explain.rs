//! Why this intent and not the next: the parts of the text and their exact weights.
//!
//! Invariant: the difference of the two best scores is the sum of (value × weight difference) over
//! the n-grams present, plus the difference of the priors. A person reads words, not letters: what
//! a word's character n-grams, negation, border and concept add is counted under the word, so the
//! weights of all parts (before the `k` best are chosen) still sum up exactly.

use super::index::Index;
use super::scratch::Scratch;
use crate::artifact::model::Model;
use crate::context::Shift;
use crate::features::grams::{Gram, GramKind, display};
use crate::score::softmax::top_two;
use crate::text::tokens::Tokens;

/// A part of the text and what it adds to the best intent's lead over the second (nats of score;
/// negative if it speaks against).
#[derive(Debug, Clone, PartialEq)]
pub struct Telling {
    /// A word or a pair of words of the normalised text.
    pub ngram: String,
    /// Its contribution.
    pub weight: f64,
}

/// A part, and where it first stands.
#[derive(Clone, Copy)]
struct Part {
    weight: f64,
    /// Span in [`Tokens::chars`].
    start: u32,
    end: u32,
    is_pair: bool,
    /// What to show a pair as.
    gram: Gram,
}

impl Part {
    fn name(&self, tokens: &Tokens) -> String {
        if self.is_pair {
            display(tokens, self.gram)
        } else {
            tokens.span(self.start, self.end).iter().collect()
        }
    }
}

/// The `k` most telling parts of the text just scored into `scratch`.
pub(crate) fn tell(index: &Index, model: &Model, scratch: &Scratch, k: usize) -> Vec<Telling> {
    let mut parts = parts(index, model, scratch);
    parts.sort_by(|a, b| {
        b.weight.abs().total_cmp(&a.weight.abs()).then_with(|| a.start.cmp(&b.start))
    });
    let mut chosen: Vec<Part> = Vec::new();
    for part in parts {
        if chosen.len() == k {
            break;
        }
        // A word inside a pair already shown, or a pair whose words are, says nothing new.
        let inside = |other: &Part| other.start <= part.start && part.end <= other.end;
        let shown = chosen.iter().any(|other| other.is_pair && inside(other));
        let covered = |edge: u32| chosen.iter().any(|c| c.start == edge || c.end == edge);
        if !(shown || part.is_pair && covered(part.start) && covered(part.end)) {
            chosen.push(part);
        }
    }
    let tell = |part: &Part| Telling { ngram: part.name(&scratch.tokens), weight: part.weight };
    let mut told: Vec<Telling> = chosen.iter().map(tell).collect();
    if !scratch.shifts.is_empty() {
        told.extend(shifts(model, scratch));
        told.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        told.truncate(k);
    }
    told
}

/// What was known beside the text, as parts of the lead: a shift is in nats of probability, scores
/// are scaled to those.
fn shifts(model: &Model, scratch: &Scratch) -> Vec<Telling> {
    let [Some(best), Some(second)] = leading(model, scratch) else { return Vec::new() };
    let scale = scale(model, scratch);
    let at = |nats: &[f64], class: usize| nats.get(class).copied().unwrap_or_default();
    let tell = |shift: &Shift| Telling {
        ngram: format!("[{}]", shift.name),
        weight: scale * (at(&shift.nats, best) - at(&shift.nats, second)),
    };
    scratch.shifts.iter().map(tell).collect()
}

fn scale(model: &Model, scratch: &Scratch) -> f64 {
    let [own, ..] = &scratch.heads;
    model.header.calibration.temperature.scale(&own.reading)
}

/// The two best classes in scope, what is known beside the text included.
fn leading(model: &Model, scratch: &Scratch) -> [Option<usize>; 2] {
    let [own, ..] = &scratch.heads;
    let (oos, scale) = (model.header.calibration.oos_class, scale(model, scratch));
    let shift = |class: usize| -> f64 {
        scratch.shifts.iter().filter_map(|shift| shift.nats.get(class)).sum()
    };
    let classes = own.scores.iter().take(model.weights.classes()).enumerate();
    let ranked = classes.map(|(class, score)| match oos {
        Some(oos) if oos == class => f64::NEG_INFINITY,
        _ => score + scale * shift(class),
    });
    top_two(ranked).map(|ranked| ranked.map(|(class, _)| class))
}

/// Every part of the text, with the sum of what its n-grams add.
fn parts(index: &Index, model: &Model, scratch: &Scratch) -> Vec<Part> {
    let [own, ..] = &scratch.heads;
    let [Some(best), Some(second)] = leading(model, scratch) else { return Vec::new() };
    let hits = scratch.word_hits.iter().chain(&scratch.char_hits);
    let mut counts: Vec<(u32, u32)> = hits.map(|hit| (hit.entry, hit.count)).collect();
    counts.sort_unstable();
    let count = |entry: u32| {
        let found = counts.binary_search_by_key(&entry, |(entry, _)| *entry).ok();
        found.and_then(|at| counts.get(at)).map_or(1, |(_, count)| *count)
    };
    let mut parts: Vec<Part> = Vec::new();
    for &gram in scratch.grams.iter().filter(|g| model.header.recipe.kinds.has(g.kind)) {
        let Some(entry) = index.find(gram.hash) else { continue };
        let row = index.first_row(entry);
        let Some(scale) = model.scales.get(row as usize) else { continue };
        // An n-gram that occurs twice counts once, more strongly: each place gets its share.
        let count = count(entry);
        let value = model.header.recipe.term(count) * scale * own.unit / f64::from(count);
        let lead = model.weights.weight(row, best) - model.weights.weight(row, second);
        add(&mut parts, &scratch.tokens, gram, value * lead);
    }
    parts
}

/// Counts a gram under its word, or under its pair of words.
fn add(parts: &mut Vec<Part>, tokens: &Tokens, gram: Gram, weight: f64) {
    let is_pair = matches!(gram.kind, GramKind::Pair | GramKind::ConceptPair);
    let (start, end) = if is_pair {
        (gram.start, gram.end)
    } else {
        // A character n-gram may reach one border beyond its word on either side.
        let after = tokens.list().partition_point(|token| token.start <= gram.start + 1);
        let Some(word) = after.checked_sub(1).and_then(|at| tokens.list().get(at)) else { return };
        (word.start, word.end)
    };
    // The same words elsewhere in the text are one line of the explanation.
    let text = tokens.span(start, end);
    let same =
        |part: &&mut Part| part.is_pair == is_pair && tokens.span(part.start, part.end) == text;
    match parts.iter_mut().find(same) {
        Some(part) => part.weight += weight,
        None => parts.push(Part { weight, start, end, is_pair, gram }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundled::train_bundled_head;
    use crate::rows::Task;
    use crate::serve::index::Index;
    use crate::serve::score::score;
    use crate::{corpus, serve::head::Head};

    #[test]
    fn the_parts_sum_up_to_the_lead() {
        let mut rows = corpus::training().unwrap();
        rows.retain(|row| ["pix", "cancelar", "luz_los", "fora_escopo"].contains(&&*row.label));
        let head: Head = train_bundled_head(Task::Intent, &rows, &mut |_| {}).unwrap().into_head();
        let model = &head.model;
        let index = Index::build(&[Some(model), None, None, None]);
        let mut scratch = Scratch::new();
        for row in corpus::validation().unwrap().iter().take(200) {
            score(&index, &[Some(model), None, None, None], &row.text, &mut scratch);
            let parts = parts(&index, model, &scratch);
            let sum: f64 = parts.iter().map(|part| part.weight).sum();
            let oos = model.header.calibration.oos_class;
            let classes = scratch.heads[0].scores[..model.weights.classes()].iter().enumerate();
            let in_scope = classes.map(|(c, &s)| if oos == Some(c) { f64::MIN } else { s });
            let [Some((first, best)), Some((second, next))] = top_two(in_scope) else { panic!() };
            let prior = model.weights.log_prior();
            let lead = best - next - (prior[first] - prior[second]);
            assert!((sum - lead).abs() < 1e-9, "{}: {sum} {lead}", row.text);
            let told = tell(&index, model, &scratch, 4);
            assert!(told.len() <= 4);
            for (i, part) in told.iter().enumerate() {
                assert!(told[..i].iter().all(|other| other.ngram != part.ngram), "{told:?}");
            }
        }
    }
}
