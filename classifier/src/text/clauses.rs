//! A message's clauses: what its writer says one after the other.
//!
//! Invariant: the clauses are pieces of the text in its order, none of them without a letter or a
//! digit; a text that is never cut is its own and only clause.

use super::fold::fold;

/// Words (folded) that add something or turn to something else: a clause begins with them.
const TURNS: [&str; 14] = [
    "e",
    "mas",
    "tambem",
    "tb",
    "tbm",
    "so",
    "aproveita",
    "aproveitando",
    "alem",
    "depois",
    "porem",
    "agora",
    "outra",
    "fora",
];

/// Marks at the end of a word that end a clause.
const ENDS: [char; 7] = ['.', ',', ';', '!', '?', ':', '…'];

/// The clauses of a text.
#[derive(Debug, Clone)]
pub(crate) struct Clauses<'t> {
    rest: &'t str,
}

impl<'t> Clauses<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        Self { rest: text }
    }
}

impl<'t> Iterator for Clauses<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        while !self.rest.is_empty() {
            let (clause, rest) = self.rest.split_at_checked(first_len(self.rest))?;
            self.rest = rest;
            if clause.contains(char::is_alphanumeric) {
                return Some(clause.trim());
            }
        }
        None
    }
}

/// Bytes of the first clause.
fn first_len(text: &str) -> usize {
    let mut len = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        if len > 0 && turns(word) {
            break;
        }
        len += word.len();
        if word.ends_with('\n') || word.trim_end().ends_with(ENDS) {
            break;
        }
    }
    len
}

/// "é" is no "e".
fn turns(word: &str) -> bool {
    let letters = || word.trim_matches(|c: char| !c.is_alphanumeric()).chars();
    !letters().eq(['é']) && TURNS.iter().any(|turn| letters().filter_map(fold).eq(turn.chars()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        Clauses::of(text).collect()
    }

    #[test]
    fn clauses_end_at_marks_and_begin_at_turns() {
        let cases: [(&str, &[&str]); 7] = [
            ("manda o boleto e muda a data", &["manda o boleto", "e muda a data"]),
            ("não quero boleto, quero cancelar", &["não quero boleto,", "quero cancelar"]),
            ("ta lenta!! TAMBÉM cai", &["ta lenta!!", "TAMBÉM cai"]),
            ("é hoje", &["é hoje"]),
            ("R$ 99,90 todo mês", &["R$ 99,90 todo mês"]),
            ("oi\ncaiu", &["oi", "caiu"]),
            (" ... 😡 ", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(cut(text), expected, "{text}");
        }
    }

    #[test]
    fn nothing_is_lost() {
        let text = "oi, bom dia! e a net? caiu... mas voltou \n agora quero a fatura e o pix";
        let joined: String = cut(text).concat();
        let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        assert_eq!(bare(&joined), bare(text));
    }
}
