//! From HTML to text, without what is quoted: mail programs mark it, each in its way.

use mail_parser::decoders::html::html_to_text;

/// Marks of what was written before: the start of an attribute's value, in lower case.
const QUOTES: [&str; 7] = [
    "gmail_quote",
    "yahoo_quoted",
    "moz-cite-prefix",
    "protonmail_quote",
    "divrplyfwdmsg",
    "appendonsend",
    "mail-editor-reference-message-container",
];
/// Behind these everything is quoted.
const QUOTED_BEHIND: [&str; 2] = ["divrplyfwdmsg", "appendonsend"];
/// What is no text.
const SILENT: [&str; 4] = ["script", "style", "head", "title"];
/// What begins a line.
const BLOCKS: [&str; 17] = [
    "div",
    "p",
    "tr",
    "li",
    "ul",
    "ol",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "section",
    "blockquote",
    "pre",
];

/// A tag: its name in lower case, whether it closes, and what else stands in it.
struct Tag<'h> {
    name: String,
    closes: bool,
    rest: &'h str,
}

/// What the sender wrote, as text.
#[must_use]
pub fn text_of(html: &str) -> String {
    let lower = html.to_ascii_lowercase();
    // What is forwarded is marked as quoted, and is what the mail is about.
    let forwarded =
        ["forwarded message", "mensagem encaminhada"].iter().any(|mark| lower.contains(mark));
    html_to_text(&without_quotes(html, forwarded)).replace('\u{a0}', " ")
}

/// The texts and line breaks of `html`; what is silent or quoted is left out.
fn without_quotes(html: &str, keep_quotes: bool) -> String {
    let mut kept = String::with_capacity(html.len());
    let mut left_out: Option<(String, usize)> = None;
    let mut rest = html;
    while let Some((text, after)) = rest.split_once('<') {
        if left_out.is_none() {
            kept.push_str(text);
        }
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, behind)| behind);
            continue;
        }
        if !after.contains('>') {
            rest = after;
            break;
        }
        let Some((tag, behind)) = tag(after) else {
            // A bracket that opens nothing is text.
            if left_out.is_none() {
                kept.push_str("&lt;");
            }
            rest = after;
            continue;
        };
        rest = behind;
        if let Some((name, depth)) = &mut left_out {
            if *name == tag.name {
                *depth = if tag.closes { depth.saturating_sub(1) } else { *depth + 1 };
                if *depth == 0 {
                    left_out = None;
                }
            }
            continue;
        }
        let attributes = tag.rest.to_ascii_lowercase();
        let marked = |marks: &[&str]| marks.iter().any(|mark| attributes.contains(mark));
        let quoted = !keep_quotes && (tag.name == "blockquote" || marked(&QUOTES));
        if !tag.closes && quoted && marked(&QUOTED_BEHIND) {
            return kept;
        }
        if !tag.closes
            && !tag.rest.ends_with('/')
            && (quoted || SILENT.contains(&tag.name.as_str()))
        {
            left_out = Some((tag.name, 1));
        } else if tag.name == "br" || (BLOCKS.contains(&tag.name.as_str()) && !ends_line(&kept)) {
            kept.push_str("<br>");
        } else if tag.name == "td" || tag.name == "th" {
            kept.push(' ');
        }
    }
    if left_out.is_none() {
        kept.push_str(rest);
    }
    kept
}

fn ends_line(kept: &str) -> bool {
    let kept = kept.trim_end();
    kept.is_empty() || kept.ends_with("<br>")
}

/// The tag that `after` begins with, and what follows it. Brackets within quotation marks do not end it.
fn tag(after: &str) -> Option<(Tag<'_>, &str)> {
    let (closes, inner) = after.strip_prefix('/').map_or((false, after), |inner| (true, inner));
    if !inner.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '!' | '?')) {
        return None;
    }
    let mut quote = None;
    let end = inner.char_indices().find(|(_, c)| match (quote, c) {
        (None, '>') => true,
        (None, '"' | '\'') => {
            quote = Some(*c);
            false
        }
        (Some(open), c) if open == *c => {
            quote = None;
            false
        }
        _ => false,
    });
    // A quotation mark that is never closed must not swallow the mail.
    let at = end.map_or_else(|| inner.find('>'), |(at, _)| Some(at))?;
    let (tag, behind) = inner.split_at_checked(at)?;
    let name_end = tag.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(tag.len());
    let (name, rest) = tag.split_at_checked(name_end)?;
    let tag = Tag { name: name.to_ascii_lowercase(), closes, rest };
    Some((tag, behind.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn says(html: &str, text: &str) {
        assert_eq!(text_of(html).trim(), text, "{html}");
    }

    #[test]
    fn what_is_shown_is_kept_line_by_line() {
        says(
            "<div>Bom dia</div><div>sem <b>sinal</b> &amp; frio</div>",
            "Bom dia\nsem sinal & frio",
        );
        says("<head><title>x</title></head><p>oi<script>alert('<p>')</script></p>", "oi");
        says("<p title='a > b'>um</p><!-- <p>dois</p> --><br>três", "um\n\ntrês");
        says("1 < 2 e 3 > 2", "1 < 2 e 3 > 2");
        says("<p>oi", "oi");
        says("<p title=\"oi>tudo bem", "tudo bem");
    }

    #[test]
    fn what_programs_mark_as_quoted_is_not() {
        says(
            "<div>novo</div><div class=\"gmail_quote\"><div>velho</div></div><div>fim</div>",
            "novo\nfim",
        );
        says(
            "novo<div class=\"moz-cite-prefix\">Em 20/11, x escreveu:</div><blockquote type=\"cite\">v<blockquote>w</blockquote></blockquote>",
            "novo",
        );
        says("<p>novo</p><div id=\"divRplyFwdMsg\">De: x</div><p>velho</p>", "novo");
        says("<p>novo</p><div id=\"ydp1yahoo_quoted_2\" class=\"ydp1yahoo_quoted\">velho", "novo");
        says(
            "<div class=\"gmail_quote\">---------- Forwarded message ---------<br>boleto</div>",
            "---------- Forwarded message ---------\nboleto",
        );
    }
}
