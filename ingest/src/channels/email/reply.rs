//! The new text of a mail: what it quotes and what is signed under it are cut, for the programs people
//! use here, in Portuguese and English. Pure; in doubt a line stays.

/// Within how many lines the header fields of what is quoted begin.
const FIELD_LINES: usize = 16;
/// How many lines a program takes to say who wrote what follows.
const ATTRIBUTION_LINES: usize = 4;
/// What is under a mark that only looks like a signature's is more than one.
const SIGNATURE_LINES_MAX: usize = 10;

/// What says who wrote what follows: how it begins and how it ends.
const ATTRIBUTIONS: [(&str, &[&str]); 5] = [
    ("em ", &["escreveu:", "escreveu :", "escreveram:"]),
    ("no dia ", &["escreveu:"]),
    ("on ", &["wrote:", "wrote :"]),
    ("el ", &["escribió:"]),
    ("le ", &["écrit :", "écrit:"]),
];
/// The header fields programs put above what they quote.
const FIELDS: [&str; 20] = [
    "de",
    "from",
    "enviado",
    "enviada",
    "enviado em",
    "enviada em",
    "enviado:",
    "sent",
    "date",
    "data",
    "para",
    "to",
    "assunto",
    "subject",
    "cc",
    "com cópia",
    "com copia",
    "responder a",
    "reply-to",
    "cco",
];
const ORIGINALS: [&str; 4] =
    ["mensagem original", "original message", "mensaje original", "original appointment"];
const FORWARDS: [&str; 4] = [
    "mensagem encaminhada",
    "forwarded message",
    "início da mensagem encaminhada",
    "begin forwarded message",
];
/// What programs sign with.
const ADVERTISEMENTS: [&str; 14] = [
    "enviado do meu",
    "enviado pelo meu",
    "enviado de meu",
    "enviado do iphone",
    "enviado do outlook",
    "enviado do yahoo",
    "enviado do email",
    "enviado via",
    "enviado a partir d",
    "sent from",
    "get outlook for",
    "obter o outlook",
    "obter outlook",
    "baixe o outlook",
];
/// How notes of lawyers begin.
const NOTES: [&str; 6] = [
    "aviso legal",
    "esta mensagem pode conter",
    "esta mensagem, incluindo",
    "este e-mail e seus anexos",
    "antes de imprimir",
    "this e-mail may contain confidential",
];

/// What is new in `text`. A mail that only forwards says what it forwards.
#[must_use]
pub fn new_text(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let kept = without_quotes(&lines);
    let new = joined(without_signature(&kept));
    if new.is_empty() && lines.iter().any(|line| is_mark(line, &FORWARDS)) {
        return joined(&lines);
    }
    new
}

/// The lines that are not quoted.
fn without_quotes<'t>(lines: &[&'t str]) -> Vec<&'t str> {
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let here = lines.get(at..).unwrap_or_default();
        if is_quoted(line) {
            at += 1;
        } else if is_mark(line, &ORIGINALS) || is_mark(line, &FORWARDS) || begins_fields(here) {
            break;
        } else if let Some(length) = attribution(here) {
            let mut behind = here.iter().skip(length).filter(|line| !line.is_empty());
            // Marked line by line, others may follow; otherwise all that follows is quoted.
            if !behind.next().is_some_and(|line| is_quoted(line)) {
                break;
            }
            at += length;
        } else {
            kept.push(*line);
            at += 1;
        }
    }
    kept
}

fn is_quoted(line: &str) -> bool {
    line.trim_start().starts_with('>')
}

/// `-----Mensagem original-----` and the like.
fn is_mark(line: &str, marks: &[&str]) -> bool {
    let plain = line.trim_matches(|c: char| matches!(c, '-' | '_' | '*' | ' ' | '>' | ':' | '.'));
    plain.len() < 60 && marks.contains(&plain.to_lowercase().as_str())
}

/// Of how many lines what says who wrote what follows is, if `lines` begin with it.
fn attribution(lines: &[&str]) -> Option<usize> {
    let first = lines.first()?.trim_start_matches(['*', '_', ' ']).to_lowercase();
    if first.is_empty() {
        return None;
    }
    let mut all = String::new();
    for (at, line) in lines.iter().take(ATTRIBUTION_LINES).enumerate() {
        // It has no empty line within; nor is it ever this long.
        if line.is_empty() || line.len() > 400 {
            return None;
        }
        all.push_str(&line.to_lowercase());
        all.push(' ');
        let said = all.trim_end().trim_end_matches(['*', '_', ' ']);
        let dated = said.bytes().any(|byte| byte.is_ascii_digit());
        let named = ATTRIBUTIONS.iter().any(|(begins, ends)| {
            first.starts_with(begins) && ends.iter().any(|end| said.ends_with(end))
        });
        // "Fulano <a@b> escreveu no dia 20/11 às 10:32:", and "2026-11-20 10:32 Fulano <a@b>:".
        let addressed = said.contains('@') && said.ends_with(':');
        let begins_dated = first.starts_with(|c: char| c.is_ascii_digit()) && said.ends_with(">:");
        let other =
            addressed && (said.contains("> escreveu") || said.contains("> wrote") || begins_dated);
        if dated && (named || other) {
            return Some(at + 1);
        }
    }
    None
}

/// Whether `lines` begin with the header fields of what was written before: who from, and two more.
fn begins_fields(lines: &[&str]) -> bool {
    if lines.first().is_none_or(|line| line.is_empty()) {
        return false;
    }
    let mut filled = lines.iter().take(FIELD_LINES).filter(|line| !line.is_empty());
    // The line that some draw above them goes with them.
    let first = match filled.next() {
        Some(line) if is_rule(line) => filled.next(),
        other => other,
    };
    let is_sender =
        first.and_then(|line| field(line)).is_some_and(|name| name == "de" || name == "from");
    is_sender && filled.take(6).filter(|line| field(line).is_some()).count() >= 2
}

/// The name of the header field a line looks like.
fn field(line: &str) -> Option<String> {
    let (name, _) = line.trim_start_matches(['*', '_', ' ']).split_once(':')?;
    let name = name.trim_matches(['*', '_', ' ']).to_lowercase();
    FIELDS.contains(&name.as_str()).then_some(name)
}

fn is_rule(line: &str) -> bool {
    line.len() >= 10 && line.bytes().all(|byte| byte == b'_' || byte == b'-')
}

/// The lines above the signature.
fn without_signature<'l, 't>(lines: &'l [&'t str]) -> &'l [&'t str] {
    let mut under = lines.iter().filter(|line| !line.is_empty()).count();
    let end = lines.iter().position(|line| {
        under -= usize::from(!line.is_empty());
        (under <= SIGNATURE_LINES_MAX && ends_text(line)) || is_note(line)
    });
    let lines = end.map_or(lines, |at| lines.get(..at).unwrap_or_default());
    // "-Fulano", as some sign.
    let last = lines.iter().rposition(|line| !line.is_empty()).unwrap_or_default();
    match lines.get(last) {
        Some(line) if last > 0 && is_dashed_name(line) => lines.get(..last).unwrap_or_default(),
        _ => lines,
    }
}

fn ends_text(line: &str) -> bool {
    // Trimmed: the mark of a signature is "-- " (RFC 3676), and programs lose the space.
    line == "--" || line == "—" || is_rule(line) || {
        let plain = line.trim_start_matches(['*', '_', ' ', '<', '[']).to_lowercase();
        plain.len() < 100 && ADVERTISEMENTS.iter().any(|begins| plain.starts_with(begins))
    }
}

fn is_note(line: &str) -> bool {
    let plain = line.trim_start_matches(['*', '_', ' ']).to_lowercase();
    NOTES.iter().any(|begins| plain.starts_with(begins))
}

fn is_dashed_name(line: &str) -> bool {
    line.strip_prefix('-').is_some_and(|name| {
        name.starts_with(|c: char| c.is_uppercase()) && name.split_whitespace().count() <= 4
    })
}

/// The lines without empty ones at the ends, and never two of those in a row.
fn joined(lines: &[&str]) -> String {
    let mut text = String::new();
    let mut empty = 0;
    for line in lines {
        if line.trim().is_empty() {
            empty += 1;
            continue;
        }
        if !text.is_empty() {
            text.push_str(if empty > 0 { "\n\n" } else { "\n" });
        }
        empty = 0;
        text.push_str(line);
    }
    text
}

#[cfg(test)]
mod tests;
