//! Long answers as several messages, as a person would write them: cut between paragraphs, then lines,
//! then sentences, and nowhere else. Never within a word, so no address and no Pix code is cut; never
//! within a run of numbers or within what was filled in.

use std::ops::Range;

/// Messages an answer is cut into at most; longer ones become longer messages.
const PARTS_MAX: usize = 5;
/// Words that end with a full stop in the middle of a sentence are shorter than this, in characters.
const SENTENCE_WORD_MIN: usize = 4;

/// Where a text may be cut, the best places first.
#[derive(Clone, Copy)]
enum Between {
    Paragraphs,
    Lines,
    Sentences,
}

/// Cuts `text` into messages of about `chars_max` characters. `whole`: what was filled in, and stays in
/// one piece. A sentence that is longer stays whole, too.
#[must_use]
pub fn split(text: &str, chars_max: usize, whole: &[&str]) -> Vec<String> {
    let mut chars_max = chars_max.max(1);
    let kept = kept_ranges(text, whole);
    loop {
        let mut parts = Vec::new();
        cut(text, 0, chars_max, &kept, Some(Between::Paragraphs), &mut parts);
        if parts.len() <= PARTS_MAX {
            return parts;
        }
        chars_max *= 2;
    }
}

impl Between {
    fn finer(self) -> Option<Self> {
        match self {
            Self::Paragraphs => Some(Self::Lines),
            Self::Lines => Some(Self::Sentences),
            Self::Sentences => None,
        }
    }

    /// Where pieces end: behind the place, up to where the next one begins.
    fn places(self, text: &str) -> Vec<Range<usize>> {
        match self {
            Self::Paragraphs => {
                text.match_indices("\n\n").map(|(at, it)| at..at + it.len()).collect()
            }
            Self::Lines => text.match_indices('\n').map(|(at, it)| at..at + it.len()).collect(),
            Self::Sentences => {
                let spaces = text.match_indices(' ').map(|(at, it)| at..at + it.len());
                spaces
                    .filter(|space| ends_sentence(text.get(..space.start).unwrap_or_default()))
                    .collect()
            }
        }
    }
}

/// Whether a sentence ends with `text`: "Sr." and "1." end none.
fn ends_sentence(text: &str) -> bool {
    let Some(word) = text.rsplit(char::is_whitespace).next() else { return false };
    match word.chars().last() {
        Some('!' | '?' | '…') => true,
        Some('.') => {
            let word = word.trim_end_matches('.');
            let letters = word.chars().filter(|c| c.is_alphabetic()).count();
            let last = word.chars().last();
            letters >= SENTENCE_WORD_MIN
                && last.is_some_and(|c| c.is_alphanumeric() || "\")".contains(c))
        }
        _ => false,
    }
}

/// Appends the messages of `text`, which begins at `from` of the whole.
fn cut(
    text: &str,
    from: usize,
    chars_max: usize,
    kept: &[Range<usize>],
    between: Option<Between>,
    parts: &mut Vec<String>,
) {
    let mut push = |text: &str| {
        if !text.trim().is_empty() {
            parts.push(text.trim().to_owned());
        }
    };
    let fits = |text: &str| text.trim().chars().count() <= chars_max;
    let Some(between) = between.filter(|_| !fits(text)) else { return push(text) };
    let free = |place: &Range<usize>| {
        !kept.iter().any(|kept| kept.start < place.end + from && place.start + from < kept.end)
    };
    let mut pieces = Vec::new();
    let mut begun = 0;
    for place in between.places(text).into_iter().filter(free) {
        pieces.push(begun..place.start);
        begun = place.end;
    }
    pieces.push(begun..text.len());
    // As many pieces as fit go into one message.
    let mut open: Option<Range<usize>> = None;
    let mut messages = Vec::new();
    for piece in pieces {
        let longer = open.clone().map(|open| open.start..piece.end);
        match longer.filter(|longer| text.get(longer.clone()).is_some_and(fits)) {
            Some(longer) => open = Some(longer),
            None => messages.extend(open.replace(piece)),
        }
    }
    messages.extend(open);
    for message in messages {
        let at = from + message.start;
        let text = text.get(message).unwrap_or_default();
        cut(text, at, chars_max, kept, between.finer(), parts);
    }
}

/// What is never cut: what was filled in, and runs of numbers such as the line of a boleto.
fn kept_ranges(text: &str, whole: &[&str]) -> Vec<Range<usize>> {
    let mut kept = Vec::new();
    for value in whole.iter().filter(|value| value.contains(char::is_whitespace)) {
        kept.extend(text.match_indices(value).map(|(at, it)| at..at + it.len()));
    }
    let mut run: Option<Range<usize>> = None;
    let mut at = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let (begins, ends) = (at, at + word.trim_end().len());
        at += word.len();
        let is_number = word.chars().any(|c| c.is_ascii_digit())
            && word.trim_end().chars().all(|c| c.is_ascii_digit() || ".-/,()+".contains(c));
        match (&mut run, is_number) {
            (Some(run), true) => run.end = ends,
            (None, true) => run = Some(begins..ends),
            (_, false) => kept.extend(run.take()),
        }
    }
    kept.extend(run);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cuts_where_a_person_would() {
        let text = "Aqui está a sua fatura em aberto:\n• Valor: R$ 99,90\n• Vencimento: dia 05\n\n\
                    Se preferir, pague por Pix copia e cola:\n00020126580014br.gov.bcb.pix0136abc-demo5204\n\n\
                    Anote o protocolo deste atendimento: 2026112812345678901.";
        assert_eq!(split(text, 1_000, &[]), [text]);
        assert_eq!(split(text, 120, &[]).len(), 3);
        let lines = split(text, 50, &[]);
        assert_eq!(lines[0], "Aqui está a sua fatura em aberto:");
        assert_eq!(lines[1], "• Valor: R$ 99,90\n• Vencimento: dia 05");
        let sentences =
            "O Sr. João mora na Av. Brasil. Ele pediu uma visita! Fica para 30/11. Pode ser? Sim.";
        assert_eq!(
            split(sentences, 36, &[]),
            [
                "O Sr. João mora na Av. Brasil.",
                "Ele pediu uma visita!",
                "Fica para 30/11. Pode ser? Sim."
            ]
        );
        let steps = "1. Tire da tomada e espere. 2. Ligue de novo e espere. 3. Teste.";
        assert!(
            split(steps, 10, &[]).iter().all(|part| !part.ends_with("2.")),
            "{:?}",
            split(steps, 10, &[])
        );
    }

    #[test]
    fn what_was_filled_in_and_numbers_stay_whole() {
        let line = "00190.00009 02345.678901 23456.789012 1 00000000099900";
        let text =
            format!("Segue a linha digitável. Use no aplicativo. {line} Ela vale hoje. Obrigado!");
        for chars_max in 1..80 {
            let parts = split(&text, chars_max, &[]);
            assert!(parts.iter().any(|part| part.contains(line)), "{parts:?}");
        }
        let value = "terça. De manhã! Das 8h às 12h";
        let text = format!("A visita fica para {value} na sua casa. Até logo, cliente!");
        for chars_max in 1..60 {
            let parts = split(&text, chars_max, &[value]);
            assert!(parts.iter().any(|part| part.contains(value)), "{parts:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_word_is_cut(
            words in prop::collection::vec("[a-zé0-9.!?:/-]{1,12}", 1..60),
            seams in prop::collection::vec(prop_oneof![6 => Just(" "), 1 => Just("\n"), 1 => Just("\n\n")], 60),
            chars_max in 1usize..300,
        ) {
            let mut text = String::new();
            for (word, seam) in words.iter().zip(&seams) {
                text += word;
                text += seam;
            }
            let parts = split(&text, chars_max, &[]);
            prop_assert!((1..=PARTS_MAX).contains(&parts.len()));
            let told: Vec<&str> = parts.iter().flat_map(|part| part.split_whitespace()).collect();
            prop_assert_eq!(told, text.split_whitespace().collect::<Vec<_>>());
            prop_assert!(parts.iter().all(|part| !part.is_empty()));
        }
    }
}
