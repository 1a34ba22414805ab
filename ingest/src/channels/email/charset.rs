//! Text whose bytes are not what their label says: windows-1252 is what remains (WHATWG Encoding takes
//! it for every label of Western Europe, and old programs write it under any name or none).

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, MessagePart, MimeHeaders};

/// What unknown bytes are taken for.
const FALLBACK: &str = "windows-1252";

/// `bytes` as text, by the charset their sender names.
#[must_use]
pub(super) fn decoded(bytes: &[u8], charset: Option<&str>) -> String {
    // Whatever its label, text with accents that is UTF-8 is UTF-8: nothing else looks like it.
    let name = charset.unwrap_or("utf-8").trim().to_ascii_lowercase();
    let decoder = charset_decoder(name.as_bytes()).filter(|_| !is_utf8(&name));
    let western = name.starts_with("iso-8859") || name.starts_with("windows-12");
    let western = western || matches!(name.as_str(), "us-ascii" | "ascii" | "latin1");
    match std::str::from_utf8(bytes) {
        Ok(text) if western || decoder.is_none() => return text.to_owned(),
        _ => {}
    }
    let decoded = decoder.map(|decode| decode(bytes)).filter(|text| !text.contains('\u{fffd}'));
    decoded.unwrap_or_else(|| by_fallback(bytes))
}

fn by_fallback(bytes: &[u8]) -> String {
    charset_decoder(FALLBACK.as_bytes())
        .map_or_else(|| String::from_utf8_lossy(bytes).into_owned(), |decode| decode(bytes))
}

/// A text part as text; decoded again where the parser could not read it or was misled by its label.
pub(super) fn text_of(raw: &[u8], part: &MessagePart<'_>) -> Option<String> {
    let text = part.text_contents()?;
    let charset = part.content_type().and_then(|kind| kind.attribute("charset"));
    let misled = charset.is_some_and(|charset| !charset.eq_ignore_ascii_case("utf-8"));
    if !text.contains('\u{fffd}') && !misled {
        return Some(text.to_owned());
    }
    let range = part.raw_body_offset() as usize..part.raw_end_offset() as usize;
    let bytes = raw.get(range)?;
    let bytes = match part.encoding {
        Encoding::None => Some(bytes.to_vec()),
        Encoding::QuotedPrintable => quoted_printable_decode(bytes),
        Encoding::Base64 => base64_decode(bytes),
    };
    Some(bytes.map_or_else(|| text.to_owned(), |bytes| decoded(&bytes, charset)))
}

/// The header fields with bytes that are not UTF-8, and encoded words of unknown charsets, made readable.
pub(super) fn mended_header(block: &[u8]) -> Cow<'_, [u8]> {
    let text = match std::str::from_utf8(block) {
        Ok(text) if !has_unknown_word(text) => return Cow::Borrowed(block),
        Ok(text) => text.to_owned(),
        Err(_) => by_fallback(block),
    };
    let mut mended = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, word)) = rest.split_once("=?") {
        mended.push_str(before);
        mended.push_str("=?");
        rest = word;
        if let Some((charset, encoded)) = word.split_once('?')
            && is_unknown(charset)
        {
            mended.push_str(FALLBACK);
            mended.push('?');
            rest = encoded;
        }
    }
    mended.push_str(rest);
    Cow::Owned(mended.into_bytes())
}

fn has_unknown_word(text: &str) -> bool {
    let charsets = text.split("=?").skip(1).filter_map(|word| word.split_once('?'));
    charsets.into_iter().any(|(charset, _)| is_unknown(charset))
}

/// The charset that is no table of the parser's.
fn is_utf8(name: &str) -> bool {
    matches!(name, "utf-8" | "utf8")
}

/// A charset's name that says nothing to us, as it stands in an encoded word (RFC 2047, RFC 2231).
fn is_unknown(charset: &str) -> bool {
    let name = charset.split('*').next().unwrap_or_default();
    let plausible = !name.is_empty()
        && name.len() <= 40
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'));
    plausible && !is_utf8(&name.to_ascii_lowercase()) && charset_decoder(name.as_bytes()).is_none()
}
