//! The trade's words: stems of an Internet provider's vocabulary and the concept each stands for.
//!
//! With under a hundred examples an intent, most synonyms of a word never occur in training
//! ("lerda", "carroça" and "tartaruga" all mean slow). A concept is a feature beside the words, so
//! that rows sharing no word still share evidence. Where nothing matches (another language,
//! another trade) the features are as without it.

use crate::features::hash;
use std::sync::LazyLock;

/// Concept and stems, line by line; the file's head says how to read it.
const TABLE: &str = include_str!("concepts.txt");

/// Characters of a word that are looked at.
const STEM_CHARS_MAX: usize = 8;

/// Slots of the index: a power of two, at least twice the number of stems.
const SLOTS: usize = 4_096;

/// What a word stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Concept {
    /// Raw hash of the concept's name (see [`hash::raw`]).
    pub(crate) concept: u64,
    /// A concept of another trade: it speaks for a text out of scope.
    pub(crate) foreign: bool,
}

/// One stem: packed characters (zero for a free slot), what it stands for, whole words only?
#[derive(Clone, Copy, Default)]
struct Slot {
    packed: u64,
    means: Concept,
    whole: bool,
}

static INDEX: LazyLock<Vec<Slot>> = LazyLock::new(|| {
    let mut slots = vec![Slot::default(); SLOTS];
    for (name, stem) in stems() {
        let concept = hash::raw(&name.chars().collect::<Vec<_>>());
        let (stem, whole) = stem.strip_suffix('.').map_or((stem, false), |stem| (stem, true));
        let packed = stem.chars().fold(0, pack);
        if let Some(slot) = probe(&slots, packed).and_then(|at| slots.get_mut(at)) {
            let means = Concept { concept, foreign: name.starts_with('~') };
            *slot = Slot { packed, means, whole };
        }
    }
    slots
});

fn stems() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let entries = lines.filter_map(|line| line.split_once(": "));
    entries.flat_map(|(name, stems)| stems.split(' ').map(move |stem| (name, stem)))
}

/// Appends a character; eight ASCII characters fit, and so does one emoji alone.
fn pack(packed: u64, c: char) -> u64 {
    packed << 8 | u64::from(u32::from(c))
}

/// The slot that holds `packed`, or the free one where it belongs.
fn probe(slots: &[Slot], packed: u64) -> Option<usize> {
    let start = usize::try_from(packed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 52).unwrap_or(0);
    (0..SLOTS)
        .map(|step| (start + step) % SLOTS)
        .find(|&at| slots.get(at).is_some_and(|s| s.packed == packed || s.packed == 0))
}

/// The concept a word stands for.
#[inline]
pub(crate) fn of(word: &[char]) -> Option<Concept> {
    let slots: &[Slot] = &INDEX;
    let mut packed = 0;
    let mut found = None;
    for (i, &c) in word.iter().take(STEM_CHARS_MAX).enumerate() {
        packed = pack(packed, c);
        let ends = i + 1 == word.len();
        if i < 2 && !ends {
            continue;
        }
        if let Some(slot) = probe(slots, packed).and_then(|at| slots.get(at))
            && slot.packed != 0
            && (ends || !slot.whole)
        {
            found = Some(slot.means);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::fold::fold;
    use std::collections::HashSet;

    fn concept(word: &str) -> Option<&'static str> {
        let hash = of(&word.chars().collect::<Vec<_>>())?.concept;
        stems()
            .map(|(name, _)| name)
            .find(|name| hash::raw(&name.chars().collect::<Vec<_>>()) == hash)
    }

    #[test]
    fn stems_are_unique_folded_and_short() {
        let bare: Vec<&str> = stems().map(|(_, stem)| stem.trim_end_matches('.')).collect();
        let unique: HashSet<&str> = bare.iter().copied().collect();
        assert_eq!(bare.len(), unique.len(), "a stem occurs twice");
        assert!(bare.len() * 2 <= SLOTS, "{} stems", bare.len());
        for stem in bare {
            assert!(stem.chars().count() <= STEM_CHARS_MAX, "{stem} is too long");
            assert!(stem.chars().all(|c| fold(c) == Some(c)), "{stem} is not folded");
            assert!(stem.is_ascii() || stem.chars().count() == 1, "{stem} does not pack");
        }
    }

    #[test]
    fn synonyms_meet_and_whole_words_stay_whole() {
        assert_eq!(concept("lerda"), concept("lentidao"));
        assert_eq!(concept("boletos"), Some("fatura"));
        assert_eq!(concept("tartaruga"), concept("devagar"));
        assert_eq!(concept("los"), Some("luz_los"));
        assert_ne!(concept("losango"), Some("luz_los"));
        assert_eq!(concept("xyz"), None);
        assert_eq!(concept(""), None);
    }
}
