//! Whether a text is nothing but the wish for a person.

/// Whether `text`, without accents, case and punctuation, is one of `phrases`.
pub(super) fn is_asked_for(text: &str, phrases: &[String]) -> bool {
    if text.len() > 80 {
        return false;
    }
    let plain = plain(text);
    phrases.iter().any(|phrase| self::plain(phrase) == plain)
}

/// Letters and digits in lower case without accents, single spaces between words.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        let c = match c {
            'á' | 'à' | 'â' | 'ã' | 'ä' => 'a',
            'é' | 'ê' | 'è' => 'e',
            'í' | 'î' => 'i',
            'ó' | 'ô' | 'õ' | 'ö' => 'o',
            'ú' | 'ü' => 'u',
            'ç' => 'c',
            other => other,
        };
        if c.is_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hears_the_wish_and_nothing_more() {
        let phrases = ["falar com atendente".to_owned(), "atendente".to_owned()];
        for text in ["ATENDENTE", "falar com atendente!!", "  Falar  com Atêndente. "] {
            assert!(is_asked_for(text, &phrases), "{text}");
        }
        for text in ["o atendente foi ótimo", "", "já falei com atendente e não resolveu"] {
            assert!(!is_asked_for(text, &phrases), "{text}");
        }
    }
}
