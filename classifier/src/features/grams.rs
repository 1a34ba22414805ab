//! Tokens → hashed n-grams.
//!
//! Invariant: one pass makes the n-grams of every head; a head takes the kinds its recipe names.
//! Every n-gram is a span of the normalised text, so it can be shown to a person.

use super::hash::{finish, pair, push, raw};
use crate::text::concepts::{self, Concept};
use crate::text::tokens::{Token, TokenKind, Tokens};
use serde::{Deserialize, Serialize};

/// Words between two concepts that still form a pair.
const CONCEPT_REACH_WORDS: usize = 6;

/// The kinds of n-grams; the numbers are part of the artifact format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum GramKind {
    /// One word or symbol.
    Word = 0,
    /// Two neighbouring words or symbols.
    Pair = 1,
    /// A word or symbol under a negation.
    Negated = 2,
    /// A mark of tone.
    Mark = 3,
    /// The first or the last word, together with the border of the text.
    Edge = 4,
    /// Three characters of a word, its borders being spaces.
    Char3 = 5,
    /// Four characters.
    Char4 = 6,
    /// Five characters.
    Char5 = 7,
    /// The concept of a word of the trade.
    Concept = 8,
    /// Two concepts that follow one another, other words between them or not.
    ConceptPair = 9,
    /// A word of another trade: power, water, banks, jobs, sport…
    Foreign = 10,
    /// A concept that the writer asks for.
    Wish = 11,
}

impl GramKind {
    /// Every kind, in the order of their numbers.
    pub(crate) const ALL: [Self; 12] = [
        Self::Word,
        Self::Pair,
        Self::Negated,
        Self::Mark,
        Self::Edge,
        Self::Char3,
        Self::Char4,
        Self::Char5,
        Self::Concept,
        Self::ConceptPair,
        Self::Foreign,
        Self::Wish,
    ];

    /// One of the kinds that only the table of concepts makes.
    pub(crate) fn is_concept(self) -> bool {
        matches!(self, Self::Concept | Self::ConceptPair | Self::Foreign | Self::Wish)
    }

    pub(crate) fn is_char(self) -> bool {
        matches!(self, Self::Char3 | Self::Char4 | Self::Char5)
    }
}

/// A set of kinds of n-grams, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct GramKinds(u16);

impl GramKinds {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn of(kinds: &[GramKind]) -> Self {
        let mut bits = 0;
        let mut rest = kinds;
        while let [first, tail @ ..] = rest {
            bits |= 1 << *first as u16;
            rest = tail;
        }
        Self(bits)
    }

    #[inline]
    pub(crate) const fn has(self, kind: GramKind) -> bool {
        self.0 >> kind as u16 & 1 == 1
    }

    pub(crate) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Character n-grams.
pub(crate) const CHARS: GramKinds =
    GramKinds::of(&[GramKind::Char3, GramKind::Char4, GramKind::Char5]);
const CONCEPTS: GramKinds =
    GramKinds::of(&[GramKind::Concept, GramKind::ConceptPair, GramKind::Foreign, GramKind::Wish]);

/// Distinguishes a word or concept that is rejected from the same one plainly said.
const REJECTED: u64 = 9;

/// In the place of any one concept of another trade, where two concepts follow one another: that a
/// bill is some other trade's tells more than whose it is.
const FOREIGN: u64 = 10;

/// "The bill *of* the water": what follows is whose it is.
const POSSESSIVES: [&[char]; 5] =
    [&['d', 'e'], &['d', 'o'], &['d', 'a'], &['d', 'o', 's'], &['d', 'a', 's']];

/// One n-gram of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gram {
    pub(crate) hash: u64,
    pub(crate) kind: GramKind,
    /// Span in [`Tokens::chars`].
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// A concept met on the way: its raw hash and where.
#[derive(Clone, Copy)]
struct Met {
    concept: u64,
    foreign: bool,
    start: u32,
    word: usize,
}

/// What the pass remembers of the words before.
#[derive(Default)]
struct Trail {
    before: Option<(Token, u64)>,
    concepts: [Option<Met>; 2],
}

/// Replaces the content of `grams` by the n-grams of `tokens`, of the given kinds.
///
/// A rejected word ("não quero *boleto*") is only itself-as-rejected, its concept likewise: it must
/// not speak for the intent it names.
pub(crate) fn read(tokens: &Tokens, kinds: GramKinds, grams: &mut Vec<Gram>) {
    grams.clear();
    let mut trail = Trail::default();
    for (at, &token) in tokens.list().iter().enumerate() {
        let text = tokens.span(token.start, token.end);
        let plain = raw(text);
        let mut add = |kind: GramKind, raw: u64, start: u32| {
            if kinds.has(kind) {
                let hash = finish(raw, kind as u64);
                grams.push(Gram { hash, kind, start, end: token.end });
            }
        };
        if token.kind == TokenKind::Mark {
            add(GramKind::Mark, plain, token.start);
            continue;
        }
        let rejected = token.stance.rejected;
        let hash = if rejected { pair(REJECTED, plain) } else { plain };
        add(GramKind::Word, hash, token.start);
        match trail.before {
            Some((first, left)) => add(GramKind::Pair, pair(left, hash), first.start),
            None => add(GramKind::Edge, pair(1, hash), token.start),
        }
        let left = trail.before.replace((token, hash));
        let concept = if kinds.any(CONCEPTS) { concepts::of(text) } else { None };
        if rejected {
            if let Some(met) = concept {
                add(GramKind::Concept, pair(REJECTED, met.concept), token.start);
            }
            continue;
        }
        if token.stance.negated {
            add(GramKind::Negated, hash, token.start);
        }
        if let Some(Concept { concept, foreign }) = concept {
            if foreign {
                add(GramKind::Foreign, 1, token.start);
                let of = |(left, _): (Token, u64)| tokens.span(left.start, left.end);
                if left.map(of).is_some_and(|left| POSSESSIVES.contains(&left)) {
                    add(GramKind::Foreign, 2, token.start);
                }
            }
            if token.stance.wished {
                add(GramKind::Wish, concept, token.start);
            }
            let met = Met { concept, foreign, start: token.start, word: at };
            add_concept(&mut trail, met, &mut add);
        }
        if token.kind == TokenKind::Word && kinds.any(CHARS) {
            chars(tokens, token, kinds, grams);
        }
    }
    if let Some((last, hash)) = trail.before
        && kinds.has(GramKind::Edge)
    {
        let hash = finish(pair(hash, 1), GramKind::Edge as u64);
        grams.push(Gram { hash, kind: GramKind::Edge, start: last.start, end: last.end });
    }
}

fn add_concept(trail: &mut Trail, met: Met, add: &mut impl FnMut(GramKind, u64, u32)) {
    add(GramKind::Concept, met.concept, met.start);
    let side = |met: Met| if met.foreign { FOREIGN } else { met.concept };
    for earlier in trail.concepts.into_iter().flatten() {
        if side(earlier) != side(met) && met.word - earlier.word <= CONCEPT_REACH_WORDS {
            add(GramKind::ConceptPair, pair(side(earlier), side(met)), earlier.start);
        }
    }
    let [_, last] = trail.concepts;
    trail.concepts = [last, Some(met)];
}

/// Character n-grams of one word, with a space on either side.
fn chars(tokens: &Tokens, token: Token, kinds: GramKinds, grams: &mut Vec<Gram>) {
    let (start, end) = (token.start.saturating_sub(1), token.end + 1);
    let text = tokens.span(start, end);
    for (at, (i, window)) in (start..).zip(text.windows(3).enumerate()) {
        let mut add = |kind: GramKind, raw: u64, width: u32| {
            if kinds.has(kind) {
                let hash = finish(raw, kind as u64);
                grams.push(Gram { hash, kind, start: at, end: at + width });
            }
        };
        let hash = raw(window);
        add(GramKind::Char3, hash, 3);
        if let Some(&fourth) = text.get(i + 3) {
            let hash = push(hash, fourth);
            add(GramKind::Char4, hash, 4);
            if let Some(&fifth) = text.get(i + 4) {
                add(GramKind::Char5, push(hash, fifth), 5);
            }
        }
    }
}

/// The n-gram as a person reads it; character n-grams show their borders as `_`.
pub(crate) fn display(tokens: &Tokens, gram: Gram) -> String {
    let text: String = tokens.span(gram.start, gram.end).iter().collect();
    let ends = || (text.split(' ').next(), text.rsplit(' ').next());
    match gram.kind {
        kind if kind.is_char() => text.replace(' ', "_"),
        GramKind::Negated => format!("não {text}"),
        GramKind::Edge => format!("|{text}|"),
        GramKind::Concept => format!("[{text}]"),
        GramKind::Foreign => "[alheio]".to_owned(),
        GramKind::Wish => format!("[quer {text}]"),
        GramKind::Pair | GramKind::ConceptPair => match ends() {
            (Some(first), Some(last)) if gram.kind == GramKind::Pair => format!("{first} {last}"),
            (Some(first), Some(last)) => format!("{first} … {last}"),
            _ => text,
        },
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, kinds: &[GramKind]) -> Vec<String> {
        let (mut tokens, mut grams) = (Tokens::default(), Vec::new());
        tokens.read(text);
        read(&tokens, GramKinds::of(kinds), &mut grams);
        grams.iter().map(|&gram| display(&tokens, gram)).collect()
    }

    #[test]
    fn words_and_pairs_skip_marks() {
        let kinds = [GramKind::Word, GramKind::Pair, GramKind::Mark];
        assert_eq!(
            shown("quero! o boleto", &kinds),
            ["quero", "!", "o", "quero o", "boleto", "o boleto"]
        );
    }

    #[test]
    fn characters_stay_within_a_word() {
        assert_eq!(
            shown("oi net", &[GramKind::Char3]),
            ["_oi", "oi_", "_in", "int", "nte", "ter", "ern", "rne", "net", "et_"]
        );
        assert_eq!(shown("pix", &[GramKind::Char4, GramKind::Char5]), ["_pix", "_pix_", "pix_"]);
    }

    #[test]
    fn edges_mark_the_first_and_the_last_word() {
        assert_eq!(shown("boleto", &[GramKind::Edge]), ["|boleto|", "|boleto|"]);
        assert_eq!(shown("", &[GramKind::Edge]), Vec::<String>::new());
    }

    #[test]
    fn kinds_have_hashes_of_their_own() {
        let (mut tokens, mut grams) = (Tokens::default(), Vec::new());
        tokens.read("não boleto");
        read(&tokens, GramKinds::of(&GramKind::ALL), &mut grams);
        let hashes: std::collections::HashSet<u64> = grams.iter().map(|gram| gram.hash).collect();
        assert_eq!(hashes.len(), grams.len());
    }

    #[test]
    fn affairs_of_other_trades_are_alike_whichever_trade() {
        let hashes = |text: &str, kind| {
            let (mut tokens, mut grams) = (Tokens::default(), Vec::new());
            tokens.read(text);
            read(&tokens, GramKinds::of(&[kind]), &mut grams);
            grams.iter().map(|gram| gram.hash).collect::<Vec<_>>()
        };
        let pairs = |text| hashes(text, GramKind::ConceptPair);
        assert_eq!(pairs("boleto da agua"), pairs("boleto do cartao"));
        assert_ne!(pairs("boleto da agua"), pairs("boleto da fibra"));
        let foreign = |text| hashes(text, GramKind::Foreign).len();
        assert_eq!(
            (foreign("boleto agua"), foreign("boleto da agua"), foreign("boleto")),
            (1, 2, 0)
        );
    }

    #[test]
    fn concepts_join_over_other_words() {
        let pairs = shown("a internet aqui ta muito lenta", &[GramKind::ConceptPair]);
        assert_eq!(pairs, ["internet … lenta"]);
    }
}
