//! The one tokeniser: raw text → folded, de-slanged, typed tokens.
//!
//! Invariant: training and serving call [`Tokens::read`] and nothing else; it never panics, keeps
//! its buffers between calls (no allocation once they have grown) and reads at most
//! [`TEXT_CHARS_MAX`] characters.

use super::fold::{fold, is_emoji};
use super::number::{self, Number};
use super::slang;
use super::stance::{Stance, Stances};

/// Characters of a text that are read; the rest of a longer one is ignored.
pub(crate) const TEXT_CHARS_MAX: usize = 8_192;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A word; the only kind that has character n-grams.
    Word,
    /// A typed number, address or laugh, or an emoji: takes part in word n-grams as it is.
    Symbol,
    /// A mark of tone (`!!`, `?`, capitals): stands beside the sequence of words.
    Mark,
}

/// One token: a span of [`Tokens::chars`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) kind: TokenKind,
    pub(crate) stance: Stance,
}

/// Reusable buffers that hold the tokens of one text.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    folded: Vec<char>,
    /// Tokens separated by single spaces, with one at each end.
    chars: Vec<char>,
    list: Vec<Token>,
    stances: Stances,
}

impl Tokens {
    /// The normalised text: tokens separated by single spaces, with one at each end.
    pub(crate) fn chars(&self) -> &[char] {
        &self.chars
    }

    /// The characters of a span.
    #[inline]
    pub(crate) fn span(&self, start: u32, end: u32) -> &[char] {
        self.chars.get(start as usize..end as usize).unwrap_or_default()
    }

    /// The tokens in order.
    pub(crate) fn list(&self) -> &[Token] {
        &self.list
    }

    /// Replaces the content by the tokens of `text`.
    pub(crate) fn read(&mut self, text: &str) {
        self.folded.clear();
        self.chars.clear();
        self.list.clear();
        self.stances.end_clause();
        self.chars.push(' ');
        let (mut upper, mut letters) = (0usize, 0usize);
        for c in text.chars().take(TEXT_CHARS_MAX) {
            letters += usize::from(c.is_ascii_alphabetic());
            upper += usize::from(c.is_ascii_uppercase());
            self.folded.extend(fold(c));
        }
        let folded = std::mem::take(&mut self.folded);
        let mut at = 0;
        while at < folded.len() {
            at += self.step(folded.get(at..).unwrap_or_default()).max(1);
        }
        self.folded = folded;
        if letters >= 8 && upper * 10 >= letters * 7 {
            self.push("<caixa-alta>", TokenKind::Mark);
        }
    }

    /// Reads one token or separator at the start of `rest`; returns the characters consumed.
    fn step(&mut self, rest: &[char]) -> usize {
        let Some(&first) = rest.first() else { return 0 };
        match first {
            'a'..='z' if first != 'r' || rest.get(1) != Some(&'$') => self.word(rest),
            ' ' => 1,
            '0'..='9' | '+' | '(' | 'r' => self.number(rest),
            '!' | '?' => self.tone(rest, first),
            '@' if starts_word(rest.get(1)) => {
                self.push("<mencao>", TokenKind::Symbol);
                chunk_len(rest)
            }
            ':' | '=' | ';' | '<' => self.emoticon(rest),
            '.' | ',' | '\n' => self.end_clause(),
            c if c.is_alphanumeric() => self.word(rest),
            c if is_emoji(c) => self.emoji(rest, c),
            _ => 1,
        }
    }

    fn end_clause(&mut self) -> usize {
        self.stances.end_clause();
        1
    }

    fn number(&mut self, rest: &[char]) -> usize {
        match number::scan(rest) {
            Some(Number::Typed(typed, len)) => {
                self.push(typed.name(), TokenKind::Symbol);
                len
            }
            Some(Number::Digit(digit, len)) => {
                let mut utf8 = [0u8; 4];
                self.push(digit.encode_utf8(&mut utf8), TokenKind::Word);
                len
            }
            Some(Number::Second(len)) => {
                self.push("segunda", TokenKind::Word);
                len
            }
            Some(Number::Word) => self.word(rest),
            None => 1,
        }
    }

    fn tone(&mut self, rest: &[char], first: char) -> usize {
        self.stances.end_clause();
        let len = rest.iter().take_while(|c| matches!(c, '!' | '?')).count();
        let asks = rest.iter().take(len).any(|&c| c == '?');
        let mark = match (first, asks, len) {
            (_, true, 1) => "?",
            (_, true, _) => "??",
            (_, false, 1) => "!",
            _ => "!!",
        };
        self.push(mark, TokenKind::Mark);
        len
    }

    fn emoticon(&mut self, rest: &[char]) -> usize {
        let face = |i: usize| rest.get(i).copied().unwrap_or('\0');
        let nose = usize::from(face(1) == '-');
        let token = match (face(0), face(1 + nose)) {
            ('<', '3') => "<3",
            (':' | '=' | ';', ')' | 'd' | ']') if !starts_word(rest.get(2 + nose)) => ":)",
            (':' | '=' | ';', '(' | '[' | '/') if face(2 + nose) != '/' => ":(",
            (':', _) => return self.end_clause(),
            _ => return 1,
        };
        self.push(token, TokenKind::Symbol);
        2 + nose
    }

    fn emoji(&mut self, rest: &[char], c: char) -> usize {
        let mut utf8 = [0u8; 4];
        self.push(c.encode_utf8(&mut utf8), TokenKind::Symbol);
        rest.iter().take_while(|&&next| next == c).count()
    }

    fn word(&mut self, rest: &[char]) -> usize {
        let len = rest.iter().take_while(|&&c| c.is_ascii_lowercase() || is_inner(c)).count();
        if let Some((name, len)) = address(rest, len) {
            self.push(name, TokenKind::Symbol);
            return len;
        }
        let start = self.chars.len();
        let mut run = 0;
        for &c in rest.iter().take(len).filter(|&&c| c != '\'') {
            run = if self.chars.last() == Some(&c) && run > 0 { run + 1 } else { 1 };
            // Three or more of a letter are an elongation: "muuuito" is "muito".
            match run {
                3 if c.is_alphabetic() => drop(self.chars.pop()),
                4.. if c.is_alphabetic() => {}
                _ => self.chars.push(c),
            }
        }
        self.finish_word(start, rest.get(..len).unwrap_or_default());
        len.max(1)
    }

    /// Turns the characters from `start` on into a token: a laugh, an abbreviation or a word.
    fn finish_word(&mut self, start: usize, raw: &[char]) {
        if is_laugh(raw) {
            self.chars.truncate(start);
            return self.push("<riso>", TokenKind::Symbol);
        }
        let word = self.chars.get(start..).unwrap_or_default();
        if word.is_empty() {
            return;
        }
        if let Some(full) = slang::expand(word) {
            self.chars.truncate(start);
            for part in full.split(' ') {
                self.push(part, TokenKind::Word);
            }
            return;
        }
        if word == ['f', 'i'] && self.last_word() == ['w', 'i'] {
            // "wi-fi" and "wi fi" are one word.
            self.chars.truncate(start.saturating_sub(1));
            self.list.pop();
            let joined = self.chars.len().saturating_sub(2);
            self.chars.extend(['f', 'i']);
            return self.close(joined, TokenKind::Word);
        }
        self.close(start, TokenKind::Word);
    }

    fn last_word(&self) -> &[char] {
        self.list.last().map_or(&[], |last| self.span(last.start, last.end))
    }

    fn push(&mut self, text: &str, kind: TokenKind) {
        let start = self.chars.len();
        self.chars.extend(text.chars());
        self.close(start, kind);
    }

    /// Ends the token that began at `start` of the character buffer.
    fn close(&mut self, start: usize, kind: TokenKind) {
        let end = self.chars.len();
        let word = self.chars.get(start..end).unwrap_or_default();
        let stance = match kind {
            TokenKind::Word => self.stances.word(word),
            TokenKind::Symbol => self.stances.symbol(),
            TokenKind::Mark => Stance::default(),
        };
        self.chars.push(' ');
        let bound = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.list.push(Token { start: bound(start), end: bound(end), kind, stance });
    }
}

fn starts_word(c: Option<&char>) -> bool {
    c.is_some_and(|c| c.is_alphanumeric())
}

/// Letters and digits beyond a–z, and the apostrophe of "don't", continue a word.
fn is_inner(c: char) -> bool {
    c == '\'' || c.is_alphanumeric()
}

/// Characters up to the next white space.
fn chunk_len(rest: &[char]) -> usize {
    rest.iter().take_while(|c| !c.is_whitespace()).count()
}

/// An e-mail or web address that starts with a word of `len` characters, and its length.
fn address(rest: &[char], len: usize) -> Option<(&'static str, usize)> {
    const ENDINGS: [&str; 9] = [".com", ".br", ".net", ".org", ".io", ".gov", ".app", ".me", "://"];
    let next = *rest.get(len)?;
    if !matches!(next, '@' | '.' | ':' | '_' | '-') {
        return None;
    }
    let chunk = rest.get(..chunk_len(rest)).unwrap_or_default();
    let after = chunk.get(len + 1)?;
    if next == ':' && *after != '/' {
        return None;
    }
    if let Some(at) = chunk.iter().position(|&c| c == '@') {
        return starts_word(chunk.get(at + 1)).then_some(("<email>", chunk.len()));
    }
    let has = |ending: &str| {
        let width = ending.chars().count();
        chunk.windows(width).enumerate().any(|(i, window)| {
            window.iter().copied().eq(ending.chars())
                && (ending == "://" || !chunk.get(i + width).is_some_and(|c| c.is_alphabetic()))
        })
    };
    ENDINGS.iter().any(|ending| has(ending)).then_some(("<link>", chunk.len()))
}

/// "kkkk", "rsrs", "haha", "hehehe": one token, whatever the length.
fn is_laugh(word: &[char]) -> bool {
    let only = |set: &[char]| word.iter().all(|c| set.contains(c));
    match word {
        ['k', 'k', ..] => only(&['k']),
        ['r', 's', ..] => only(&['r', 's']),
        ['h' | 'u' | 'a' | 'e' | 'i', _, _, _, ..] => {
            only(&['h', 'a', 'e', 'i', 'u']) && word.iter().filter(|&&c| c == 'h').count() >= 2
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let mut tokens = Tokens::default();
        tokens.read(text);
        tokens.chars().iter().collect::<String>().trim().to_owned()
    }

    #[test]
    fn chat_text_is_normalised() {
        let cases = [
            ("Vc ñ me mandou a 2ª VIA!!", "voce nao me mandou a segunda via !!"),
            ("ESTOU SEM NET", "estou sem internet <caixa-alta>"),
            ("muuuuito obg 🙏🙏🙏", "muito obrigado 🙏"),
            ("oiii td bem?", "oi tudo bem ?"),
            ("minha net caiu dnv kkkkkk", "minha internet caiu de novo <riso>"),
            ("wi-fi Wi Fi wifi", "wifi wifi wifi"),
            ("paguei R$ 99,90 dia 10/05", "paguei <valor> dia <data>"),
            ("meu cpf é 123.456.789-09", "meu cpf e <cpf>"),
            ("300 mega por 80 reais", "<velocidade> por <valor>"),
            ("manda p/ joao.silva@gmail.com.br", "manda para <email>"),
            ("https://x.com/a?b=1 www.loja.com.br", "<link> <link>"),
            ("caiu.preciso de ajuda", "caiu preciso de ajuda"),
            ("I don't know", "i dont know"),
            ("rede 5g", "rede 5g"),
            ("legal :) :(", "legal :) :("),
            ("hahahaha rsrs", "<riso> <riso>"),
            ("", ""),
            ("...", ""),
            ("carro isso passou", "carro isso passou"),
            ("@vivo #fail", "<mencao> fail"),
            ("obs: nao", "obs nao"),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn normalised_text_is_separated_by_single_spaces() {
        let mut tokens = Tokens::default();
        tokens.read("a  b, wi fi");
        let text: String = tokens.chars().iter().collect();
        assert_eq!(text, " a b wifi ");
        for token in tokens.list() {
            assert_eq!(tokens.chars()[token.start as usize - 1], ' ');
            assert_eq!(tokens.chars()[token.end as usize], ' ');
        }
    }

    #[test]
    fn punctuation_ends_what_a_negation_reaches() {
        let mut tokens = Tokens::default();
        tokens.read("nao quero o boleto agora. nao, quero cancelar");
        let stances = tokens.list().iter().map(|token| token.stance);
        let rejected: Vec<bool> = stances.clone().map(|stance| stance.rejected).collect();
        let wished: Vec<bool> = stances.map(|stance| stance.wished).collect();
        assert_eq!(rejected, [false, false, true, true, true, false, false, false]);
        assert_eq!(wished, [false, false, false, false, false, false, false, true]);
    }

    #[test]
    fn very_long_text_is_cut() {
        let mut tokens = Tokens::default();
        tokens.read(&"a b ".repeat(TEXT_CHARS_MAX));
        assert!(tokens.chars().len() <= 2 * TEXT_CHARS_MAX);
    }
}
