//! Messages as hasty hands would have written them: what a model makes of these tells whether it
//! reads words or spellings.
//!
//! Invariant: the same text, way and seed give the same message; a message keeps its meaning, so
//! also its label.

use crate::features::hash::finish;
use crate::text::{fold, slang};

/// One word of so many is misspelt or drawn out.
const ONE_WORD_OF: u64 = 4;

/// A way to write carelessly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haste {
    /// No accents: "nao", "tecnico".
    Accents,
    /// Letters swapped, left out, doubled or hit beside, in one word of four.
    Typos,
    /// Words shortened as in Brazilian chats ("vc", "pq", "n"), others now and then spelt by ear
    /// ("kem", "naum", "axo"), which no table of the reader knows.
    Slang,
    /// Words drawn out: "muitooo".
    Elongation,
    /// CAPITALS.
    Caps,
    /// Shortened, then misspelt, without accents or marks.
    All,
}

impl Haste {
    /// Every way.
    pub const ALL: [Self; 6] =
        [Self::Accents, Self::Typos, Self::Slang, Self::Elongation, Self::Caps, Self::All];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accents => "accents dropped",
            Self::Typos => "typos",
            Self::Slang => "slang",
            Self::Elongation => "elongation",
            Self::Caps => "capitals",
            Self::All => "all at once",
        }
    }

    /// The text as it would have been written this way.
    #[must_use]
    pub fn write(self, text: &str, seed: u64) -> String {
        match self {
            Self::Accents => plain(text),
            Self::Typos => by_word(text, |word, at| match dice(seed, at) {
                n if n.is_multiple_of(ONE_WORD_OF) => misspell(word, n / ONE_WORD_OF),
                _ => word.to_owned(),
            }),
            Self::Slang => by_word(text, |word, at| shorten(word, dice(seed, at))),
            Self::Elongation => by_word(text, |word, at| match dice(seed, at) {
                n if n.is_multiple_of(ONE_WORD_OF) => draw_out(word),
                _ => word.to_owned(),
            }),
            Self::Caps => text.to_uppercase(),
            Self::All => {
                let short = Self::Slang.write(text, seed);
                let marks = |c: char| !matches!(c, '.' | ',' | ';' | '!');
                let bare: String = plain(&short).chars().filter(|c| marks(*c)).collect();
                Self::Typos.write(&bare, seed.wrapping_add(1)).to_lowercase()
            }
        }
    }
}

/// A number that depends on seed and place alone.
fn dice(seed: u64, at: usize) -> u64 {
    finish(seed.wrapping_mul(1_000_003).wrapping_add(at as u64 + 1), 53)
}

/// Rewrites the words, runs of letters; all else stays.
fn by_word(text: &str, mut rewrite: impl FnMut(&str, usize) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    for at in 0.. {
        let start = rest.find(char::is_alphabetic).unwrap_or(rest.len());
        let (between, from_word) = rest.split_at(start);
        let end = from_word.find(|c: char| !c.is_alphabetic()).unwrap_or(from_word.len());
        let (word, after) = from_word.split_at(end);
        out.push_str(between);
        if word.is_empty() {
            break;
        }
        out.push_str(&rewrite(word, at));
        rest = after;
    }
    out
}

fn plain(text: &str) -> String {
    let bare = |c: char| match fold::fold(c).filter(|_| !c.is_ascii() && c.is_alphabetic()) {
        Some(folded) if c.is_uppercase() => folded.to_ascii_uppercase(),
        Some(folded) => folded,
        None => c,
    };
    text.chars().map(bare).collect()
}

/// Swaps, drops or doubles a letter inside, or hits the key beside it; short words are typed right.
fn misspell(word: &str, dice: u64) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() < 4 {
        return word.to_owned();
    }
    let inner = letters.len() as u64 - 2;
    let at = usize::try_from(dice / 4 % inner).unwrap_or_default() + 1;
    match (dice % 4, letters.get(at).copied()) {
        (0, _) => letters.swap(at, at + 1),
        (1, Some(letter)) => letters.insert(at, letter),
        (2, Some(letter)) => {
            letters.remove(at);
            letters.insert(at, beside(letter));
        }
        _ => drop(letters.remove(at)),
    }
    letters.into_iter().collect()
}

/// The key right of a letter's, or left of the last of a row; other characters have none.
fn beside(letter: char) -> char {
    const ROWS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];
    let plain = fold::fold(letter).unwrap_or(letter);
    let row = ROWS.into_iter().find_map(|row| row.split_once(plain));
    match row {
        Some((left, right)) => right.chars().next().or(left.chars().last()).unwrap_or(letter),
        None => letter,
    }
}

/// One of the abbreviations of a word; one word in three without any is spelt by ear.
fn shorten(word: &str, dice: u64) -> String {
    let folded: String = word.chars().filter_map(fold::fold).collect();
    let short: Vec<&str> =
        slang::pairs().filter(|(_, full)| *full == folded).map(|(short, _)| short).collect();
    let at = usize::try_from(dice % short.len().max(1) as u64).unwrap_or_default();
    match short.get(at) {
        Some(short) => (*short).to_owned(),
        None if dice.is_multiple_of(3) => by_ear(&folded),
        None => word.to_owned(),
    }
}

fn by_ear(word: &str) -> String {
    let written = match word.strip_suffix("ao") {
        Some(stem) if word.len() > 3 => format!("{stem}aum"),
        _ => word.to_owned(),
    };
    written.replace("que", "ke").replace("qui", "ki").replace("ch", "x").replace("lh", "li")
}

/// The last vowel three times more.
fn draw_out(word: &str) -> String {
    match word.chars().last().filter(|last| "aeiou".contains(*last)) {
        Some(last) => format!("{word}{last}{last}{last}"),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_does_what_it_says_and_always_the_same() {
        let text = "Você não mandou o técnico hoje, por quê?";
        assert_eq!(Haste::Accents.write(text, 1), "Voce nao mandou o tecnico hoje, por que?");
        assert_eq!(Haste::Caps.write(text, 1), "VOCÊ NÃO MANDOU O TÉCNICO HOJE, POR QUÊ?");
        assert_eq!(by_ear("quem"), "kem");
        assert_eq!(by_ear("instalacao"), "instalacaum");
        let slang = Haste::Slang.write(text, 1);
        assert!(!slang.contains("não") && !slang.contains("hoje"), "{slang}");
        for way in Haste::ALL {
            assert_eq!(way.write(text, 7), way.write(text, 7));
            assert_eq!(way.write("", 7), "");
            let changed = (0..20).filter(|seed| way.write(text, *seed) != text).count();
            assert!(changed >= 10, "{way:?} changed {changed} of 20");
        }
        let drawn = (0..9).map(|seed| Haste::Elongation.write("caiu caiu caiu caiu", seed));
        assert!(drawn.into_iter().any(|text| text.contains("caiuuuu")));
    }

    #[test]
    fn short_words_are_typed_right() {
        for seed in 0..50 {
            assert_eq!(Haste::Typos.write("eu vi a luz", seed), "eu vi a luz");
            let typed = Haste::Typos.write("boleto", seed);
            assert!((5..=7).contains(&typed.len()), "{typed}");
        }
        assert_eq!(
            ["q", "p", "m", "é", "ж"].map(|key| beside(key.chars().next().unwrap())),
            ['w', 'o', 'n', 'r', 'ж']
        );
    }
}
