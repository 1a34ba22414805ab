//! What the writer wants and does not want: negation, rejection, wish.
//!
//! "Não quero boleto, quero cancelar" names two intents and means one. A negation marks the next
//! words of its clause; a negated wish *rejects* what follows it, until the writer turns; a wish
//! marks what follows as asked for. Portuguese cues (and the commonest English negations); in other
//! languages nothing is marked.

use std::sync::LazyLock;

/// Words after a negation that count as negated.
const NEGATION_REACH_WORDS: u8 = 3;

/// Words after a wish, granted or rejected, that belong to it.
const WISH_REACH_WORDS: u8 = 6;

const NEGATIONS: [&str; 16] = [
    "nao", "nem", "nunca", "jamais", "sem", "ninguem", "nenhum", "nenhuma", "not", "no", "never",
    "dont", "cant", "wont", "didnt", "isnt",
];

/// Right after a negation these reject what follows.
const REJECTIONS: [&str; 8] =
    ["quero", "queria", "querendo", "quer", "preciso", "pretendo", "vim", "e"];

/// These ask for what follows.
const WISHES: [&str; 19] = [
    "quero", "queria", "quer", "preciso", "gostaria", "desejo", "solicito", "peco", "pedir",
    "pode", "podem", "poderia", "consigo", "manda", "mandar", "mande", "favor", "como", "tem",
];

/// These end a rejection: the writer turns to something else.
const TURNS: [&str; 10] =
    ["mas", "so", "quero", "queria", "e", "sim", "ate", "que", "mais", "porque"];

/// How the writer stands to one word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stance {
    /// A negation stands at most three words before, in the same clause.
    pub(crate) negated: bool,
    /// Named as not wanted.
    pub(crate) rejected: bool,
    /// Named as wanted.
    pub(crate) wished: bool,
}

/// Follows the stance from word to word.
#[derive(Debug, Default)]
pub(crate) struct Stances {
    negation_left: u8,
    rejection_left: u8,
    wish_left: u8,
}

impl Stances {
    /// Punctuation: what was said no longer reaches on.
    pub(crate) fn end_clause(&mut self) {
        *self = Self::default();
    }

    /// The stance to a symbol (an emoji, an amount), which ends nothing.
    pub(crate) fn symbol(&self) -> Stance {
        Stance {
            negated: self.negation_left > 0,
            rejected: self.rejection_left > 0,
            wished: self.wish_left > 0,
        }
    }

    /// The stance to the next word.
    pub(crate) fn word(&mut self, word: &[char]) -> Stance {
        let cues = cues(word);
        let follows_negation = self.negation_left == NEGATION_REACH_WORDS;
        let mut stance = Stance { negated: self.negation_left > 0, ..Stance::default() };
        self.negation_left = self.negation_left.saturating_sub(1);
        if cues.has(Cues::NEGATION) {
            self.negation_left = NEGATION_REACH_WORDS;
        }
        if follows_negation && cues.has(Cues::REJECTION) {
            (self.rejection_left, self.wish_left) = (WISH_REACH_WORDS, 0);
            return stance;
        }
        if self.rejection_left > 0 {
            if !cues.has(Cues::TURN) {
                stance.rejected = true;
                self.rejection_left -= 1;
                return stance;
            }
            self.rejection_left = 0;
        }
        if cues.has(Cues::WISH) {
            self.wish_left = WISH_REACH_WORDS;
        } else {
            stance.wished = self.wish_left > 0;
            self.wish_left = self.wish_left.saturating_sub(1);
        }
        stance
    }
}

/// What a word signals, as bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cues(u8);

impl Cues {
    const NEGATION: u8 = 1;
    const REJECTION: u8 = 2;
    const WISH: u8 = 4;
    const TURN: u8 = 8;

    fn has(self, cue: u8) -> bool {
        self.0 & cue != 0
    }
}

/// Slots of the cue index: a power of two, at least twice the number of cues.
const SLOTS: usize = 128;

/// Longest cue: eight ASCII characters pack into one integer.
const CUE_CHARS_MAX: usize = 8;

static INDEX: LazyLock<[(u64, Cues); SLOTS]> = LazyLock::new(|| {
    let mut slots = [(0, Cues::default()); SLOTS];
    let lists: [(&[&str], u8); 4] = [
        (&NEGATIONS, Cues::NEGATION),
        (&REJECTIONS, Cues::REJECTION),
        (&WISHES, Cues::WISH),
        (&TURNS, Cues::TURN),
    ];
    for (words, cue) in lists {
        for word in words {
            let packed = pack(word.chars());
            if let Some(slot) = probe(&slots, packed).and_then(|at| slots.get_mut(at)) {
                slot.0 = packed;
                slot.1.0 |= cue;
            }
        }
    }
    slots
});

fn pack(word: impl Iterator<Item = char>) -> u64 {
    word.fold(0, |packed, c| packed << 8 | u64::from(u32::from(c)))
}

/// The slot that holds `packed`, or the free one where it belongs.
fn probe(slots: &[(u64, Cues)], packed: u64) -> Option<usize> {
    let start = usize::try_from(packed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 57).unwrap_or(0);
    (0..SLOTS)
        .map(|step| (start + step) % SLOTS)
        .find(|&at| slots.get(at).is_some_and(|slot| slot.0 == packed || slot.0 == 0))
}

fn cues(word: &[char]) -> Cues {
    if word.len() > CUE_CHARS_MAX {
        return Cues::default();
    }
    let slots: &[(u64, Cues)] = &*INDEX;
    let packed = pack(word.iter().copied());
    let slot = probe(slots, packed).and_then(|at| slots.get(at));
    slot.filter(|slot| slot.0 == packed).map_or(Cues::default(), |slot| slot.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One letter a word: n negated, r rejected, w wished, - none (rejection shown first).
    fn stances(text: &str) -> String {
        let mut stances = Stances::default();
        text.split(' ')
            .map(|word| {
                let (word, ends) = word.strip_suffix(',').map_or((word, false), |w| (w, true));
                let stance = stances.word(&word.chars().collect::<Vec<_>>());
                if ends {
                    stances.end_clause();
                }
                match stance {
                    Stance { rejected: true, .. } => 'r',
                    Stance { wished: true, .. } => 'w',
                    Stance { negated: true, .. } => 'n',
                    _ => '-',
                }
            })
            .collect()
    }

    #[test]
    fn a_negated_wish_rejects_until_the_writer_turns() {
        assert_eq!(stances("nao quero o boleto, quero cancelar agora"), "-nrr-ww");
        assert_eq!(stances("nao quero boleto so quero o codigo"), "-nrn-ww");
        assert_eq!(stances("nao e lentidao mas a internet caiu"), "-nrn---");
    }

    #[test]
    fn a_plain_negation_reaches_three_words() {
        assert_eq!(stances("a internet nao funciona aqui em casa"), "---nnn-");
        assert_eq!(stances("sem sinal, agora voltou"), "-n--");
    }

    #[test]
    fn every_cue_is_short_enough_to_be_found() {
        for cue in NEGATIONS.iter().chain(&REJECTIONS).chain(&WISHES).chain(&TURNS) {
            assert!(cue.len() <= CUE_CHARS_MAX, "{cue}");
        }
    }
}
