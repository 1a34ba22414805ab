//! Personal numbers in free text, masked wherever the text leaves the store: CPF and CNPJ by their
//! check digits, payment cards by Luhn, Brazilian phones by area code, e-mail addresses.
//!
//! The placeholder says what stood there, so that a reader can still follow the message.

/// Longest number that is personal, in digits.
const DIGITS_MAX: usize = 16;
/// Longest parts of an e-mail address, in characters (RFC 5321, 4.5.3.1). These bounds keep the time
/// in proportion to the text, whatever somebody sends.
const LOCAL_MAX: usize = 64;
const HOST_MAX: usize = 255;

/// The text with personal numbers replaced.
#[must_use]
pub fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (taken, shown) = personal_at(rest, out.chars().next_back());
        if taken > 0 {
            out.push_str(shown);
            rest = rest.get(taken..).unwrap_or_default();
        } else {
            // A run of letters and digits that is not personal is passed whole, so that the tail
            // of a longer number is never taken for a number of its own.
            let run = run_length(rest).max(first.len_utf8());
            out.push_str(rest.get(..run).unwrap_or_default());
            rest = rest.get(run..).unwrap_or_default();
        }
    }
    out
}

/// The first CPF or CNPJ in the text: its digits.
#[must_use]
pub fn document(text: &str) -> Option<String> {
    let (mut rest, mut before) = (text, None::<char>);
    while let Some(first) = rest.chars().next() {
        if !before.is_some_and(char::is_alphanumeric)
            && let Some((length, "[CPF]" | "[CNPJ]")) = number_at(rest)
        {
            let written = rest.get(..length).unwrap_or_default();
            return Some(written.chars().filter(char::is_ascii_digit).collect());
        }
        let run = run_length(rest).max(first.len_utf8());
        before = rest.get(..run).and_then(|run| run.chars().next_back());
        rest = rest.get(run..).unwrap_or_default();
    }
    None
}

fn run_length(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len())
}

/// Bytes of a personal token at the start of `text` and its placeholder; 0 when there is none.
fn personal_at(text: &str, before: Option<char>) -> (usize, &'static str) {
    if before.is_some_and(char::is_alphanumeric) {
        return (0, "");
    }
    if let Some(length) = email_length(text) {
        return (length, "[e-mail]");
    }
    number_at(text).unwrap_or((0, ""))
}

/// The longest personal number at the start, with the separators people put in numbers: it ends where a
/// group of digits does, for two numbers may stand one behind the other.
fn number_at(text: &str) -> Option<(usize, &'static str)> {
    let mut digits = Vec::new();
    let mut gap = 0;
    let mut found = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c.to_digit(10) {
            Some(_) if digits.len() == DIGITS_MAX => break, // longer than anything personal
            Some(digit) => {
                digits.push(u8::try_from(digit).unwrap_or_default());
                gap = 0;
                if chars.peek().is_none_or(|(_, next)| !next.is_alphanumeric()) {
                    let kind = kind_of(&digits, text.starts_with('+'));
                    found = kind.map(|shown| (at + 1, shown)).or(found);
                }
            }
            None if "+(".contains(c) && digits.is_empty() && gap < 3 => gap += 1,
            None if " .-/()".contains(c) && !digits.is_empty() && gap < 2 => gap += 1,
            None => break,
        }
    }
    found
}

fn kind_of(digits: &[u8], international: bool) -> Option<&'static str> {
    match digits.len() {
        11 if cpf(digits) => Some("[CPF]"),
        14 if cnpj(digits) => Some("[CNPJ]"),
        10 | 11 if phone(digits) => Some("[telefone]"),
        12 | 13 if digits.starts_with(&[5, 5]) && digits.get(2..).is_some_and(phone) => {
            Some("[telefone]")
        }
        13..=16 if card(digits) => Some("[cartão]"),
        8..=15 if international => Some("[telefone]"),
        _ => None,
    }
}

/// Brazilian numbering plan: two-digit area code without zeros, then eight digits, or nine that
/// begin with 9.
fn phone(digits: &[u8]) -> bool {
    match digits {
        [area @ 1..=9, code @ 1..=9, rest @ ..] => {
            let _ = (area, code);
            match rest {
                [9, ..] => rest.len() == 9 || rest.len() == 8,
                [2..=8, ..] => rest.len() == 8,
                _ => false,
            }
        }
        _ => false,
    }
}

/// Receita Federal: two check digits, modulo 11, weights counted from the right.
fn modulo_11(digits: &[u8], longest_weight: u32) -> u8 {
    let sum: u32 = digits
        .iter()
        .rev()
        .zip((2..=longest_weight).cycle())
        .map(|(digit, weight)| u32::from(*digit) * weight)
        .sum();
    match 11 - sum % 11 {
        10 | 11 => 0,
        digit => u8::try_from(digit).unwrap_or_default(),
    }
}

fn check_digits(digits: &[u8], longest_weight: u32) -> bool {
    let Some((last, body)) = digits.split_last() else { return false };
    let Some((first, stem)) = body.split_last() else { return false };
    *first == modulo_11(stem, longest_weight) && *last == modulo_11(body, longest_weight)
}

fn cpf(digits: &[u8]) -> bool {
    check_digits(digits, 11) && digits.windows(2).any(|pair| pair.first() != pair.last())
}

fn cnpj(digits: &[u8]) -> bool {
    check_digits(digits, 9) && digits.windows(2).any(|pair| pair.first() != pair.last())
}

/// ISO/IEC 7812: major industry 3–6 (payment), Luhn check digit.
fn card(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let doubled = u32::from(*digit) * if at % 2 == 1 { 2 } else { 1 };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    matches!(digits.first(), Some(3..=6)) && sum.is_multiple_of(10)
}

/// Length of an e-mail address at the start of `text`.
fn email_length(text: &str) -> Option<usize> {
    let local = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
    let host = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    let (at, _) = text.char_indices().take(LOCAL_MAX + 1).find(|(_, c)| !local(*c))?;
    let rest = text.get(at..)?.strip_prefix('@')?;
    if at == 0 || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let ends = rest.char_indices().take(HOST_MAX).find(|(_, c)| !host(*c));
    let length = ends.map_or_else(|| rest.len().min(HOST_MAX), |(at, _)| at);
    // What follows the full stop behind an address is not of it: `ana@x.com.1)`.
    let mut name = rest.get(..length)?.trim_end_matches(['.', '-']);
    loop {
        let (domain, top) = name.rsplit_once('.')?;
        if top.len() >= 2 {
            return (!domain.is_empty()).then_some(at + 1 + name.len());
        }
        name = domain.trim_end_matches(['.', '-']);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As long as what somebody may send: the time is in proportion to it, or this never ends.
    #[test]
    fn a_flood_is_masked_as_fast_as_anything() {
        for piece in ["1 ", "a.", "1-", "a@", "+ (", "a.a@a."] {
            let flood = piece.repeat((1 << 20) / piece.len());
            assert!(mask(&flood).len() <= 4 * flood.len());
        }
    }

    #[test]
    fn masks_what_is_personal() {
        for (text, masked) in [
            ("meu cpf é 111.444.777-35 ok", "meu cpf é [CPF] ok"),
            ("cpf 11144477735", "cpf [CPF]"),
            ("cnpj 11.222.333/0001-81.", "cnpj [CNPJ]."),
            ("liga 11 98765-4321", "liga [telefone]"),
            ("(11) 3456-7890 ou +55 11 98765-4321", "[telefone] ou [telefone]"),
            ("zap 5511987654321", "zap [telefone]"),
            ("52998224725 11987654321", "[CPF] [telefone]"),
            ("529.982.247-25 / 111.444.777-35", "[CPF] / [CPF]"),
            ("11.222.333/0001-81 4111 1111 1111 1111", "[CNPJ] [cartão]"),
            ("cartão 4111 1111 1111 1111 venc", "cartão [cartão] venc"),
            ("manda p/ ana.souza+net@provedor.com.br, vlw", "manda p/ [e-mail], vlw"),
            // What follows an address without a blank: found by fuzzing.
            ("ana@x.com.1) 98765-4320, ana@x.com.br", "[e-mail].[telefone], [e-mail]"),
            ("ana@provedor.com.br.E agora?", "[e-mail].E agora?"),
            ("ana@x.c.1 não é de ninguém", "ana@x.c.1 não é de ninguém"),
        ] {
            assert_eq!(mask(text), masked);
        }
    }

    #[test]
    fn finds_a_document_and_nothing_that_looks_like_one() {
        let digits = Some("11144477735".to_owned());
        for text in
            ["é 111.444.777-35 ok", "11144477735", "plano 500, cpf:111.444.777-35, obrigada"]
        {
            assert_eq!(document(text), digits, "{text}");
        }
        assert_eq!(document("cnpj 11.222.333/0001-81.").as_deref(), Some("11222333000181"));
        for text in
            ["", "liga 11 98765-4321", "cpf 111.444.777-36", "A11144477735", "000.000.000-00"]
        {
            assert_eq!(document(text), None, "{text}");
        }
    }

    #[test]
    fn leaves_the_rest_alone() {
        for text in [
            "protocolo 202611200001234567",
            "plano de 500 mega por 99,90",
            "vence dia 10/11/2026",
            "CEP 01310-100, apto 1203",
            "caiu 3x, luz vermelha, 2.4 e 5 ghz",
            "roteador AX3000T mac a1b2c3",
            "me chama @joao no insta",
            "ção ☀️ çÇ",
        ] {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn an_eleven_digit_phone_is_not_called_a_cpf() {
        assert_eq!(mask("11987654321"), "[telefone]");
        assert_eq!(mask("111.111.111-11"), "[telefone]".replace("[telefone]", "111.111.111-11"));
    }

    proptest! {
        #[test]
        fn never_fails_and_is_stable(text in "\\PC{0,200}") {
            let once = mask(&text);
            prop_assert_eq!(mask(&once), once);
        }

        #[test]
        fn no_valid_cpf_survives(stem in prop::collection::vec(0u8..10, 9), dots in any::<bool>()) {
            let mut digits = stem;
            digits.push(modulo_11(&digits, 11));
            digits.push(modulo_11(&digits, 11));
            prop_assume!(cpf(&digits));
            let text: String = digits.iter().map(|d| char::from(b'0' + d)).collect();
            let written = if dots {
                format!("{}.{}.{}-{}", &text[..3], &text[3..6], &text[6..9], &text[9..])
            } else {
                text
            };
            prop_assert_eq!(mask(&format!("cpf: {written} ok")), "cpf: [CPF] ok");
        }
    }
}
