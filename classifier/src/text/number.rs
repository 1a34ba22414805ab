//! Numbers and identifiers become typed tokens: `300 mega` is a speed, `123.456.789-09` a CPF.
//!
//! The digits themselves say nothing about an intent and would leak a customer's identity into a
//! model file; their type says a lot. Works on folded characters (see [`super::fold`]).

/// What a run of digits stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Typed {
    /// An amount of money: `R$ 99,90`, `99.90`, `80 reais`.
    Money,
    /// Eleven digits of a person's register.
    Cpf,
    /// Fourteen digits of a company's register.
    Cnpj,
    /// A telephone number.
    Phone,
    /// A postal code.
    Cep,
    /// A day: `10/05`, `10-05-2025`.
    Date,
    /// A time of day: `14:30`, `14h`.
    Time,
    /// A speed: `300 mega`, `1 giga`, `500mb`.
    Speed,
    /// A share: `50%`.
    Percent,
    /// Repetition or instalments: `3x`.
    Times,
    /// A protocol, contract or ticket number (long runs).
    Protocol,
    /// The 44 to 48 digits of a bill.
    Barcode,
    /// An ordinal: `3a`.
    Ordinal,
    /// A year.
    Year,
    /// Two digits.
    Number2,
    /// Three digits.
    Number3,
    /// Four to seven digits.
    Number4,
}

impl Typed {
    /// The token's text, as n-grams and explanations show it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Typed::Money => "<valor>",
            Typed::Cpf => "<cpf>",
            Typed::Cnpj => "<cnpj>",
            Typed::Phone => "<fone>",
            Typed::Cep => "<cep>",
            Typed::Date => "<data>",
            Typed::Time => "<hora>",
            Typed::Speed => "<velocidade>",
            Typed::Percent => "<porcento>",
            Typed::Times => "<vezes>",
            Typed::Protocol => "<protocolo>",
            Typed::Barcode => "<barras>",
            Typed::Ordinal => "<ordinal>",
            Typed::Year => "<ano>",
            Typed::Number2 => "<n2>",
            Typed::Number3 => "<n3>",
            Typed::Number4 => "<n4>",
        }
    }
}

/// What a number turned out to be, and how many characters it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    /// A typed token.
    Typed(Typed, usize),
    /// A single digit, kept as a word: menu choices and `2` in `2 via` matter.
    Digit(char, usize),
    /// `2 via`, `2a via`: the ordinary words "segunda via" (the `via` itself is not consumed).
    Second(usize),
    /// Not a number: read it as a word (`5g`, `4k`).
    Word,
}

/// Counts over one run of digits and inner separators.
#[derive(Debug, Default, Clone, Copy)]
struct Run {
    digits: usize,
    slashes: usize,
    colons: usize,
    dashes: usize,
    dots: usize,
    commas: usize,
    /// Digits after the last separator.
    tail: usize,
    /// Digits before the first separator.
    head: usize,
    first: char,
    third: char,
    len: usize,
}

fn at(text: &[char], i: usize) -> char {
    text.get(i).copied().unwrap_or('\0')
}

/// Reads a number at the start of `text`; `None` when there is none.
pub(crate) fn scan(text: &[char]) -> Option<Number> {
    if at(text, 0) == 'r' && at(text, 1) == '$' {
        let gap = if at(text, 2) == ' ' { 3 } else { 2 };
        let run = run(text.get(gap..)?);
        // A lone "R$" still speaks of money.
        return Some(Number::Typed(Typed::Money, if run.digits > 0 { gap + run.len } else { 2 }));
    }
    if matches!(at(text, 0), '+' | '(') {
        return phone(text);
    }
    if !at(text, 0).is_ascii_digit() {
        return None;
    }
    let run = run(text);
    Some(with_suffix(text, run).unwrap_or_else(|| plain(text, run)))
}

/// `+55 (11) 91234-5678`, `(11) 91234 5678`: at least eight digits, else not a phone.
fn phone(text: &[char]) -> Option<Number> {
    if !at(text, 1).is_ascii_digit() {
        return None;
    }
    let (mut digits, mut len) = (0, 1);
    loop {
        match at(text, len) {
            c if c.is_ascii_digit() => digits += 1,
            ' ' | '-' | '(' | ')' | '.' if len < 24 => {}
            _ => break,
        }
        len += 1;
    }
    (8..=13).contains(&digits).then_some(Number::Typed(Typed::Phone, len))
}

fn run(text: &[char]) -> Run {
    let mut run = Run::default();
    loop {
        let c = at(text, run.len);
        if c.is_ascii_digit() {
            run.digits += 1;
            run.tail += 1;
            match run.digits {
                1 => run.first = c,
                3 => run.third = c,
                _ => {}
            }
        } else if matches!(c, '/' | ':' | '-' | '.' | ',') && at(text, run.len + 1).is_ascii_digit()
        {
            if run.separators() == 0 {
                run.head = run.digits;
            }
            run.tail = 0;
            match c {
                '/' => run.slashes += 1,
                ':' => run.colons += 1,
                '-' => run.dashes += 1,
                '.' => run.dots += 1,
                _ => run.commas += 1,
            }
        } else {
            break;
        }
        run.len += 1;
    }
    run
}

impl Run {
    fn separators(&self) -> usize {
        self.slashes + self.colons + self.dashes + self.dots + self.commas
    }
}

/// The word that starts at `from`, as a slice.
fn word(text: &[char], from: usize) -> &[char] {
    let rest = text.get(from..).unwrap_or_default();
    let len = rest.iter().take(10).take_while(|c| c.is_alphabetic()).count();
    rest.get(..len).unwrap_or_default()
}

fn is_one_of(word: &[char], choices: &[&str]) -> bool {
    choices.iter().any(|choice| word.iter().copied().eq(choice.chars()))
}

/// Numbers that their unit explains: glued (`300mb`, `14h`, `3x`) or one space away (`300 mega`).
fn with_suffix(text: &[char], run: Run) -> Option<Number> {
    let glued = word(text, run.len);
    if glued.is_empty() {
        if at(text, run.len) == '%' {
            return Some(Number::Typed(Typed::Percent, run.len + 1));
        }
        return spaced_unit(text, run);
    }
    let end = run.len + glued.len();
    let typed = |typed| Some(Number::Typed(typed, end));
    if is_one_of(glued, &["mb", "mbps", "mega", "megas", "giga", "gigas", "gb", "gbps", "mbs"])
        || (run.digits > 1 && is_one_of(glued, &["m"]))
    {
        return typed(Typed::Speed);
    }
    if is_one_of(glued, &["h", "hs", "hrs", "hr", "min"]) {
        // 14h30 is one time.
        let minutes = text.get(end..).unwrap_or_default();
        let more = minutes.iter().take(2).take_while(|c| c.is_ascii_digit()).count();
        return Some(Number::Typed(Typed::Time, end + more));
    }
    if is_one_of(glued, &["x", "vz", "vzs", "vez", "vezes"]) {
        return typed(Typed::Times);
    }
    if is_one_of(glued, &["reais", "real", "conto", "contos", "pila", "pilas"]) {
        return typed(Typed::Money);
    }
    if run.separators() == 0 && run.digits <= 2 && is_one_of(glued, &["a", "o"]) {
        return Some(ordinal(text, run, end));
    }
    // "5g", "4k", "2via": a word that starts with digits.
    (run.separators() == 0).then_some(Number::Word)
}

fn ordinal(text: &[char], run: Run, end: usize) -> Number {
    if run.digits == 1 && run.first == '2' && is_one_of(word(text, end + 1), &["via", "vias"]) {
        return Number::Second(end);
    }
    Number::Typed(Typed::Ordinal, end)
}

fn spaced_unit(text: &[char], run: Run) -> Option<Number> {
    if at(text, run.len) != ' ' {
        return None;
    }
    let unit = word(text, run.len + 1);
    let end = run.len + 1 + unit.len();
    if is_one_of(unit, &["mega", "megas", "mb", "mbps", "giga", "gigas", "gb", "gbps", "megabits"])
    {
        return Some(Number::Typed(Typed::Speed, end));
    }
    if is_one_of(unit, &["reais", "real", "conto", "contos", "pila", "pilas"]) {
        return Some(Number::Typed(Typed::Money, end));
    }
    if run.digits == 1 && run.first == '2' && is_one_of(unit, &["via", "vias"]) {
        return Some(Number::Second(run.len));
    }
    None
}

/// Numbers that only their own shape explains.
fn plain(text: &[char], run: Run) -> Number {
    let typed = match run {
        Run { digits: 1, .. } => return Number::Digit(run.first, run.len),
        Run { colons: 1.., digits: ..=6, .. } => Typed::Time,
        Run { slashes: 1.., digits: 2..=8, .. } => Typed::Date,
        Run { dashes: 2, digits: 4..=8, .. } => Typed::Date,
        Run { digits: 11, dots: 2, .. } => Typed::Cpf,
        Run { digits: 14, .. } => Typed::Cnpj,
        Run { digits: 8, dashes: 1, tail: 3, .. } => Typed::Cep,
        Run { digits: 9..=13, dashes: 1.., .. } | Run { digits: 8, dashes: 1, .. } => Typed::Phone,
        Run { commas: 1, tail: ..=2, .. } => Typed::Money,
        Run { dots: 1, commas: 0, tail: 2, head: 1..=4, .. } => Typed::Money,
        Run { digits: 44..=48, .. } => Typed::Barcode,
        Run { digits: 11, .. } if run.third == '9' => Typed::Phone,
        Run { digits: 11, .. } => Typed::Cpf,
        Run { digits: 10, .. } => Typed::Phone,
        Run { digits: 12..=13, .. } if at(text, 0) == '5' && at(text, 1) == '5' => Typed::Phone,
        _ if run.digits >= 8 => Typed::Protocol,
        Run { digits: 2, .. } => Typed::Number2,
        Run { digits: 3, .. } => Typed::Number3,
        Run { digits: 4, len: 4, .. } if is_year(text) => Typed::Year,
        _ => Typed::Number4,
    };
    Number::Typed(typed, run.len)
}

fn is_year(text: &[char]) -> bool {
    matches!((at(text, 0), at(text, 1)), ('1', '9') | ('2', '0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Option<Number> {
        scan(&text.chars().collect::<Vec<_>>())
    }

    #[test]
    fn shapes_of_numbers() {
        let cases = [
            ("r$ 99,90", Typed::Money),
            ("r$100", Typed::Money),
            ("99,90", Typed::Money),
            ("99.90", Typed::Money),
            ("1.234,56", Typed::Money),
            ("80 reais", Typed::Money),
            ("123.456.789-09", Typed::Cpf),
            ("12345678909", Typed::Cpf),
            ("12.345.678/0001-90", Typed::Cnpj),
            ("(11) 91234-5678", Typed::Phone),
            ("+55 11 91234-5678", Typed::Phone),
            ("11912345678", Typed::Phone),
            ("91234-5678", Typed::Phone),
            ("5511912345678", Typed::Phone),
            ("01310-100", Typed::Cep),
            ("10/05", Typed::Date),
            ("10/05/2025", Typed::Date),
            ("10-05-2025", Typed::Date),
            ("14:30", Typed::Time),
            ("14h30", Typed::Time),
            ("18hs", Typed::Time),
            ("300 mega", Typed::Speed),
            ("300mb", Typed::Speed),
            ("1 giga", Typed::Speed),
            ("400m", Typed::Speed),
            ("50%", Typed::Percent),
            ("3x", Typed::Times),
            ("3a", Typed::Ordinal),
            ("20250510123456789", Typed::Protocol),
            ("2025", Typed::Year),
            ("15", Typed::Number2),
            ("500", Typed::Number3),
            ("12345", Typed::Number4),
        ];
        for (text, expected) in cases {
            match typed(text) {
                Some(Number::Typed(found, len)) => {
                    assert_eq!(found, expected, "{text}");
                    assert_eq!(len, text.chars().count(), "{text}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn digits_words_and_the_second_copy() {
        assert_eq!(typed("2"), Some(Number::Digit('2', 1)));
        assert_eq!(typed("2 via"), Some(Number::Second(1)));
        assert_eq!(typed("2a via"), Some(Number::Second(2)));
        assert_eq!(typed("5g"), Some(Number::Word));
        assert_eq!(typed("abc"), None);
        assert_eq!(typed("(abc)"), None);
        assert_eq!(typed("+"), None);
        assert_eq!(typed("r$"), Some(Number::Typed(Typed::Money, 2)));
        assert_eq!(typed(&"8".repeat(47)), Some(Number::Typed(Typed::Barcode, 47)));
    }
}
